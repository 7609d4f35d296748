"""Choosing how the references are read: the one way that the generations bear out, or a stop that shows both."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from nearid_cli.errors import InputError
from nearid_cli.layouts.kinds.plain import by_file_name, by_folder, of_one
from nearid_cli.layouts.layout import Naming
from nearid_cli.layouts.matching import (
    SubjectIndex,
    index_of,
    mentions,
    pattern_of_mentions,
    shortened,
    told_apart,
    words,
)
from nearid_cli.layouts.names import is_category, is_generic, stem, without_counters
from nearid_cli.layouts.sides import NamedFolder, Tree
from nearid_cli.text import count, few, natural_key, printable

logger = logging.getLogger(__name__)

_SHOWN_NAMES = 4


def alternatives(tree: Tree) -> list[tuple[Naming, list[str]]]:
    """The ways in which the references of a tree can be read, whatever the generations say, with their subjects."""
    folders = tree.folders()
    readings = [*_by_levels(folders), by_file_name(), of_one(tree.only_subject(folders))]
    return [(one, list(groups)) for one in readings if (groups := _groups(one, folders))]


def _by_levels(folders: Sequence[NamedFolder]) -> list[Naming]:
    """By the folders at each level; by their whole paths where a name stands below two parents."""
    parents: dict[int, dict[str, set[tuple[str, ...]]]] = defaultdict(lambda: defaultdict(set))
    for folder in folders:
        for level, name in enumerate(folder.folders):
            parents[level][name].add(folder.folders[:level])
    return [
        by_folder(level, any(len(own) > 1 for own in parents[level].values()))
        for level in range(len(parents))
    ]


class Fit(NamedTuple):
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

    def way(self, choice: str | None = None) -> str:
        """The reading as one of two, with what to give for it: by itself the options that force it."""
        return _way(self.groups, self.reading.how, choice or self.reading.choice)

    def parts_alike(self, other: Fit) -> bool:
        """Whether another reading puts the same pictures together, under whatever name."""
        return (
            set(self.groups.values()) == set(other.groups.values())
            and self.claims.keys() == other.claims.keys()
            and all(self.groups[own] == other.groups[other.claims[key]] for key, own in self.claims.items())
        )


@dataclass(frozen=True)
class ReferenceTree:
    """A tree of references, by folders, with those of the generations that must fit."""

    tree: Tree
    references: Sequence[NamedFolder]
    generations: Sequence[NamedFolder] = ()

    def read(self) -> Naming:
        """How to read it.

        Folders count for more than file names, and a reading that all generations fit for more than one that some do.

        Raises:
            InputError: two readings are possible that differ in whose picture is whose; names both and how to choose.
        """
        by_levels = _by_levels(self.references)
        matched = [one for one in map(self._fit, by_levels) if one.claimed]
        if matched:
            return self._folders_or_files(self._among_levels(matched))
        names = self._names
        if by_levels:
            if names.complete and len(names.subjects) > 1:
                return names.reading
            return by_levels[0]
        if names.claimed:
            return self._by_names(names)
        if (ids := self._ids) and len(ids.subjects) > 1:  # numbers may be subjects
            raise self._two_ways(ids.way(), self._whole.way())
        if len(names.groups) > 1:
            self._several_names(names)
        return self._whole.reading

    def _fit(self, reading: Naming) -> Fit:
        """How a reading of the references fits the generations."""
        groups = _groups(reading, self.references)
        total = sum(len(folder.names) for folder in self.generations)
        if not groups:
            return Fit(reading, {}, {}, 0, total)
        index = index_of(frozenset(groups))
        level = best_level(index, self.generations, reading.qualified)
        claims: dict[tuple[int, str | None], str] = {}
        claimed = 0
        for position, folder in enumerate(self.generations):
            if level is not None and len(folder.folders) > level:
                if found := index.alike(folder.name_at(level, reading.qualified)):
                    claims[position, None] = found[0]
                    claimed += len(folder.names)
                continue
            for own in map(stem, folder.names):
                if beginning := index.beginning(own):
                    claims[position, own] = beginning.subjects[0]
                    claimed += 1
        return Fit(reading, groups, claims, claimed, total)

    @cached_property
    def _names(self) -> Fit:
        return self._fit(by_file_name())

    @cached_property
    def _ids(self) -> Fit | None:
        """By the whole names of files, where each generation begins with one of these, and goes on."""
        finer = self._fit(by_file_name(whole=True))
        return finer if finer.complete and not self._same_files(finer) else None

    @cached_property
    def _whole(self) -> Fit:
        return self._fit(of_one(self.tree.only_subject(self.references)))

    def _among_levels(self, matched: Sequence[Fit]) -> Fit:
        """Of the levels at which folders of both sides have names in common, the one that names the subjects."""
        chosen = matched[0]
        for deeper in matched[1:]:
            if deeper.parts_alike(chosen):
                if _categories_only(chosen):
                    chosen = deeper
            elif deeper.complete and (not deeper.reading.qualified or _categories_only(chosen)):
                chosen = deeper  # subjects nested by class
            elif (
                (deeper.complete and not any(map(_has_letters, deeper.groups)))
                or not chosen.complete
                or (
                    2 * deeper.claimed >= deeper.total
                    and not deeper.complete
                    and not deeper.reading.qualified
                )
            ):
                raise self._two_ways(chosen.way(), deeper.way())
        return chosen

    def _folders_or_files(self, chosen: Fit) -> Naming:
        """The folders that both sides share, unless their files are called like subjects, and generations as these."""
        names = self._names
        if names.complete and len(names.groups) > len(chosen.groups) and len(names.subjects) > 1:
            if all(is_category(own) or is_generic(name) for name, own in _last_parts(chosen)):
                return names.reading
            # File names part subjects of folders into several, none of which is in two of these.
            if all(any(own <= whole for whole in chosen.groups.values()) for own in names.groups.values()):
                if not self._same_files(names):
                    raise self._kinds_doubt(chosen, names)
                self._warn_of_kinds(chosen)
        if below := self._folders_in_names(chosen):
            paths = (name for one in self.generations for name in one.names)
            pattern = pattern_of_mentions(below, paths) or "**/*{subject}*"
            raise self._two_ways(
                chosen.way(),
                _way(
                    below,
                    "names of generations begin with two folders",
                    f"--refs-pattern '**/{{subject}}/*' --pattern '{pattern}'",
                ),
            )
        if _categories_only(chosen):
            begun, same = self._begun_by_path(chosen)
            if begun and not same:
                raise InputError(
                    f"the folders {_few(chosen.groups)} of {printable(self.tree.root)} may be subjects, or kinds of "
                    "subjects",
                    [
                        f"{count(len(chosen.groups), 'subject')}, called as the folders: {chosen.reading.choice}",
                        f"{count(begun, 'subject')}, one for each file: put each in a folder of its name, on both "
                        "sides, or list them in a manifest",
                    ],
                )
            if begun or len({one.folders for one in self.references}) > len(chosen.groups):
                self._warn_of_kinds(chosen)
        return chosen.reading

    def _kinds_doubt(self, chosen: Fit, names: Fit) -> InputError:
        """The stop where folders may be subjects or kinds of these, with the pattern that parts the files."""
        stems = [(subject, stem(name)) for subject, own in names.groups.items() for name in own]
        if all(own == subject for subject, own in stems):
            how = "--refs-pattern '**/{subject}.*'"
        elif all(own.removeprefix(f"{subject}_").isdecimal() for subject, own in stems):
            how = "--refs-pattern '**/{subject}_{seed}.*'"
        else:
            how = "put each in a folder of its name"
        return self._two_ways(chosen.way(), names.way(how))

    def _folders_in_names(self, chosen: Fit) -> set[str]:
        """The innermost folders of references, if all names of generations begin with these and the folder above."""
        if not all(len(one.folders) > 1 for one in self.references):
            return set()
        inner = {_path_words(one.folders[-2:]): one.folders[-1] for one in self.references}
        if len(inner) <= len(chosen.groups):
            return set()
        for parts in ((*one.folders, stem(name)) for one in self.generations for name in one.names):
            if not any(begun in inner for part in parts for begun in shortened(words(part))):
                return set()
        return set(inner.values())

    def _warn_of_kinds(self, chosen: Fit) -> None:
        logger.warning(
            "folders %s of %s are read as subjects; if they are kinds of subjects, of which each file is one, put each "
            "in a folder of its name",
            _few(chosen.groups),
            printable(self.tree.root),
        )

    def _begun_by_path(self, chosen: Fit) -> tuple[int, bool]:
        """Whether each file may be a subject: all generations are called as one with its folder (`animal/00/1.png`).

        Returns:
            The number of such files, 0 where they are no subjects, and whether a generation is called just so.
        """
        files = {
            _path_words((*one.folders[-1:], stem(name)))
            for one in self.references
            for name in one.names
            if chosen.reading.subject_of(one, "")
        }
        if len(files) == len(chosen.groups):
            return 0, False
        same = False
        for parts in ((*one.folders, stem(name)) for one in self.generations for name in one.names):
            wholes = [_path_words(parts[at:]) for at in range(len(parts))]
            same = same or not files.isdisjoint(wholes)
            if not any(begun in files for whole in wholes for begun in shortened(whole)):
                return 0, False
        return len(files), same

    def _by_names(self, names: Fit) -> Naming:
        """Flat references with names that generations share: several subjects, if all generations say so."""
        unnamed = sum(len(one.names) for one in self.references) - sum(map(len, names.groups.values()))
        if len(names.groups) == 1 and not unnamed:
            return self._whole.reading
        if not names.complete or unnamed or len(names.subjects) == 1:
            raise self._two_ways(names.way(), self._whole.way())
        if (ids := self._ids) and len(ids.groups) > len(names.groups):
            raise self._two_ways(names.way(), ids.way())
        return names.reading

    def _same_files(self, finer: Fit) -> bool:
        """Whether generations are called exactly as references: outputs named as their inputs are."""
        names = {words(name) for name in finer.groups}
        return any(words(stem(name)) in names for one in self.generations for name in one.names)

    def _several_names(self, names: Fit) -> None:
        """References that are called like several subjects, of which the generations know nothing: a stop or a warning.

        A name that stands once may be a title: `front.jpg`, `side.jpg`.
        """
        paths = [name for one in self.generations for name in one.names]
        mentioned = pattern_of_mentions(names.groups, paths)
        parts = {part for path in paths for part in path.split("/")}
        several = sum(any(mentions(part, name) for part in parts) for name in names.groups) > 1
        if several or max(map(len, names.groups.values())) > 1:
            pattern = f" --pattern '{mentioned}'" if mentioned else ""
            raise self._two_ways(names.way(names.reading.choice + pattern), self._whole.way())
        logger.warning(
            "references %s are called %s, and no generation is; they are read as one subject",
            printable(self.tree.root),
            _few(names.groups),
        )

    def _two_ways(self, *lines: str) -> InputError:
        return InputError(
            f"the references {printable(self.tree.root)} can be read in two ways; choose one", lines
        )


def _groups(reading: Naming, references: Sequence[NamedFolder]) -> dict[str, frozenset[str]]:
    """The names of the references of each subject; those without a subject are left out."""
    groups: dict[str, set[str]] = defaultdict(set)
    for folder in references:
        for names in [[name] for name in folder.names] if reading.by_file else [folder.names]:
            if subject := reading.subject_of(folder, stem(names[0])):
                groups[subject].update(names)
    return {subject: frozenset(names) for subject, names in groups.items()}


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


def _way(subjects: Iterable[str], how: str, choice: str) -> str:
    subjects = list(subjects)
    return f"{count(len(subjects), 'subject')} ({_few(subjects)}): {how}: {choice}"


def _path_words(parts: Iterable[str]) -> str:
    return words(" ".join(parts))


def _last_parts(chosen: Fit) -> list[tuple[str, str]]:
    """The subjects' names, and the last part of each."""
    return [(name, name.rpartition("/")[2]) for name in chosen.groups]


def _categories_only(chosen: Fit) -> bool:
    return all(is_category(own) for _, own in _last_parts(chosen))


def _has_letters(name: str) -> bool:
    return any(map(str.isalpha, without_counters(name.rpartition("/")[2])))


def _few(names: Iterable[str]) -> str:
    return few(sorted(names, key=natural_key), _SHOWN_NAMES, told_apart)
