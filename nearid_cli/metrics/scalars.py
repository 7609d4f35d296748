"""The numbers of metrics that have no vectors: from a number a generation, or a number a pair of pictures.

What `identity_scores` makes of cosines this makes of any numbers, of any range and direction, some of them missing.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from nearid_cli.metrics.arguments import check_both_sides, check_numbers, check_subjects
from nearid_cli.metrics.closeness import Closeness, beside_others, is_near
from nearid_cli.metrics.retention import ceiling_errors
from nearid_cli.metrics.similarity import RESOLUTION
from nearid_cli.metrics.summary import IdentityScores, Limits, summarise

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.intp]


def scalar_scores(
    values: npt.NDArray[np.floating],
    subjects: npt.NDArray[np.integer],
    clusters: npt.NDArray[np.integer] | None = None,
    limits: Limits = (None, None),
) -> IdentityScores:
    """Scores of a metric that needs no reference: there is no ceiling, floor, retention or identification.

    Args:
        values: [G], the number of each generation; NaN where it has none, and then it counts for nothing.
        subjects: [G], the subject of each, 0..S-1, every number at least once.
        clusters: [G], as `generation_clusters` of `identity_scores`.
        limits: which numbers are possible; intervals end there.

    Returns:
        As `identity_scores`, of `values` as they are. A subject of which no generation has a number has none.

    Raises:
        ValueError: shapes, types or subject numbers are wrong, or a value is infinite or outside the limits.

    >>> scalar_scores(np.array([0.2, 0.4, np.nan]), np.array([0, 0, 1])).score.round(3).tolist()
    [0.3, nan]
    """
    count = check_subjects("subjects", subjects, len(subjects))
    own = _values("values", values, len(subjects), limits)
    if clusters is not None:
        check_numbers("clusters", clusters, len(own))
    return summarise(
        own,
        subjects.astype(np.intp),
        clusters,
        pairs=np.ones(len(own), np.intp),
        strangers=np.full(len(own), np.nan),
        identified=np.full(len(own), np.nan),
        ceiling=np.full(count, np.nan),
        ceiling_error=np.full(count, np.nan),
        limits=limits,
    )


def pair_scores(
    pairs: npt.NDArray[np.integer],
    values: npt.NDArray[np.floating],
    reference_pairs: npt.NDArray[np.integer],
    reference_values: npt.NDArray[np.floating],
    generation_subjects: npt.NDArray[np.integer],
    reference_subjects: npt.NDArray[np.integer],
    clusters: npt.NDArray[np.integer] | None = None,
    limits: Limits = (None, None),
    higher_is_better: bool = True,
) -> IdentityScores:
    """Scores of a metric that gives a number a pair, as `identity_scores` gives them of cosines.

    A generation's number is the mean of its pairs, the ceiling that of the pairs of references. Floor, retention and
    identification are of pairs with the references of other subjects. The order of pairs does not matter, and a pair
    without a number counts for nothing.

    Args:
        pairs: [P, 2], generation and reference: every generation with all references of its own subject, or with all
            there are; each once.
        values: [P], their numbers; NaN where there is none.
        reference_pairs: [Q, 2], two references of one subject, each two once, or in both directions.
        reference_values: [Q], their numbers; NaN where there is none.
        generation_subjects: [G], 0..S-1, every number at least once.
        reference_subjects: [R], from 0, every number at least once. Subjects from S on have references only: they are
            strangers.
        clusters: [G], as `generation_clusters` of `identity_scores`.
        limits: which numbers are possible; intervals end there.
        higher_is_better: False for distances.

    Raises:
        ValueError: shapes, types or numbers are wrong, a value is infinite or outside the limits, or pairs are missing.

    >>> pairs, values = np.array([[0, 0], [0, 1]]), np.array([0.7, 0.9])
    >>> found = pair_scores(pairs, values, np.array([[0, 1]]), np.array([0.85]), np.array([0]), np.array([0, 0]))
    >>> found.score.round(3).tolist(), found.ceiling.tolist(), found.floor.tolist()
    ([0.8], [0.85], [nan])
    """
    generations, references = len(generation_subjects), len(reference_subjects)
    referenced, count = check_both_sides(reference_subjects, references, generation_subjects, generations)
    if clusters is not None:
        check_numbers("clusters", clusters, generations)
    generation, reference = _pairs("pairs", pairs, (generations, references))
    numbers = _values("values", values, len(pairs), limits)
    own_subject, of_reference = generation_subjects.astype(np.intp), reference_subjects.astype(np.intp)
    sizes = np.bincount(of_reference)
    inner = of_reference[reference] == own_subject[generation]
    _check_complete(inner, sizes[own_subject], (generations, references))

    pairs_of, own = _means(generation[inner], numbers[inner], generations, limits)
    strangers, identified = np.full(generations, np.nan), np.full(generations, np.nan)
    sign = 1.0 if higher_is_better else -1.0
    if not inner.all():
        outer, subject = generation[~inner], of_reference[reference[~inner]]
        _, strangers = _means(outer, numbers[~inner], generations, limits)
        cells = _means(outer * referenced + subject, numbers[~inner], generations * referenced, limits)[1]
        nearest = np.fmax.reduce(sign * cells.reshape(generations, referenced), axis=1)
        identified = np.where(np.isnan(nearest), np.nan, sign * own - nearest > RESOLUTION)

    known = inner & ~np.isnan(numbers)
    subject, own_numbers = own_subject[generation[known]], numbers[known]
    counted, centres = _means(subject, own_numbers, count, limits)
    among = _among_references(
        *_pairs("reference_pairs", reference_pairs, (references, references)),
        _values("reference_values", reference_values, len(reference_pairs), limits),
        of_reference,
        count,
    )
    ceiling, ceiling_error = _ceilings(
        *among,
        of_reference,
        limits,
        squares=_sums(subject, (own_numbers - centres[subject]) ** 2, count),
        pairs=counted,
        single=np.bincount(own_subject, pairs_of > 0, count) == 1,
    )
    scores = summarise(
        own,
        own_subject,
        clusters,
        pairs=pairs_of,
        strangers=strangers,
        identified=identified,
        ceiling=ceiling,
        ceiling_error=ceiling_error,
        limits=limits,
        sign=sign,
    )
    end = limits[1] if higher_is_better else limits[0]
    perfect = np.nan if end is None else float(end)
    single = _closeness(
        generation[known], reference[known], own_numbers, own_subject, *among, of_reference, sign, perfect
    )
    return replace(scores, closeness=single)


def _among_references(
    first: Integers, second: Integers, numbers: Floats, of_reference: Integers, count: int
) -> tuple[Integers, Integers, Floats]:
    """The pairs of references that have a number, of the subjects that have generations."""
    if (strange := of_reference[first] != of_reference[second]).any() or (strange := first == second).any():
        raise ValueError(
            "Expected argument `reference_pairs` to hold two references of one subject each "
            f"but got {[int(first[strange][0]), int(second[strange][0])]}"
        )
    known = (of_reference[first] < count) & ~np.isnan(numbers)
    return first[known], second[known], numbers[known]


def _ceilings(
    first: Integers,
    second: Integers,
    numbers: Floats,
    of_reference: Integers,
    limits: Limits,
    *,
    squares: Floats,
    pairs: Integers,
    single: npt.NDArray[np.bool_],
) -> tuple[Floats, Floats]:
    """Ceilings [S] of the subjects that have generations, and their standard errors."""
    ceiling = _means(of_reference[first], numbers, len(squares), limits)[1]
    both, twice = np.concatenate([first, second]), np.concatenate([numbers, numbers])
    scored = of_reference < len(squares)
    errors = ceiling_errors(
        _sums(both, twice, len(of_reference))[scored],
        np.bincount(both, minlength=len(of_reference))[scored],
        of_reference[scored],
        squares=squares,
        pairs=pairs,
        single=single,
    )
    return ceiling, errors


def _closeness(
    generation: Integers,
    reference: Integers,
    numbers: Floats,
    own_subject: Integers,
    first: Integers,
    second: Integers,
    among: Floats,
    of_reference: Integers,
    sign: float,
    perfect: float,
) -> Closeness:
    """Of pairs of a generation with its own references, and of two references, that have a number."""
    generations, count = len(own_subject), int(own_subject.max()) + 1
    most = np.full(generations, -np.inf)
    np.maximum.at(most, generation, sign * numbers)
    best = np.flatnonzero(sign * numbers >= most[generation] - RESOLUTION)
    nearest = np.full(generations, len(of_reference))
    np.minimum.at(nearest, generation[best], reference[best])
    closest = np.full(count, -np.inf)
    np.maximum.at(closest, of_reference[first], sign * among)
    similarity, closest = (sign * np.where(np.isinf(one), np.nan, one) for one in (most, closest))
    order = np.flatnonzero(of_reference < count)
    order = order[np.argsort(of_reference[order], kind="stable")]
    both, twice = np.concatenate([first, second]), np.concatenate([among, among])
    return Closeness(
        nearest=np.where(np.isnan(similarity), -1, nearest),
        similarity=similarity,
        near=is_near(similarity, closest, own_subject, sign),
        closest=closest,
        diversity=np.full(count, np.nan),
        prompt_diversity=np.full(count, np.nan),
        references=beside_others(
            _sums(both, twice, len(of_reference))[order],
            np.bincount(both, minlength=len(of_reference))[order],
            of_reference[order],
            np.full(len(order), np.nan),
            perfect,
            sign,
        ),
    )


def _means(keys: Integers, values: Floats, count: int, limits: Limits) -> tuple[Integers, Floats]:
    """How many values each of `count` keys has, and their mean; NaN for none."""
    there = ~np.isnan(values)
    numbers = np.bincount(keys[there], minlength=count)
    sums = _sums(keys[there], values[there], count)
    means = np.divide(sums, numbers, out=np.full(count, np.nan), where=numbers > 0)
    return numbers, np.clip(means, *limits) if limits != (None, None) else means


def _sums(keys: Integers, values: Floats, count: int) -> Floats:
    return np.bincount(keys, values, count).astype(np.float64, copy=False)


def _pairs(name: str, pairs: npt.NDArray[np.integer], counts: tuple[int, int]) -> tuple[Integers, Integers]:
    if pairs.ndim != 2 or pairs.shape[1] != 2 or not np.issubdtype(pairs.dtype, np.integer):
        raise ValueError(
            f"Expected argument `{name}` to be an integer array [N, 2] but got {pairs.dtype} of shape {pairs.shape}"
        )
    if len(pairs) and (pairs.min() < 0 or (pairs.max(axis=0) >= counts).any()):
        raise ValueError(
            f"Expected argument `{name}` to hold pairs from (0, 0) to {(counts[0] - 1, counts[1] - 1)} "
            f"but got {pairs.min(axis=0).tolist()} to {pairs.max(axis=0).tolist()}"
        )
    first, second = pairs.astype(np.intp).T
    if len(np.unique(first * counts[1] + second)) < len(pairs):
        raise ValueError(f"Expected argument `{name}` to hold each pair once but got some twice")
    return first, second


def _values(name: str, values: npt.NDArray[np.floating], rows: int, limits: Limits) -> Floats:
    if values.shape != (rows,) or not np.issubdtype(values.dtype, np.floating):
        raise ValueError(
            f"Expected argument `{name}` to be a float array of shape ({rows},) "
            f"but got {values.dtype} of shape {values.shape}"
        )
    lowest, highest = limits
    found = values.astype(np.float64)
    wrong = np.isinf(found)
    wrong |= False if lowest is None else found < lowest
    wrong |= False if highest is None else found > highest
    if wrong.any():
        raise ValueError(
            f"Expected argument `{name}` to hold numbers from {lowest} to {highest} and NaN "
            f"but got {wrong.sum()} others, first {found[wrong][0]}"
        )
    return found


def _check_complete(inner: npt.NDArray[np.bool_], own: Integers, every: tuple[int, int]) -> None:
    """Refuse pairs, each there once, that lack some: those of own references, or of all where there are others."""
    expected = int(own.sum()) if inner.all() else every[0] * every[1]
    if len(inner) != expected:
        raise ValueError(
            f"Expected argument `pairs` to hold {expected} pairs of {every[0]} generations and {every[1]} "
            f"references but got {len(inner)}"
        )
