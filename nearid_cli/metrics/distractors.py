"""Against distractors: does a generation look more like its subject than like the subject's look-alikes?

The margin of a generation is its score minus its largest similarity to a distractor of its subject. And how far can the
metric be trusted on this data? The references answer that: SSR and PA of the NearID paper (arXiv 2604.01973), with a
subject for a sample. Two references i, j of a subject and one of its distractors d make two trials: sim(i, j) must be
above sim(i, d), and above sim(j, d). (In the paper each view has a distractor of its own; in a folder all distractors
are those of every reference.)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nearid_cli.metrics.identity import RESOLUTION
from nearid_cli.metrics.margins import Success, success_of_counts

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.floating]
Numbers = npt.NDArray[np.integer]


@dataclass(frozen=True)
class DistractorScores:
    """One metric against the distractors of a data set. NaN where a subject has none.

    Attributes:
        margins: [G], own score minus largest similarity to a distractor, -2 to 2.
        margin: [S], mean margin of the subject's generations.
        positive: [S], share of its generations with a margin above 0.
        references: SSR and PA of the references against the distractors.
    """

    margins: Floats
    margin: Floats
    positive: Floats
    references: Success


def distractor_scores(
    references: Rows,
    reference_subjects: Numbers,
    generations: Rows,
    generation_subjects: Numbers,
    scores: Floats,
    distractors: Rows,
    distractor_subjects: Numbers,
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

    >>> axes = np.eye(2)
    >>> found = distractor_scores(
    ...     np.array([[1.0, 0.0], [0.8, 0.6]]), np.array([0, 0]),
    ...     np.array([[0.6, 0.8]]), np.array([0]), np.array([0.78]), axes[1:], np.array([0]))
    >>> found.margins.round(2).tolist(), found.references.pa
    ([-0.02], 1.0)
    """
    references, generations, distractors = map(_units, (references, generations, distractors))
    subjects = int(reference_subjects.max()) + 1
    margins = np.full(len(generations), np.nan)
    won, trials, total = np.zeros(subjects, np.intp), np.zeros(subjects, np.intp), 0.0
    for subject in np.unique(distractor_subjects):
        own = distractors[distractor_subjects == subject]
        mine = np.flatnonzero(generation_subjects == subject)
        margins[mine] = scores[mine] - (generations[mine] @ own.T).max(axis=1)
        outcome = _reference_trials(references[reference_subjects == subject], own)
        won[subject], trials[subject] = outcome[:2]
        total += outcome[2]
    margins[np.abs(margins) <= RESOLUTION] = 0.0
    count = np.bincount(generation_subjects, minlength=subjects)
    positive = np.where(np.isnan(margins), np.nan, margins > 0)
    return DistractorScores(
        margins=margins,
        margin=np.bincount(generation_subjects, weights=margins, minlength=subjects) / count,
        positive=np.bincount(generation_subjects, weights=positive, minlength=subjects) / count,
        references=success_of_counts(won, trials, total / trials.sum() if trials.any() else None),
    )


def _reference_trials(references: Floats, distractors: Floats) -> tuple[int, int, float]:
    """Of one subject: trials won, trials, and the sum of their margins."""
    alike, other = references @ references.T, references @ distractors.T
    won, total = 0, 0.0
    for i in range(len(references)):
        similarities = np.delete(alike[i], i)
        # How many distractors lie below each similarity: a sorted search needs no table of all trials.
        won += int(np.searchsorted(np.sort(other[i]), similarities - RESOLUTION, side="left").sum())
        total += float(similarities.sum() * len(distractors) - other[i].sum() * len(similarities))
    return won, len(references) * (len(references) - 1) * len(distractors), total


def _units(rows: Rows) -> Floats:
    units = rows.astype(np.float64)
    units /= np.sqrt(np.einsum("nd,nd->n", units, units))[:, None]
    return units
