"""From which step on something happens more often than before: exact tests of counts, subject by subject."""

from __future__ import annotations

from math import comb

import numpy as np
import numpy.typing as npt

from nearid_cli.metrics.intervals import MIN_UNITS, mean_interval

Counts = npt.NDArray[np.intp]

LEVEL = 0.05
"""So often at most a step is named although nothing changes."""


def more_often(earlier: Counts, earlier_of: Counts, later: Counts, later_of: Counts) -> float:
    """How often chance alone would put so many of the hits of each unit, or more, to its later trials.

    If nothing changes, which trials of a unit are its hits is as likely as any other choice, whatever share of each
    unit that is. So the hits among the later trials are hypergeometric for each unit, and their sum is distributed as
    the convolution of these: Fisher's exact test (*Statistical Methods for Research Workers*, 5th ed. 1934, section
    21.02), in strata.

    Args:
        earlier: [n] hits of each unit among its earlier trials, from 0.
        earlier_of: [n] how many trials these are.
        later: [n] hits among the later trials.
        later_of: [n] how many trials these are.

    Returns:
        The one-sided p-value, above 0 and at most 1; 1 without trials.

    >>> one = lambda *counts: np.array(counts)
    >>> round(more_often(one(0), one(10), one(3), one(3)), 6)
    0.003497
    >>> round(more_often(one(0, 0), one(4, 4), one(2, 2), one(2, 2)), 6)
    0.004444
    """
    chances = np.ones(1)
    counts = (np.asarray(one).tolist() for one in (earlier, earlier_of, later, later_of))
    for a, n, b, m in zip(*counts, strict=True):
        hits, ways = a + b, comb(n + m, a + b)
        own = [comb(m, k) * comb(n, hits - k) / ways for k in range(min(hits, m) + 1)]
        chances = np.convolve(chances, own)
    return min(1.0, float(chances[int(np.sum(later)) :].sum()))


def risen_from(hits: Counts, trials: Counts, least: int = 1) -> int | None:
    """The first step from which on every step has more hits than the steps before it.

    Each of the later steps is compared with all that come before the first of them. A step is named if the largest
    of these p-values, times the number of steps that could have been named (Bonferroni), is below 0.05. So by chance
    any step is named in at most 5 of 100 cases.

    Args:
        hits: [steps, n] of n units.
        trials: [steps, n], at least as many.
        least: no step before this one is named.

    Returns:
        A place from 1 on; None where there is no such step.
    """
    steps = len(hits)
    level = LEVEL / max(steps - 1, 1)
    before, before_of = np.cumsum(hits, axis=0), np.cumsum(trials, axis=0)
    for first in range(max(least, 1), steps):
        if all(
            hits[step].any()
            and more_often(before[first - 1], before_of[first - 1], hits[step], trials[step]) < level
            for step in range(first, steps)
        ):
            return first
    return None


def above(hits: Counts, trials: Counts, chances: npt.NDArray[np.float64]) -> bool:
    """Whether the mean share of hits over units is above its bounds for certain: its 95 % interval is.

    Args:
        hits: [n] of units.
        trials: [n]; a unit without any does not count.
        chances: [n] the bound of each.

    Returns:
        False below 3 units, which have no interval.
    """
    known = trials > 0
    ends = mean_interval(hits[known] / trials[known] - chances[known]) if known.sum() >= MIN_UNITS else None
    return ends is not None and ends[0] > 0
