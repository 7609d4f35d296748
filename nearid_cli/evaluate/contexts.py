"""Which distractors meet which references in SSR and PA, once it is known which pictures can be used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from nearid_cli.layouts.dataset import Picture

if TYPE_CHECKING:
    import numpy.typing as npt

Read = tuple[Picture, bytes]
"""A picture with the digest of its bytes."""
Sides = tuple[Sequence[Read], Sequence[Read]]
"""The references and the distractors of a subject."""


def by_context(same: Sequence[Read]) -> list[list[Read]]:
    """One distractor that is given several times, in groups of which each is a trial.

    Given by a manifest and a folder, say, it is one trial, not two; in two contexts it is two. Where a context is
    known, the same picture without one is no further trial.
    """
    groups: dict[str | None, list[Read]] = {}
    for one in same:
        groups.setdefault(one[0].context, []).append(one)
    unknown = groups.pop(None, [])
    if not groups:
        return [unknown]
    first, *others = groups.values()
    return [[*first, *unknown], *others]


def in_counted_contexts(
    distractors: Sequence[Read],
    references: Sequence[Read],
    counted: Sequence[Read],
    names: Mapping[bytes, str],
) -> list[Read]:
    """Distractors in the contexts of references that count: one picture in two contexts shows both.

    Args:
        distractors: of a subject.
        references: all of it.
        counted: those that count.
        names: the name of what counts for each digest of a reference.
    """
    shown = {picture.name: picture.context for picture, _ in counted}
    moved = {
        picture.context: shown[names[digest]]
        for picture, digest in references
        if picture.context is not None and picture.context not in shown.values()
    }
    return [
        (replace(picture, context=moved[picture.context]), digest)
        if picture.context in moved
        else (picture, digest)
        for picture, digest in distractors
    ]


def context_numbers(subjects: Sequence[Sides]) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """The contexts of all references, and of all distractors, as numbers within their subjects; -1 for none known."""
    found: tuple[list[int], list[int]] = ([], [])
    for sides in subjects:
        numbers: dict[str | None, int] = {None: -1}
        for side, into in zip(sides, found, strict=True):
            into += [numbers.setdefault(picture.context, len(numbers)) for picture, _ in side]
    references, distractors = found
    return np.array(references, np.intp), np.array(distractors, np.intp)


def with_trials(subjects: Sequence[Sides]) -> tuple[int, int]:
    """How many subjects SSR and PA have trials of, and how many of their references meet a distractor."""
    met = []
    for references, distractors in subjects:
        shown = {picture.context for picture, _ in distractors} - {None}
        if len(references) > 1:
            met.append(sum(picture.context in shown for picture, _ in references))
    return sum(number > 0 for number in met), sum(met)
