"""Against distractors: does a generation look more like its subject than like the subject's look-alikes?

The margin of a generation is its score minus its largest similarity to a distractor of its subject. And how far can the
metric be trusted on this data? The references answer that: SSR and PA of the NearID paper (arXiv 2604.01973), with a
subject for a sample. For two references i, j of a subject, sim(i, j) must be above sim(i, d) for every distractor d in
the context of i, and above sim(j, d) for every d in that of j.

Where nothing says which contexts go together, every distractor can be tried against every reference. That is another
number: nearly all of its trials are across contexts, and a metric that sees nothing but backgrounds wins these.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nearid_cli.metrics.margins import Success, success_of_counts
from nearid_cli.metrics.proportions import mean_share_interval
from nearid_cli.metrics.similarity import RESOLUTION, Embeddings, unit_vectors
from nearid_cli.metrics.units import Units

Floats = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.integer]

_ROWS = 512  # generations of a subject at a time: bounds memory


@dataclass(frozen=True)
class Margins:
    """The margins of a data set by one metric. NaN where a subject has no distractors.

    Attributes:
        margins: [G], own score minus largest similarity to a distractor, -2 to 2.
        margin: [S], mean margin of the subject's generations.
        positive: [S], share of its generations with a margin above 0.
        positive_ci95: [S, 2], its interval over the units of the generations; NaN below 3.
        positive_of_all_ci95: [2], of the mean share, over subjects; NaN below 3.
    """

    margins: Floats
    margin: Floats
    positive: Floats
    positive_ci95: Floats
    positive_of_all_ci95: Floats


@dataclass(frozen=True)
class DistractorScores(Margins):
    """One metric against the distractors of a data set: margins, and what the references of the subjects win.

    Attributes:
        in_context: SSR and PA of the references, against the distractors in the context of each; nothing was tried
            where no contexts are known.
        all_pairs: likewise with every distractor against every reference.
    """

    in_context: Success
    all_pairs: Success


def summarise_margins(margins: Floats, subjects: Numbers, clusters: Numbers | None = None) -> Margins:
    """From the margins of G generations of S subjects to those of subjects and of all.

    Args:
        margins: [G], NaN where there is none.
        subjects: [G], 0..S-1, every number at least once.
        clusters: [G], as `generation_clusters` of `identity_scores`.

    >>> found = summarise_margins(np.array([0.2, -0.1, 0.3]), np.array([0, 0, 1]))
    >>> found.margin.round(2).tolist(), found.positive.tolist()
    ([0.05, 0.3], [0.5, 1.0])
    """
    known = ~np.isnan(margins)
    count = np.bincount(subjects, known)

    def means(values: Floats) -> Floats:
        found = np.full(len(count), np.nan)
        np.divide(np.bincount(subjects, np.where(known, values, 0)), count, out=found, where=count > 0)
        return found

    positive = means((margins > 0).astype(np.float64))
    of_all = mean_share_interval(positive[count > 0], int(count.sum()))
    return Margins(
        margins=margins,
        margin=means(margins),
        positive=positive,
        positive_ci95=Units(subjects, clusters).among(known).share_intervals(margins[known] > 0),
        positive_of_all_ci95=np.array(of_all or (np.nan, np.nan)),
    )


def distractor_scores(
    references: Embeddings,
    reference_subjects: Numbers,
    generations: Embeddings,
    generation_subjects: Numbers,
    scores: Floats,
    distractors: Embeddings,
    distractor_subjects: Numbers,
    reference_contexts: Numbers,
    distractor_contexts: Numbers,
    generation_clusters: Numbers | None = None,
) -> DistractorScores:
    """Margins of the generations, and success of the references.

    Args:
        references: embeddings [R, D].
        reference_subjects: [R], the subject of each, numbered 0..S-1, every number at least once.
        generations: embeddings [G, D].
        generation_subjects: [G], likewise.
        scores: [G], mean similarity of each generation to its subject's references.
        distractors: embeddings [K, D].
        distractor_subjects: [K]; some subjects may have none.
        reference_contexts: [R], the context of each, a number within its subject; below 0 where none is known.
        distractor_contexts: [K], likewise.
        generation_clusters: as for `identity_scores`.

    >>> axes, both = np.eye(2), np.array([0, 1])
    >>> found = distractor_scores(
    ...     np.array([[1.0, 0.0], [0.8, 0.6]]), np.array([0, 0]), np.array([[0.6, 0.8]]), np.array([0]),
    ...     np.array([0.78]), np.array([[0.96, 0.28], [0.0, 1.0]]), np.array([0, 0]), both, both)
    >>> found.margins.round(2).tolist(), found.in_context.pa, found.all_pairs.pa
    ([-0.02], 0.5, 0.5)
    """
    subjects = int(reference_subjects.max()) + 1
    margins = np.full(len(generations), np.nan)
    in_context, all_pairs = _Trials(subjects), _Trials(subjects)
    of_references, of_generations, of_distractors = map(
        _by_subject, (reference_subjects, generation_subjects, distractor_subjects)
    )
    for subject in np.unique(distractor_subjects).tolist():
        alike, views, mine = of_distractors(subject), of_references(subject), of_generations(subject)
        own, seen = unit_vectors(distractors[alike]), unit_vectors(references[views])
        for start in range(0, len(mine), _ROWS):
            some = mine[start : start + _ROWS]
            margins[some] = scores[some] - (unit_vectors(generations[some]) @ own.T).max(axis=1)
        among, against = seen @ seen.T, seen @ own.T
        all_pairs.add(subject, among, against, np.ones(against.shape, bool))
        shown = reference_contexts[views][:, None]
        in_context.add(subject, among, against, (shown == distractor_contexts[alike]) & (shown >= 0))
    margins[np.abs(margins) <= RESOLUTION] = 0.0
    return DistractorScores(
        **vars(summarise_margins(margins, generation_subjects, generation_clusters)),
        in_context=in_context.success(),
        all_pairs=all_pairs.success(),
    )


def _by_subject(subjects: Numbers) -> Callable[[int], npt.NDArray[np.intp]]:
    """What finds the places of a subject's pictures, in their order, without looking at all of them each time."""
    order = np.argsort(subjects, kind="stable")
    ordered = subjects[order]
    return lambda subject: order[slice(*np.searchsorted(ordered, [subject, subject + 1]))]


class _Trials:
    """What the references of each subject won."""

    def __init__(self, subjects: int) -> None:
        self._won, self._trials = np.zeros(subjects, np.intp), np.zeros(subjects, np.intp)
        self._total = 0.0

    def add(self, subject: int, among: Floats, against: Floats, tried: npt.NDArray[np.bool_]) -> None:
        """Try the references of a subject.

        Args:
            subject: its number.
            among: [M, M], similarities of its references.
            against: [M, K], of each to the distractors.
            tried: [M, K], whether a reference meets a distractor.
        """
        for i in range(len(among)):
            similarities, rivals = np.delete(among[i], i), np.sort(against[i, tried[i]])
            # How many rivals lie below each similarity: a sorted search needs no table of all trials.
            self._won[subject] += np.searchsorted(rivals, similarities - RESOLUTION, side="left").sum()
            self._trials[subject] += len(similarities) * len(rivals)
            self._total += float(similarities.sum() * len(rivals) - rivals.sum() * len(similarities))

    def success(self) -> Success:
        tried = self._trials.sum()
        return success_of_counts(self._won, self._trials, self._total / tried if tried else None)
