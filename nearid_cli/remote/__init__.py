"""Object stores and other places that have URLs, reached through fsspec."""
