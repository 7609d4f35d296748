"""How sure is a share: intervals that stay honest at 0 and 100 %, and where trials come in clusters."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from nearid_cli.metrics.arguments import finite_vector, finite_vectors
from nearid_cli.metrics.intervals import MIN_UNITS, Interval
from nearid_cli.metrics.quantiles import beta_quantile, t_quantile

Floats = npt.NDArray[np.float64]

_RARE = 0.05  # of a cluster; coverage in the simulations is then 93 % or more


def proportion_interval(successes: float, trials: float, confidence: float = 0.95) -> Interval | None:
    """Two-sided interval of a share of independent trials, which covers at least its confidence for every true share.

    Clopper and Pearson, "The Use of Confidence or Fiducial Limits Illustrated in the Case of the Binomial", 1934, by
    quantiles of the beta distribution.

    Args:
        successes: from 0 to `trials`.
        trials: need not be whole: an effective number of trials will do.
        confidence: above 0 and below 1.

    Returns:
        Low and high end, from 0 to 1. None without a trial.

    Raises:
        ValueError: `successes` is out of its range.

    >>> [round(end, 3) for end in proportion_interval(0, 12)], [round(end, 3) for end in proportion_interval(9, 10)]
    ([0.0, 0.265], [0.555, 0.997])
    """
    if not 0 <= successes <= trials:
        raise ValueError(
            f"Expected argument `successes` to be from 0 to {trials}, the number of trials, but got {successes}"
        )
    if trials == 0:
        return None
    tail, failures = (1 - confidence) / 2, trials - successes
    low = beta_quantile(tail, successes, failures + 1) if successes > 0 else 0.0
    high = beta_quantile(1 - tail, successes + 1, failures) if failures > 0 else 1.0
    return low, high


def share_interval(won: npt.ArrayLike, trials: npt.ArrayLike, confidence: float = 0.95) -> Interval | None:
    """Two-sided interval of the share of trials that are won, where trials come in clusters.

    Clopper and Pearson's with the effective number of trials (Korn and Graubard, "Confidence Intervals for Proportions
    with Small Expected Number of Positive Counts Estimated from Survey Data", 1998): as many independent trials as
    would give the variance that the clusters show, fewer by the uncertainty of that variance. It is never below the
    number of clusters (for unequal ones Kish's, (sum of trials)^2 / sum of squares), and just that where all or none
    are won, which shows no variance. Where hardly any cluster lost a trial, the variance seen is not what it is, since
    losses come together; so a twentieth of a cluster that lost all is added to it (of one that won all, where losses
    prevail). Without it a single loss would make the interval far narrower than none does, and cover 85 to 92 %.

    Args:
        won: [C], trials won in each cluster.
        trials: [C], trials of each cluster; one without any is left out.
        confidence: above 0 and below 1.

    Returns:
        Low and high end, from 0 to 1. None below 3 clusters.

    Raises:
        ValueError: an argument is not one-dimensional or not finite, or they differ in length.

    >>> [round(end, 3) for end in share_interval([4, 4, 4, 4, 4], [4, 4, 4, 4, 4])]
    [0.478, 1.0]
    """
    wins, tried = finite_vectors("won", won, "trials", trials)
    wins, tried = wins[tried > 0], tried[tried > 0]
    if len(wins) < MIN_UNITS:
        return None
    return _clustered(wins, tried, float(tried.sum()), confidence)


def mean_share_interval(
    shares: npt.ArrayLike, trials: float | None = None, confidence: float = 0.95
) -> Interval | None:
    """The same for the unweighted mean of the shares of clusters, such as subjects.

    Args:
        shares: [C], each from 0 to 1.
        trials: how many there are in all clusters together; None where nobody knows.
        confidence: above 0 and below 1.

    Returns:
        Low and high end, from 0 to 1. None below 3 clusters.

    Raises:
        ValueError: `shares` is not one-dimensional or not finite.

    >>> [round(end, 3) for end in mean_share_interval([1.0, 0.75, 1.0, 0.5, 1.0, 1.0])]
    [0.455, 0.998]
    """
    values = finite_vector("shares", shares)
    if len(values) < MIN_UNITS:
        return None
    return _clustered(values, np.ones(len(values)), math.inf if trials is None else trials, confidence)


def _clustered(wins: Floats, tried: Floats, most: float, confidence: float) -> Interval | None:
    clusters, total = len(wins), tried.sum()
    share = min(1.0, math.fsum(wins) / float(total))
    fewest = float(total**2 / (tried**2).sum())
    seen = float(((wins - share * tried) ** 2).sum())
    rare = _RARE * max(share, 1 - share) ** 2 * float((tried**2).mean())
    variance = clusters / (clusters - 1) * (seen + rare) / float(total) ** 2
    quantile = (1 + confidence) / 2
    unsure = (NormalDist().inv_cdf(quantile) / t_quantile(quantile, clusters - 1)) ** 2
    effective = min(max(unsure * share * (1 - share) / variance, fewest), max(most, fewest))
    return proportion_interval(share * effective, effective, confidence)
