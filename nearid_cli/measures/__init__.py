"""Metrics that are no embedding of a checkpoint: each a class of `nearid_cli.plugins`."""
