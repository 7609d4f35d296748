"""Folders that stand in for other places: what lies in them is fetched when it is opened, and shown under its address.

The names of a bucket's objects, or of an archive's members, are names of files in a folder, so that everything which
looks at names alone need not know of any of this. The files are empty until they are opened through `opening.py`. This
module only knows which folders these are; who makes them is `mirrors/`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from io import FileIO
from typing import NamedTuple, Protocol

Between = Callable[[int, int], bytes]
"""Reads the bytes of something from a place to another, as many as these are apart."""

FETCHING_THREADS = 16
"""As many files are fetched at once: waiting takes no core."""


class StandIn(NamedTuple):
    """What an empty file stands for.

    Attributes:
        identity: its address, and what changes with every version of it: a checksum, say.
        size: in bytes.
        tagged: whether `identity` tells versions apart.
    """

    identity: bytes
    size: int
    tagged: bool


class Parcel(Protocol):
    """What a file stands for, for another process: it pickles."""

    def unpack(self) -> None:
        """Make the file's path stand for it in this process, too."""


class Elsewhere(Protocol):
    """A folder that stands in for something."""

    folder: str
    shown: str

    def stand_in(self, path: str) -> StandIn | None:
        """What a file in it stands for; None for one that is itself."""

    def open(self, path: str, limit: int | None) -> FileIO:
        """Open what a file stands for; arguments and errors as for `opening.open_regular`."""

    def start(self, path: str, most: int) -> bytes:
        """Its first bytes."""

    def ranges(self, path: str) -> tuple[Between, int] | None:
        """How to read parts of what a file stands for, and its size; None where only all of it can be read."""

    def expect(self, path: str) -> None:
        """Say that files are about to be read: one, or those below a folder."""

    def parcel(self, path: str) -> Parcel:
        """What another process needs to open a file in it."""

    def look_into(self, folder: str) -> None:
        """Make the files right in a folder be those that are there now; for who knows the path of one of them."""


_PLACES: dict[str, Elsewhere] = {}


def known(folder: str) -> Elsewhere | None:
    """The place that a folder stands in for; None for any other folder."""
    return _PLACES.get(folder)


def parcels(paths: Iterable[str | os.PathLike[str]]) -> list[Parcel]:
    """What another process needs to open those of these files that stand for something else."""
    found = (place_of(path) for path in paths)
    return [one[0].parcel(one[1]) for one in found if one is not None]


def add(place: Elsewhere) -> None:
    """Make a folder stand in for a place, until this process ends."""
    _PLACES[place.folder] = place


def place_of(path: str | os.PathLike[str]) -> tuple[Elsewhere, str] | None:
    """The place whose folder a path lies in, and the path, absolute; None for a file that stands for nothing else."""
    if not _PLACES:
        return None
    try:
        absolute = os.path.abspath(path)  # noqa: PTH100 - textual: there are no links in such folders
    except ValueError:  # of a path that none can be
        return None
    for folder, place in _PLACES.items():
        if absolute.startswith(folder) and place.stand_in(absolute) is not None:
            return place, absolute
    return None


def look_into(folder: str) -> None:
    """Make the files right in a folder be those that are there now, where it stands in for one."""
    for top, place in _PLACES.items():
        if folder.startswith(top):
            place.look_into(folder)


def stand_in(path: str | os.PathLike[str]) -> StandIn | None:
    """What a file stands for; None for one that is itself."""
    found = place_of(path)
    return None if found is None else found[0].stand_in(found[1])


def version(path: str | os.PathLike[str]) -> tuple[object, ...]:
    """What is another one when a file changes, or what it stands for."""
    if (found := stand_in(path)) is not None:
        return (found.identity,)
    status = os.stat(path)  # noqa: PTH116 - which may be a text
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


def ranges(path: str | os.PathLike[str]) -> tuple[Between, int] | None:
    """How to read parts of what a file stands for, and its size; None where only all of it can be read."""
    found = place_of(path)
    return None if found is None else found[0].ranges(found[1])


def expect(path: str | os.PathLike[str]) -> None:
    """Say that files are about to be read: one, or those below a folder."""
    for folder, place in _PLACES.items():
        if os.fspath(path).startswith(folder):
            place.expect(os.fspath(path))


def shown(text: str) -> str:
    """A path, or a text with paths in it, as people know the places: with addresses in place of such folders."""
    for folder, place in _PLACES.items():
        if folder in text:
            text = text.replace(folder, place.shown)
    return text
