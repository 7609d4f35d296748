"""What one side of a data set holds: pictures by subject, or a tree whose names may say whose they are."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from nearid_cli.errors import InputError
from nearid_cli.layouts.byproducts import find_byproducts
from nearid_cli.layouts.dataset import LeftOutFiles, Picture
from nearid_cli.layouts.layout import Layout
from nearid_cli.layouts.names import (
    archived,
    composed,
    file_labels,
    folder_labels,
    is_generic,
    own_name,
    read_file_name,
    stem,
)
from nearid_cli.text import printable


@dataclass
class Assigned:
    """The pictures of one side, by subject.

    Attributes:
        root: the folder or manifest, as given.
        layout: how they were found.
        subjects: pictures by the subject's name on this side.
        loose: pictures that no folder assigns to a subject.
        left_out: files that were not taken, by reason.
        distractors: distractors by subject; manifests of references or generations may have them.
        keys: what makes two names of its subjects alike, besides the usual.
        unfit: names of pictures that do not fit the pattern that was given.
        how: in words, how the names were read; empty where files say it.
        notes: lines about prompts for people.
    """

    root: Path
    layout: Layout
    subjects: dict[str, list[Picture]] = field(default_factory=dict)
    loose: list[Picture] = field(default_factory=list)
    left_out: LeftOutFiles = field(default_factory=LeftOutFiles)
    distractors: dict[str, list[Picture]] = field(default_factory=dict)
    keys: tuple[Callable[[str], str], ...] = ()
    unfit: list[str] = field(default_factory=list)
    how: str = ""
    notes: list[str] = field(default_factory=list)

    def pictures(self) -> Iterable[Picture]:
        """All pictures except distractors."""
        yield from self.loose
        for pictures in self.subjects.values():
            yield from pictures

    def copy(self) -> Assigned:
        """The same as an object that a join may change."""
        own = {name: list(pictures) for name, pictures in self.subjects.items()}
        return replace(self, subjects=own, loose=list(self.loose), left_out=self.left_out.copy())


Side = Path | Assigned
"""A folder or manifest, or pictures that somebody has assigned to subjects already."""


@dataclass
class Tree:
    """The pictures below a root that nobody has assigned to subjects yet.

    Attributes:
        root: the folder, as given.
        names: pictures, relative to the root with `/`, in order.
        left_out: files that were not taken.
        containers: folders, by their whole path below the root, that name no subject whatever they are called, and
            the labels that they are instead.
        described: adds what a metadata file says of a picture.
        paths: those that were made of pictures and their folders, by name; copies share them.
    """

    root: Path
    names: list[str]
    left_out: LeftOutFiles = field(default_factory=LeftOutFiles)
    containers: Mapping[tuple[str, ...], Mapping[str, str]] = field(default_factory=dict)
    described: Callable[[Picture], Picture] | None = None
    paths: dict[str, Path] = field(default_factory=dict)

    def copy(self) -> Tree:
        """The same as an object from which more may be left out."""
        return replace(self, left_out=self.left_out.copy())

    def by_folder(self, layout: Layout, below: str = "") -> Assigned:
        """Each folder directly in the root (or in its subfolder `below`) is a subject, with all that lies deeper.

        Pictures right in it are loose. In `<subject>/<prompt>/<seed>.png` the prompt and seed are known.
        """
        found = Assigned(self.root, layout, left_out=self.left_out)
        start = len(below) + 1 if below else 0
        for name in self.names:
            subject, slash, rest = name[start:].partition("/")
            one = Picture.at(self.root, name, None, *prompt_and_seed(rest))
            pictures = found.subjects.setdefault(subject, []) if slash else found.loose
            pictures.append(self.described(one) if self.described else one)
        return found

    def leave_out_byproducts(self, subjects: frozenset[str] = frozenset()) -> None:
        """Take masks, grids and class images out of the pictures; see `find_byproducts`."""
        byproducts = find_byproducts(self.names, subjects)
        if len(byproducts) == len(self.names):
            return  # where there is nothing else, they are what was meant
        for name, reason in byproducts.items():
            self.left_out.add(reason, name)
        self.names = [name for name in self.names if name not in byproducts]

    def leave_out(self, reason: str, names: Iterable[str]) -> None:
        """Take some pictures out."""
        others = dict.fromkeys(names)
        self.left_out.add(reason, *others)
        self.names = [name for name in self.names if name not in others]

    def leave_out_folder(self, inner: Path, kind: str) -> None:
        """The other side's folder, where it lies in this one (`nearid score . outputs`), is no part of this side.

        Args:
            inner: the folder of the other side.
            kind: what its pictures are called among those that are left out.

        Raises:
            InputError: nothing else is there.
        """
        below = path_below(self.root, inner)
        if below is None:
            return
        inside = [name for name in self.names if name.startswith(below)]
        if len(inside) == len(self.names):
            raise InputError(
                f"all pictures of {printable(self.root)} lie in {printable(inner)}, which is the other side: give the "
                "folder of the real pictures and the folder of the generated ones"
            )
        self.leave_out(kind, inside)

    def generic_folders(self) -> dict[str, set[str]]:
        """The generic names of folders that hold pictures, each with those of the folders beside it."""
        beside: dict[tuple[str, ...], set[str]] = defaultdict(set)
        for parts in {_parts(name) for name in self.names}:
            while parts and folder_labels(parts[-1]) is not None:
                parts = parts[:-1]
            if parts:
                beside[parts[:-1]].add(parts[-1])
        found: dict[str, set[str]] = defaultdict(set)
        for names in beside.values():
            for name in names:
                if is_generic(name):
                    found[name] |= names - {name}
        return dict(found)

    def folders(
        self, keep: Callable[[str], bool] = lambda _: False, labels: bool = False
    ) -> list[NamedFolder]:
        """The folders that hold pictures, in order, with the parts of their paths that may mean something.

        A part with a generic name (`images`, `outputs`) means nothing, unless it lies beside folders with other names.
        Neither does what trainers make (`checkpoint-500`), where `labels` are looked for.

        Args:
            keep: names that mean something whatever they look like: those of the other side's subjects.
            labels: whether folders of trainers and trackers say a step, a seed or a date.
        """
        pictures: dict[tuple[str, ...], list[str]] = defaultdict(list)
        for name in self.names:
            pictures[_parts(name)].append(name)
        children: dict[tuple[str, ...], set[str]] = defaultdict(set)
        for parts in pictures:
            for depth in range(len(parts)):
                children[parts[:depth]].add(parts[depth])
        said: dict[tuple[str, ...], Mapping[str, str] | None] = {}
        for parent, names in children.items():
            found = {name: None if keep(name) else folder_labels(name) if labels else None for name in names}
            plain = [name for name in names if found[name] is None]
            generic = all(is_generic(name) and not keep(name) for name in plain)
            for name in names:
                path = (*parent, name)
                said[path] = self.containers.get(path, {} if found[name] is None and generic else found[name])
        folders = []
        for parts, own in pictures.items():
            meant = [(part, said[parts[:depth]]) for depth, part in enumerate(parts, 1)]
            named = tuple(composed(part) for part, labelled in meant if labelled is None)
            others = {name: value for _, labelled in meant for name, value in (labelled or {}).items()}
            folders.append(NamedFolder(named, others, own))
        return folders

    def only_subject(self, folders: Iterable[NamedFolder]) -> str:
        """What the only subject is called: as the folder, or as all files begin, or `subject`."""
        if not is_generic(name := own_name(self.root)):
            return name
        folders = list(folders)
        top = {folder.folders[:1] for folder in folders}
        if len(top) == 1 and (own := next(iter(top))):
            return own[0]
        heads = {read_file_name(stem(name)).head for folder in folders for name in folder.names}
        return (heads.pop() if len(heads) == 1 else None) or "subject"

    def pictures(
        self, folder: NamedFolder, below: int | None, labels: Mapping[str, str] = MappingProxyType({})
    ) -> Iterator[Picture]:
        """The pictures of a folder, with what its path and their names say.

        Args:
            folder: one of `folders`.
            below: how many of its meaningful folders lead to the subject: one more is the prompt, and then the file's
                name is the seed. None where the path says nothing of prompts.
            labels: what is known besides.
        """
        rest = () if below is None else folder.folders[below:]
        prompt = rest[0] if len(rest) == 1 else None
        common = {**folder.labels, **labels}
        method = common.pop("method", None)
        prompt = common.pop("prompt", prompt)
        for name in folder.names:
            own = stem(name)
            said = {**common, **file_labels(own)}
            seed = said.pop("seed", own if prompt is not None and len(rest) == 1 else None)
            one = Picture(self._path(name), name, method, prompt, seed, said)
            yield self.described(one) if self.described else one

    def _path(self, name: str) -> Path:
        """Where a picture lies. To make a path takes long, and less from that of its folder."""
        if (found := self.paths.get(name)) is None:
            folder, _, file = name.rpartition("/")
            if (above := self.paths.get(folder)) is None:
                above = self.paths[folder] = self.root / folder
            found = self.paths[name] = above / file
        return found


class NamedFolder(NamedTuple):
    """The pictures of one folder.

    Attributes:
        folders: the names of the folders it lies in and its own, from the top, that may name a subject, a method or a
            prompt.
        labels: what the other folders say: a step, a seed, a date.
        names: its pictures, relative to the root.
    """

    folders: tuple[str, ...]
    labels: Mapping[str, str]
    names: list[str]

    def name_at(self, level: int, qualified: bool) -> str:
        """What the folder at a level is called; with `qualified`, with the folders that it lies in."""
        return "/".join(self.folders[: level + 1]) if qualified else self.folders[level]


def _parts(name: str) -> tuple[str, ...]:
    folder, slash, file = name.rpartition("/")
    own = _split(folder) if slash else ()
    return (*own, *archived(file)[:-1]) if "\\" in file else own


@lru_cache(maxsize=10_000)
def _split(folder: str) -> tuple[str, ...]:
    return tuple(folder.split("/"))


def path_below(outer: Path, inner: Path) -> str | None:
    """The path of a folder below another that it lies in, with `/` and ending in one; None where it does not."""
    own, below = (os.path.join(os.path.realpath(folder), "") for folder in (outer, inner))  # noqa: PTH118
    return below[len(own) :].replace(os.sep, "/") if below.startswith(own) and below != own else None


def prompt_and_seed(rest: str) -> tuple[str | None, str | None]:
    """Prompt and seed of `<prompt>/<seed>.png`, the part of a path below its subject's folder."""
    prompt, slash, file = rest.partition("/")
    return (prompt, stem(file)) if slash and "/" not in file else (None, None)


class SeveralMethodsError(InputError):
    """Generations are of several methods, and a score is of one."""


def check_one_method(what: str, subjects: Mapping[str, Iterable[Picture]]) -> None:
    """Raise InputError if generations are of several methods."""
    methods = sorted({one.method or "" for pictures in subjects.values() for one in pictures})
    if len(methods) > 1:
        named = ", ".join(printable(name) or "(none)" for name in methods)
        raise SeveralMethodsError(
            f"{what} has generations of several methods: {named}; a score is of one method, so give those of one, "
            "or all of them to nearid compare"
        )
