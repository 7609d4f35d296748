"""Is the difference of two methods real: tests and intervals of paired differences, one a subject.

A subject is the unit: its pictures show the same object and are no independent evidence. Everything is
deterministic (fixed seeds), and neither the order of the subjects nor which of the two methods comes first
matters: swapping them flips the signs of the interval's ends and leaves the p-value as it is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from nearid_cli.metrics.arguments import finite_vector
from nearid_cli.metrics.identity import RESOLUTION
from nearid_cli.metrics.intervals import MIN_UNITS
from nearid_cli.metrics.quantiles import t_quantile

Floats = npt.NDArray[np.float64]

EXACT_UNITS = 12
"""Up to so many subjects the sign-flip test goes over all 2^n sign vectors."""

SIGN_DRAWS = 10_000
"""Random sign vectors above that; the smallest p is then 1 / 10,001."""

TAIL = 50
"""Resamples beyond each end of an interval: the end is then off by about 6 % of the mean's standard error."""

MIN_RESAMPLES, MAX_RESAMPLES = 2000, 200_000

_SAME = 1e-12  # means that differ by less, relative to values above 1, are equal: rounding is far below
_SEED = 20260401
_BLOCK = 1 << 18  # draws at a time: bounds memory, and they stay in the processor's cache


@dataclass(frozen=True)
class SignFlip:
    """A sign-flip test: `p`, above 0 and at most 1, and whether it is `exact` (over all sign vectors)."""

    p: float
    exact: bool


def sign_flip_test(deltas: npt.ArrayLike) -> SignFlip:
    """Two-sided test that differences are as often as far below 0 as above it.

    If nothing but chance decides which of two methods is ahead on a subject, each difference could as well have
    had the other sign. p is the share of sign vectors s for which |mean(s_i d_i)| is at least |mean(d_i)|,
    within 1e-12 (Fisher, *The Design of Experiments*, 1935, section 21). All 2^n sign vectors up to 12
    differences; above, 10,000 random ones with a fixed seed, and p = (1 + hits) / (1 + draws), which keeps the
    test's level (Phipson and Smyth, "Permutation P-values Should Never Be Zero", 2010).

    Args:
        deltas: finite differences [n], one a subject, n from 1. A difference of 0 stays in.

    Returns:
        p from 2 / 2^n (1 for n = 1) or 1 / 10,001 to 1. All differences 0 give 1.

    Raises:
        ValueError: `deltas` is empty, not one-dimensional or not finite.

    >>> sign_flip_test([0.02, 0.01, 0.03, 0.02, 0.04, 0.01])
    SignFlip(p=0.03125, exact=True)
    """
    values = finite_vector("deltas", deltas)
    n = len(values)
    if n == 0:
        raise ValueError("Expected argument `deltas` to hold at least one difference but got none")
    # Only sizes matter once the signs are flipped. Sorted, the random draws do not depend on the order given.
    sizes = np.sort(np.abs(values))
    total = sizes.sum()
    bar = abs(math.fsum(values)) - n * _SAME * max(1.0, float(sizes[-1]))
    exact = n <= EXACT_UNITS
    draws = 1 << n if exact else SIGN_DRAWS
    random = np.random.default_rng(_SEED)
    hits = 0
    step = max(1, _BLOCK // n)
    for start in range(0, draws, step):
        rows = min(step, draws - start)
        if exact:
            kept = np.arange(start, start + rows)[:, None] >> np.arange(n) & 1
        else:
            kept = random.integers(2, size=(rows, n), dtype=np.uint8)
        flipped = 2 * (kept.astype(np.float64) @ sizes) - total
        hits += int(np.count_nonzero(np.abs(flipped) >= bar))
    return SignFlip(hits / draws if exact else (1 + hits) / (1 + draws), exact)


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values adjusted for how many there are, so that all of them together err with the level of one.

    With m p-values in rising order, the i-th (from 0) becomes the largest of min(1, (m - j) p_j) over j <= i
    (Holm, "A Simple Sequentially Rejective Multiple Test Procedure", 1979). Holds however they depend on each
    other.

    Args:
        p_values: from 0 to 1.

    Returns:
        The adjusted p-values in the order given, each at least its p-value and at most 1. [] for none.

    Raises:
        ValueError: a p-value is not from 0 to 1.

    >>> holm([0.04, 0.01, 0.03])
    [0.06, 0.03, 0.06]
    """
    values = finite_vector("p_values", p_values)
    if ((values < 0) | (values > 1)).any():
        raise ValueError(f"Expected argument `p_values` to be from 0 to 1 but got {list(p_values)}")
    order = np.argsort(values, kind="stable")
    adjusted = np.empty(len(values))
    adjusted[order] = np.maximum.accumulate(np.minimum(1.0, values[order] * np.arange(len(values), 0, -1)))
    return [float(p) for p in adjusted]


def mean_interval(deltas: npt.ArrayLike, confidence: float = 0.95) -> tuple[float, float] | None:
    """Two-sided bootstrap interval of the mean difference; `mean_intervals` for one column.

    Args:
        deltas: finite differences [n], one a subject.
        confidence: the share of such intervals that should hold the true mean, above 0 and below 1.

    Returns:
        Low and high end. None when n < 3.

    Raises:
        ValueError: `deltas` is not one-dimensional or not finite, or `confidence` is out of its range.

    >>> low, high = mean_interval([0.02, 0.01, 0.03, 0.02, 0.04, 0.01, 0.02, 0.03])
    >>> round(low, 3), round(high, 3)
    (0.014, 0.031)
    >>> mean_interval([0.02, 0.01]) is None
    True
    """
    low, high = mean_intervals(finite_vector("deltas", deltas)[:, None], confidence)[0]
    return None if math.isnan(low) else (float(low), float(high))


def mean_intervals(values: npt.ArrayLike, confidence: float = 0.95) -> Floats:
    """Two-sided bootstrap interval of the mean of each column, honest for small n.

    An *expanded* percentile interval (Hesterberg, "What Teachers Should Know About the Bootstrap", 2015): a plain
    percentile interval is too narrow by sqrt((n - 1) / n) and by using normal in place of t quantiles, so its
    percentiles are moved outwards, to Phi(+-sqrt(n / (n - 1)) t) with t the (1 + confidence) / 2 quantile of n - 1
    degrees of freedom. Resamples never leave the range of the values, so for few values, or a confidence near 1, even
    that is too narrow: each end is at least as far out as that of Student's interval, mean +- t sd / sqrt(n)
    ("The Probable Error of a Mean", 1908). docs/statistics.md says what coverage that gives.

    There are 2,000 resamples, or as many as leave 50 beyond each end, but never above 200,000. Their seed is fixed,
    and each comes with its mirror image (Hall, "Antithetic Resampling for the Bootstrap", 1989), so negated values
    have the negated interval.

    Args:
        values: finite array [n, k], n values in each of k columns. Their order does not matter.
        confidence: above 0 and below 1.

    Returns:
        Float64 array [k, 2], low and high. NaN when n < 3.

    Raises:
        ValueError: `values` is not two-dimensional, or `confidence` is out of its range.

    >>> mean_intervals([[0.2], [0.4], [0.6], [0.8], [0.3], [0.5]]).round(2).tolist()
    [[0.24, 0.7]]
    """
    columns = np.asarray(values, dtype=np.float64)
    if columns.ndim != 2:
        raise ValueError(f"Expected argument `values` to be an array [n, k] but got shape {columns.shape}")
    if not 0 < confidence < 1:
        raise ValueError(f"Expected argument `confidence` to be above 0 and below 1 but got {confidence}")
    n, k = columns.shape
    if n < MIN_UNITS:
        return np.full((k, 2), np.nan)
    columns = np.sort(columns, axis=0)
    t = t_quantile((1 + confidence) / 2, n - 1)
    tail = NormalDist().cdf(-math.sqrt(n / (n - 1)) * t)
    resampled = np.quantile(_resampled_means(columns, _resamples(tail)), [tail, 1 - tail], axis=0)
    # A mean lies between its values; rounding must not carry it out by a last bit.
    low, high, mean = np.clip([*resampled, columns.mean(axis=0)], columns[0], columns[-1])
    half = t * np.sqrt(((columns - mean) ** 2).sum(axis=0) / (n - 1) / n)
    return np.stack([np.minimum(low, mean - half), np.maximum(high, mean + half)], axis=1)


def wins_ties_losses(deltas: npt.ArrayLike) -> tuple[int, int, int]:
    """How many differences are above 0, equal to it and below it; within 1e-9 they are equal.

    Args:
        deltas: finite differences [n].

    Raises:
        ValueError: `deltas` is not one-dimensional or not finite.

    >>> wins_ties_losses([0.02, 0.0, -0.01, 1e-12])
    (1, 2, 1)
    """
    values = finite_vector("deltas", deltas)
    wins, losses = int((values > RESOLUTION).sum()), int((values < -RESOLUTION).sum())
    return wins, len(values) - wins - losses, losses


def detectable_difference(deltas: npt.ArrayLike, power: float = 0.8, alpha: float = 0.05) -> float | None:
    """The smallest true mean difference that a test over so many subjects would mostly show.

    (t_{1 - alpha / 2} + t_{power}) sd / sqrt(n), with t quantiles of n - 1 degrees of freedom and sd the sample
    standard deviation of the differences (Bland, *An Introduction to Medical Statistics*, 2000, chapter 18, with t
    in place of normal quantiles). An approximation: sd is an estimate, and the formula is that of the t test.

    Args:
        deltas: finite differences [n], one a subject.
        power: how often the difference would be found, from 0.5 and below 1.
        alpha: the level of the two-sided test, above 0 and below 1.

    Returns:
        A difference >= 0; 0 where all differences are the same. None where no difference can reach `alpha`, since
        the smallest p of the sign-flip test, 2 / 2^n, is above it: below 6 subjects at 0.05.

    Raises:
        ValueError: `deltas` is not one-dimensional or not finite, or `power` or `alpha` is out of its range.

    >>> round(detectable_difference([0.02, 0.01, 0.03, 0.02, 0.04, 0.01, 0.02, 0.03]), 4)
    0.0119
    >>> detectable_difference([0.02, 0.01, 0.03]) is None
    True
    """
    values = finite_vector("deltas", deltas)
    if not 0.5 <= power < 1:
        raise ValueError(f"Expected argument `power` to be from 0.5 and below 1 but got {power}")
    if not 0 < alpha < 1:
        raise ValueError(f"Expected argument `alpha` to be above 0 and below 1 but got {alpha}")
    n = len(values)
    if n < 2 or 2.0 ** (1 - n) > alpha:
        return None
    quantiles = t_quantile(1 - alpha / 2, n - 1) + t_quantile(power, n - 1)
    return float(quantiles * values.std(ddof=1) / math.sqrt(n))


def _resamples(tail: float) -> int:
    """How many resamples, an even number, leave enough of them beyond an end with a share `tail` outside."""
    if tail * MAX_RESAMPLES <= TAIL:
        return MAX_RESAMPLES
    return max(MIN_RESAMPLES, 2 * math.ceil(TAIL / tail / 2))


def _resampled_means(columns: Floats, resamples: int) -> Floats:
    """Means [resamples, k] of resamples of sorted columns [n, k], half of them mirror images of the others.

    A resample is how often each of n values occurs in it, so many means are one matrix product. The mirror image
    takes the i-th highest value as often as the resample takes the i-th lowest.
    """
    n, k = columns.shape
    pairs = resamples // 2
    both = np.hstack([columns, columns[::-1]])
    means = np.empty((pairs, 2 * k))
    random = np.random.default_rng(_SEED)
    step = max(1, _BLOCK // n)
    for start in range(0, pairs, step):
        rows = min(step, pairs - start)
        draws = random.integers(n, size=(rows, n)) + np.arange(rows)[:, None] * n
        counts = np.bincount(draws.ravel(), minlength=rows * n).reshape(rows, n)
        means[start : start + rows] = counts.astype(np.float64) @ both
    together: Floats = np.vstack([means[:, :k], means[:, k:]]) / n
    return together
