"""How sure is a mean, or a ratio of means: intervals that hold for few values and for skewed ones.

Student's interval is right for normal values and too narrow on the long side of skewed ones. Hall's corrects for the
skewness that the values show, which few values show badly. Their union covers 93 to 97 % from 5 values up, for both
(docs/explanation/statistics.md). Nothing is drawn at random: the same values give the same interval.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from nearid_cli.metrics.arguments import finite_vector, finite_vectors
from nearid_cli.metrics.quantiles import t_quantile, t_tails

Floats = npt.NDArray[np.float64]
Interval = tuple[float, float]

MIN_UNITS = 3
"""Fewer values say nothing of their spread and skewness, so there is no interval."""

FEW_UNITS = 5
"""With fewer values an interval rests on the shape that is assumed, more than on the values."""

_MOST_BENT = 0.98
"""Hall's g is flat at u = -3 / a, where y - a / (6 n) = -1 / a, and its inverse runs away near there. So the skewness a
of few values counts only as far as keeps the end of an interval at this share of the way there: a (|y| + a / (6 n)) is
0.98 at most. That costs little coverage, and no end lies farther out than 2.4 times Student's."""

_PARTS, _CUTS = 64, 9  # a step is cut into parts, one of these likewise, down to the rounding of a float
_DOUBLINGS = 200  # of a step; an end that lies farther out is none


def mean_intervals(values: npt.ArrayLike, confidence: float = 0.95) -> Floats:
    """Two-sided interval of the mean of each column: the union of two.

    Student's: mean +- t sd / sqrt(n), with t the (1 + confidence) / 2 quantile of n - 1 degrees of freedom ("The
    Probable Error of a Mean", 1908). And Hall's, with skewness a: u = (mean - mu) / sd is turned into
    g(u) = u + a u^2 / 3 + a^2 u^3 / 27 + a / (6 n), whose distribution is nearly symmetric, and mu belongs to the
    interval where |g(u)| <= t / sqrt(n) ("On the Removal of Skewness by Transformation", 1992). Here a is limited,
    so that one outlier does not carry an end away: a (t / sqrt(n) + a / (6 n)) is 0.98 at most.

    Args:
        values: finite array [n, k], n values in each of k columns. Their order does not matter.
        confidence: the share of such intervals that should hold the true mean, above 0 and below 1.

    Returns:
        Float64 array [k, 2], low and high. NaN when n < 3. Both ends are the mean where all values are the same.

    Raises:
        ValueError: `values` is not two-dimensional, or `confidence` is out of its range.

    >>> mean_intervals([[0.2], [0.4], [0.6], [0.8], [0.3], [0.5]]).round(2).tolist()
    [[0.24, 0.75]]
    """
    columns = np.asarray(values, dtype=np.float64)
    if columns.ndim != 2:
        raise ValueError(f"Expected argument `values` to be an array [n, k] but got shape {columns.shape}")
    if not 0 < confidence < 1:
        raise ValueError(f"Expected argument `confidence` to be above 0 and below 1 but got {confidence}")
    n, k = columns.shape
    if n < MIN_UNITS:
        return np.full((k, 2), np.nan)
    mean, sd, skewness = _moments(columns)
    half = t_quantile((1 + confidence) / 2, n - 1) / math.sqrt(n)
    low = mean - sd * np.maximum(half, _hall(half, skewness, n))
    high = mean - sd * np.minimum(-half, _hall(-half, skewness, n))
    return np.stack([low, high], axis=1)


def mean_interval(values: npt.ArrayLike, confidence: float = 0.95) -> Interval | None:
    """Two-sided interval of one mean; `mean_intervals` for one column.

    Args:
        values: finite values [n].
        confidence: as for `mean_intervals`.

    Returns:
        Low and high end. None when n < 3.

    Raises:
        ValueError: `values` is not one-dimensional or not finite, or `confidence` is out of its range.

    >>> low, high = mean_interval([0.02, 0.01, 0.03, 0.02, 0.04, 0.01, 0.02, 0.03])
    >>> round(low, 3), round(high, 3)
    (0.014, 0.032)
    >>> mean_interval([0.02, 0.01]) is None
    True
    """
    low, high = mean_intervals(finite_vector("values", values)[:, None], confidence)[0]
    return None if math.isnan(low) else (float(low), float(high))


def studentised_test(deltas: npt.ArrayLike) -> float:
    """Two-sided test that the mean of differences is 0, which allows for their skewness.

    p is 1 - c for the largest confidence c with which the interval of `mean_intervals` leaves out 0: at least that of
    Student's t test.

    Args:
        deltas: finite differences [n].

    Returns:
        From 0 to 1. 1 when n < 3 or all differences are 0.

    Raises:
        ValueError: `deltas` is not one-dimensional or not finite.

    >>> round(studentised_test([0.02, 0.01, 0.03, 0.02, 0.04, 0.01]), 4)
    0.0062
    """
    values = finite_vector("deltas", deltas)
    n = len(values)
    if n < MIN_UNITS:
        return 1.0
    means, sds, skewness = _moments(values[:, None])
    mean, sd = float(means[0]), float(sds[0])
    if sd == 0:
        return float(mean == 0)
    side = math.copysign(1.0, mean)
    low, high = 0.0, abs(mean) / sd  # how far Student's end is out, in sd
    while low < (middle := (low + high) / 2) < high:
        reach = side * float(_hall(side * middle, skewness, n)[0])
        low, high = (middle, high) if reach < abs(mean) / sd else (low, middle)
    return t_tails(low * math.sqrt(n), n - 1)


def ratio_contributions(numerators: npt.ArrayLike, denominators: npt.ArrayLike) -> Floats:
    """What each of n things adds to a ratio of means R: R + (numerator - R x denominator) / mean denominator.

    Their mean is R and their standard error that of the linearised ratio (Cochran, *Sampling Techniques*, 1977,
    section 6.4), so that two ratios over the same things are compared thing by thing.

    Args:
        numerators: finite values [n].
        denominators: finite values [n], of the same things, whose mean is not 0.

    Returns:
        Float64 array [n].

    Raises:
        ValueError: an argument is not one-dimensional or not finite, they differ in length, or the mean is 0.

    >>> ratio_contributions([0.3, 0.4, 0.5], [0.5, 0.5, 1.0]).round(3).tolist()
    [0.6, 0.75, 0.45]
    """
    top, bottom = finite_vectors("numerators", numerators, "denominators", denominators)
    if not (mean := math.fsum(bottom) / max(1, len(bottom))):
        raise ValueError("Expected argument `denominators` to have a mean other than 0")
    ratio = math.fsum(top) / math.fsum(bottom)
    shares: Floats = ratio + (top - ratio * bottom) / mean
    return shares


def ratio_interval(
    numerators: npt.ArrayLike, denominators: npt.ArrayLike, confidence: float = 0.95
) -> Interval | None:
    """Two-sided interval of a ratio of means: the R for which the mean of numerators - R denominators may be 0.

    Fieller, "Some Problems in Interval Estimation", 1954, with the interval of `mean_intervals`: all R around the ratio
    itself, up to where 0 is first left out. (Far away, where numerators - R denominators are skewed otherwise, a few
    values may admit it again.)

    Args:
        numerators: finite values [n].
        denominators: finite values [n], of the same things.
        confidence: as for `mean_intervals`.

    Returns:
        Low and high end. None when n < 3, or the mean of the denominators may be 0 and the ratio anything.

    Raises:
        ValueError: an argument is not one-dimensional or not finite, or they differ in length.

    >>> low, high = ratio_interval([0.3, 0.4, 0.5, 0.4], [0.5, 0.6, 0.8, 0.5])
    >>> round(low, 2), round(high, 2)
    (0.56, 0.91)
    """
    top, bottom = finite_vectors("numerators", numerators, "denominators", denominators)
    room = mean_interval(bottom, confidence)
    if room is None or room[0] <= 0 <= room[1]:
        return None
    ratio = top.mean() / bottom.mean()

    def holds(ratios: Floats) -> npt.NDArray[np.bool_]:
        low, high = mean_intervals(top[:, None] - ratios * bottom[:, None], confidence).T
        return np.asarray((low <= 0) & (high >= 0))

    step = float((top - ratio * bottom).std(ddof=1) / abs(bottom.mean()) / math.sqrt(len(top)))
    if step <= np.finfo(np.float64).eps * abs(ratio):
        return float(ratio), float(ratio)
    inside, outside = np.zeros(2), np.array([-step, step])
    for _ in range(_DOUBLINGS):
        if not (still := holds(ratio + outside)).any():
            break
        inside[still], outside[still] = outside[still], 2 * outside[still]
    else:
        return None
    parts = np.arange(1, _PARTS)[:, None] / _PARTS
    for _ in range(_CUTS):
        size = outside - inside
        within = holds((ratio + inside + parts * size).ravel()).reshape(-1, 2)
        whole = np.logical_and.accumulate(within).sum(axis=0)
        inside, outside = inside + whole / _PARTS * size, inside + (whole + 1) / _PARTS * size
    return float(ratio + inside[0]), float(ratio + inside[1])


def _hall(y: float, skewness: Floats, n: int) -> Floats:
    """The u with Hall's g(u) = y, where g(u) - a / (6 n) is ((1 + a u / 3)^3 - 1) / a, for each skewness [k]."""
    most = (
        2 * _MOST_BENT / (abs(y) + math.sqrt(y**2 + 4 * _MOST_BENT / (6 * n)))
    )  # most (|y| + most / (6 n)) = 0.98
    a = np.clip(skewness, -most, most)
    w = y - a / (6 * n)
    root = np.cbrt(1 + a * w)
    u: Floats = 3 * w / (root**2 + root + 1)  # root - 1 is (root^3 - 1) / (root^2 + root + 1)
    return u


def _moments(columns: Floats) -> tuple[Floats, Floats, Floats]:
    """Mean, sample standard deviation and skewness (adjusted for small samples) of columns [n, k] with n >= 3."""
    n = len(columns)
    ordered = np.sort(columns, axis=0)
    low, high = ordered[0], ordered[-1]
    # A mean lies between its values; rounding must not carry it out by a last bit.
    mean = np.clip(ordered.mean(axis=0), low, high)
    centred = ordered - mean
    variance = (centred**2).mean(axis=0)
    cubes = np.divide(
        (centred**3).mean(axis=0),
        variance**1.5,
        out=np.zeros_like(mean),
        where=(high > low) & (variance > 0),
    )
    return mean, np.sqrt(variance * n / (n - 1)), cubes * math.sqrt(n * (n - 1)) / (n - 2)
