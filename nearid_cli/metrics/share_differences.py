"""Does one metric win more than another: differences of SSR and PA over the trials that both had."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nearid_cli.metrics.intervals import MIN_UNITS, Interval
from nearid_cli.metrics.paired import sign_flip_test
from nearid_cli.metrics.quantiles import t_quantile, t_tails

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ShareDifference:
    """The difference of two shares, first minus second.

    Attributes:
        samples: how many there are.
        delta: -1 to 1.
        ci95: its 95 % interval over samples, -1 to 1; None below 3 of them.
        p: sign-flip test over samples, above 0 to 1.
        exact: whether `p` is over all sign vectors.
        p_studentised: of the test that belongs to `ci95`, below 0.05 where that leaves out 0; 1 where it is None.
    """

    samples: int
    delta: float
    ci95: Interval | None
    p: float
    exact: bool
    p_studentised: float


def share_difference(first: npt.ArrayLike, second: npt.ArrayLike, trials: npt.ArrayLike) -> ShareDifference:
    """Difference of the shares of the same trials that two metrics win, trials in samples.

    Each sample adds its difference in won trials, relative to the trials of a mean sample, and the mean of these is the
    difference of the shares. Where hardly any sample differs, they do not show how samples differ. So the interval is
    the union of Student's over them, and of Student's over them and two samples more, one won by each metric alone
    (Agresti and Min, "Simple Improved Confidence Intervals for Comparing Matched Proportions", 2005).

    Args:
        first: [C], trials that the first metric wins in each sample.
        second: [C], the second one.
        trials: [C], how many there are, from 1.

    >>> found = share_difference([6] * 10, [6] * 4 + [0] * 6, [6] * 10)
    >>> found.delta, found.p, [round(end, 2) for end in found.ci95]
    (0.6, 0.03125, [0.07, 0.97])
    """
    won, lost, tried = (np.asarray(values, dtype=np.float64) for values in (first, second, trials))
    deltas = (won - lost) * (len(tried) / tried.sum())
    flips = sign_flip_test(deltas)
    ends, p_studentised = None, 1.0
    if len(deltas) >= MIN_UNITS:
        both = [_student(values) for values in (deltas, np.concatenate([deltas, [1.0, -1.0]]))]
        low, high = min(low for low, _, _ in both), max(high for _, high, _ in both)
        ends, p_studentised = (max(-1.0, low), min(1.0, high)), max(p for _, _, p in both)
    return ShareDifference(len(deltas), float(deltas.mean()), ends, flips.p, flips.exact, p_studentised)


def _student(values: Floats) -> tuple[float, float, float]:
    """The ends of Student's 95 % interval of a mean, and the p of his test that it is 0."""
    mean, error, df = (
        float(values.mean()),
        float(values.std(ddof=1)) / math.sqrt(len(values)),
        len(values) - 1,
    )
    half = t_quantile(0.975, df) * error
    p = t_tails(mean / error, df) if error > 0 else float(mean == 0)
    return mean - half, mean + half, p


def rate_differences(
    first: npt.ArrayLike, second: npt.ArrayLike, samples: npt.ArrayLike | None = None
) -> dict[str, ShareDifference]:
    """Differences of SSR and PA of two metrics, over the trials that both had.

    Args:
        first: margins [N, T] of one metric, NaN for no trial.
        second: those of another, on the same rows.
        samples: [N], a name or number of the sample of each row, as for `margins.outcome`.

    Returns:
        `ssr` and `pa`; empty where no trial is common.

    >>> found = rate_differences([[0.2, 0.1], [0.3, 0.1], [0.1, 0.2]], [[0.2, -0.1], [0.3, 0.1], [-0.1, np.nan]])
    >>> round(found["ssr"].delta, 3), round(found["pa"].delta, 3)
    (0.667, 0.4)
    """
    ours, theirs = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    names = np.arange(len(ours)) if samples is None else np.asarray(samples)
    tried = ~np.isnan(ours) & ~np.isnan(theirs)
    some = tried.any(axis=1)
    if not some.any():
        return {}
    tried = tried[some]
    units = np.unique(names[some], return_inverse=True)[1]
    trials = tried.sum(axis=1)
    won, lost = ((np.where(tried, margins[some], -1.0) > 0).sum(axis=1) for margins in (ours, theirs))

    def of_units(column: npt.NDArray[Any]) -> Floats:
        return np.asarray(np.bincount(units, column.astype(np.float64)), dtype=np.float64)

    rows = of_units(np.ones(len(trials)))
    return {
        "ssr": share_difference(of_units(won == trials), of_units(lost == trials), rows),
        "pa": share_difference(of_units(won), of_units(lost), of_units(trials)),
    }
