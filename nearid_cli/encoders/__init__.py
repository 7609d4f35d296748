"""Encoders: the metrics by name, finding and loading their checkpoints, and turning pictures into embeddings."""
