"""SSR, PA and their relatives, as NearID-Bench and the published tables count them.

A sample has three views 0, 1, 2 of one object and a distractor for each, so up to six trials: for every pair of views
i < j, sim_ij must be above cross_ii, and above cross_jj. A trial is won when its margin is strictly above 0.

Definitions: arXiv 2604.01973; published code Gorluxor/NearID, evaluation/metrics.py, its margins named
`disc_m_sim_vs_crossii_bidir`. Its `SSRm` is `ssr` here, its `SSR` is `ssr_mean`, and its `PA` is `pa_published`.
`metrics/margins.py` computes SSR and PA from embeddings and takes margins of rounding size for ties; here the numbers
of a file decide, to the last bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from nearid_cli.metrics.intervals import MIN_UNITS, RESAMPLES
from nearid_cli.metrics.margins import PAIRS

Floats = npt.NDArray[np.float64]
Interval = tuple[float, float]

_NUMBERS = ("ssr", "pa", "pa_published", "ssr_mean", "h", "mean_margin")


@dataclass(frozen=True)
class Outcome:
    """What came of some trials. A number is None where there was no trial, an interval below 3 samples.

    Attributes:
        samples: samples with at least one trial; the others count nowhere.
        trials: trials of all samples.
        ssr: share of samples that win all their trials, 0 to 1.
        pa: won trials / trials, 0 to 1.
        pa_published: the same when the mean margin of each sample counts as one more trial of it, 0 to 1.
        ssr_mean: share of samples whose mean margin is above 0, 0 to 1.
        h: harmonic mean of `ssr` and `pa`; 0 where both are 0.
        mean_margin, median_margin: of all trials.
        ssr_ci95, pa_ci95, pa_published_ci95, ssr_mean_ci95, h_ci95, mean_margin_ci95, median_margin_ci95: low and high
            ends of 95 % intervals, bootstrap over samples.
    """

    samples: int
    trials: int
    ssr: float | None
    ssr_ci95: Interval | None
    pa: float | None
    pa_ci95: Interval | None
    pa_published: float | None
    pa_published_ci95: Interval | None
    ssr_mean: float | None
    ssr_mean_ci95: Interval | None
    h: float | None
    h_ci95: Interval | None
    mean_margin: float | None
    mean_margin_ci95: Interval | None
    median_margin: float | None
    median_margin_ci95: Interval | None


def trial_margins(sim: npt.ArrayLike, cross_own: npt.ArrayLike) -> Floats:
    """The margins of each sample: sim_ij - cross_ii and sim_ij - cross_jj for each pair i < j.

    Args:
        sim: float [N, 3], similarities of the pairs of views (0, 1), (0, 2), (1, 2); NaN where a view is absent.
        cross_own: float [N, 3], similarity of each view to the distractor of its own slot; NaN likewise.

    Returns:
        Float64 [N, 6] in the order of `margins.PAIRS`: columns 2k and 2k + 1 are those of pair k. NaN for no trial.

    Raises:
        ValueError: a shape is wrong, or a number infinite.

    >>> trial_margins([[0.9, 0.5, np.nan]], [[0.4, 0.6, 0.2]]).round(1).tolist()
    [[0.5, 0.3, 0.1, 0.3, nan, nan]]
    """
    sim, cross_own = (np.asarray(values, dtype=np.float64) for values in (sim, cross_own))
    if sim.ndim != 2 or sim.shape[1] != 3 or cross_own.shape != sim.shape:
        raise ValueError(
            "Expected arguments `sim` and `cross_own` to be arrays of one shape [N, 3] "
            f"but got {sim.shape} and {cross_own.shape}"
        )
    if np.isinf(sim).any() or np.isinf(cross_own).any():
        raise ValueError(
            "Expected arguments `sim` and `cross_own` to hold finite numbers and NaN but got infinities"
        )
    margins = np.empty((len(sim), 2 * len(PAIRS)))
    for k, (i, j) in enumerate(PAIRS):
        margins[:, 2 * k] = sim[:, k] - cross_own[:, i]
        margins[:, 2 * k + 1] = sim[:, k] - cross_own[:, j]
    return margins


def outcome(margins: npt.ArrayLike, samples: npt.ArrayLike | None = None, seed: int = 0) -> Outcome:
    """SSR, PA and their relatives, with intervals.

    To pool sources, concatenate their margins: SSR is then weighted by samples and PA by trials.

    The intervals are percentile-bootstrap intervals, 2,000 resamples of samples. Rows of `margins` that are of one
    sample (the same views beside the distractors of several sources) are drawn together, because they share their
    sim_ij: drawn one by one they would pass for independent, and the interval would be too narrow. That of the median
    inverts the bootstrap interval of the share of margins up to the median (Woodruff, *Confidence intervals for medians
    and other position measures*, 1952), which needs no median of each resample.

    Args:
        margins: float [N, T], NaN for no trial, in the order of `trial_margins`.
        samples: [N], a name or number of the sample of each row; None where every row is a sample of its own.
        seed: of the bootstrap.

    Raises:
        ValueError: a shape is wrong, or a margin infinite.

    >>> result = outcome([[0.2, 0.1], [0.3, -0.1], [0.1, np.nan], [np.nan, np.nan]])
    >>> result.samples, result.trials, round(result.ssr, 4), result.pa, result.pa_published
    (3, 5, 0.6667, 0.8, 0.875)
    """
    rows = np.asarray(margins, dtype=np.float64)
    if rows.ndim != 2 or np.isinf(rows).any():
        raise ValueError(
            f"Expected argument `margins` to be an array [N, T] of finite numbers and NaN but got shape {rows.shape}"
            + (" with infinities" if np.isinf(rows).any() else "")
        )
    names = np.arange(len(rows)) if samples is None else np.asarray(samples)
    if names.shape != rows.shape[:1]:
        raise ValueError(f"Expected argument `samples` to have shape {rows.shape[:1]} but got {names.shape}")
    some = ~np.isnan(rows).all(axis=1)
    rows, names = rows[some], names[some]
    found: dict[str, Any] = dict.fromkeys(Outcome.__dataclass_fields__)
    if not len(rows):
        return Outcome(**found | {"samples": 0, "trials": 0})
    values = rows[~np.isnan(rows)]
    median = float(np.median(values))
    counts = _counts(rows, median)
    totals = counts.sum(axis=0)
    found |= {"samples": len(rows), "trials": len(values), "median_margin": median}
    found |= zip(_NUMBERS, map(float, _numbers(totals)), strict=True)
    units = _units(counts, names)
    if len(units) >= MIN_UNITS:
        drawn = (_resamples(len(units), seed) @ units).T
        ends = np.percentile(_numbers(drawn), [2.5, 97.5], axis=1).T
        found |= {f"{name}_ci95": _interval(*pair) for name, pair in zip(_NUMBERS, ends, strict=True)}
        shifts = np.percentile(drawn[-1] / drawn[1] - totals[-1] / totals[1], [97.5, 2.5])
        found["median_margin_ci95"] = _interval(*np.quantile(values, np.clip(0.5 - shifts, 0.0, 1.0)))
    return Outcome(**found)


def _interval(low: float, high: float) -> Interval:
    return float(low), float(high)


def _counts(margins: Floats, median: float) -> Floats:
    """What each row adds to the totals, [N, 7].

    The row itself, its trials, its wins, whether all were won, whether their mean is above 0, the sum of its margins,
    and how many are up to the median. Margins are added from left to right, as in the published code: whether the sum
    of a few rounded numbers is above 0 or just 0 may hang on their order.
    """
    sums = np.zeros(len(margins))
    for column in margins.T:
        sums += np.nan_to_num(column)
    trials, wins = (~np.isnan(margins)).sum(axis=1), (margins > 0).sum(axis=1)
    lower = (margins <= median).sum(axis=1)
    return np.stack([np.ones(len(margins)), trials, wins, wins == trials, sums > 0, sums, lower], axis=1)


def _units(counts: Floats, names: npt.NDArray[np.generic]) -> Floats:
    """The rows of `_counts` of each sample added up, [U, 7], sorted: their order must not matter."""
    unit = np.unique(names, return_inverse=True)[1]
    units = np.stack([np.bincount(unit, column) for column in counts.T], axis=1)
    return units[np.lexsort(units.T)].astype(np.float64, copy=False)


def _numbers(totals: Floats) -> Floats:
    """Those of `_NUMBERS` from totals [7, ...] of what `_counts` counts, [6, ...]."""
    samples, trials, wins, all_won, mean_won, margins = totals[:6]
    ssr, pa = all_won / samples, wins / trials
    both = np.where(pa == 0, 1.0, ssr + pa)  # without a won trial no sample is won either
    published = (wins + mean_won) / (trials + samples)
    return np.stack([ssr, pa, published, mean_won / samples, 2 * ssr * pa / both, margins / trials])


@lru_cache(maxsize=256)
def _resamples(n: int, seed: int) -> Floats:
    """How often each of n samples occurs in each resample, [RESAMPLES, n]."""
    draws = np.random.default_rng(seed).integers(n, size=(RESAMPLES, n))
    draws += n * np.arange(RESAMPLES)[:, None]
    counts = np.bincount(draws.ravel(), minlength=draws.size).reshape(draws.shape).astype(np.float64)
    counts.flags.writeable = False
    return counts
