"""Metrics that embed pictures: cosines, which are linear in one picture, so that no matrix of pairs is ever made."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence, Set
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from nearid_cli.evaluate.kinds.measured import Likeness, Measured, Numbered, Pictures
from nearid_cli.evaluate.usable import Usable, context_numbers
from nearid_cli.metrics.closeness import Closeness, ReferenceCloseness
from nearid_cli.metrics.distractors import DistractorScores, distractor_scores
from nearid_cli.metrics.identity import ReferenceSets, reference_sets, scores_beside
from nearid_cli.metrics.similarity import unit_vectors
from nearid_cli.metrics.summary import IdentityScores
from nearid_cli.plugins import NoScore
from nearid_cli.results import Metric
from nearid_cli.text import count, few, printable

if TYPE_CHECKING:
    import numpy.typing as npt

    from nearid_cli.embedding.pairs import Number
    from nearid_cli.embedding.pipeline import Embedded
    from nearid_cli.embedding.reading import Content
    from nearid_cli.embedding.rows import Matrix
    from nearid_cli.encoders.spec import EncoderSpec
    from nearid_cli.evaluate.kinds.measured import Rows
    from nearid_cli.evaluate.usable import Read

PROTOCOL = (
    "mean cosine similarity over all (generation, distinct reference) pairs of a subject; retention of means"
)

_ROWS_AT_ONCE = 512  # so that memory holds few embeddings in float64
OF_PAIRS = "cosine similarity of the two embeddings"

logger = logging.getLogger(__name__)


class MeasuredByEmbedding(Measured):
    """A metric whose pictures are embedded.

    Args:
        spec: what embeds them.
        metric: what results say of it.
    """

    by_vectors = True

    def __init__(self, spec: EncoderSpec, metric: Metric) -> None:
        self.name = spec.name
        self.encoders = (spec,)
        self._metric = metric
        self._references: tuple[object, ReferenceSets] | None = None

    def describe(self, of_pairs: bool = False) -> Metric:
        """See `Measured.describe`."""
        if not of_pairs:
            return self._metric
        return replace(self._metric, protocol=self._metric.protocol.replace(PROTOCOL, OF_PAIRS))

    @property
    def encoder(self) -> EncoderSpec:
        """See `Measured.encoder`."""
        return self.encoders[0]

    def score(self, pictures: Pictures) -> Numbered:
        """See `Measured.score`."""
        embedded = pictures.embedded
        lacking = embedded.absent[self.name]
        if lacking:  # of all methods; those of this one
            own = (*pictures.subjects, *pictures.strangers)
            lacking = lacking.intersection(digest for subject in own for digest in _digests(subject))
        if not lacking:
            scores = self._identity(pictures.subjects, pictures.strangers, embedded)
            return Numbered(scores, margins=_margins(self.name, pictures.subjects, embedded, scores))
        return self._of_those_with_vectors(pictures, lacking)

    def _identity(
        self, subjects: Sequence[Usable], strangers: Sequence[Usable], embedded: Embedded
    ) -> IdentityScores:
        pictures = Pictures(subjects, strangers, embedded, {})
        return scores_beside(
            self._sets([*subjects, *strangers], embedded),
            *_rows(self.name, subjects, "generations", embedded),
            pictures.units,
            pictures.prompts,
        )

    def _sets(self, subjects: Sequence[Usable], embedded: Embedded) -> ReferenceSets:
        """The references of subjects, which mostly are those of the method before."""
        key = tuple(tuple(digest for _, digest in subject.references) for subject in subjects)
        if self._references is None or self._references[0] != key:
            made = reference_sets(*_rows(self.name, subjects, "references", embedded))
            if made.held is None:
                return made
            self._references = key, made
        return self._references[1]

    def _of_those_with_vectors(self, pictures: Pictures, lacking: Set[bytes]) -> Numbered:
        """The numbers of what has a vector, at the places of all.

        A subject of which no generation has one is a stranger to the others; one of which no reference has, is nothing.
        """
        subjects = [_only(subject, lacking) for subject in pictures.subjects]
        live = [place for place, one in enumerate(subjects) if one.references and one.generations]
        strangers = [
            one
            for one in (*subjects, *(_only(stranger, lacking) for stranger in pictures.strangers))
            if one.references and not one.generations
        ]
        generations = [digest not in lacking for _, digest in pictures.generations]
        of_live = np.isin(pictures.generation_subjects, live)
        places = np.flatnonzero(np.array(generations) & of_live)
        absent = self.encoders[0].absent
        reasons = {
            place: absent if not known else f"{absent} in any of its references"
            for place, (known, alive) in enumerate(zip(generations, of_live.tolist(), strict=True))
            if not (known and alive)
        }
        kept = [subjects[place] for place in live]
        sizes = len(generations), len(subjects)
        uncounted = {
            place: {picture.name: absent for picture, digest in subject.references if digest in lacking}
            for place, subject in enumerate(pictures.subjects)
            if any(digest in lacking for _, digest in subject.references)
        }
        self._warn_of_distractors(pictures, lacking)
        if not kept:
            return Numbered(no_scores(*sizes), reasons, uncounted=uncounted)
        scores = self._identity(kept, strangers, pictures.embedded)
        margins = _margins(self.name, kept, pictures.embedded, scores)
        spread = _scattered(scores, {"generations", "pairs", "strangers", "identified"}, places, live, *sizes)
        references = np.array(
            [
                digest not in lacking and place in live
                for place, subject in enumerate(pictures.subjects)
                for _, digest in subject.references
            ]
        )
        closeness = scores.closeness and _closeness(scores.closeness, references, places, live, sizes)
        return Numbered(
            replace(spread, closeness=closeness),
            reasons,
            None if margins is None else _scattered(margins, {"margins"}, places, live, *sizes),
            uncounted,
        )

    def _warn_of_distractors(self, pictures: Pictures, lacking: Set[bytes]) -> None:
        every = [one for subject in pictures.subjects for one in subject.distractors]
        names = [picture.name for picture, digest in every if digest in lacking]
        if names:
            logger.warning(
                "%s: %s of %s do not count: %s: %s",
                printable(self.name),
                f"{len(names):,}",
                count(len(every), "distractor"),
                self.encoders[0].absent,
                few(names),
            )

    def alike(
        self, pairs: Sequence[tuple[bytes, bytes]], rows: Rows, contents: Mapping[bytes, Content]
    ) -> list[Number]:
        """See `Measured.alike`: cosines."""
        own = rows[self.name]
        return [
            float(own[a].astype(float) @ own[b].astype(float))
            if a in own and b in own
            else NoScore(self.encoder.absent)
            for a, b in pairs
        ]

    def likeness(
        self,
        digests: Sequence[bytes],
        rows: Rows,
        contents: Mapping[bytes, Content],
        both_ways: bool = True,
    ) -> Likeness:
        """See `Measured.likeness`; every pair is computed alone and alike, so equal pictures give equal numbers."""
        own = rows[self.name]
        known = [place for place, digest in enumerate(digests) if digest in own]
        row_of = np.full(len(digests), -1)
        row_of[known] = np.arange(len(known))
        matrix = own.matrix(digests[place] for place in known)

        def cosines(left: npt.NDArray[np.integer], right: npt.NDArray[np.integer]) -> npt.NDArray[np.float64]:
            found = np.full(len(left), np.nan)
            there = np.flatnonzero((row_of[left] >= 0) & (row_of[right] >= 0))
            for start in range(0, len(there), _ROWS_AT_ONCE):
                chunk = there[start : start + _ROWS_AT_ONCE]
                a, b = (unit_vectors(matrix[row_of[places[chunk]]]) for places in (left, right))
                found[chunk] = np.einsum("nd,nd->n", a, b)
            return found

        return cosines


def no_scores(generations: int, subjects: int) -> IdentityScores:
    """Of a metric that gives no number at all."""
    from nearid_cli.metrics.scalars import scalar_scores

    own = np.arange(generations) * subjects // generations  # every subject has one, whichever
    return scalar_scores(np.full(generations, np.nan), own)


def _digests(subject: Usable) -> list[bytes]:
    return [digest for _, digest in (*subject.references, *subject.generations, *subject.distractors)]


def _only(subject: Usable, lacking: Set[bytes]) -> Usable:
    """The subject without the pictures that have no vector."""

    def known(pictures: Sequence[Read]) -> tuple[Read, ...]:
        return tuple(one for one in pictures if one[1] not in lacking)

    return replace(
        subject,
        references=known(subject.references),
        generations=known(subject.generations),
        distractors=known(subject.distractors),
        units=subject.units
        and tuple(
            unit
            for unit, (_, digest) in zip(subject.units, subject.generations, strict=True)
            if digest not in lacking
        ),
    )


_Numbers = TypeVar("_Numbers", IdentityScores, DistractorScores, Closeness)

_NOTHING = {"f": np.nan, "b": False, "i": -1}
"""What stands for no number, by the kind of an array; -1 for no place."""


def _scattered(
    numbers: _Numbers,
    of_generations: set[str],
    places: npt.NDArray[np.intp],
    subjects: Sequence[int],
    all_generations: int,
    all_subjects: int,
) -> _Numbers:
    """Numbers of some generations and subjects at their places among all; NaN, False or -1 for the others."""
    changed: dict[str, Any] = {}
    for one in fields(numbers):
        values: Any = getattr(numbers, one.name)
        whole = one.name in of_generations
        size = len(places) if whole else len(subjects)
        if not isinstance(values, np.ndarray) or len(values) != size or one.name.endswith("of_all_ci95"):
            continue
        shape = all_generations if whole else all_subjects, *values.shape[1:]
        spread = np.full(shape, _NOTHING[values.dtype.kind], values.dtype)
        spread[places if whole else list(subjects)] = values
        changed[one.name] = spread
    return replace(numbers, **changed)


def _closeness(
    found: Closeness,
    references: npt.NDArray[np.bool_],
    places: npt.NDArray[np.intp],
    live: Sequence[int],
    sizes: tuple[int, int],
) -> Closeness:
    """Likewise, with all references [R], of which only some were seen."""
    seen = np.flatnonzero(references)
    beside, odd = np.full(len(references), np.nan), np.zeros(len(references), np.bool_)
    beside[seen], odd[seen] = found.references.beside, found.references.odd
    placed = replace(found, nearest=seen[found.nearest])
    spread = _scattered(placed, {"nearest", "similarity", "near"}, places, live, *sizes)
    return replace(spread, references=ReferenceCloseness(beside, odd))


def _margins(
    metric: str, subjects: Sequence[Usable], embedded: Embedded, scores: IdentityScores
) -> DistractorScores | None:
    """None without distractors."""
    if not any(subject.distractors for subject in subjects):
        return None
    return distractor_scores(
        *_rows(metric, subjects, "references", embedded),
        *_rows(metric, subjects, "generations", embedded),
        scores.generations,
        *_rows(metric, subjects, "distractors", embedded),
        *context_numbers([subject.sides for subject in subjects]),
        Pictures(subjects, (), embedded, {}).units,
    )


def _rows(
    metric: str, subjects: Sequence[Usable], role: str, embedded: Embedded
) -> tuple[Matrix, npt.NDArray[np.intp]]:
    """The embeddings of all pictures in a role, and the number of the subject of each."""
    pictures = [getattr(subject, role) for subject in subjects]
    matrix = embedded.matrix(metric, [digest for own in pictures for _, digest in own])
    return matrix, np.repeat(np.arange(len(subjects)), [len(own) for own in pictures])
