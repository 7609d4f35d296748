"""SSR, PA and their relatives: does an encoder rate a view of the same object above a look-alike in the same context?

A sample has up to three views 0, 1, 2 of one object and, for each view, a distractor that shares its context. For every
two views i < j there are two trials: their similarity sim_ij must be above cross_ii, that of view i and its own
distractor, and above cross_jj. A trial is won when its margin is strictly above 0.

Definitions: arXiv 2604.01973; published code Gorluxor/NearID, evaluation/metrics.py, its margins named
`disc_m_sim_vs_crossii_bidir`. Its `SSRm` is the paper's SSR and `ssr` here, its `SSR` is `ssr_mean`, and its `PA` is
`pa_published`. Of two encoders on the same samples: `rate_differences`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nearid_cli.metrics.arguments import table
from nearid_cli.metrics.intervals import MIN_UNITS, Interval, mean_interval
from nearid_cli.metrics.paired import sign_flip_test
from nearid_cli.metrics.proportions import share_interval
from nearid_cli.metrics.quantiles import t_quantile, t_tails
from nearid_cli.metrics.similarity import RESOLUTION, lengths
from nearid_cli.metrics.units import contributions

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.intp]
Booleans = npt.NDArray[np.bool_]

PAIRS = ((0, 1), (0, 2), (1, 2))
"""The pairs of views, in the order of the margins: columns 2k and 2k + 1 are those of pair k."""


@dataclass(frozen=True)
class Success:
    """How often views of the same object beat distractors. None where nothing was tried.

    Attributes:
        samples: samples with at least one trial; one counts as often as it has rows.
        trials: trials of all samples.
        ssr: sample success rate, the share of samples that win all their trials, 0 to 1.
        pa: pairwise accuracy, won trials / trials, 0 to 1.
        ssr_ci95, pa_ci95: low and high ends of 95 % intervals over samples; None below 3 samples.
        mean_margin: mean margin of all trials, -2 to 2.
    """

    samples: int
    trials: int
    ssr: float | None
    pa: float | None
    ssr_ci95: Interval | None
    pa_ci95: Interval | None
    mean_margin: float | None


@dataclass(frozen=True)
class Outcome:
    """`Success` with its relatives. A number is None where there was no trial, an interval below 3 samples.

    Attributes:
        samples, trials, ssr, ssr_ci95, pa, pa_ci95, mean_margin: as in `Success`.
        pa_published: PA when the mean margin of each sample counts as one more trial of it, 0 to 1.
        ssr_mean: share of samples whose mean margin is above 0, 0 to 1.
        h: harmonic mean of `ssr` and `pa`; 0 where both are 0.
        median_margin: of all trials.
        pa_published_ci95, ssr_mean_ci95, h_ci95, mean_margin_ci95, median_margin_ci95: low and high ends of 95 %
            intervals, see `outcome`.
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


def sample_margins(
    positives: npt.NDArray[np.floating],
    distractors: npt.NDArray[np.floating],
    has_positive: Booleans,
    has_distractor: Booleans,
) -> Floats:
    """The `trial_margins` of embeddings.

    sim_ij is the cosine of views i and j, cross_ii that of view i with the distractor of its own slot. Computed
    in float64 on vectors scaled to length 1 there. A margin within 1e-9 of 0 is a tie and becomes 0: it comes
    of rounding, when view and distractor are the same to the encoder.

    Args:
        positives: embeddings [N, 3, D].
        distractors: embeddings [N, 3, D], in the slots of their views.
        has_positive: bool [N, 3]. What an absent slot holds does not matter.
        has_distractor: bool [N, 3], likewise.

    Returns:
        Float64 [N, 6], NaN where a view or distractor is absent.

    Raises:
        ValueError: a shape or type is wrong, or an embedding that is there is zero or not finite.

    >>> views = np.array([[[1.0, 0.0], [0.8, 0.6], [0.0, 0.0]]])
    >>> distractors = np.array([[[0.6, 0.8], [0.8, 0.6], [0.0, 0.0]]])
    >>> there = np.array([[True, True, False]])
    >>> sample_margins(views, distractors, there, there).round(6).tolist()
    [[0.2, -0.2, nan, nan, nan, nan]]
    """
    for name, embeddings in (("positives", positives), ("distractors", distractors)):
        _check_embeddings(name, embeddings, positives.shape)
    for name, there in (("has_positive", has_positive), ("has_distractor", has_distractor)):
        _check_there(name, there, positives.shape[:2])
    views = _unit_vectors("positives", positives, has_positive)
    cross = np.einsum("nsd,nsd->ns", views, _unit_vectors("distractors", distractors, has_distractor))
    cross[~(has_positive & has_distractor)] = np.nan
    sim = np.empty((len(views), len(PAIRS)))
    for k, (i, j) in enumerate(PAIRS):
        sim[:, k] = np.einsum("nd,nd->n", views[:, i], views[:, j])
        sim[~(has_positive[:, i] & has_positive[:, j]), k] = np.nan
    margins = trial_margins(sim, cross)
    margins[np.abs(margins) <= RESOLUTION] = 0.0
    return margins


def trial_margins(sim: npt.ArrayLike, cross_own: npt.ArrayLike) -> Floats:
    """The margins of each sample: sim_ij - cross_ii and sim_ij - cross_jj for each pair i < j.

    Args:
        sim: float [N, 3], similarities of the pairs of views (0, 1), (0, 2), (1, 2); NaN where a view is absent.
        cross_own: float [N, 3], similarity of each view to the distractor of its own slot; NaN likewise.

    Returns:
        Float64 [N, 6] in the order of `PAIRS`: columns 2k and 2k + 1 are those of pair k. NaN for no trial. Nothing is
        a tie but equal numbers: those of a file decide, to the last bit.

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


def success(margins: npt.ArrayLike, samples: npt.ArrayLike | None = None) -> Success:
    """SSR, PA and their intervals. A trial is won when its margin is above 0; a tie is lost.

    A row without any trial is left out of everything. To pool sources, concatenate their margins: SSR is then weighted
    by samples and PA by trials.

    Args:
        margins: float [N, T], NaN for no trial; T = 6 from `sample_margins`, but any number will do.
        samples: [N], a name or number of the sample of each row, where some have several rows (the same views beside
            the distractors of several sources); None where every row is a sample of its own.

    Raises:
        ValueError: a shape is wrong, or a margin infinite.

    >>> result = success(np.array([[0.2, 0.1], [0.3, -0.1], [0.1, np.nan], [np.nan, np.nan]]))
    >>> result.samples, result.trials, round(result.ssr, 4), result.pa
    (3, 5, 0.6667, 0.8)
    """
    rows, names = _tried(margins, samples)
    values = rows[~np.isnan(rows)]
    mean_margin = float(values.mean()) if len(values) else None
    return success_of_counts((rows > 0).sum(axis=1), (~np.isnan(rows)).sum(axis=1), mean_margin, names)


def success_of_counts(
    won: npt.NDArray[np.integer],
    trials: npt.NDArray[np.integer],
    mean_margin: float | None,
    samples: npt.ArrayLike | None = None,
) -> Success:
    """SSR, PA and their intervals from what each row won; see `success`.

    Trials of one sample share its views, and rows of one sample as well: samples are the clusters of `share_interval`.
    That of SSR is Clopper and Pearson's, where every row is a sample of its own.

    Args:
        won: [N], trials that each row won.
        trials: [N], trials that each row had; a row with 0 is left out.
        mean_margin: of all trials; handed through.
        samples: as for `success`.

    Raises:
        ValueError: `samples` has another length.
    """
    names = _names(samples, len(trials))
    there = trials > 0
    won, trials, names = won[there], trials[there], names[there]
    if not len(trials):
        return Success(0, 0, None, None, None, None, None)
    ssr, ssr_ci95 = _share(won == trials, np.ones(len(trials)), names)
    pa, pa_ci95 = _share(won, trials, names)
    return Success(len(trials), int(trials.sum()), ssr, pa, ssr_ci95, pa_ci95, mean_margin)


def outcome(margins: npt.ArrayLike, samples: npt.ArrayLike | None = None) -> Outcome:
    """SSR, PA and their relatives, with intervals.

    Samples are the units of the intervals. Rows of `margins` that are of one sample (the same views beside the
    distractors of several sources) are one unit, because they share their sim_ij: taken one by one they would pass
    for independent, and the interval would be too narrow. Rates have the interval of `share_interval`, which has a
    width at 0 and 1 too. H grows with SSR and with PA, so its interval runs from H of both low ends to H of both high
    ones. The mean margin has that of `mean_interval` over what samples add to it, the median that of the ranks at
    which the share of margins up to it may be one half (Woodruff, *Confidence intervals for medians and other
    position measures*, 1952).

    Args:
        margins: float [N, T], NaN for no trial, in the order of `trial_margins`.
        samples: as for `success`.

    Raises:
        ValueError: a shape is wrong, or a margin infinite.

    >>> result = outcome([[0.2, 0.1], [0.3, -0.1], [0.1, np.nan], [np.nan, np.nan]])
    >>> result.samples, result.trials, round(result.ssr, 4), result.pa, result.pa_published
    (3, 5, 0.6667, 0.8, 0.875)
    >>> [round(end, 3) for end in result.ssr_ci95]
    [0.094, 0.992]
    """
    rows, names = _tried(margins, samples)
    rates = success(rows, names)
    if rates.ssr is None or rates.pa is None:
        return Outcome(0, 0, *[None] * 14)
    tried = ~np.isnan(rows)
    values = rows[tried]
    samples_of_values = np.repeat(names, tried.sum(axis=1))
    mean_won, one = _mean_won(rows), np.ones(len(rows))
    pa_published = _share((rows > 0).sum(axis=1) + mean_won, tried.sum(axis=1) + one, names)
    ssr_mean = _share(mean_won, one, names)
    h_ci95 = None
    if rates.ssr_ci95 and rates.pa_ci95:
        low, high = map(_harmonic, rates.ssr_ci95, rates.pa_ci95)
        h_ci95 = low, high
    median = float(np.median(values))
    return Outcome(
        **vars(rates),
        pa_published=pa_published[0],
        pa_published_ci95=pa_published[1],
        ssr_mean=ssr_mean[0],
        ssr_mean_ci95=ssr_mean[1],
        h=_harmonic(rates.ssr, rates.pa),
        h_ci95=h_ci95,
        mean_margin_ci95=mean_interval(contributions(values, samples_of_values)),
        median_margin=median,
        median_margin_ci95=_median_interval(values, median, samples_of_values),
    )


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


def rate_differences(
    first: npt.ArrayLike, second: npt.ArrayLike, samples: npt.ArrayLike | None = None
) -> dict[str, ShareDifference]:
    """Differences of SSR and PA of two metrics, over the trials that both had.

    Args:
        first: margins [N, T] of one metric, NaN for no trial.
        second: those of another, on the same rows.
        samples: [N], a name or number of the sample of each row, as for `outcome`.

    Returns:
        `ssr` and `pa`; empty where no trial is common.

    >>> found = rate_differences([[0.2, 0.1], [0.3, 0.1], [0.1, 0.2]], [[0.2, -0.1], [0.3, 0.1], [-0.1, np.nan]])
    >>> round(found["ssr"].delta, 3), round(found["pa"].delta, 3)
    (0.667, 0.4)
    """
    ours, theirs = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    tried = ~np.isnan(ours) & ~np.isnan(theirs)
    some = tried.any(axis=1)
    if not some.any():
        return {}
    tried = tried[some]
    units = np.unique(_names(samples, len(ours))[some], return_inverse=True)[1]
    trials = tried.sum(axis=1)
    won, lost = ((np.where(tried, margins[some], -1.0) > 0).sum(axis=1) for margins in (ours, theirs))

    def of_units(column: npt.NDArray[Any]) -> Floats:
        return np.asarray(np.bincount(units, column.astype(np.float64)), dtype=np.float64)

    rows = of_units(np.ones(len(trials)))
    return {
        "ssr": share_difference(of_units(won == trials), of_units(lost == trials), rows),
        "pa": share_difference(of_units(won), of_units(lost), of_units(trials)),
    }


def _tried(margins: npt.ArrayLike, samples: npt.ArrayLike | None) -> tuple[Floats, Integers]:
    """The rows that have a trial, and the number of the sample of each."""
    rows = table("margins", margins, "[N, T]")
    some = ~np.isnan(rows).all(axis=1)
    return rows[some], _names(samples, len(rows))[some]


def _names(samples: npt.ArrayLike | None, rows: int) -> Integers:
    """The number of the sample of each row."""
    if samples is None:
        return np.arange(rows)
    names = np.asarray(samples)
    if names.shape != (rows,):
        raise ValueError(f"Expected argument `samples` to have shape ({rows},) but got {names.shape}")
    return np.unique(names, return_inverse=True)[1]


def _share(
    won: npt.NDArray[np.generic], tried: npt.NDArray[np.generic], samples: Integers
) -> tuple[float, Interval | None]:
    """A share of trials, and its interval over samples, from what each row won and tried."""
    wins, trials = (np.bincount(samples, counts) for counts in (won, tried))
    return float(wins.sum() / trials.sum()), share_interval(wins, trials)


def _mean_won(margins: Floats) -> Booleans:
    """Whether the mean margin of each row is above 0.

    Margins are added from left to right, as in the published code: whether the sum of a few rounded numbers is above 0
    or just 0 may hang on their order.
    """
    sums = np.zeros(len(margins))
    for column in margins.T:
        sums += np.nan_to_num(column)
    return sums > 0


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


def _harmonic(ssr: float, pa: float) -> float:
    return 2 * ssr * pa / (ssr + pa) if pa > 0 else 0.0


def _median_interval(values: Floats, median: float, samples: Integers) -> Interval | None:
    share, ends = _share(values <= median, np.ones(len(values)), samples)
    if ends is None:
        return None
    # As far as the share up to the median, one half but for ties, may be off, so may the rank of the true median.
    ranks = np.clip([0.5 + share - ends[1], 0.5 + share - ends[0]], 0.0, 1.0)
    low, high = np.quantile(values, ranks, method="inverted_cdf")
    return float(low), float(high)


def _unit_vectors(name: str, embeddings: npt.NDArray[np.floating], there: Booleans) -> Floats:
    """The embeddings scaled to length 1, zero where they are absent."""
    units = np.where(there[..., None], embeddings, 0.0).astype(np.float64)
    units /= np.where(there, lengths(name, units, there), 1.0)[..., None]
    return units


def _check_embeddings(name: str, embeddings: npt.NDArray[np.floating], shape: tuple[int, ...]) -> None:
    if embeddings.ndim != 3 or embeddings.shape[1] != 3 or embeddings.shape != shape:
        raise ValueError(
            f"Expected arguments `positives` and `distractors` to be arrays of one shape [N, 3, D] "
            f"but got `{name}` of shape {embeddings.shape}"
        )
    if not np.issubdtype(embeddings.dtype, np.floating):
        raise ValueError(f"Expected argument `{name}` to be a float array but got {embeddings.dtype}")


def _check_there(name: str, there: Booleans, shape: tuple[int, ...]) -> None:
    if there.dtype != np.bool_ or there.shape != shape:
        raise ValueError(
            f"Expected argument `{name}` to be a bool array of shape {shape} "
            f"but got {there.dtype} of shape {there.shape}"
        )
