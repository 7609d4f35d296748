"""Which reference is not like the others: it may show another subject, or hardly this one.

A mean over references hides it: it lowers the ceiling, and with it what a score is held against.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

MIN_REFERENCES = 4
"""Of fewer none is odd: of three, one is mostly clearly less like the two others than these are like each other."""

_KEPT = 1 / 3  # of the way from strangers to the others, an odd reference comes at most so far
_FAR = (
    4.0  # so many times as far from each other as the others strangers are taken to be, where none are known
)


def odd_references(
    beside: Floats, subjects: npt.NDArray[np.integer], strangers: Floats, perfect: float = np.nan
) -> npt.NDArray[np.bool_]:
    """Which references fall out of their subjects: at most one of each.

    The one that is least like the others is odd if it is both nearer to strangers than to its own (its mean similarity
    to the others is at most a third of the way from that to strangers to that of the others among themselves) and
    apart (farther below the next one than the others' are from each other). Where no strangers are known they are taken
    to be 4 times as far from the perfect similarity as the others are. Defined by this project.

    Args:
        beside: [R], mean similarity of each reference to the others of its subject, more is more alike; NaN for none.
        subjects: [R], the subject of each, from 0.
        strangers: [R], mean similarity to the references of other subjects; NaN where there are none.
        perfect: the similarity of equal pictures; NaN where nobody knows.

    Returns:
        [R]; none of a subject with fewer than four references that have a number.

    >>> beside, nobody = np.array([0.80, 0.78, 0.81, 0.79, 0.31]), np.full(5, np.nan)
    >>> odd_references(beside, np.zeros(5, int), nobody, perfect=1.0).tolist()
    [False, False, False, False, True]
    """
    odd = np.zeros(len(beside), np.bool_)
    known = np.flatnonzero(~np.isnan(beside))
    known = known[np.lexsort((beside[known], subjects[known]))]
    counts = np.bincount(subjects[known])
    starts = np.cumsum(counts) - counts
    for start in starts[counts >= MIN_REFERENCES].tolist():
        places = known[start : start + counts[subjects[known[start]]]]
        lowest, *others = beside[places].tolist()
        among = (sum(others) - lowest) / (len(others) - 1)  # each mean of the others has the lowest in it
        stranger = float(strangers[places[0]])
        if np.isnan(stranger):
            stranger = perfect - _FAR * (perfect - among)
        odd[places[0]] = (
            lowest <= stranger + _KEPT * (among - stranger) and others[0] - lowest > others[-1] - others[0]
        )
    return odd
