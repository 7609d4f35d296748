"""From the numbers of metrics to what a result holds of subjects, of all of them together, and of generations."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any, NamedTuple

import numpy as np

from nearid_cli.breakdown.numbers import aggregate_scores, known, subject_scores
from nearid_cli.evaluate.kinds.measured import Measured, Numbered, Pictures
from nearid_cli.evaluate.parts import where
from nearid_cli.evaluate.usable import Usable
from nearid_cli.metrics.context import context_share
from nearid_cli.results import AggregateScores, ContextShare, ReferenceScore, SubjectScores
from nearid_cli.results.images import ImageColumns, Images
from nearid_cli.text import storable

_SEVERAL = 3  # of two references each is as much like the other

Copies = Mapping[tuple[str, str], str]
"""(subject, generation) -> the reference that it copies."""


class NearCopy(NamedTuple):
    """A generation that is nearer to one reference than any two references of its subject are to each other.

    Attributes:
        reference: the name of the reference.
        similarity: how alike the two are.
    """

    reference: str
    similarity: float


def near_copies_of(scored: Numbered, pictures: Pictures, copies: Copies) -> dict[int, NearCopy]:
    """By their places the generations that are near copies by a metric, without copies."""
    single = scored.scores.closeness
    if single is None or not single.near.any():
        return {}
    names = [picture.name for subject in pictures.subjects for picture, _ in subject.references]
    places = np.flatnonzero(single.near)
    columns = (one[places].tolist() for one in (single.nearest, single.similarity))
    found = {
        place: NearCopy(names[nearest], alike)
        for place, nearest, alike in zip(places.tolist(), *columns, strict=True)
    }
    if copies:
        owned = ((one.name, picture.name) for one in pictures.subjects for picture, _ in one.generations)
        for place, generation in enumerate(owned):
            if generation in copies:
                found.pop(place, None)
    return found


def of_subjects(
    scored: Numbered, pictures: Pictures, near: Mapping[int, NearCopy] | None = None
) -> list[SubjectScores]:
    """A metric on each subject, in their order."""
    own = pictures.generation_subjects
    numbers = np.bincount(own[list(near or ())], minlength=len(scored.scores.score)).tolist()
    return subject_scores(scored.scores, scored.margins, own, numbers)


def of_all(scored: Numbered, subjects: Sequence[SubjectScores] = ()) -> AggregateScores:
    """A metric over all subjects, by its numbers and what these gave of each."""
    near = [one.near_copies for one in subjects if one.near_copies is not None]
    margins, rates = scored.margins, {}
    if margins is not None:
        rates = {
            f"{kind}{name}": getattr(success, name)
            for kind, success in (("", margins.in_context), ("all_pairs_", margins.all_pairs))
            for name in ("ssr", "ssr_ci95", "pa", "pa_ci95")
        }
    return replace(
        aggregate_scores(scored.scores, margins),
        **rates,
        near_copies=sum(near) if near else None,
        pairs_missing={storable(reason): number for reason, number in scored.lacking.items()},
    )


def context_of(metric: Measured, whole: Numbered, foreground: Numbered, background: Numbered) -> ContextShare:
    """How much of a score is context, by the numbers of whole pictures and of two parts of them."""
    share = context_share(foreground.scores, background.scores, metric.describe().sign)
    front, back = foreground.scores.aggregate, background.scores.aggregate
    return ContextShare(
        whole=known(whole.scores.aggregate.score),
        foreground=known(front.score),
        background=known(back.score),
        foreground_floor=known(front.floor),
        background_floor=known(back.floor),
        share=known(share.of_all),
        ci95=known(share.ci95.tolist()),
        within_noise=share.within_noise,
    )


def images_of(
    subjects: Sequence[Usable],
    scored: Mapping[str, Numbered],
    copies: Copies,
    near: Mapping[str, Mapping[int, NearCopy]],
    maps: Sequence[Mapping[str, str]] | None,
) -> Images:
    """Every generation with its scores, in columns.

    Args:
        subjects: whose generations they are.
        scored: by metric.
        copies: those that copy a reference.
        near: by metric near copies by their places.
        maps: of each generation by metric; None where none were drawn.
    """
    owned = [(subject, generation) for subject in subjects for generation, _ in subject.generations]
    beside = {
        name: list(map(known, one.margins.margins.tolist()))
        for name, one in scored.items()
        if one.margins is not None
    }
    reasons = {name: one.reasons for name, one in scored.items() if one.reasons}
    named: dict[int, dict[str, str]] = {}
    alike: dict[int, dict[str, float]] = {}
    for name, found in near.items():
        for position, one in found.items():
            named.setdefault(position, {})[name] = storable(one.reference)
            alike.setdefault(position, {})[name] = one.similarity
    copied = {
        position: storable(copies[subject.name, generation.name])
        for position, (subject, generation) in enumerate(owned if copies else ())
        if (subject.name, generation.name) in copies
    }
    others: dict[str, dict[int, Any]] = {
        "copy_of": copied,
        "prompt": {i: storable(one.prompt) for i, (_, one) in enumerate(owned) if one.prompt is not None},
        "seed": {i: storable(one.seed) for i, (_, one) in enumerate(owned) if one.seed is not None},
        "margins": {
            position: {name: column[position] for name, column in beside.items()}
            for position, (subject, _) in enumerate(owned if beside else ())
            if subject.distractors
        },
        "labels": {
            position: {storable(name): storable(value) for name, value in generation.labels.items()}
            for position, (_, generation) in enumerate(owned)
            if generation.labels
        },
        "reasons": {
            position: {name: storable(own[position]) for name, own in reasons.items() if position in own}
            for position in sorted(set().union(*reasons.values()))
        },
        "maps": {position: own for position, own in enumerate(maps or ()) if own},
        "mask": {i: mask for i, (_, one) in enumerate(owned) if (mask := where(one)) is not None},
        "near_copy_of": named,
        "near_copy_similarity": alike,
    }
    return Images(
        ImageColumns(
            path=[storable(generation.name) for _, generation in owned],
            subject=[name for one in subjects for name in [storable(one.name)] * len(one.generations)],
            scores={name: one.scores.generations for name, one in scored.items()},
            others={name: own for name, own in others.items() if own},
        )
    )


def reference_scores_of(
    scored: Mapping[str, Numbered], pictures: Pictures
) -> list[dict[str, tuple[ReferenceScore, ...]]]:
    """Of each subject by metric its references beside each other, where there are three."""
    found: list[dict[str, tuple[ReferenceScore, ...]]] = [{} for _ in pictures.subjects]
    names = [[storable(picture.name) for picture, _ in one.references] for one in pictures.subjects]
    for metric, numbers in scored.items():
        if (single := numbers.scores.closeness) is None:
            continue
        beside, odd = iter(single.references.beside.tolist()), iter(single.references.odd.tolist())
        for own, paths in zip(found, names, strict=True):
            rows = zip(paths, islice(beside, len(paths)), islice(odd, len(paths)), strict=True)
            scores = tuple(ReferenceScore(*row) for row in rows if not math.isnan(row[1]))
            if len(scores) >= _SEVERAL:
                own[metric] = scores
    return found
