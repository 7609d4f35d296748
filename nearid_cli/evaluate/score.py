"""`nearid score`: how well each subject's generations keep its identity."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nearid_cli import __version__
from nearid_cli.encoders.perceptual_hash import COPY_SIMILARITY, perceptual_hash_spec
from nearid_cli.errors import InputError
from nearid_cli.evaluate.embedding import MEND_OR_SKIP, Options, describe, embed_files, refuse_bad
from nearid_cli.layouts import Dataset, Picture, find
from nearid_cli.metrics.identity import IdentityScores, identity_scores
from nearid_cli.results import (
    AggregateScores,
    Image,
    Inputs,
    Interval,
    ScoreResult,
    Skipped,
    Subject,
    SubjectScores,
    Tool,
)
from nearid_cli.text import count, printable, storable

if TYPE_CHECKING:
    import numpy.typing as npt

    from nearid_cli.embedding.pipeline import Embedded

logger = logging.getLogger(__name__)

PROTOCOL = "mean cosine similarity over all (generation, reference) pairs of a subject"


@dataclass(frozen=True)
class _Usable:
    """A subject's pictures that could be read, with the digests of their bytes."""

    name: str
    references: tuple[tuple[Picture, bytes], ...]
    generations: tuple[tuple[Picture, bytes], ...]


def score(
    references: Path,
    generations: Path | None = None,
    options: Options | None = None,
    *,
    layout: str = "auto",
    allow_unmatched: bool = False,
    skip_bad: bool = False,
) -> ScoreResult:
    """Score the generations of each subject against its references.

    Args:
        references: folder of references, or a manifest of everything.
        generations: folder of generations, or a manifest; None when `references` is a manifest of both.
        options: metrics, device, cache, ...
        layout: how the folders are laid out; see docs/layouts.md.
        allow_unmatched: go on without the subjects that lack references or generations.
        skip_bad: go on without pictures that cannot be read.

    Raises:
        NearIDError: the job cannot be done; see `nearid_cli.errors` for the kinds.
    """
    options = options or Options()
    requests = options.requests()
    dataset = find(references, generations, layout)
    _report_found(dataset)
    _refuse_unmatched(dataset.unmatched, allow_unmatched)
    paths = [
        picture.path
        for subject in dataset.subjects
        for picture in (*subject.references, *subject.generations)
    ]
    hashes = perceptual_hash_spec()
    specs, embedded = embed_files(paths, requests, options, extra=[hashes])
    if not skip_bad:
        refuse_bad(embedded, MEND_OR_SKIP)
    subjects, emptied = _usable(dataset, embedded)
    _refuse_unmatched(emptied, allow_unmatched)
    if dataset.repeated_references:
        logger.info(
            "%s once repeats are left out", count(sum(len(s.references) for s in subjects), "reference")
        )
    if not subjects:
        raise InputError("no subject is left with a readable reference and a readable generation")
    scores = {spec.name: _identity(spec.name, subjects, embedded) for spec in specs}
    copies = _copies(subjects, embedded, hashes.name)
    return ScoreResult(
        tool=Tool("nearid-cli", __version__),
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        inputs=Inputs(
            references=storable(dataset.references),
            generations=storable(dataset.generations),
            layout=dataset.layout,
            subjects=len(subjects),
            reference_images=sum(len(subject.references) for subject in subjects),
            generation_images=sum(len(subject.generations) for subject in subjects),
            skipped=tuple(Skipped(image.path, image.reason) for image in embedded.bad),
            unmatched=tuple(storable(line) for line in (*dataset.unmatched, *emptied)),
        ),
        metrics=tuple(describe(spec, PROTOCOL) for spec in specs),
        subjects=tuple(
            Subject(
                subject=storable(subject.name),
                references=len(subject.references),
                generations=len(subject.generations),
                scores={name: _of_subject(numbers, index) for name, numbers in scores.items()},
            )
            for index, subject in enumerate(subjects)
        ),
        aggregate={name: _of_all(numbers) for name, numbers in scores.items()},
        images=_images(subjects, scores, copies),
    )


def _report_found(dataset: Dataset) -> None:
    references = sum(len(subject.references) for subject in dataset.subjects)
    generations = sum(len(subject.generations) for subject in dataset.subjects)
    left_out = ", ".join(f"{reason} ({number:,})" for reason, number in dataset.left_out.items())
    logger.info(
        "layout %s: %s, %s, %s%s",
        dataset.layout,
        count(len(dataset.subjects), "subject"),
        count(references, "reference"),
        count(generations, "generation"),
        f"; left out: {left_out}" if left_out else "",
    )


def _refuse_unmatched(unmatched: Sequence[str], allow: bool) -> None:
    if unmatched and not allow:
        raise InputError(
            f"{len(unmatched):,} without a counterpart; "
            "give references and generations the same subject names, or go on without these: --allow-unmatched",
            [printable(line) for line in unmatched],
        )


def _usable(dataset: Dataset, embedded: Embedded) -> tuple[list[_Usable], list[str]]:
    """The subjects with what could be read of them, and a line for each that has nothing left."""
    digests = iter(embedded.digests)
    usable, emptied = [], []
    for subject in dataset.subjects:
        references = [(p, digest) for p in subject.references if (digest := next(digests)) is not None]
        generations = [(p, digest) for p in subject.generations if (digest := next(digests)) is not None]
        if dataset.repeated_references:
            references = list({digest: (p, digest) for p, digest in reversed(references)}.values())[::-1]
        if references and generations:
            usable.append(_Usable(subject.name, tuple(references), tuple(generations)))
        else:
            lack = "references" if not references else "generations"
            emptied.append(f"{subject.name}: none of its {lack} can be read")
    return usable, emptied


def _identity(metric: str, subjects: Sequence[_Usable], embedded: Embedded) -> IdentityScores:
    references = [digest for subject in subjects for _, digest in subject.references]
    generations = [digest for subject in subjects for _, digest in subject.generations]
    numbers = np.arange(len(subjects))
    return identity_scores(
        embedded.matrix(metric, references),
        np.repeat(numbers, [len(subject.references) for subject in subjects]),
        embedded.matrix(metric, generations),
        np.repeat(numbers, [len(subject.generations) for subject in subjects]),
    )


def _copies(subjects: Sequence[_Usable], embedded: Embedded, hashes: str) -> dict[str, str]:
    """Generations that copy a reference of their subject: name of the generation -> name of the reference."""
    copies = {}
    for subject in subjects:
        similarity = embedded.matrix(hashes, (digest for _, digest in subject.generations)) @ (
            embedded.matrix(hashes, (digest for _, digest in subject.references)).T
        )
        same_bytes = {digest: reference.name for reference, digest in reversed(subject.references)}
        for (generation, digest), row in zip(subject.generations, similarity, strict=True):
            if digest in same_bytes:
                copies[generation.name] = same_bytes[digest]
            elif row.max() >= COPY_SIMILARITY:
                copies[generation.name] = subject.references[int(row.argmax())][0].name
    return copies


def _images(
    subjects: Sequence[_Usable], scores: Mapping[str, IdentityScores], copies: Mapping[str, str]
) -> tuple[Image, ...]:
    columns = {name: numbers.generations.tolist() for name, numbers in scores.items()}
    owned = [(subject, generation) for subject in subjects for generation, _ in subject.generations]
    return tuple(
        Image(
            path=storable(generation.name),
            subject=storable(subject.name),
            copy_of=storable(copies[generation.name]) if generation.name in copies else None,
            scores={name: column[position] for name, column in columns.items()},
        )
        for position, (subject, generation) in enumerate(owned)
    )


def _of_subject(numbers: IdentityScores, index: int) -> SubjectScores:
    return SubjectScores(
        score=float(numbers.score[index]),
        std=_known(numbers.std[index]),
        ci95=_interval(numbers.ci95[index]),
        min=float(numbers.min[index]),
        max=float(numbers.max[index]),
        ceiling=_known(numbers.ceiling[index]),
        floor=_known(numbers.floor[index]),
        retention=_known(numbers.retention[index]),
        identification=_known(numbers.identification[index]),
    )


def _of_all(numbers: IdentityScores) -> AggregateScores:
    aggregate = numbers.aggregate
    return AggregateScores(
        score=aggregate.score,
        ci95=_interval(aggregate.ci95),
        pair_mean=aggregate.pair_mean,
        ceiling=_known(aggregate.ceiling),
        floor=_known(aggregate.floor),
        retention=_known(aggregate.retention),
        identification=_known(aggregate.identification),
    )


def _known(value: float) -> float | None:
    """NaN means that the number does not exist."""
    return None if math.isnan(value) else float(value)


def _interval(ends: npt.NDArray[np.float64]) -> Interval | None:
    return None if np.isnan(ends).any() else (float(ends[0]), float(ends[1]))
