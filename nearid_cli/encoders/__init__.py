"""Encoders: metrics by name, finding and loading their checkpoints, pictures to embeddings."""
