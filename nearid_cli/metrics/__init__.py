"""Pure functions on arrays: similarities, the numbers made of them, and their intervals. NumPy only."""

from nearid_cli.metrics.identity import AggregateIdentity, IdentityScores, identity_scores
from nearid_cli.metrics.intervals import FEW_UNITS, MIN_UNITS, mean_intervals

__all__ = [
    "FEW_UNITS",
    "MIN_UNITS",
    "AggregateIdentity",
    "IdentityScores",
    "identity_scores",
    "mean_intervals",
]
