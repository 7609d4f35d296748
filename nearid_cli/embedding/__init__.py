"""From picture files to embeddings, through a cache that any number of processes may share."""
