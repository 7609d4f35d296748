"""Did the generations keep the identity of their subject: the numbers of docs/reference/numbers.md, for one metric.

All of them are means of cosine similarities, and a mean is linear: the mean similarity of a generation to a
set of references is its dot product with the mean of the set's unit vectors. So a generation costs one dot
product a subject instead of one a reference, and no matrix of pairs is ever made. Only its own references it meets one
by one: which it is most like, no mean says.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from nearid_cli.metrics.arguments import check_both_sides, check_numbers, check_subjects
from nearid_cli.metrics.closeness import Closeness, beside_others, closest_references, is_near
from nearid_cli.metrics.diversity import diversity_of_groups, diversity_of_sums, mean_over
from nearid_cli.metrics.retention import ceiling_errors
from nearid_cli.metrics.similarity import RESOLUTION, Embeddings, lengths, unit_vectors
from nearid_cli.metrics.summary import IdentityScores, summarise

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.intp]

_ROWS = 512  # generations at a time: bounds memory, and the block stays in the processor's cache
_HELD = 16 * 2**20  # bytes of unit vectors of references that are made once, and kept for the next method


def identity_scores(
    references: Embeddings,
    reference_subjects: npt.NDArray[np.integer],
    generations: Embeddings,
    generation_subjects: npt.NDArray[np.integer],
    generation_clusters: npt.NDArray[np.integer] | None = None,
    generation_prompts: npt.NDArray[np.integer] | None = None,
) -> IdentityScores:
    """Score generations against the references of their subjects.

    Computed in float64 on vectors scaled to length 1 there, so a float32 embedding whose norm is off by 1e-7
    still gives a true cosine. Rows are read some hundred at a time, and their order does not matter. Definitions:
    docs/reference/numbers.md.

    Args:
        references: embeddings [R, D].
        reference_subjects: [R], the subject of each reference, numbered from 0, every number at least once.
        generations: embeddings [G, D].
        generation_subjects: [G], likewise, 0..S-1. Subjects from S on have references only: they are strangers
            to all others, count for floor and identification, and have no numbers of their own.
        generation_clusters: [G], the generations of a subject with one number are one unit of its intervals, such as
            those of one prompt, or of one content. None where each generation is a unit.
        generation_prompts: [G], the prompt of each generation as a number from 0 that no other subject has, -1 where
            none is known. None where none is known at all.

    Returns:
        Scores by generation, by subject (in the order of their numbers) and over all subjects.

    Raises:
        ValueError: shapes, types or subject numbers are wrong, or an embedding is zero or not finite.

    >>> references, generations = np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([[0.6, 0.8], [0.6, 0.8]])
    >>> identity_scores(references, np.array([0, 1]), generations, np.array([0, 1])).score.tolist()
    [0.6, 0.8]
    """
    return scores_beside(
        reference_sets(references, reference_subjects),
        generations,
        generation_subjects,
        generation_clusters,
        generation_prompts,
    )


class ReferenceSets(NamedTuple):
    """What the references of each subject are to each other and to generations: the same for any generations.

    Attributes:
        vectors: [R, D], as they were given, or whatever else where all are held.
        subjects: [R], of each.
        order: [R], which reference is where in what is by subject.
        sizes: [S], how many each subject has.
        starts: [S], where the references of each subject start in what is by subject.
        centres: [S, D], mean unit vector.
        ceiling: [S], mean similarity of pairs.
        closeness: [R], by subject: the sum of each reference's similarities to the others of its subject.
        closest: [S], the largest similarity of two; NaN with one.
        total: [D], sum of the unit vectors of all.
        held: [R, D], the unit vectors by subject; None of so many that they are made when they are needed.
    """

    vectors: Embeddings
    subjects: npt.NDArray[np.integer]
    order: Integers
    sizes: Integers
    starts: Integers
    centres: Floats
    ceiling: Floats
    closeness: Floats
    closest: Floats
    total: Floats
    held: Floats | None

    def units(self, first: int, stop: int) -> Floats:
        """The unit vectors of the subjects from one to another."""
        rows = slice(self.starts[first], self.starts[stop - 1] + self.sizes[stop - 1])
        if self.held is not None:
            return self.held[rows]
        return unit_vectors(self.vectors[self.order[rows]], "references")


def reference_sets(references: Embeddings, reference_subjects: npt.NDArray[np.integer]) -> ReferenceSets:
    """The references of subjects, for `scores_beside`.

    With u the unit vectors of a subject, the sum of u_i . u_j over i < j is (|sum of u|^2 - n) / 2.

    Args:
        references: embeddings [R, D].
        reference_subjects: [R], the subject of each, numbered from 0, every number at least once.

    Raises:
        ValueError: shapes, types or subject numbers are wrong, or an embedding is zero or not finite.
    """
    _check_embeddings("references", references)
    check_subjects("reference_subjects", reference_subjects, len(references))
    sizes = np.bincount(reference_subjects)
    order = np.argsort(reference_subjects, kind="stable")
    starts = np.cumsum(sizes) - sizes
    sums = np.empty((len(sizes), references.shape[1]))
    closeness, closest = np.empty(len(references)), np.full(len(sizes), np.nan)
    held = np.empty(references.shape) if len(references) * references.shape[1] * 8 <= _HELD else None
    for first, stop in _blocks(sizes):
        own = slice(first, stop)
        rows = slice(starts[first], starts[stop - 1] + sizes[stop - 1])
        units = unit_vectors(references[order[rows]], "references")
        if held is not None:
            held[rows] = units
        sums[own] = np.add.reduceat(units, starts[own] - starts[first], axis=0)
        closeness[rows] = np.einsum("rd,rd->r", units, np.repeat(sums[own], sizes[own], axis=0)) - 1
        closest[own] = closest_references(units, sizes[own])
    pairs = sizes * (sizes - 1)
    ceiling = np.full(len(sizes), np.nan)
    np.divide(np.einsum("sd,sd->s", sums, sums) - sizes, pairs, out=ceiling, where=pairs > 0)
    return ReferenceSets(
        vectors=references if held is None else held,
        subjects=reference_subjects,
        order=order,
        sizes=sizes,
        starts=starts,
        centres=sums / sizes[:, None],
        ceiling=np.clip(ceiling, -1, 1),
        closeness=closeness,
        closest=closest,
        total=sums.sum(axis=0),
        held=held,
    )


def scores_beside(
    sets: ReferenceSets,
    generations: Embeddings,
    generation_subjects: npt.NDArray[np.integer],
    generation_clusters: npt.NDArray[np.integer] | None = None,
    generation_prompts: npt.NDArray[np.integer] | None = None,
) -> IdentityScores:
    """`identity_scores` of generations beside references of which all is known that does not depend on generations."""
    _check_embeddings("generations", generations)
    if sets.centres.shape[1] != generations.shape[1]:
        raise ValueError(
            "Expected argument `generations` to have the dimension of `references`, "
            f"{sets.centres.shape[1]}, but got {generations.shape[1]}"
        )
    _, subjects = check_both_sides(sets.subjects, len(sets.subjects), generation_subjects, len(generations))
    if generation_clusters is not None:
        check_numbers("generation_clusters", generation_clusters, len(generations))
    if generation_prompts is not None:
        check_numbers("generation_prompts", generation_prompts, len(generations))
    own_subject = generation_subjects.astype(np.intp)
    found = _similarities(generations, own_subject, sets)
    own = found.own
    sizes = sets.sizes[:subjects]
    counts = np.bincount(own_subject)
    means = np.bincount(own_subject, own) / counts
    # Of two references: what a generation is from the mean over both, and each from that.
    squares = 2 * np.bincount(own_subject, (own - means[own_subject]) ** 2 + found.apart**2)
    owners = np.repeat(np.arange(subjects), sizes)
    errors = ceiling_errors(
        sets.closeness[: sizes.sum()],
        np.repeat(sizes - 1, sizes),
        owners,
        squares=squares.astype(np.float64),
        pairs=2 * counts,
        single=counts == 1,
    )
    scores = summarise(
        own,
        own_subject,
        generation_clusters,
        pairs=sizes[own_subject],
        strangers=found.strangers,
        identified=found.identified,
        ceiling=sets.ceiling[:subjects],
        ceiling_error=errors,
        limits=(-1.0, 1.0),
    )
    return replace(
        scores, closeness=_closeness(found, sets, own_subject, sizes, generations, generation_prompts)
    )


def _blocks(sizes: Integers) -> Iterator[tuple[int, int]]:
    """The first subject and the one after the last of blocks of subjects, of some hundred references each."""
    stops = np.cumsum(sizes)
    first = 0
    while first < len(sizes):
        before = stops[first] - sizes[first]
        stop = max(int(np.searchsorted(stops, before + _ROWS, side="right")), first + 1)
        yield first, stop
        first = stop


class _Similar(NamedTuple):
    """What generations are to references, and to each other.

    Attributes:
        own: [G], mean similarity to the references of its own subject.
        strangers: [G], to those of all other subjects together; NaN with one subject.
        identified: [G], 1 where no other subject's references are as similar, else 0; NaN with one subject.
        apart: [G], half the difference of the similarities to its own references where these are two.
        nearest: [G], the place by subject of the own reference that it is most like; of equals the first.
        most: [G], how alike the two are.
        sums: [S, D], sum of the unit vectors of each subject's generations.
    """

    own: Floats
    strangers: Floats
    identified: Floats
    apart: Floats
    nearest: Integers
    most: Floats
    sums: Floats


def _similarities(generations: Embeddings, own_subject: Integers, sets: ReferenceSets) -> _Similar:
    sizes = sets.sizes
    own, strangers, identified, apart, most = (np.zeros(len(generations)) for _ in range(5))
    places = np.zeros(len(generations), np.intp)
    sums = np.zeros((int(own_subject.max()) + 1, generations.shape[1]))
    rough_centres = sets.centres.astype(np.float32)
    buffer = np.empty((min(_ROWS, len(generations)), generations.shape[1]))
    held, units = -1, np.empty((0, 0))  # the references of one subject, whose generations follow each other
    for start in range(0, len(generations), _ROWS):
        rows = slice(start, start + _ROWS)
        subject = own_subject[rows]
        block = buffer[: len(subject)]
        block[:] = generations[rows]
        block /= lengths("generations", block)[:, None]
        strangers[rows] = block @ sets.total
        firsts = np.flatnonzero(np.diff(subject, prepend=-1)).tolist()
        each = np.full((len(subject), int(sizes[subject[firsts]].max())), -np.inf)
        for first, stop in zip(firsts, [*firsts[1:], len(subject)], strict=True):
            one = int(subject[first])
            if one != held:
                held, units = one, sets.units(one, one + 1)
            its = block[first:stop]
            own[start + first : start + stop] = its @ sets.centres[one]
            each[first:stop, : len(units)] = its @ units.T
            if len(units) == 2:
                apart[start + first : start + stop] = its @ ((units[0] - units[1]) / 2)
            sums[one] += its.sum(axis=0)
        most[rows] = highest = each.max(axis=1)
        places[rows] = sets.starts[subject] + (each >= highest[:, None] - RESOLUTION).argmax(axis=1)
        if len(sizes) > 1:
            identified[rows] = _identified(block, own[rows], subject, sets.centres, rough_centres)
    if len(sizes) == 1:
        strangers[:] = identified[:] = np.nan
    else:
        strangers -= sizes[own_subject] * own
        strangers /= (sizes.sum() - sizes)[own_subject]
    return _Similar(
        np.clip(own, -1, 1), np.clip(strangers, -1, 1), identified, apart, places, np.clip(most, -1, 1), sums
    )


def _identified(
    units: Floats, own: Floats, subject: Integers, centres: Floats, rough_centres: npt.NDArray[np.float32]
) -> npt.NDArray[np.bool_]:
    """Whether generations are more similar to their own subject than to every other: nearly all the work of scoring.

    In float32, which takes half the time, and again in float64 where that leaves it open. Of two vectors of length 1 at
    most, a product in float32 is off by no more than D + 2 roundings of 2^-24, whatever the order of the sum: each
    vector is rounded, each product, and each of D - 1 sums (Higham, Accuracy and Stability of Numerical Algorithms,
    section 3.1).

    Args:
        units: generations [N, D], of length 1.
        own: [N], their similarities to their own subjects.
        subject: [N], which these are.
        centres: [S, D].
        rough_centres: the same in float32.
    """
    rough = units.astype(np.float32) @ rough_centres.T
    rough[np.arange(len(subject)), subject] = -np.inf
    lead = own - rough.max(axis=1)
    off = 2 * (units.shape[1] + 2) * 2.0**-24  # twice, so that terms of higher order do not matter
    found: npt.NDArray[np.bool_] = lead > RESOLUTION
    (open_,) = np.nonzero(np.abs(lead - RESOLUTION) <= off)
    if len(open_):
        similarity = units[open_] @ centres.T
        similarity[np.arange(len(open_)), subject[open_]] = -np.inf
        found[open_] = own[open_] - similarity.max(axis=1) > RESOLUTION
    return found


def _closeness(
    found: _Similar,
    sets: ReferenceSets,
    own_subject: Integers,
    sizes: Integers,
    generations: Embeddings,
    prompts: npt.NDArray[np.integer] | None,
) -> Closeness:
    """Of the subjects that have generations: `sizes` is of their references."""
    number, references = len(sizes), int(sizes.sum())
    closest = sets.closest[:number]
    others = len(sets.order) - sizes
    alike = np.concatenate([np.einsum("rd,d->r", sets.units(*block), sets.total) for block in _blocks(sizes)])
    elsewhere = alike - sets.closeness[:references] - 1
    owners = np.repeat(np.arange(number), sizes)
    beside = beside_others(
        sets.closeness[:references],
        (sizes - 1)[owners],
        owners,
        np.divide(elsewhere, others[owners], out=np.full(references, np.nan), where=others[owners] > 0),
        perfect=1.0,
    )
    of_prompts = np.full(number, np.nan)
    if prompts is not None and (prompts >= 0).any():
        of_prompt = np.zeros(int(prompts.max()) + 1, np.intp)
        of_prompt[prompts[prompts >= 0]] = own_subject[prompts >= 0]
        of_prompts = mean_over(of_prompt, diversity_of_groups(generations, prompts), number)
    return Closeness(
        nearest=sets.order[found.nearest],
        similarity=found.most,
        near=is_near(found.most, closest, own_subject),
        closest=closest,
        diversity=diversity_of_sums(found.sums, np.bincount(own_subject)),
        prompt_diversity=of_prompts,
        references=beside,
    )


def _check_embeddings(name: str, array: Embeddings) -> None:
    if array.ndim != 2 or 0 in array.shape or not np.issubdtype(array.dtype, np.floating):
        raise ValueError(
            f"Expected argument `{name}` to be a non-empty float array [N, D] "
            f"but got {array.dtype} of shape {array.shape}"
        )
