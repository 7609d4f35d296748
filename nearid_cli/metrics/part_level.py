"""MO, MOpair, SSR and PA: does a metric see that a part of an object was edited, and how large that part is?

A sample has two pictures 1 and 2 of one object, and for each a twin, 1' and 2', in which a part of the object was
edited. The oracle of a twin is the share of the object that was left as it is. A metric should rate a twin by its
oracle (MO, MOpair), and below the untouched object in other surroundings (SSR, PA).

Definitions: arXiv 2604.01973; published code Gorluxor/NearID, evaluation/sim_test.py, mode `mtg`, whose `Corr_Mean` is
MO, `Corr_Strict_Mean` MOpair, and `SSRm` SSR.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nearid_cli.metrics.intervals import MIN_UNITS, RESAMPLES, percentile_ci95
from nearid_cli.metrics.margins import success
from nearid_cli.metrics.resolution import RESOLUTION

Floats = npt.NDArray[np.float64]
Interval = tuple[float, float]

SIMILARITIES = ("s12", "s11p", "s12p", "s22p", "s21p")
"""The similarities of a sample, the columns of all arrays [N, 5]: `s12p` is that of picture 1 and the twin of 2."""

CORRELATIONS = (("s11p", "o1"), ("s22p", "o2"), ("s12p", "o2"), ("s21p", "o1"))
"""What is correlated with which oracle. The first two are of a picture and its own twin: those of MOpair."""

FISHER_CLIP = 0.999
"""Correlations beyond count as this, or one that is perfect would make every mean perfect."""

_OWN = 2  # of CORRELATIONS
_BLOCK = 1 << 18  # numbers of resamples at a time: they stay in the processor's cache


@dataclass(frozen=True)
class Correlation:
    """A Pearson correlation of similarities with oracles.

    Attributes:
        similarity, oracle: of what, as in `CORRELATIONS`.
        n: samples that have both.
        r: -1 to 1; 0 where it does not exist.
        varies: whether it exists: there are two samples that differ in similarity, and two that differ in oracle.
        ci95: low and high end of the 95 % interval, bootstrap over samples; None where it does not exist or n < 3.
    """

    similarity: str
    oracle: str
    n: int
    r: float
    varies: bool
    ci95: Interval | None


@dataclass(frozen=True)
class PartLevel:
    """One metric on edits of parts. A number that does not exist is None, and so is its interval.

    Attributes:
        mo: Fisher-z mean of the four `correlations`, -0.999 to 0.999; None where none of them has a sample.
        mo_pair: the same of the first two.
        ssr: share of samples that win all their trials, 0 to 1.
        pa: won trials / trials, 0 to 1.
        mo_ci95, mo_pair_ci95, ssr_ci95, pa_ci95: 95 % intervals, bootstrap over samples; None below 3 samples.
        mo_pairs, mo_pair_pairs: how many pairs of similarity and oracle there are in `mo` and `mo_pair`.
        samples: samples with at least one trial.
        trials: trials of all samples, at most two each.
        mean_margin: of all trials, -2 to 2.
        correlations: in the order of `CORRELATIONS`.
    """

    mo: float | None
    mo_ci95: Interval | None
    mo_pairs: int
    mo_pair: float | None
    mo_pair_ci95: Interval | None
    mo_pair_pairs: int
    ssr: float | None
    ssr_ci95: Interval | None
    samples: int
    pa: float | None
    pa_ci95: Interval | None
    trials: int
    mean_margin: float | None
    correlations: tuple[Correlation, ...]


def oracle(part_area: npt.ArrayLike, object_area: npt.ArrayLike) -> Floats:
    """The share of an object that was left as it is: 1 - part / object.

    Args:
        part_area: pixels that were edited, >= 0; NaN where there is no mask.
        object_area: pixels of the object, >= 0; NaN where there is no mask.

    Returns:
        Float64 of the arguments' shape. 0 where a mask is missing or the object has no pixel. Below 0 where the part is
        larger than the object.

    >>> oracle([25, 25, np.nan, 0], [100, 0, 100, 100]).tolist()
    [0.75, 0.0, 0.0, 1.0]
    """
    part, whole = (np.asarray(area, dtype=np.float64) for area in (part_area, object_area))
    known = ~np.isnan(part) & (whole > 0)
    shares: Floats = np.where(known, 1 - part / np.where(known, whole, 1.0), 0.0)
    return shares


def part_margins(similarities: npt.ArrayLike) -> Floats:
    """The two margins of each sample: s12 - s11p and s12 - s22p.

    Args:
        similarities: float [N, 5], columns as in `SIMILARITIES`; NaN where a picture is absent.

    Returns:
        Float64 [N, 2], NaN where a similarity is absent.

    >>> part_margins([[0.9, 0.7, 0.6, 0.95, np.nan]]).round(2).tolist()
    [[0.2, -0.05]]
    """
    s12, s11p, _, s22p, _ = _table("similarities", similarities, len(SIMILARITIES)).T
    return np.stack([s12 - s11p, s12 - s22p], axis=1)


def fisher_mean(correlations: npt.ArrayLike) -> Floats:
    """The mean of correlations over the last axis by Fisher's z: tanh(mean(atanh(clip(r, -0.999, 0.999)))).

    Fisher, "On the 'Probable Error' of a Coefficient of Correlation Deduced from a Small Sample", 1921.

    >>> fisher_mean([[0.5, 0.5], [1.0, -1.0]]).round(6).tolist()
    [0.5, 0.0]
    """
    clipped = np.clip(np.asarray(correlations, dtype=np.float64), -FISHER_CLIP, FISHER_CLIP)
    mean: Floats = np.tanh(np.arctanh(clipped).mean(axis=-1))
    return mean


def part_level(similarities: npt.ArrayLike, oracles: npt.ArrayLike, seed: int = 0) -> PartLevel:
    """All numbers of one metric.

    Correlations are pairwise complete: each uses the samples that have its similarity and its oracle. One whose values
    do not vary by more than 1e-9 does not exist and counts 0. A trial is won when its margin is strictly above 0.
    Intervals are percentile-bootstrap intervals over samples, 2,000 resamples; in a resample, too, a correlation that
    does not exist counts 0.

    Args:
        similarities: float [N, 5], columns as in `SIMILARITIES`; NaN where a picture is absent.
        oracles: float [N, 2], of the twins 1' and 2'; NaN where it is not known.
        seed: of the bootstrap.

    Raises:
        ValueError: a shape is wrong, or a number infinite.

    >>> table = [[0.9, 0.5, 0.4, 0.8, 0.3], [0.8, 0.7, 0.5, 0.9, 0.6], [0.7, 0.6, 0.6, np.nan, 0.5]]
    >>> found = part_level(table, [[0.1, 0.8], [0.5, 0.9], [0.3, 0.0]])
    >>> found.samples, found.trials, round(found.ssr, 3), found.pa
    (3, 5, 0.667, 0.8)
    >>> [round(one.r, 3) for one in found.correlations], [one.n for one in found.correlations]
    ([1.0, 1.0, -0.811, 0.982], [3, 2, 3, 3])
    """
    values = _table("similarities", similarities, len(SIMILARITIES))
    shares = _table("oracles", oracles, 2)
    if len(values) != len(shares):
        raise ValueError(f"Expected argument `oracles` to have {len(values)} rows but got {len(shares)}")
    x = values[:, [SIMILARITIES.index(similarity) for similarity, _ in CORRELATIONS]]
    y = shares[:, [int(name[1]) - 1 for _, name in CORRELATIONS]]
    there = ~(np.isnan(x) | np.isnan(y))
    counts = there.sum(axis=0)
    r, varies = _pearson(x[None], y[None], there[None])
    drawn = _resampled(x, y, there, seed)
    trials = success(part_margins(values))

    def mean(first: int) -> tuple[float | None, Interval | None, int]:
        pairs = int(counts[:first].sum())
        if not pairs:
            return None, None, 0
        enough = there[:, :first].any(axis=1).sum() >= MIN_UNITS
        return (
            float(fisher_mean(r[0, :first])),
            percentile_ci95(fisher_mean(drawn[:, :first])) if enough else None,
            pairs,
        )

    mo, mo_ci95, mo_pairs = mean(len(CORRELATIONS))
    mo_pair, mo_pair_ci95, mo_pair_pairs = mean(_OWN)
    return PartLevel(
        mo=mo,
        mo_ci95=mo_ci95,
        mo_pairs=mo_pairs,
        mo_pair=mo_pair,
        mo_pair_ci95=mo_pair_ci95,
        mo_pair_pairs=mo_pair_pairs,
        ssr=trials.ssr,
        ssr_ci95=trials.ssr_ci95,
        samples=trials.samples,
        pa=trials.pa,
        pa_ci95=trials.pa_ci95,
        trials=trials.trials,
        mean_margin=trials.mean_margin,
        correlations=tuple(
            Correlation(
                similarity,
                name,
                n=int(counts[k]),
                r=float(r[0, k]),
                varies=bool(varies[0, k]),
                ci95=percentile_ci95(drawn[:, k]) if varies[0, k] and counts[k] >= MIN_UNITS else None,
            )
            for k, (similarity, name) in enumerate(CORRELATIONS)
        ),
    )


def _pearson(x: Floats, y: Floats, there: npt.NDArray[np.bool_]) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Correlations over axis 1 of arrays [R, N, K], 0 where there are none, and whether there are, each [R, K].

    The mean is taken off before anything is squared, and what does not vary is told by its range: the squares of
    equal numbers need not add up to just 0.
    """
    n = there.sum(axis=1)
    spread, varies = [], n > 0
    for values in (x, y):
        low = np.where(there, values, np.inf).min(axis=1, initial=np.inf)
        high = np.where(there, values, -np.inf).max(axis=1, initial=-np.inf)
        varies = varies & (high - low > RESOLUTION)
        clean = np.where(there, values, 0.0)
        mean = clean.sum(axis=1) / np.maximum(n, 1)
        spread.append(np.where(there, clean - mean[:, None], 0.0))
    a, b = spread
    scale = np.sqrt((a * a).sum(axis=1) * (b * b).sum(axis=1))
    r = np.where(varies, (a * b).sum(axis=1) / np.where(varies, scale, 1.0), 0.0)
    return np.clip(r, -1.0, 1.0), varies


def _resampled(x: Floats, y: Floats, there: npt.NDArray[np.bool_], seed: int) -> Floats:
    """The correlations of resamples of the rows of arrays [N, K], [RESAMPLES, K]."""
    n, k = x.shape
    found = np.zeros((RESAMPLES, k))
    if not n:
        return found
    random = np.random.default_rng(seed)
    step = max(1, _BLOCK // (n * k))
    for start in range(0, RESAMPLES, step):
        block = found[start : start + step]
        draws = random.integers(n, size=(len(block), n))
        block[:] = _pearson(x[draws], y[draws], there[draws])[0]
    return found


def _table(name: str, values: npt.ArrayLike, columns: int) -> Floats:
    table = np.asarray(values, dtype=np.float64)
    if table.ndim != 2 or table.shape[1] != columns or np.isinf(table).any():
        raise ValueError(
            f"Expected argument `{name}` to be an array [N, {columns}] of finite numbers and NaN "
            f"but got shape {table.shape}" + (" with infinities" if np.isinf(table).any() else "")
        )
    return table
