"""How well a metric agrees with people: correlations with human ratings, averaged over methods of generation.

The rated pictures of one method are one `Rated`; a `Category` has those of all methods. Subjects are the unit of
chance: the pictures of a subject, by whichever method, are left out and swapped together, because they show the same
object and are no independent evidence. A correlation depends on sums over pictures alone, and a sum over pictures is a
sum over subjects, so thousands of swaps are one matrix product.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nearid_cli.metrics.correlations import (
    correlation_interval,
    fisher_mean,
    fisher_z,
    of_sums,
    pearson,
    stand_ins,
    standardised,
    without_each,
)
from nearid_cli.metrics.intervals import MIN_UNITS, Interval, mean_interval, studentised_test
from nearid_cli.metrics.paired import SignFlip, SignVectors

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.intp]

CLIP = 0.9999
"""Correlations beyond this count as this in a Fisher-z mean; a perfect one would make it infinite."""

_SAME = 1e-12  # far above the rounding of the sums below, which are over values of mean 0 and variance 1


@dataclass(frozen=True)
class Rated:
    """The pictures of one method, rated by K people (or groups of people) and scored by a metric.

    Attributes:
        subjects: [n], the number of each picture's subject, from 0 to the block's `subjects` - 1.
        ratings: [K, n], finite.
        scores: [n], finite.
    """

    subjects: Integers
    ratings: Floats
    scores: Floats


@dataclass(frozen=True)
class Category:
    """The pictures of one category: one `Rated` a method, and how many subjects they number together."""

    methods: tuple[Rated, ...]
    subjects: int


def fisher_z_mean(correlations: Sequence[float | None]) -> float | None:
    """The `fisher_mean` of the correlations that exist.

    Args:
        correlations: from -1 to 1; None for one that does not exist.

    Returns:
        From -0.9999 to 0.9999. None when no correlation exists.

    >>> round(fisher_z_mean([0.1, 0.9, None]), 4)
    0.6563
    >>> fisher_z_mean([None]) is None
    True
    """
    existing = [r for r in correlations if r is not None]
    return float(fisher_mean(existing, CLIP)) if existing else None


@dataclass(frozen=True)
class LeftOut:
    """What the jackknife needs of a Fisher-z mean over methods, and over categories where there are several.

    Attributes:
        z: Fisher's z of it.
        without: for each category z without each of its subjects.
    """

    z: float
    without: tuple[Floats, ...]


def left_out(blocks: Sequence[Category]) -> LeftOut | None:
    """A Fisher-z mean, and what it would be without each subject: all its pictures, by whichever method, at once.

    A method without a correlation is left out. One that has no correlation without some subject counts 0 there: it
    hangs on that subject, and its interval is wide.

    Args:
        blocks: the categories.

    Returns:
        None where there are no categories, or no method of one has a correlation.
    """
    every = [_left_out(block) for block in blocks]
    some = [one for one in every if one is not None]
    if not some or len(some) < len(every):
        return None
    z = float(np.mean([own for own, _ in some]))
    return LeftOut(z, tuple(z + (without - own) / len(some) for own, without in some))


def _left_out(block: Category) -> tuple[float, Floats] | None:
    of_methods = []
    for rated in block.methods:
        groups = [pearson(ratings, rated.scores) for ratings in rated.ratings]
        existing = [r for r in groups if r is not None]
        if len(existing) == len(groups):
            without = [
                without_each(ratings, rated.scores, rated.subjects, block.subjects)
                for ratings in rated.ratings
            ]
            of_methods.append((sum(existing) / len(existing), np.mean(without, axis=0)))
    if not of_methods:
        return None
    z, without_z = (fisher_z(values, CLIP).mean(axis=0) for values in zip(*of_methods, strict=True))
    return float(z), without_z


def interval(one: LeftOut | None) -> Interval | None:
    """The 95 % interval of the mean, see `correlation_interval`; None below 3 subjects in a category."""
    return None if one is None else correlation_interval(one.z, one.without)


@dataclass(frozen=True)
class DeltaTest:
    """The difference of two Fisher-z means, its 95 % interval, and the p of the test that belongs to it."""

    delta: float
    ci95: Interval | None
    p: float


def delta_test(first: LeftOut, second: LeftOut) -> DeltaTest:
    """Interval of tanh(z) - tanh(z) of two metrics over the same subjects, and the test that it is 0.

    Both are of the stand-ins of the difference, one a subject, so p is below 0.05 exactly where the interval leaves out
    0. Unlike `swap_test` it does not suppose that two metrics that agree equally well could change places.

    Returns:
        p is 1, and there is no interval, where a category has fewer than 3 subjects.
    """
    delta = math.tanh(first.z) - math.tanh(second.z)
    if min(map(len, first.without)) < MIN_UNITS:
        return DeltaTest(delta, None, 1.0)
    without = [np.tanh(a) - np.tanh(b) for a, b in zip(first.without, second.without, strict=True)]
    values = stand_ins(delta, without)
    ends = mean_interval(values)
    return DeltaTest(delta, ends and (max(-2.0, ends[0]), min(2.0, ends[1])), studentised_test(values))


def swap_test(first: Sequence[Category], second: Sequence[Category]) -> SignFlip:
    """Two-sided test that two metrics agree equally well with people.

    If they do, it does not matter which of the two scored a subject. So the metrics' scores, standardised within each
    method and category to be on one scale, are swapped subject by subject, and p is the share of swaps whose difference
    of Fisher-z means is at least as far from 0 as the one found, within 1e-12 (the permutation test over inputs of
    Deutsch, Dror and Roth, "A Statistical Analysis of Summarization Evaluation Metrics Using Resampling Methods",
    2021). All 2^n swaps up to 12 subjects; above, 10,000 random ones with a fixed seed, and p = (1 + hits) / (1 +
    draws). Which metric comes first does not matter.

    Args:
        first: the categories, with the scores of one metric.
        second: the same categories, methods, pictures and ratings, with the scores of the other. Both have a
            correlation for each method, see `pearson`.
    """
    swaps = SignVectors(sum(block.subjects for block in first))
    means = []
    start = 0
    for one, other in zip(first, second, strict=True):
        bits = swaps.of(range(start, start + one.subjects))
        start += one.subjects
        kept = np.vstack([np.ones((1, one.subjects)), bits])  # the first row is what was found
        pairs = [
            (_sums(a, one.subjects), _sums(b, one.subjects))
            for a, b in zip(one.methods, other.methods, strict=True)
        ]
        swapped = [
            _mean_correlation([side @ a + (1 - side) @ b for a, b in pairs]) for side in (kept, 1 - kept)
        ]
        means.append(swapped)
    ours, theirs = (np.tanh(fisher_z(side, CLIP).mean(axis=0)) for side in zip(*means, strict=True))
    differences = np.abs(ours - theirs)
    # A swap can leave a metric with equal scores and so without a correlation; nothing says that it is less extreme.
    hits = int(np.count_nonzero(~(differences[1:] < differences[0] - _SAME)))
    return SignFlip(float(swaps.share(hits)), swaps.exact)


def _sums(rated: Rated, subjects: int) -> Floats:
    """Sums over the pictures of each subject, [subjects, 3 + 3 K].

    Their number, the scores, their squares; then for each rater the ratings, their squares, and their products with the
    scores. Ratings and scores are standardised over all subjects first, which changes no correlation.
    """
    scores = standardised(rated.scores)
    columns = [np.ones(len(scores)), scores, scores**2]
    for raw in rated.ratings:
        ratings = standardised(raw)
        columns += [ratings, ratings**2, ratings * scores]
    return np.stack([np.bincount(rated.subjects, column, subjects) for column in columns], axis=1)


def _mean_correlation(methods: Sequence[Floats]) -> Floats:
    """Fisher-z mean over methods of the mean correlation with the raters, [B], from sums [B, 3 + 3 K] of each."""
    z = fisher_z([_correlation(*sums.T) for sums in methods], CLIP)
    exists = np.isfinite(z)
    with np.errstate(invalid="ignore"):
        mean = np.where(exists, z, 0.0).sum(axis=0) / exists.sum(axis=0)
    return np.asarray(np.tanh(mean))


def _correlation(number: Floats, scores: Floats, squares: Floats, *raters: Floats) -> Floats:
    """The mean over raters, each of whom has three of the sums."""
    of_raters = [
        of_sums(number, ratings, scores, rating_squares, squares, products)
        for ratings, rating_squares, products in zip(raters[::3], raters[1::3], raters[2::3], strict=True)
    ]
    return np.asarray(np.mean(of_raters, axis=0))
