"""A cache under a URL: its parts are objects, and a copy of each that was used stays on this machine.

An object is there whole or not at all, and a part's name is the checksum of its bytes: whoever writes a name writes the
same. So a part is written under its own name at once, over one that is there as well, which mends it where it was
damaged; and a copy is as good as the part itself, for ever, whichever cache it came from.

Whose a part is a store does not tell. Who may write to it decides about numbers, and who names it trusts them.
"""

from __future__ import annotations

import contextlib
import datetime
import errno
import io
import logging
import os
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, TypeVar, cast

import blake3

from nearid_cli.embedding.storage import (
    LARGEST_BYTES,
    OURS,
    PART,
    PEEK_ABOVE,
    SUFFIX,
    DamagedPartError,
    StoredPart,
    check,
)
from nearid_cli.files import make_folder, write_whole
from nearid_cli.opening import UnfitFileError, open_regular, read_regular
from nearid_cli.remote.attempts import AbsentError, NoBucketError, RemoteError, patiently
from nearid_cli.remote.ranges import Ranges
from nearid_cli.remote.sending import put
from nearid_cli.remote.stores import locate_to_write
from nearid_cli.text import file_size

logger = logging.getLogger(__name__)

COPIES_BYTES = 8 * 2**30
"""What copies may take on this machine, of all caches together. Those that were not used for longest go first."""

_TRIM_BYTES = 2**28  # that are copied between two looks at how much there is
_REST = 10  # times as long as a store took to refuse, it is not asked again

T = TypeVar("T")


class Objects:
    """The storage of a cache under a URL.

    Args:
        url: need not hold anything yet, but its bucket must be there.
        copies: folder for copies of parts.

    Raises:
        UsageError: it is no URL that can be used.
    """

    at_once = 16

    def __init__(self, url: str, copies: Path) -> None:
        self._root = locate_to_write(url)
        self.name = self._root.url
        self._copies = copies
        self._copied: int | None = None
        self._rests_until = 0.0
        self._refusal = ""

    def place(self, key: str) -> str:
        """Its URL."""
        return f"{self.name}/{key}"

    def folders(self, inside: str) -> list[str]:
        """As `Storage`."""
        found = self._list(inside)
        return sorted(name for name, entry in found.items() if entry["type"] == "directory")

    def listing(self, inside: str) -> list[StoredPart]:
        """As `Storage`."""
        found = [
            StoredPart(f"{inside}/{name}", entry["size"] or 0, _written(entry))
            for name, entry in self._list(inside).items()
            if entry["type"] == "file" and PART.fullmatch(name)
        ]
        return sorted(found, key=lambda part: (part.written, part.key))

    def _list(self, inside: str) -> dict[str, Mapping[str, Any]]:
        files, path = self._root.files, self._path(inside)
        try:
            found = self._ask(lambda: files.ls(path, detail=True))
        except FileNotFoundError:
            return {}
        return {entry["name"].rstrip("/").rpartition("/")[2]: entry for entry in found}

    def open(self, part: StoredPart) -> BinaryIO:
        """As `Storage`: the copy, the whole of a small part, or ranges of a large one."""
        with contextlib.suppress(OSError):
            return open_regular(self._copy(part), LARGEST_BYTES)
        if part.size < PEEK_ABOVE:
            return io.BytesIO(self._fetch(part)[0])
        files, path = self._root.files, self._path(part.key)

        def between(start: int, end: int) -> bytes:
            return cast("bytes", self._ask(lambda: files.cat_file(path, start=start, end=end)))

        return io.BufferedReader(Ranges(between, part.size), 2**16)

    def read(self, part: StoredPart, *, itself: bool = False) -> bytes:
        """As `Storage`."""
        if not itself and (copied := self._read_copy(part)) is not None:
            return copied
        content, sound = self._fetch(part)
        return content if sound else check(content, part, self.place(part.key))

    def _read_copy(self, part: StoredPart) -> bytes | None:
        copy = self._copy(part)
        try:
            content = check(read_regular(copy, LARGEST_BYTES), part, str(copy))
            os.utime(copy)
        except DamagedPartError:
            with contextlib.suppress(OSError):
                copy.unlink()
        except OSError:  # most often there is none
            pass
        else:
            return content
        return None

    def _fetch(self, part: StoredPart) -> tuple[bytes, bool]:
        """The bytes of a part from the store, and whether they are what its name says."""
        if part.size > LARGEST_BYTES:
            words = f"has {file_size(part.size)}, and no more than {file_size(LARGEST_BYTES)} are read"
            raise UnfitFileError(errno.EFBIG, words, part.key)
        if not part.size:  # stores refuse to give a range of nothing
            return b"", False
        files, path = self._root.files, self._path(part.key)
        for _ in range(2):  # bytes that were lost on the way are no damage
            # With its end, or s3fs asks for that first.
            content = cast("bytes", self._ask(lambda: files.cat_file(path, start=0, end=part.size)))
            if blake3.blake3(content).hexdigest() == part.checksum:
                self._keep(part.name, content)
                return content, True
        return content, False

    def note(self, name: str, limit: int) -> bytes:
        """As `Storage`."""
        files, path = self._root.files, self._path(name)
        return cast("bytes", self._ask(lambda: files.cat_file(path, start=0, end=limit)))

    def add(self, key: str, content: bytes | memoryview) -> bool:
        """As `Storage`."""
        data = bytes(content)
        self._ask(lambda: put(self._root.below(key), data))
        if key.endswith(SUFFIX):
            self._keep(key.rpartition("/")[2], data)
        return True

    def remove(self, part: StoredPart) -> None:
        """As `Storage`, with its copy."""
        files, path = self._root.files, self._path(part.key)
        self._ask(lambda: files.rm_file(path))
        with contextlib.suppress(OSError):
            self._copy(part).unlink()

    def set_aside(self, part: StoredPart) -> None:
        """As `Storage`."""
        files, path = self._root.files, self._path(part.key)
        self._ask(lambda: files.cp_file(path, f"{path}.damaged"))
        self.remove(part)

    def clear(self, inside: str) -> tuple[int, list[str]]:
        """As `Storage`."""
        files, path = self._root.files, self._path(inside)
        try:
            found = self._ask(lambda: files.find(path, detail=True))
        except FileNotFoundError:
            return 0, []
        ours = [one for one in found if OURS.fullmatch(one[len(path) + 1 :])]
        for one in ours:  # not by `rm`, which takes names for patterns
            self._ask(partial(files.rm_file, one))
        left = [self.place(inside + one[len(path) :]) for one in sorted(set(found) - set(ours))]
        return sum(found[one].get("size") or 0 for one in ours), left

    def tidy(self, inside: str) -> None:
        """As `Storage`: nothing is ever left there. What was begun to be sent and did not arrive is no object."""

    def _path(self, key: str) -> str:
        return f"{self._root.path}/{key}"

    def _ask(self, work: Callable[[], T]) -> T:
        """What the store answers, or an OSError with why it does not, in words that are the same for all parts.

        A store that took long to refuse is left alone for longer: a run is not to wait for it again and again.
        """
        began = time.monotonic()
        if began < self._rests_until:
            raise OSError(errno.EIO, self._refusal)
        try:
            return patiently(self.name, work)
        except NoBucketError as error:
            raise OSError(errno.ENODEV, error.message) from error
        except AbsentError as error:
            raise FileNotFoundError(errno.ENOENT, error.message) from error
        except RemoteError as error:
            self._refusal = error.message
            self._rests_until = time.monotonic() + _REST * (time.monotonic() - began)
            raise OSError(errno.EIO, error.message) from error

    def _copy(self, part: StoredPart) -> Path:
        return self._copies / part.name

    def _keep(self, name: str, content: bytes) -> None:
        """Keep a copy, which is no more than a convenience."""
        try:
            make_folder(self._copies)
            write_whole(self._copies / name, content)
        except OSError as error:
            logger.debug("no copy of a part of %s is kept: %s", self.name, error)
            return
        if self._copied is None or self._copied + len(content) > _TRIM_BYTES:
            self._copied = 0
            self._trim()
        self._copied += len(content)

    def _trim(self) -> None:
        """Delete the copies that were not used for longest, where all take too much room."""
        kept = []
        with contextlib.suppress(OSError), os.scandir(self._copies) as entries:
            for entry in entries:
                if not PART.fullmatch(entry.name):
                    continue
                with contextlib.suppress(OSError):  # gone
                    status = entry.stat()
                    kept.append((status.st_mtime_ns, status.st_size, entry.path))
        room = sum(size for _, size, _ in kept) - COPIES_BYTES
        for _, size, path in sorted(kept):
            if room <= 0:
                break
            with contextlib.suppress(OSError):
                Path(path).unlink()
                room -= size


def _written(entry: Mapping[str, Any]) -> int:
    """When an object was written, in nanoseconds since 1970; 0 where its store does not say."""
    for key in ("LastModified", "last_modified", "mtime", "updated", "created"):
        when = entry.get(key)
        if isinstance(when, str):
            with contextlib.suppress(ValueError):
                when = datetime.datetime.fromisoformat(when)
        if isinstance(when, datetime.datetime):
            return int(when.timestamp() * 1e9)
        if isinstance(when, (int, float)):
            return int(when * 1e9)
    return 0
