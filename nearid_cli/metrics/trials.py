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
from typing import Any

import numpy as np
import numpy.typing as npt

from nearid_cli.metrics.intervals import MIN_UNITS, contributions, mean_interval
from nearid_cli.metrics.margins import PAIRS
from nearid_cli.metrics.proportions import share_interval

Floats = npt.NDArray[np.float64]
Interval = tuple[float, float]

_SHARES = ("ssr", "pa", "pa_published", "ssr_mean")


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
            ends of 95 % intervals, see `outcome`.
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


def outcome(margins: npt.ArrayLike, samples: npt.ArrayLike | None = None) -> Outcome:
    """SSR, PA and their relatives, with intervals.

    To pool sources, concatenate their margins: SSR is then weighted by samples and PA by trials.

    Samples are the units of the intervals. Rows of `margins` that are of one sample (the same views beside the
    distractors of several sources) are one unit, because they share their sim_ij: taken one by one they would pass
    for independent, and the interval would be too narrow. Rates have the interval of `share_interval`, which has a
    width at 0 and 1 too. H grows with SSR and with PA, so its interval runs from H of both low ends to H of both high
    ones. The mean margin has that of `mean_interval` over what samples add to it, the median that of the ranks at
    which the share of margins up to it may be one half (Woodruff, *Confidence intervals for medians and other
    position measures*, 1952).

    Args:
        margins: float [N, T], NaN for no trial, in the order of `trial_margins`.
        samples: [N], a name or number of the sample of each row; None where every row is a sample of its own.

    Raises:
        ValueError: a shape is wrong, or a margin infinite.

    >>> result = outcome([[0.2, 0.1], [0.3, -0.1], [0.1, np.nan], [np.nan, np.nan]])
    >>> result.samples, result.trials, round(result.ssr, 4), result.pa, result.pa_published
    (3, 5, 0.6667, 0.8, 0.875)
    >>> [round(end, 3) for end in result.ssr_ci95]
    [0.094, 0.992]
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
    tried = ~np.isnan(rows)
    values = rows[tried]
    counts = _Counts.of(rows)
    ssr, pa = counts.share("ssr"), counts.share("pa")
    found |= {
        "samples": len(rows),
        "trials": len(values),
        **{name: counts.share(name) for name in _SHARES},
        "h": _harmonic(ssr, pa),
        "mean_margin": float(counts.sums.sum() / len(values)),
        "median_margin": float(np.median(values)),
    }
    units = np.unique(names, return_inverse=True)[1]
    if units.max() + 1 >= MIN_UNITS:
        found |= {f"{name}_ci95": counts.interval(name, units) for name in _SHARES}
        ends = zip(found["ssr_ci95"], found["pa_ci95"], strict=True)
        found["h_ci95"] = tuple(_harmonic(*pair) for pair in ends)
        unit_of_value = np.repeat(units, tried.sum(axis=1))
        found["mean_margin_ci95"] = mean_interval(contributions(values, unit_of_value))
        up_to = (values <= found["median_margin"]).astype(np.float64)
        lower, trials = np.bincount(unit_of_value, up_to), np.bincount(unit_of_value, np.ones(len(values)))
        found["median_margin_ci95"] = _median_interval(values, lower, trials)
    return Outcome(**found)


@dataclass(frozen=True)
class _Counts:
    """What each row adds to the numbers, [N] each: its trials, its wins, whether all were won, its sum of margins."""

    trials: Floats
    wins: Floats
    all_won: Floats
    sums: Floats

    @classmethod
    def of(cls, margins: Floats) -> _Counts:
        """From margins [N, T].

        They are added from left to right, as in the published code: whether the sum of a few rounded numbers is above 0
        or just 0 may hang on their order.
        """
        sums = np.zeros(len(margins))
        for column in margins.T:
            sums += np.nan_to_num(column)
        trials = (~np.isnan(margins)).sum(axis=1).astype(np.float64)
        wins = (margins > 0).sum(axis=1).astype(np.float64)
        return cls(trials, wins, (wins == trials).astype(np.float64), sums)

    def share(self, name: str) -> float:
        """One of `_SHARES`."""
        won, tried = self._won_and_tried(name)
        return float(won.sum() / tried.sum())

    def interval(self, name: str, units: npt.NDArray[np.intp]) -> Interval | None:
        """Its interval over the units that rows belong to."""
        won, tried = self._won_and_tried(name)
        return share_interval(np.bincount(units, won), np.bincount(units, tried))

    def _won_and_tried(self, name: str) -> tuple[Floats, Floats]:
        one, mean_won = np.ones(len(self.trials)), (self.sums > 0).astype(np.float64)
        return {
            "ssr": (self.all_won, one),
            "pa": (self.wins, self.trials),
            "pa_published": (self.wins + mean_won, self.trials + one),
            "ssr_mean": (mean_won, one),
        }[name]


def _harmonic(ssr: float, pa: float) -> float:
    return 2 * ssr * pa / (ssr + pa) if pa > 0 else 0.0


def _median_interval(
    values: Floats, lower: npt.NDArray[np.number], trials: npt.NDArray[np.number]
) -> Interval | None:
    """Of the median of values, from how many of each unit are up to it."""
    ends = share_interval(lower, trials)
    if ends is None:
        return None
    # As far as the share up to the median, one half but for ties, may be off, so may the rank of the true median.
    share = float(lower.sum() / trials.sum())
    ranks = np.clip([0.5 + share - ends[1], 0.5 + share - ends[0]], 0.0, 1.0)
    low, high = np.quantile(values, ranks, method="inverted_cdf")
    return float(low), float(high)
