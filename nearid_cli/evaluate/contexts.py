"""Which distractors meet which references in SSR and PA, once it is known which pictures can be used."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from nearid_cli.layouts import Picture

if TYPE_CHECKING:
    import numpy.typing as npt

Read = tuple[Picture, bytes]
"""A picture with the digest of its bytes."""
Sides = tuple[Sequence[Read], Sequence[Read]]
"""The references and the distractors of a subject."""


def once_a_context(distractors: Sequence[Read]) -> tuple[Read, ...]:
    """Distractors without repetitions: one that is given twice, by a manifest and a folder, say, is one trial, not two.

    One whose context is known stands for the same picture without; in two contexts it is two.
    """
    known = {digest for picture, digest in distractors if picture.context is not None}
    kept: dict[tuple[bytes, str | None], Read] = {}
    for picture, digest in distractors:
        if picture.context is None and digest in known:
            continue
        kept.setdefault((digest, picture.context), (picture, digest))
    return tuple(kept.values())


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
