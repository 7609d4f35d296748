"""The ways in which a tree can be read: where in a path the subject stands, and how well that fits the other side."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from nearid_cli.layouts.found import stem
from nearid_cli.layouts.matching import SubjectIndex, index_of
from nearid_cli.layouts.names import read_file_name
from nearid_cli.layouts.tree import Directory

_ORDINALS = ("1st", "2nd", "3rd")


class Reading(Protocol):
    """Where in the paths of the references the subject stands.

    Attributes:
        layout: the name that results give it.
        choice: the options that force it, or what else to do.
        by_file: whether two pictures of one folder may have two subjects.
        qualified: whether subjects are called by the whole path of their folder.
    """

    @property
    def layout(self) -> str: ...  # noqa: D102
    @property
    def choice(self) -> str: ...  # noqa: D102
    @property
    def by_file(self) -> bool: ...  # noqa: D102
    @property
    def qualified(self) -> bool: ...  # noqa: D102

    def subject_of(self, directory: Directory, file: str) -> str | None:
        """The subject of a picture with this stem in this folder; None where it has none."""

    def how(self) -> str:
        """The reading in words."""


def nth_folder(level: int) -> str:
    """A level of folders in words.

    >>> nth_folder(0), nth_folder(3)
    ('1st folder', '4th folder')
    """
    return f"{_ORDINALS[level] if level < len(_ORDINALS) else f'{level + 1}th'} folder"


@dataclass(frozen=True)
class ByFolder:
    """The subject is the folder at a level of the meaningful ones, 0 at the top.

    With `qualified`, one name below two parents is two subjects: they are called by their whole path.
    """

    level: int
    qualified: bool = False
    layout: str = "folders"
    by_file: bool = False

    @property
    def choice(self) -> str:
        """The options that force it."""
        if self.qualified:
            return "give each a name of its own, on both sides"  # no pattern joins the parts of a path
        return "--refs-pattern '" + "*/" * self.level + "{subject}/**'" if self.level else "--layout folders"

    def subject_of(self, directory: Directory, file: str) -> str | None:
        """The name of the folder."""
        folders = directory.folders
        if len(folders) <= self.level:
            return None
        return "/".join(folders[: self.level + 1]) if self.qualified else folders[self.level]

    def how(self) -> str:
        """The reading in words."""
        return f"the subject is the {nth_folder(self.level)}"


@dataclass(frozen=True)
class ByFileName:
    """The subject is what a file's name begins with, or with `whole` all of it."""

    whole: bool = False
    layout: str = "prefix"
    by_file: bool = True
    qualified: bool = False

    @property
    def choice(self) -> str:
        """The options that force it."""
        return "--refs-pattern '**/{subject}.*'" if self.whole else "--layout prefix"

    def subject_of(self, directory: Directory, file: str) -> str | None:
        """The beginning of the name."""
        return file if self.whole else read_file_name(file).head

    def how(self) -> str:
        """The reading in words."""
        return (
            "the subject is a file's whole name"
            if self.whole
            else "the subject is what a file's name begins with"
        )


@dataclass(frozen=True)
class AllOne:
    """All pictures are of one subject."""

    name: str
    layout: str = "flat"
    choice: str = "--layout flat"
    by_file: bool = False
    qualified: bool = False

    def subject_of(self, directory: Directory, file: str) -> str | None:
        """That subject."""
        return self.name

    def how(self) -> str:
        """The reading in words."""
        return "all are of one subject"


@dataclass(frozen=True)
class Fit:
    """How well the generations fit a reading of the references.

    Attributes:
        reading: of the references.
        groups: the names of the references by subject.
        level: at which of their meaningful folders the generations name the subject; None for their file names.
        claims: the subject of generations, by position of their folder, and where file names say it by stem too.
        claimed: how many generations have a subject.
        total: how many there are.
    """

    reading: Reading
    groups: Mapping[str, frozenset[str]]
    level: int | None
    claims: Mapping[tuple[int, str | None], str]
    claimed: int
    total: int

    @property
    def complete(self) -> bool:
        """Whether every generation has a subject."""
        return self.claimed == self.total

    @property
    def subjects(self) -> frozenset[str]:
        """The subjects that have generations."""
        return frozenset(self.claims.values())

    def parts_alike(self, other: Fit) -> bool:
        """Whether another reading puts the same pictures together, under whatever name."""
        if (
            set(self.groups.values()) != set(other.groups.values())
            or self.claims.keys() != other.claims.keys()
        ):
            return False
        return all(self.groups[own] == other.groups[other.claims[key]] for key, own in self.claims.items())


def groups_of(reading: Reading, references: Sequence[Directory]) -> dict[str, frozenset[str]]:
    """The names of the references of each subject; those without a subject are left out."""
    groups: dict[str, set[str]] = defaultdict(set)
    for directory in references:
        if not reading.by_file:
            if subject := reading.subject_of(directory, ""):
                groups[subject].update(directory.names)
            continue
        for name in directory.names:
            if subject := reading.subject_of(directory, stem(name)):
                groups[subject].add(name)
    return {subject: frozenset(names) for subject, names in groups.items()}


def fit(reading: Reading, references: Sequence[Directory], generations: Sequence[Directory]) -> Fit | None:
    """How a reading of the references fits the generations; None where it finds no subject."""
    groups = groups_of(reading, references)
    if not groups:
        return None
    index = index_of(frozenset(groups))
    level = best_level(index, generations, reading.qualified)
    claims: dict[tuple[int, str | None], str] = {}
    claimed = 0
    for position, directory in enumerate(generations):
        if level is not None and len(directory.folders) > level:
            if found := index.alike(name_at(directory, level, reading.qualified)):
                claims[position, None] = found[0]
                claimed += len(directory.names)
            continue
        for name in directory.names:
            own = stem(name)
            if beginning := index.beginning(own):
                claims[position, own] = beginning.subjects[0]
                claimed += 1
    total = sum(len(directory.names) for directory in generations)
    return Fit(reading, groups, level, claims, claimed, total)


def best_level(index: SubjectIndex, generations: Sequence[Directory], qualified: bool = False) -> int | None:
    """At which of their meaningful folders most generations name a subject, or most subjects; None where none does."""
    levels = claims_by_level(index, generations, qualified)
    counts = {level: sum(len(generations[at].names) for at in own) for level, own in levels.items()}
    return min(counts, key=lambda at: (-counts[at], -len(set(levels[at].values())), at)) if counts else None


def claims_by_level(
    index: SubjectIndex, generations: Sequence[Directory], qualified: bool
) -> dict[int, dict[int, str]]:
    """For each level at which folders name subjects, which one each folder names, by its position."""
    levels: dict[int, dict[int, str]] = defaultdict(dict)
    for position, directory in enumerate(generations):
        for level in range(len(directory.folders)):
            if found := index.alike(name_at(directory, level, qualified)):
                levels[level][position] = found[0]
    return dict(levels)


def name_at(directory: Directory, level: int, qualified: bool) -> str:
    """What the folder at a level is called; with `qualified`, with the folders that it lies in."""
    return "/".join(directory.folders[: level + 1]) if qualified else directory.folders[level]
