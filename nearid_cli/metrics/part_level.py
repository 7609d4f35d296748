"""MO, MOpair, SSR and PA: does a metric see that a part of an object was edited, and how large that part is?

A sample has two pictures 1 and 2 of one object, and for each a twin, 1' and 2', in which a part of the object was
edited. The oracle of a twin is the share of the object that was left as it is. A metric should rate a twin by its
oracle (MO, MOpair), and below the untouched object in other surroundings (SSR, PA).

Definitions: arXiv 2604.01973; published code Gorluxor/NearID, evaluation/sim_test.py, mode `mtg`, whose `Corr_Mean` is
MO, `Corr_Strict_Mean` MOpair, and `SSRm` SSR.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nearid_cli.metrics.arguments import table
from nearid_cli.metrics.correlations import correlation_interval, fisher_mean, pearson, without_each
from nearid_cli.metrics.intervals import Interval
from nearid_cli.metrics.margins import success
from nearid_cli.metrics.similarity import RESOLUTION

Floats = npt.NDArray[np.float64]

SIMILARITIES = ("s12", "s11p", "s12p", "s22p", "s21p")
"""The similarities of a sample, the columns of all arrays [N, 5]: `s12p` is that of picture 1 and the twin of 2."""

CORRELATIONS = (("s11p", "o1"), ("s22p", "o2"), ("s12p", "o2"), ("s21p", "o1"))
"""What is correlated with which oracle. The first two are of a picture and its own twin: those of MOpair."""

FISHER_CLIP = 0.999
"""Correlations beyond count as this, or one that is perfect would make every mean perfect."""

OF_PAIR = 2
"""So many of `CORRELATIONS`, the first ones, are those of MOpair."""
# A single correlation beyond counts as this in its interval, since Fisher's z of 1 is infinite.
_FINITE = 1 - 1e-9


@dataclass(frozen=True)
class Correlation:
    """A Pearson correlation of similarities with oracles.

    Attributes:
        similarity, oracle: of what, as in `CORRELATIONS`.
        n: samples that have both.
        r: -1 to 1; 0 where it does not exist.
        varies: whether it exists: there are two samples that differ in similarity, and two that differ in oracle.
        ci95: low and high end of its 95 % interval; None where it does not exist or n < 3.
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
        mo_ci95, mo_pair_ci95, ssr_ci95, pa_ci95: 95 % intervals over samples; None below 3 samples, and those of means
            of correlations also where none of these exists.
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
    s12, s11p, _, s22p, _ = table("similarities", similarities, "[N, 5]", 5).T
    return np.stack([s12 - s11p, s12 - s22p], axis=1)


def part_level(similarities: npt.ArrayLike, oracles: npt.ArrayLike) -> PartLevel:
    """All numbers of one metric.

    Correlations are pairwise complete: each uses the samples that have its similarity and its oracle. One whose values
    do not vary by more than 1e-9 does not exist and counts 0. A trial is won when its margin is strictly above 0.
    Intervals of correlations and their means are made of what they would be without each sample
    (`correlation_interval`), those of SSR and PA are those of `success`.

    Args:
        similarities: float [N, 5], columns as in `SIMILARITIES`; NaN where a picture is absent.
        oracles: float [N, 2], of the twins 1' and 2'; NaN where it is not known.

    Raises:
        ValueError: a shape is wrong, or a number infinite.

    >>> table = [[0.9, 0.5, 0.4, 0.8, 0.3], [0.8, 0.7, 0.5, 0.9, 0.6], [0.7, 0.6, 0.6, np.nan, 0.5]]
    >>> found = part_level(table, [[0.1, 0.8], [0.5, 0.9], [0.3, 0.0]])
    >>> found.samples, found.trials, round(found.ssr, 3), found.pa
    (3, 5, 0.667, 0.8)
    >>> [round(one.r, 3) for one in found.correlations], [one.n for one in found.correlations]
    ([1.0, 1.0, -0.811, 0.982], [3, 2, 3, 3])
    """
    values, shares = table("similarities", similarities, "[N, 5]", 5), table("oracles", oracles, "[N, 2]", 2)
    if len(values) != len(shares):
        raise ValueError(f"Expected argument `oracles` to have {len(values)} rows but got {len(shares)}")
    found = _Correlations.of(values, shares)
    trials = success(part_margins(values))
    mo, mo_ci95 = found.mean(len(CORRELATIONS))
    mo_pair, mo_pair_ci95 = found.mean(OF_PAIR)
    return PartLevel(
        mo=mo,
        mo_ci95=mo_ci95,
        mo_pairs=int(found.counts.sum()),
        mo_pair=mo_pair,
        mo_pair_ci95=mo_pair_ci95,
        mo_pair_pairs=int(found.counts[:OF_PAIR].sum()),
        **vars(trials),
        correlations=tuple(
            Correlation(
                similarity,
                name,
                n=int(found.counts[k]),
                r=float(found.r[k]),
                varies=bool(found.varies[k]),
                ci95=found.interval(k),
            )
            for k, (similarity, name) in enumerate(CORRELATIONS)
        ),
    )


@dataclass(frozen=True)
class _Correlations:
    """The four correlations [4], how many pairs each has, whether it exists, and what it is without each sample [N, 4].

    `there` [N, 4] says which samples have the pair. A correlation without a sample that it lacks is just itself.
    """

    there: npt.NDArray[np.bool_]
    counts: npt.NDArray[np.intp]
    r: Floats
    varies: npt.NDArray[np.bool_]
    without: Floats

    @classmethod
    def of(cls, values: Floats, shares: Floats) -> _Correlations:
        x = values[:, [SIMILARITIES.index(similarity) for similarity, _ in CORRELATIONS]]
        y = shares[:, [int(name[1]) - 1 for _, name in CORRELATIONS]]
        there = ~(np.isnan(x) | np.isnan(y))
        r, varies, without = (
            np.zeros(len(CORRELATIONS)),
            np.zeros(len(CORRELATIONS), np.bool_),
            np.zeros(x.shape),
        )
        for k, rows in enumerate(map(np.flatnonzero, there.T)):
            pair = x[rows, k], y[rows, k]
            varies[k] = len(rows) > 0 and all(np.ptp(values) > RESOLUTION for values in pair)
            if varies[k]:
                r[k] = pearson(*pair)
                without[:, k] = without_each(*pair, rows, len(x))
        return cls(there, there.sum(axis=0), r, varies, without)

    def mean(self, first: int) -> tuple[float | None, Interval | None]:
        """The Fisher-z mean of the first so many and its interval; None where none of them has a sample."""
        used = self.there[:, :first].any(axis=1)
        if not used.any():
            return None, None
        value = float(fisher_mean(self.r[:first], FISHER_CLIP))
        if not self.varies[:first].any():
            return value, None
        without = fisher_mean(self.without[used, :first], FISHER_CLIP)
        return value, correlation_interval(math.atanh(value), [np.arctanh(without)])

    def interval(self, k: int) -> Interval | None:
        """That of one correlation."""
        if not self.varies[k]:
            return None
        r = float(self.r[k])
        without = np.clip(self.without[self.there[:, k], k], -_FINITE, _FINITE)
        ends = correlation_interval(math.atanh(min(_FINITE, max(-_FINITE, r))), [np.arctanh(without)])
        return ends and (min(r, ends[0]), max(r, ends[1]))
