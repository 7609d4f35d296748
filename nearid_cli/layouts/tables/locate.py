"""Finding the files that a table names: one file, however its path is spelled."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from functools import cache
from pathlib import Path, PurePosixPath
from typing import NamedTuple
from urllib.parse import unquote

from nearid_cli.elsewhere import look_into
from nearid_cli.layouts.names import composed
from nearid_cli.layouts.reach import WITHIN, Reach, real_path, shown_path
from nearid_cli.mirrors.find import beside
from nearid_cli.remote.stores import in_a_store
from nearid_cli.text import printable


class Place(NamedTuple):
    """A file that was found.

    Attributes:
        name: its path relative to the folder where it is written so, else absolute; with `/`.
        key: the same for every spelling of its path. A link is a file of its own, as a copy would be.
    """

    name: str
    key: str


class NoPictureError(Exception):
    """A path that leads to no picture, and why."""


class OutsideError(NoPictureError):
    """A path that leads to where those of a table may not."""


class Locator:
    """Finds the files that a table names.

    Args:
        folder: that of the table, from which its paths count.
        reach: where paths may lead besides.
    """

    def __init__(self, folder: Path, reach: Reach = WITHIN) -> None:
        self.folder = folder
        self._reach = reach.including(folder)
        self._top = os.fspath(folder)
        self._real = cache(real_path)
        self._looked: set[str] = set()
        self._entries: dict[str, list[str]] = {}
        self._seen: dict[int, str] = {}  # by hash, since there may be a million

    def find(self, written: str) -> Place:
        r"""The file at a path.

        It is looked for exactly as written first; then without white space around it, as a `file:` address, with
        `~` for the home folder, with `/` for `\`; and then each of these in other Unicode forms. A dead link is a
        file: who reads it reports it.

        Raises:
            NoPictureError: nothing is there, or it is no file.
            OutsideError: it may not be looked at, whatever is there.
        """
        status = self._status(written)
        name = written
        if status is None and (url := _url(written)):
            return self._at_url(url)
        if status is None:
            name = self._spelled(written)
            status = self._status(name)
        full = self._full(name or written.strip())
        self._check_reach(written, full, status)
        if status is None:
            raise NoPictureError(f"{shown_path(written)} {self._why_not(written.strip())}")
        mode = status.st_mode
        if stat.S_ISLNK(mode) and os.path.exists(full):  # noqa: PTH110 - raw strings are fast
            mode = os.stat(full).st_mode  # noqa: PTH116
        if stat.S_ISDIR(mode):
            raise NoPictureError(f"{shown_path(name)} is a folder")
        if not (stat.S_ISREG(mode) or stat.S_ISLNK(mode)):
            raise NoPictureError(f"{shown_path(name)} is not a regular file")
        if "//" in name or "./" in name:
            name = PurePosixPath(name).as_posix()
        return Place(name.replace(os.sep, "/"), self._key(full, status))

    def _at_url(self, url: str) -> Place:
        """The object at a URL."""
        if not in_a_store(url):
            raise NoPictureError(
                f"{shown_path(url)} is an address: download it first, and write the file's path"
            )
        path = os.fspath(beside(self.folder, url))
        status = self._status(path)
        if not self._reach.names(path):
            raise OutsideError(f"{shown_path(url)} is an address outside of the table's folder")
        if status is None or not stat.S_ISREG(status.st_mode):
            raise NoPictureError(f"{shown_path(url)} does not exist")
        return Place(url, path)

    def _check_reach(self, written: str, full: str, status: os.stat_result | None) -> None:
        """Raise OutsideError for a path that leads to where it may not, whatever is there."""
        head, name = os.path.split(full)
        if status is None or name in ("", ".", "..") or stat.S_ISLNK(status.st_mode):
            real = real_path(full)
        else:
            real = os.path.join(self._real(head or "."), name)  # noqa: PTH118
        if not self._reach.names(real):
            lies = "lies" if real == os.path.normpath(full) else f"leads to {shown_path(real)}, which lies"
            raise OutsideError(
                f"{shown_path(written)} {lies} outside of the table's folder and of the current folder"
            )

    def _full(self, name: str) -> str:
        return os.path.join(self._top, name)  # noqa: PTH118

    def _status(self, name: str) -> os.stat_result | None:
        """What is at a path; None for nothing."""
        try:
            if name:
                self._look(os.path.dirname(self._full(name)))  # noqa: PTH120
            return os.lstat(self._full(name)) if name else None
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            self._check_reach(name, self._full(name), None)
            raise NoPictureError(f"{shown_path(name)} cannot be read ({error.strerror})") from error
        except ValueError as error:
            why = "a zero byte" if "\0" in name else "half a character"
            raise NoPictureError(f"{shown_path(name)} holds {why}, as no path does") from error

    def _look(self, folder: str) -> None:
        """List a folder that stands in for one of a store, once for each table."""
        if folder not in self._looked:
            self._looked.add(folder)
            look_into(os.path.abspath(folder))  # noqa: PTH100

    def _spelled(self, written: str) -> str:
        """Another spelling of a path under which something is there; nothing where there is none."""
        spellings = list(dict.fromkeys(_spellings(written)))
        for name in spellings:
            if name != written and self._status(name) is not None:
                return name
        for name in spellings:
            if not name.isascii() and (found := self._in_other_form(name)):
                return found
        return ""

    def _in_other_form(self, name: str) -> str | None:
        """The path on disk that differs in its Unicode form only; None where there is none, or several."""
        root, parts = ("/", name[1:]) if name.startswith("/") else ("", name)
        found = root
        for part in parts.split("/"):
            if self._status(found + part) is None and part:
                same = [one for one in self._listed(found) if composed(one) == composed(part)]
                if len(same) != 1:
                    return None
                part = same[0]
            found += part + "/"
        return found[:-1]

    def _listed(self, folder: str) -> list[str]:
        if folder not in self._entries:
            try:
                self._entries[folder] = os.listdir(self._full(folder) or ".")  # noqa: PTH208
            except OSError:
                self._entries[folder] = []
        return self._entries[folder]

    def _why_not(self, name: str) -> str:
        head, slash, tail = name.rpartition("/")
        near = [one for one in self._listed(head + slash) if one.casefold() == tail.casefold()]
        return f"does not exist; did you mean {printable(near[0])}?" if near else "does not exist"

    def _key(self, full: str, status: os.stat_result) -> str:
        head, name = os.path.split(full)
        key = os.path.join(self._real(head or "."), name)  # noqa: PTH118
        # Two spellings that differ in case or Unicode form are one file where the disk takes them for one: a file
        # with one name has a number of its own.
        folded = composed(key).casefold()
        first = self._seen.setdefault(hash(folded), key)
        if first != key and status.st_nlink == 1 and os.path.samestat(os.lstat(first), status):
            return first
        return key


def _url(written: str) -> str | None:
    """The URL that a path is; None for a path, and for one of this machine's files as an address."""
    url = written.strip()
    return url if "://" in url and not url.lower().startswith("file:") else None


def _spellings(written: str) -> Iterator[str]:
    name = written.strip()
    yield name
    if name.lower().startswith("file:"):
        path = name[5:]
        if path.startswith("//"):  # the host's name comes first, most often none
            path = "/" + path[2:].partition("/")[2]
        yield unquote(path, errors="surrogateescape")
    if name.startswith("~"):
        yield os.path.expanduser(name)  # noqa: PTH111
    if "\\" in name:
        yield name.replace("\\", "/")
