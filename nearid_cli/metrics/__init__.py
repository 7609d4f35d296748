"""Pure functions on arrays: similarities, the numbers made of them, and their intervals. NumPy only."""

from nearid_cli.metrics.identity import identity_scores

__all__ = ["identity_scores"]
