"""A tree of pictures as what its names may mean: for each folder, those parts of its path that could name a subject."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

from nearid_cli.layouts.dataset import Picture
from nearid_cli.layouts.found import archived, stem
from nearid_cli.layouts.left_out import LeftOut
from nearid_cli.layouts.names import composed, file_labels, folder_labels, is_generic

Keep = Callable[[str], bool]


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
    """

    root: Path
    names: list[str]
    left_out: LeftOut = field(default_factory=LeftOut)
    containers: Mapping[tuple[str, ...], Mapping[str, str]] = field(default_factory=dict)
    described: Callable[[Picture], Picture] | None = None

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


@dataclass(frozen=True)
class Directory:
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


def directories(tree: Tree, keep: Keep, labels: bool) -> list[Directory]:
    """The folders that hold pictures, in order, with the parts of their paths that may mean something.

    A part with a generic name (`images`, `outputs`) means nothing, unless it lies beside folders with other names.
    Neither does what trainers make (`checkpoint-500`), where `labels` are looked for.

    Args:
        tree: the pictures.
        keep: names that mean something whatever they look like: those of the other side's subjects.
        labels: whether folders of trainers and trackers say a step, a seed or a date.
    """
    pictures: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for name in tree.names:
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
            said[path] = tree.containers.get(path, {} if found[name] is None and generic else found[name])
    return [Directory(*_meaning(parts, said), names) for parts, names in pictures.items()]


def _meaning(
    parts: tuple[str, ...], said: Mapping[tuple[str, ...], Mapping[str, str] | None]
) -> tuple[tuple[str, ...], dict[str, str]]:
    folders: list[str] = []
    labels: dict[str, str] = {}
    for depth, part in enumerate(parts, 1):
        own = said[parts[:depth]]
        if own is None:
            folders.append(composed(part))
        else:
            labels |= own
    return tuple(folders), labels


def _parts(name: str) -> tuple[str, ...]:
    folder, slash, file = name.rpartition("/")
    own = _split(folder) if slash else ()
    return (*own, *archived(file)[:-1]) if "\\" in file else own


@lru_cache(maxsize=10_000)
def _split(folder: str) -> tuple[str, ...]:
    return tuple(folder.split("/"))


def pictures(
    tree: Tree, directory: Directory, below: int | None, labels: Mapping[str, str] = MappingProxyType({})
) -> Iterator[Picture]:
    """The pictures of a folder, with what its path and their names say.

    Args:
        tree: whose root the names are relative to.
        directory: the folder.
        below: how many of its meaningful folders lead to the subject: one more is the prompt, and then the file's
            name is the seed. None where the path says nothing of prompts.
        labels: what is known besides.
    """
    rest = () if below is None else directory.folders[below:]
    prompt = rest[0] if len(rest) == 1 else None
    common = {**directory.labels, **labels}
    method = common.pop("method", None)
    prompt = common.pop("prompt", prompt)
    for name in directory.names:
        own = stem(name)
        said = {**common, **file_labels(own)}
        seed = said.pop("seed", own if prompt is not None and len(rest) == 1 else None)
        one = Picture(Path(f"{tree.root}/{name}"), name, method, prompt, seed, said)
        yield tree.described(one) if tree.described else one
