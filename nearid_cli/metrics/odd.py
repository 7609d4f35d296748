"""Which reference is not like the others: it may show another subject, or hardly this one."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import numpy.typing as npt

from nearid_cli.metrics.quantiles import t_quantile
from nearid_cli.metrics.similarity import RESOLUTION

Floats = npt.NDArray[np.float64]

MIN_REFERENCES = 4
"""Of fewer none is odd: of three, one is always the least like the others."""

_LEVEL = 0.02  # see docs/explanation/statistics.md for what this is in practice


def odd_references(beside: Floats, subjects: npt.NDArray[np.integer], number: int) -> npt.NDArray[np.bool_]:
    """Whether a reference falls out of its subject: Grubbs' test of the lowest of its subject's values.

    G = (mean - lowest) / sd is held against its critical value for one side ("Procedures for Detecting Outlying
    Observations in Samples", 1969).

    Args:
        beside: [R], mean similarity of each reference to the others of its subject, more is more alike; NaN for none.
        subjects: [R], the subject of each, from 0.
        number: how many subjects there are.

    Returns:
        [R]; at most one of each subject.

    >>> odd_references(np.array([0.80, 0.78, 0.81, 0.79, 0.80, 0.31]), np.zeros(6, int), 1).tolist()
    [False, False, False, False, False, True]
    """
    odd = np.zeros(len(beside), np.bool_)
    known = np.flatnonzero(~np.isnan(beside))
    known = known[np.lexsort((beside[known], subjects[known]))]
    counts = np.bincount(subjects[known], minlength=number)
    starts = np.cumsum(counts) - counts
    for start, count in zip(starts.tolist(), counts.tolist(), strict=True):
        if count < MIN_REFERENCES:
            continue
        own = beside[known[start : start + count]]
        low, sd = float(own[0]), float(own.std(ddof=1))
        if sd > RESOLUTION and own.mean() - low > _critical(count) * sd:
            odd[known[start]] = True
    return odd


@cache
def _critical(n: int) -> float:
    """What Grubbs' G of n normal values exceeds with the probability of the level."""
    t = t_quantile(1 - _LEVEL / n, n - 2)
    return (n - 1) / math.sqrt(n) * math.sqrt(t**2 / (n - 2 + t**2))
