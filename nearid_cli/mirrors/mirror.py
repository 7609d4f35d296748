"""A folder of names whose files are fetched when they are opened."""

from __future__ import annotations

import errno
import os
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import IO, Protocol

from nearid_cli import elsewhere
from nearid_cli.elsewhere import FETCHING_THREADS, Between, StandIn
from nearid_cli.errors import InputError
from nearid_cli.mirrors import room
from nearid_cli.opening import UnfitFileError, too_large
from nearid_cli.remote.attempts import AbsentError, ArchivedError, ChangedError, DeniedError
from nearid_cli.text import count, printable

LARGEST = 2**30
"""Bytes of a file that is read, where who reads it says nothing else; as of a picture on disk."""

_LONGEST_NAME, _LONGEST_PATH = 255, 3500  # bytes
_SMALL_TEXT = 2**16  # bytes; prompts beside pictures are fetched all together, since all are read
_LOCKS = 64


class Source(Protocol):
    """What a mirror's files come from. It pickles.

    `key` is what the source knows a file by.
    """

    def identity(self, key: object) -> tuple[bytes, bool]:
        """The address and tag of what lies at a key, and whether there is a tag."""

    def read(self, key: object, target: IO[bytes]) -> None:
        """Write all of it; raises RemoteError or OSError."""

    def start(self, key: object, most: int) -> bytes:
        """Its first bytes; raises the same."""

    def ranges(self, key: object) -> Between | None:
        """How to read parts of it; None where only all of it can be read. What it gives raises RemoteError."""
        return None

    def expect(self, keys: Sequence[object]) -> None:
        """What lies at keys is about to be read."""
        return


@dataclass(frozen=True, slots=True)
class MirroredFile:
    """A file of a mirror: where its content is, and of how many bytes."""

    source: Source
    key: object
    size: int


_SOURCES: dict[tuple[object, ...], Source] = {}
"""Those of other processes."""


def made_again(
    kind: Callable[..., Source],
    arguments: tuple[Hashable, ...],
    files: Sequence[Path],
    parcels: Sequence[elsewhere.Parcel],
) -> Source:
    """A source as another process has it, opened once for all that comes from it.

    Args:
        kind: its class.
        arguments: what it is made of.
        files: what it opens.
        parcels: those of these files that stand for something else.
    """
    for parcel in parcels:
        parcel.unpack()
    key = kind, arguments, *map(elsewhere.version, files)
    if key not in _SOURCES:
        _SOURCES[key] = kind(*arguments)
    return _SOURCES[key]


class Mirror:
    """A folder that stands in for a place; see `elsewhere.Elsewhere`.

    Args:
        shown: what people know the folder as.
        name: of the folder; empty for any.
        look: lists the files right in one of its folders, which is given as `items` have names, for `replace`.
    """

    def __init__(
        self,
        shown: str,
        name: str = "",
        look: Callable[[str], Iterable[tuple[str, MirroredFile]]] | None = None,
    ) -> None:
        self._look = look
        self.folder = str(room.new_folder() / name)
        self.shown = shown
        with room.named():
            os.makedirs(self.folder, exist_ok=True)  # noqa: PTH103
        self._items: dict[str, MirroredFile] = {}
        self._lock = threading.Lock()
        self._locks = [threading.Lock() for _ in range(_LOCKS)]
        self._fetched: OrderedDict[str, int] = OrderedDict()
        self._kept = 0
        self._room = room.free() // 3
        self._texts_tried = False
        elsewhere.add(self)

    @room.named()
    def replace(
        self, below: str, items: Iterable[tuple[str, MirroredFile]], what: str, *, deep: bool = True
    ) -> None:
        """Make the files below a folder be these.

        Args:
            below: the folder, relative to that of the mirror, without `/` at its end; empty for all of it.
            items: names relative to the mirror's folder, with `/`.
            what: the place, for messages.
            deep: also those in its subfolders.

        Raises:
            InputError: names are none that a file can have; all are listed.
        """
        new = dict(items)
        refuse_names(new, what)
        start = f"{self.folder}/{below}" if below else self.folder
        inside = f"{start}/"
        old = [
            path
            for path in self._items
            if path == start or (path.startswith(inside) and (deep or "/" not in path[len(inside) :]))
        ]
        with self._lock:
            for path in old:
                if self._items[path] != new.get(path[len(self.folder) + 1 :]):
                    self._forget(path)
            made: set[str] = set()
            for name, item in new.items():
                path = f"{self.folder}/{name}"
                if path in self._items:
                    continue
                folder = path.rpartition("/")[0]
                if folder not in made:
                    os.makedirs(folder, exist_ok=True)  # noqa: PTH103
                    made.add(folder)
                _empty(path)
                self._items[path] = item

    @room.named()
    def write(self, name: str, content: bytes) -> None:
        """Put a file beside the others that stands for nothing else."""
        Path(self.folder, name).write_bytes(content)

    def _forget(self, path: str) -> None:
        del self._items[path]
        self._kept -= self._fetched.pop(path, 0)
        os.unlink(path)  # noqa: PTH108

    def stand_in(self, path: str) -> StandIn | None:
        """See `elsewhere.Elsewhere`."""
        item = self._items.get(path)
        return None if item is None else StandIn(*_identity(item))

    def open(self, path: str, limit: int | None) -> FileIO:
        """See `elsewhere.Elsewhere`."""
        item = self._items[path]
        _check_size(path, item, limit)
        with self._locks[hash(path) % _LOCKS]:
            with self._lock:
                if path in self._fetched:
                    self._fetched.move_to_end(path)
                    return _opened(path)
            self._fetch(path, item)
            return _opened(path)

    def start(self, path: str, most: int) -> bytes:
        """See `elsewhere.Elsewhere`."""
        item = self._items[path]
        if path.lower().endswith(".txt") and item.size <= _SMALL_TEXT:
            self._fetch_texts()
        if item.size <= most or path in self._fetched:
            with self.open(path, None) as file:
                return file.read(most)
        with _refused(path):
            return item.source.start(item.key, most)

    def ranges(self, path: str) -> tuple[Between, int] | None:
        """See `elsewhere.Elsewhere`."""
        return _ranges(self._items[path])

    def expect(self, path: str) -> None:
        """See `elsewhere.Elsewhere`."""
        inside = f"{path}/"
        found: dict[Source, list[object]] = {}
        for one, item in self._items.items():
            if one == path or one.startswith(inside):
                found.setdefault(item.source, []).append(item.key)
        for source, keys in found.items():
            source.expect(keys)

    def parcel(self, path: str) -> elsewhere.Parcel:
        """See `elsewhere.Elsewhere`."""
        return _Parcel(self.folder, self.shown, path, self._items[path])

    def look_into(self, folder: str) -> None:
        """See `elsewhere.Elsewhere`."""
        if self._look is not None and (below := folder[len(self.folder) + 1 :]):
            self.replace(below, self._look(below), f"{self.shown}/{below}", deep=False)

    def _fetch_texts(self) -> None:
        """Fetch all small texts at once, when the first one is read."""
        with self._lock:
            if self._texts_tried:
                return
            self._texts_tried = True
            texts = [
                path
                for path, item in self._items.items()
                if path.lower().endswith(".txt") and item.size <= _SMALL_TEXT
            ]

        def fetch(path: str) -> None:
            try:
                self.open(path, None).close()
            except OSError:
                return  # said of the file when it is read

        with ThreadPoolExecutor(FETCHING_THREADS) as pool:
            for _ in pool.map(fetch, texts):
                pass

    @room.named()
    def _fetch(self, path: str, item: MirroredFile) -> None:
        """Put the content in the place of the empty file."""
        aside = f"{self.folder}.part-{threading.get_ident()}"
        try:
            with _refused(path), open(aside, "wb") as file:  # noqa: PTH123
                item.source.read(item.key, file)
            with self._lock:
                os.replace(aside, path)  # noqa: PTH105
                self._fetched[path] = item.size
                self._kept += item.size
                self._make_room(but=path)
        finally:
            if os.path.exists(aside):  # noqa: PTH110
                os.unlink(aside)  # noqa: PTH108

    def _make_room(self, but: str) -> None:
        """Let go of what was opened longest ago. Who has it open keeps it."""
        while self._kept > self._room and len(self._fetched) > 1:
            oldest, size = next(iter(self._fetched.items()))
            if oldest == but:
                return
            del self._fetched[oldest]
            self._kept -= size
            os.unlink(oldest)  # noqa: PTH108
            _empty(oldest)


@dataclass(frozen=True)
class _Parcel:
    """See `elsewhere.Parcel`."""

    folder: str
    shown: str
    path: str
    file: MirroredFile

    def unpack(self) -> None:
        """See `elsewhere.Parcel`."""
        place = elsewhere.known(self.folder)
        if place is None:
            place = Visited(self.folder, self.shown)
            elsewhere.add(place)
        if isinstance(place, Visited):
            place.files[self.path] = self.file


class Visited:
    """The mirror of another process, which may be on another machine: nothing is kept. See `elsewhere.Elsewhere`."""

    def __init__(self, folder: str, shown: str) -> None:
        self.folder = folder
        self.shown = shown
        self.files: dict[str, MirroredFile] = {}

    def stand_in(self, path: str) -> StandIn | None:
        """See `elsewhere.Elsewhere`."""
        file = self.files.get(path)
        return None if file is None else StandIn(*_identity(file))

    def open(self, path: str, limit: int | None) -> FileIO:
        """See `elsewhere.Elsewhere`."""
        file = self.files[path]
        _check_size(path, file, limit)
        return self._fetched(path, file)

    @room.named()
    def _fetched(self, path: str, file: MirroredFile) -> FileIO:
        opened = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - for who asks
        try:
            with _refused(path):
                file.source.read(file.key, opened)
            opened.seek(0)
        except BaseException:
            opened.close()
            raise
        return opened

    def start(self, path: str, most: int) -> bytes:
        """See `elsewhere.Elsewhere`."""
        with _refused(path):
            return self.files[path].source.start(self.files[path].key, most)

    def ranges(self, path: str) -> tuple[Between, int] | None:
        """See `elsewhere.Elsewhere`."""
        return _ranges(self.files[path])

    def expect(self, path: str) -> None:
        """See `elsewhere.Elsewhere`: of what is to be read this process knows file by file."""

    def parcel(self, path: str) -> elsewhere.Parcel:
        """See `elsewhere.Elsewhere`."""
        return _Parcel(self.folder, self.shown, path, self.files[path])

    def look_into(self, folder: str) -> None:
        """See `elsewhere.Elsewhere`: what is there was found by the other process."""


def _identity(file: MirroredFile) -> tuple[bytes, int, bool]:
    address, tagged = file.source.identity(file.key)
    return address, file.size, tagged


def _ranges(file: MirroredFile) -> tuple[Between, int] | None:
    between = file.source.ranges(file.key)
    return None if between is None else (between, file.size)


def _check_size(path: str, file: MirroredFile, limit: int | None) -> None:
    most = LARGEST if limit is None else limit
    if file.size > most:
        raise too_large(path, file.size, most)


def _opened(path: str) -> FileIO:
    return os.fdopen(os.open(path, os.O_RDONLY | os.O_CLOEXEC), "rb", buffering=0)


def _empty(path: str) -> None:
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


@contextmanager
def _refused(path: str) -> Iterator[None]:
    """What a store says of one object is said of its file, and the run goes on with the others."""
    try:
        yield
    except AbsentError as error:
        raise UnfitFileError(errno.ENOENT, "is not there any more", path) from error
    except ChangedError as error:
        raise UnfitFileError(errno.EINVAL, "was replaced after it was listed; run again", path) from error
    except DeniedError as error:
        raise UnfitFileError(errno.EACCES, "access is denied", path) from error
    except ArchivedError as error:
        raise UnfitFileError(errno.EACCES, "is archived: have its store restore it first", path) from error


def refuse_names(names: Iterable[str], what: str) -> None:
    """Raise InputError, with all of them, for names that no file can have, or not beside the others."""
    names = list(names)
    wrong = [f"{printable(name)}: {why}" for name in names if (why := why_no_name(name))]
    if not wrong:
        files = set(names)
        wrong = [f"{printable(name)}: other names go on below it" for name in _folders_too(files)]
    if wrong:
        raise InputError(
            f"{count(len(wrong), 'name')} below {printable(what)} {'is' if len(wrong) == 1 else 'are'} none that files "
            "can have; rename them, or give a prefix without them",
            wrong[:20] + ([f"and {len(wrong) - 20:,} more"] if len(wrong) > 20 else []),
        )


def why_no_name(name: str) -> str:
    """Why no file can have a name, with `/`; empty for one that a file can have."""
    parts = name.split("/")
    if "" in parts:
        return "a part of it is empty"
    if "." in parts or ".." in parts:
        return "a part of it is . or .."
    if "\0" in name:
        return "it holds a zero byte"
    try:
        sizes = [len(part.encode("utf-8", "surrogateescape")) for part in parts]
    except UnicodeEncodeError:
        return "it holds half a character"
    if max(sizes) > _LONGEST_NAME:
        return f"a part of it has more than {_LONGEST_NAME} bytes"
    return f"it has more than {_LONGEST_PATH:,} bytes" if sum(sizes) + len(sizes) > _LONGEST_PATH else ""


def _folders_too(files: set[str]) -> Iterator[str]:
    """Files that lie where others have a folder."""
    folders = set()
    for name in files:
        folder = name.rpartition("/")[0]
        while folder and folder not in folders:
            folders.add(folder)
            folder = folder.rpartition("/")[0]
    yield from sorted(files & folders)
