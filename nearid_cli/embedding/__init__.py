"""From files to vectors, and to the numbers of pairs, through a cache of Parquet files."""

EMBEDDINGS, PAIRS, FEATURES = "embeddings", "pairs", "features"
"""What the cache holds for metrics: vectors of pictures, numbers of pairs, and what these are computed from."""

ABSENT, FILES = "absent", "files"
"""What else: pictures in which there was nothing to embed, and the digests of files."""
