"""Pure functions on arrays: similarities, the numbers made of them, and their intervals. NumPy only."""

from nearid_cli.metrics.identity import AggregateIdentity, IdentityScores, identity_scores
from nearid_cli.metrics.intervals import MIN_UNITS, RESAMPLES, mean_ci95

__all__ = [
    "MIN_UNITS",
    "RESAMPLES",
    "AggregateIdentity",
    "IdentityScores",
    "identity_scores",
    "mean_ci95",
]
