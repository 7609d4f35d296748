"""SSR and PA: does an encoder rate a view of the same object above a look-alike in the same context?

A sample has up to three views of one object and, for each view, a distractor that shares its context. For every
two views i < j there are two trials: their similarity must beat that of view i to its own distractor, and that
of view j to its own. Protocol: arXiv 2604.01973; published code Gorluxor/NearID, evaluation/metrics.py, family
`disc_m_sim_vs_crossii_bidir`, whose `SSRm` is the paper's SSR.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nearid_cli.metrics.intervals import MIN_UNITS
from nearid_cli.metrics.proportions import proportion_interval, share_interval
from nearid_cli.metrics.resolution import RESOLUTION

Floats = npt.NDArray[np.float64]
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
    ssr_ci95: tuple[float, float] | None
    pa_ci95: tuple[float, float] | None
    mean_margin: float | None


def sample_margins(
    positives: npt.NDArray[np.floating],
    distractors: npt.NDArray[np.floating],
    has_positive: Booleans,
    has_distractor: Booleans,
) -> Floats:
    """The margins of each sample: sim_ij - cross_ii and sim_ij - cross_jj for the pairs (0, 1), (0, 2), (1, 2).

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
    views = _units("positives", positives, has_positive)
    cross = np.einsum("nsd,nsd->ns", views, _units("distractors", distractors, has_distractor))
    cross[~(has_positive & has_distractor)] = np.nan
    margins = np.empty((len(views), 2 * len(PAIRS)))
    for column, (i, j) in enumerate(PAIRS):
        similarity = np.einsum("nd,nd->n", views[:, i], views[:, j])
        similarity[~(has_positive[:, i] & has_positive[:, j])] = np.nan
        margins[:, 2 * column] = similarity - cross[:, i]
        margins[:, 2 * column + 1] = similarity - cross[:, j]
    margins[np.abs(margins) <= RESOLUTION] = 0.0
    return margins


def success(margins: npt.NDArray[np.floating], samples: npt.ArrayLike | None = None) -> Success:
    """SSR, PA and their intervals. A trial is won when its margin is above 0; a tie is lost.

    A row without any trial is left out of everything.

    Args:
        margins: float [N, T], NaN for no trial; T = 6 from `sample_margins`, but any number will do.
        samples: [N], a name or number of the sample of each row, where some have several rows (the same views beside
            the distractors of several sources); None where every row is a sample of its own.

    Raises:
        ValueError: `margins` is not two-dimensional, or infinite somewhere.

    >>> result = success(np.array([[0.2, 0.1], [0.3, -0.1], [0.1, np.nan], [np.nan, np.nan]]))
    >>> result.samples, result.trials, round(result.ssr, 4), result.pa
    (3, 5, 0.6667, 0.8)
    """
    margins = np.asarray(margins, dtype=np.float64)
    if margins.ndim != 2 or np.isinf(margins).any():
        raise ValueError(
            "Expected argument `margins` to be an array [N, T] of finite numbers and NaN "
            f"but got shape {margins.shape}" + (" with infinities" if np.isinf(margins).any() else "")
        )
    tried = ~np.isnan(margins)
    mean_margin = float(margins[tried].mean()) if tried.any() else None
    return success_of_counts((margins > 0).sum(axis=1), tried.sum(axis=1), mean_margin, samples)


def success_of_counts(
    won: npt.NDArray[np.integer],
    trials: npt.NDArray[np.integer],
    mean_margin: float | None,
    samples: npt.ArrayLike | None = None,
) -> Success:
    """SSR, PA and their intervals from what each row won; see `success`.

    That of SSR is Clopper and Pearson's. Trials of one sample share its views, and rows of one sample as well: the
    intervals of PA, and of SSR where samples have several rows, take samples for clusters.

    Args:
        won: [N], trials that each row won.
        trials: [N], trials that each row had; a row with 0 is left out.
        mean_margin: of all trials; handed through.
        samples: as for `success`.

    Raises:
        ValueError: `samples` has another length.
    """
    names = np.arange(len(trials)) if samples is None else np.asarray(samples)
    if names.shape != trials.shape:
        raise ValueError(f"Expected argument `samples` to have shape {trials.shape} but got {names.shape}")
    there = trials > 0
    won, trials = won[there], trials[there]
    if not len(trials):
        return Success(0, 0, None, None, None, None, None)
    _, clusters = np.unique(names[there], return_inverse=True)
    rows = np.bincount(clusters)
    whole, wins, tried = (np.bincount(clusters, weights=counts) for counts in (won == trials, won, trials))
    ssr_ci95 = None
    if len(rows) >= MIN_UNITS:
        alone = len(rows) == len(trials)
        ssr_ci95 = proportion_interval(whole.sum(), len(rows)) if alone else share_interval(whole, rows)
    return Success(
        samples=len(trials),
        trials=int(trials.sum()),
        ssr=float((won == trials).mean()),
        pa=float(won.sum() / trials.sum()),
        ssr_ci95=ssr_ci95,
        pa_ci95=share_interval(wins, tried),
        mean_margin=mean_margin,
    )


def _units(name: str, embeddings: npt.NDArray[np.floating], there: Booleans) -> Floats:
    """The embeddings scaled to length 1, zero where they are absent."""
    units = np.where(there[..., None], embeddings, 0.0).astype(np.float64)
    norms = np.sqrt(np.einsum("nsd,nsd->ns", units, units))
    bad = there & ~(np.isfinite(norms) & (norms > 0))
    if bad.any():
        raise ValueError(
            f"Expected argument `{name}` to have finite embeddings other than zero "
            f"but got {bad.sum()} of norm {norms[bad][0]}"
        )
    units /= np.where(there, norms, 1.0)[..., None]
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
