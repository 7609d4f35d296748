"""How well the generations fit a way to read the references, and at which of their folders they name subjects."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nearid_cli.layouts.layout import Naming
from nearid_cli.layouts.matching import SubjectIndex, index_of
from nearid_cli.layouts.names import stem
from nearid_cli.layouts.sides import NamedFolder


@dataclass(frozen=True)
class Fit:
    """How well the generations fit a reading of the references.

    Attributes:
        reading: of the references.
        groups: the names of the references by subject.
        claims: the subject of generations, by position of their folder, and where file names say it by stem too.
        claimed: how many generations have a subject.
        total: how many there are.
    """

    reading: Naming
    groups: Mapping[str, frozenset[str]]
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


def groups_of(reading: Naming, references: Sequence[NamedFolder]) -> dict[str, frozenset[str]]:
    """The names of the references of each subject; those without a subject are left out."""
    groups: dict[str, set[str]] = defaultdict(set)
    for folder in references:
        if not reading.by_file:
            if subject := reading.subject_of(folder, ""):
                groups[subject].update(folder.names)
            continue
        for name in folder.names:
            if subject := reading.subject_of(folder, stem(name)):
                groups[subject].add(name)
    return {subject: frozenset(names) for subject, names in groups.items()}


def fit(reading: Naming, references: Sequence[NamedFolder], generations: Sequence[NamedFolder]) -> Fit:
    """How a reading of the references fits the generations."""
    groups = groups_of(reading, references)
    total = sum(len(folder.names) for folder in generations)
    if not groups:
        return Fit(reading, {}, {}, 0, total)
    index = index_of(frozenset(groups))
    level = best_level(index, generations, reading.qualified)
    claims: dict[tuple[int, str | None], str] = {}
    claimed = 0
    for position, folder in enumerate(generations):
        if level is not None and len(folder.folders) > level:
            if found := index.alike(folder.name_at(level, reading.qualified)):
                claims[position, None] = found[0]
                claimed += len(folder.names)
            continue
        for name in folder.names:
            own = stem(name)
            if beginning := index.beginning(own):
                claims[position, own] = beginning.subjects[0]
                claimed += 1
    return Fit(reading, groups, claims, claimed, total)


def best_level(
    index: SubjectIndex, generations: Sequence[NamedFolder], qualified: bool = False
) -> int | None:
    """At which of their meaningful folders most generations name a subject, or most subjects; None where none does."""
    levels = claims_by_level(index, generations, qualified)
    counts = {level: sum(len(generations[at].names) for at in own) for level, own in levels.items()}
    return min(counts, key=lambda at: (-counts[at], -len(set(levels[at].values())), at)) if counts else None


def claims_by_level(
    index: SubjectIndex, generations: Sequence[NamedFolder], qualified: bool
) -> dict[int, dict[int, str]]:
    """For each level at which folders name subjects, which one each folder names, by its position."""
    levels: dict[int, dict[int, str]] = defaultdict(dict)
    for position, folder in enumerate(generations):
        for level in range(len(folder.folders)):
            if found := index.alike(folder.name_at(level, qualified)):
                levels[level][position] = found[0]
    return dict(levels)
