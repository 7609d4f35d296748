"""Correlations, their means, and how sure these are: intervals over units that several pictures belong to.

A correlation is no mean, and near 1 its errors are small on one side and large on the other. Fisher's z of it,
atanh(r), is nearly a mean with errors alike on both sides. So the interval is made of what z would be without each unit
(the jackknife), and turned back. Nothing is drawn at random.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from nearid_cli.metrics.arguments import finite_vectors
from nearid_cli.metrics.intervals import MIN_UNITS, Interval, mean_interval
from nearid_cli.metrics.quantiles import t_quantile

Floats = npt.NDArray[np.float64]

FEW_SUBJECTS = 8
"""With fewer units the interval of a correlation is rough."""

_REACH = 2.0  # times as far as Student's interval: where one unit decides, the correction for skewness knows no bounds
_SAME = 1e-12  # far above the rounding of sums over values of mean 0 and variance 1


def pearson(x: npt.ArrayLike, y: npt.ArrayLike) -> float | None:
    """Pearson's correlation coefficient.

    sum (x_i - mean x)(y_i - mean y) / sqrt(sum (x_i - mean x)^2 sum (y_i - mean y)^2) (Pearson, "Notes on Regression
    and Inheritance in the Case of Two Parents", 1895).

    Args:
        x: finite values [n].
        y: finite values [n] of the same things.

    Returns:
        From -1 to 1. None when n < 2 or all values of `x` or of `y` are equal.

    Raises:
        ValueError: an argument is not one-dimensional or not finite, or they differ in length.

    >>> round(pearson([1, 2, 3, 4], [2, 1, 4, 3]), 6)
    0.6
    >>> pearson([1, 2, 3], [5, 5, 5]) is None
    True
    """
    a, b = finite_vectors("x", x, "y", y)
    if len(a) < 2 or (a == a[0]).all() or (b == b[0]).all():
        return None
    a, b = standardised(a), standardised(b)
    return min(1.0, max(-1.0, float(a @ b) / len(a)))


def fisher_z(correlations: npt.ArrayLike, most: float) -> Floats:
    """Fisher's z of correlations, atanh(r), where those beyond +-`most` count as that: that of 1 is infinite."""
    return np.asarray(np.arctanh(np.clip(np.asarray(correlations, dtype=np.float64), -most, most)))


def fisher_mean(correlations: npt.ArrayLike, most: float) -> Floats:
    """The mean of correlations over the last axis by Fisher's z: tanh(mean(atanh(clip(r, -most, most)))).

    Fisher, "On the 'Probable Error' of a Coefficient of Correlation Deduced from a Small Sample", 1921; Silver and
    Dunlap, "Averaging Correlation Coefficients: Should Fisher's z Transformation Be Used?", 1987.

    >>> fisher_mean([[0.5, 0.5], [1.0, -1.0], [0.1, 0.9]], 0.999).round(4).tolist()
    [0.5, 0.0, 0.6563]
    """
    return np.asarray(np.tanh(fisher_z(correlations, most).mean(axis=-1)))


def without_each(x: npt.ArrayLike, y: npt.ArrayLike, units: npt.NDArray[np.intp], number: int) -> Floats:
    """Pearson's correlation without each unit.

    Args:
        x: finite values [n].
        y: finite values [n] of the same things.
        units: [n], the number of the unit of each, below `number`.
        number: how many units there are; some may have nothing.

    Returns:
        Float64 array [number]; 0 where the correlation does not exist without that unit.

    >>> without_each([1, 2, 3, 9], [1, 2, 3, 0], np.array([0, 1, 1, 2]), 3).round(3).tolist()
    [-0.893, -1.0, 1.0]
    """
    a, b = standardised(np.asarray(x, dtype=np.float64)), standardised(np.asarray(y, dtype=np.float64))
    columns = (np.ones(len(a)), a, b, a * a, b * b, a * b)
    return np.nan_to_num(of_sums(*(column.sum() - np.bincount(units, column, number) for column in columns)))


def of_sums(
    n: Floats, a: Floats, b: Floats, squares_a: Floats, squares_b: Floats, products: Floats
) -> Floats:
    """Pearson's correlations from sums over things: how many these are, and of a, b, a^2, b^2 and a b; all [k].

    Returns:
        Float64 array [k]; NaN where values do not vary, or hardly beside a variance of 1.
    """
    n = np.maximum(n, 1.0)
    spread_a, spread_b = squares_a - a**2 / n, squares_b - b**2 / n
    exists = (spread_a > _SAME * n) & (spread_b > _SAME * n)
    scale = np.sqrt(np.where(exists, spread_a * spread_b, 1.0))
    return np.where(exists, np.clip((products - a * b / n) / scale, -1.0, 1.0), np.nan)


def stand_ins(value: float, without: Sequence[Floats]) -> Floats:
    """One value a unit whose mean is a number, and whose spread says how sure the number is.

    A unit stands in with value + (n - 1) (mean of the number without each unit - the number without this one): the
    pseudo-values of the jackknife (Tukey, "Bias and Confidence in Not-quite Large Samples", 1958), moved so that their
    mean is the number itself. Where units come from several groups, such as categories, that of a group of n counts
    sqrt(N (N - 1) / (n (n - 1))) times, so that the variance of the mean of all N is the sum of the groups'.

    Args:
        value: the number.
        without: for each group the number without each of its units, [n], n from 2.

    Returns:
        Float64 array [N].

    >>> values = np.array([1.0, 2.0, 6.0])
    >>> stand_ins(3.0, [np.array([4.0, 3.5, 1.5])]).tolist()
    [1.0, 2.0, 6.0]
    """
    every = sum(map(len, without))
    moved = [
        math.sqrt(every * (every - 1) / (len(own) * (len(own) - 1))) * (len(own) - 1) * (own.mean() - own)
        for own in without
    ]
    return value + np.concatenate(moved)


def correlation_interval(z: float, without: Sequence[Floats]) -> Interval | None:
    """The 95 % interval of tanh(z), by `mean_interval` of the stand-ins of z, at most twice as wide as Student's.

    Where z is the same without any one unit, as of a perfect correlation, the units show no spread, and the interval is
    that of one correlation over so many pairs as the smallest group has units, z +- 1.96 / sqrt(n - 3) (Fisher, "On the
    'Probable Error' of a Coefficient of Correlation Deduced from a Small Sample", 1921).

    Args:
        z: Fisher's z of a correlation, or a mean of several.
        without: for each group of units z without each of them.

    Returns:
        Low and high end, from -1 to 1. None where a group has fewer than 3 units.

    >>> [round(end, 3) for end in correlation_interval(0.55, [np.array([0.5, 0.6, 0.57, 0.53])])]
    [0.328, 0.641]
    """
    fewest = min(map(len, without), default=0)
    if fewest < MIN_UNITS:
        return None
    values = stand_ins(z, without)
    if np.ptp(values) <= _SAME * max(1.0, abs(z)):
        half = NormalDist().inv_cdf(0.975) / math.sqrt(fewest - 3) if fewest > 3 else math.inf
        return math.tanh(z - half), math.tanh(z + half)
    reach = _REACH * t_quantile(0.975, len(values) - 1) * values.std(ddof=1) / math.sqrt(len(values))
    low, high = mean_interval(values) or (-math.inf, math.inf)
    return math.tanh(max(low, z - reach)), math.tanh(min(high, z + reach))


def standardised(values: Floats) -> Floats:
    """Values of mean 0 and variance 1; those that are all equal become 0."""
    if not len(values) or (values == values[0]).all():
        return np.zeros(len(values))
    # Scaled before anything is squared, so that neither tiny nor huge values leave the range of float64.
    centred = values / np.abs(values).max()
    centred = centred - centred.mean()
    centred = centred / np.abs(centred).max()
    centred = centred - centred.mean()
    deviation: Floats = centred / np.sqrt((centred @ centred) / len(values))
    return deviation
