"""What of a data set counts: subjects with the pictures that could be read, each picture once among the references.

A picture that is there twice is no second piece of evidence. Among references and distractors it counts once.
Generations all count, but those that are one picture, or of one prompt, are one unit of an interval.

Which distractors meet which references in SSR and PA is decided here, too, once it is known which can be used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from nearid_cli.evaluate.sameness import connected
from nearid_cli.layouts.dataset import Picture, SubjectPictures
from nearid_cli.results.correspondence import compared_prompt

if TYPE_CHECKING:
    import numpy.typing as npt

Same = Mapping[bytes, bytes]
"""What stands for pictures that are one, by digest."""

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


@dataclass(frozen=True)
class Usable:
    """A subject's pictures that count, with the digests of their bytes.

    Attributes:
        name: of the subject.
        references, generations, distractors: the pictures.
        copied: digest of every reference, also of one that counts once with another -> the name of what counts.
        units: [G], generations of one number are one unit of the subject's intervals; None where each is one.
    """

    name: str
    references: tuple[Read, ...]
    generations: tuple[Read, ...] = ()
    distractors: tuple[Read, ...] = ()
    copied: Mapping[bytes, str] = field(default_factory=dict)
    units: tuple[int, ...] | None = None

    @property
    def sides(self) -> Sides:
        """What SSR and PA are of."""
        return self.references, self.distractors


class Sameness(NamedTuple):
    """For each role what stands for pictures that are one, by digest; see `sameness.one_picture`."""

    references: Same
    generations: Same
    distractors: Same


@dataclass
class Usables:
    """A data set as it counts.

    Attributes:
        subjects: with references and generations.
        strangers: with references only.
        emptied: a line for each subject of which nothing is left.
        repeated, repeated_distractors: names of pictures that count once with another of their subject.
        same_generations: a line for each subject with generations that are one picture.
        shared_references, shared_generations: a line for each picture of several subjects.
    """

    subjects: list[Usable] = field(default_factory=list)
    strangers: list[Usable] = field(default_factory=list)
    emptied: list[str] = field(default_factory=list)
    repeated: list[str] = field(default_factory=list)
    repeated_distractors: list[str] = field(default_factory=list)
    same_generations: list[str] = field(default_factory=list)
    shared_references: list[str] = field(default_factory=list)
    shared_generations: list[str] = field(default_factory=list)


def usable(
    subjects: Iterable[SubjectPictures],
    digest_of: Callable[[Picture], bytes | None],
    same: Sameness,
    strangers: bool,
) -> Usables:
    """What counts of these subjects.

    Args:
        subjects: as they were found.
        digest_of: the digest of a picture; None for one that cannot be used.
        same: which pictures are one.
        strangers: keep subjects that have references only.
    """
    found = Usables()
    for subject in subjects:
        references, generations, distractors = (
            tuple((p, digest) for p in pictures if (digest := digest_of(p)) is not None)
            for pictures in (subject.references, subject.generations, subject.distractors)
        )
        kept, copied, again = _once(references, same.references)
        found.repeated += again
        if references and generations:
            if again:
                distractors = tuple(in_counted_contexts(distractors, references, kept, copied))
            alike, _, again = _once(distractors, same.distractors, by_context)
            found.repeated_distractors += again
            found.same_generations += _said(subject.name, generations, same.generations)
            units = _units(generations, same.generations)
            found.subjects.append(Usable(subject.name, kept, generations, alike, copied, units))
            continue
        if references and strangers:
            found.strangers.append(Usable(subject.name, kept))
        if subject.generations:
            lack = "references" if not references else "generations"
            found.emptied.append(f"{subject.name}: none of its {lack} can be read")
    found.shared_references += _shared(
        ((one.name, one.references) for one in (*found.subjects, *found.strangers)), same.references
    )
    found.shared_generations += _shared(
        ((one.name, one.generations) for one in found.subjects), same.generations, several_files=True
    )
    return found


def _once(
    pictures: Sequence[Read],
    same: Same,
    apart: Callable[[Sequence[Read]], list[list[Read]]] | None = None,
) -> tuple[tuple[Read, ...], dict[bytes, str], list[str]]:
    """Each picture once, under its shortest name, or the shortest of those whose context is known.

    Args:
        pictures: of one subject in one role.
        same: which pictures are one.
        apart: takes such pictures, and says which of them count apart all the same.

    Returns:
        The pictures that count, the name that counts for each digest, and the names of the other pictures.
    """
    groups = _groups(pictures, same)
    if apart is not None:
        groups = [own for group in groups for own in apart(group)]
    kept = [
        min(group, key=lambda one: (one[0].context is None, len(one[0].name), one[0].name))
        for group in groups
    ]
    named = {digest: one.name for (one, _), group in zip(kept, groups, strict=True) for _, digest in group}
    if len(kept) == len(pictures):
        return tuple(pictures), named, []
    counted = {id(one) for one, _ in kept}
    return tuple(kept), named, [one.name for one, _ in pictures if id(one) not in counted]


def _said(subject: str, generations: Sequence[Read], same: Same) -> Iterator[str]:
    """A line if generations of a subject are one picture."""
    repeated = [group for group in _groups(generations, same) if len(group) > 1]
    if repeated:
        number = sum(map(len, repeated))
        of_all = f"all {number:,}" if number == len(generations) else f"{number:,} of {len(generations):,}"
        pictures = "one picture" if len(repeated) == 1 else f"only {len(repeated):,} pictures"
        yield f"{subject}: {of_all} generations are {pictures}"


def _units(generations: Sequence[Read], same: Same) -> tuple[int, ...] | None:
    """Which generations are one unit: those of one picture, and those of one prompt if there are several prompts."""
    prompts: dict[str, int] = {}
    by_prompt = [
        (prompts.setdefault(compared_prompt(one.prompt), i), i)
        for i, (one, _) in enumerate(generations)
        if one.prompt is not None
    ]
    pictures: dict[bytes, int] = {}
    by_picture = [
        (pictures.setdefault(same.get(digest, digest), i), i) for i, (_, digest) in enumerate(generations)
    ]
    together = [
        (first, i) for first, i in (*(by_prompt if len(prompts) > 1 else ()), *by_picture) if first != i
    ]
    if not together:
        return None
    units = connected(together)
    return tuple(units.get(i, i) for i in range(len(generations)))


def with_generations(subject: Usable, generations: Sequence[Read], same: Same) -> Usable:
    """The subject as if it had only some of its generations."""
    return replace(subject, generations=tuple(generations), units=_units(generations, same))


def _shared(
    subjects: Iterable[tuple[str, Sequence[Read]]], same: Same, several_files: bool = False
) -> Iterator[str]:
    """A line for each picture of several subjects.

    Args:
        subjects: their names and pictures.
        same: which pictures are one.
        several_files: only where they have it in files of their own; a picture may show two subjects. So may one whose
            masks or boxes tell them apart.
    """
    owners: dict[bytes, dict[str, Picture]] = {}
    for name, pictures in subjects:
        for one, digest in pictures:
            owners.setdefault(same.get(digest, digest), {}).setdefault(name, one)
    for owned in owners.values():
        if len(owned) < 2:
            continue
        one_file = len({one.source for one in owned.values()}) == 1
        apart = len({(one.mask, one.box) for one in owned.values() if one.has_mask}) == len(owned)
        if not (one_file and (several_files or apart)):
            yield " is also ".join(f"{one.name} of {name}" for name, one in owned.items())


def _groups(pictures: Iterable[Read], same: Same) -> list[list[Read]]:
    groups: dict[bytes, list[Read]] = {}
    for picture, digest in pictures:
        groups.setdefault(same.get(digest, digest), []).append((picture, digest))
    return list(groups.values())
