"""How sure is a mean: 95 % percentile-bootstrap intervals, the same on every run.

A resample of n values is a vector of n counts, so the means of all resamples are one matrix product.
The counts depend on n alone: everything with the same n (subjects, metrics, runs) shares them.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

RESAMPLES = 2000
"""Bootstrap resamples; an end of the interval is then off by about 6 % of the mean's standard error."""

MIN_UNITS = 3
"""With fewer values a bootstrap says nothing, so there is no interval."""

_SEED = 20260401
_BLOCK = 1 << 18  # counts made at a time: the draws behind them stay in the processor's cache


def mean_ci95(values: npt.ArrayLike) -> Floats:
    """95 % percentile-bootstrap interval of the mean of each column.

    Each column is resampled with replacement 2,000 times with a fixed seed; the interval runs from the
    2.5th to the 97.5th percentile of the resamples' means (Efron and Tibshirani, *An Introduction to the
    Bootstrap*, 1993, chapter 13). Values are sorted first, so their order does not matter.

    Args:
        values: finite array [n, k], n values in each of k columns.

    Returns:
        Float64 array [k, 2], low and high. NaN when n < 3.

    Raises:
        ValueError: `values` is not two-dimensional.

    >>> mean_ci95([[0.2], [0.4], [0.6], [0.8]]).round(2).tolist()
    [[0.3, 0.7]]
    >>> mean_ci95([[0.2], [0.4]]).tolist()
    [[nan, nan]]
    """
    columns = np.asarray(values, dtype=np.float64)
    if columns.ndim != 2:
        raise ValueError(f"Expected argument `values` to be an array [n, k] but got shape {columns.shape}")
    n, k = columns.shape
    if n < MIN_UNITS:
        return np.full((k, 2), np.nan)
    columns = np.sort(columns, axis=0)
    counts = _resample_counts(n)
    means = np.empty((RESAMPLES, k))
    step = max(1, _BLOCK // n)
    for start in range(0, RESAMPLES, step):
        means[start : start + step] = counts[start : start + step].astype(np.float64) @ columns
    ends = np.percentile(means / n, [2.5, 97.5], axis=0).T
    # A mean lies between its values; rounding must not carry it out by a last bit.
    clipped: Floats = np.clip(ends, columns[0][:, None], columns[-1][:, None])
    return clipped


def percentile_ci95(resamples: Floats) -> tuple[float, float]:
    """The 2.5th and the 97.5th percentile of a number's resamples [B], all finite.

    >>> percentile_ci95(np.arange(101.0))
    (2.5, 97.5)
    """
    low, high = np.percentile(resamples, [2.5, 97.5])
    return float(low), float(high)


@lru_cache(maxsize=256)  # RESAMPLES * n bytes each, and a run's different n add up to its generations at most
def _resample_counts(n: int) -> npt.NDArray[np.uint8]:
    """How often each of n values occurs in each resample, [RESAMPLES, n]; every row sums to n.

    A count above 255 does not occur: it would need 256 of n draws to hit the same one of n values.
    """
    random = np.random.default_rng(_SEED)
    counts = np.empty((RESAMPLES, n), dtype=np.uint8)
    step = max(1, _BLOCK // n)
    for start in range(0, RESAMPLES, step):
        block = counts[start : start + step]
        draws = random.integers(n, size=block.shape, dtype=np.int32).astype(np.int64)
        draws += np.arange(len(block))[:, None] * n
        block[:] = np.bincount(draws.ravel(), minlength=block.size).reshape(block.shape)
    counts.flags.writeable = False
    return counts
