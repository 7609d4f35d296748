"""A cache in a folder, and whose parts in it are used.

A part is written aside under a temporary name, flushed to the disk and renamed to the BLAKE3 digest of its own bytes.
So it is there whole or not at all, two processes never write the same name with different bytes, and nobody ever edits
one. A part's name says that its bytes are whole, not who computed them: parts that other users wrote, or could have
changed, are used only where the user says so.
"""

from __future__ import annotations

import contextlib
import functools
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from nearid_cli.embedding.caution import Caution
from nearid_cli.embedding.storage import LARGEST_BYTES, OURS, PART, StoredPart, check
from nearid_cli.files import delete_named, make_folder, sweep_leftovers, write_whole
from nearid_cli.opening import open_regular, read_open, read_regular
from nearid_cli.owners import belongs_to_another
from nearid_cli.text import count, printable

if TYPE_CHECKING:
    from io import FileIO

_TRIES = 5  # to write into a folder that others delete


class Disk:
    """The storage of a cache in a folder.

    Args:
        folder: need not exist yet.
        caution: of the cache.
        trusted: use what other users put there.
    """

    at_once = 1

    def __init__(self, folder: Path, caution: Caution | None = None, trusted: bool = False) -> None:
        self.folder = folder
        self.name = str(folder)
        self.caution = caution or Caution(self.name)
        self._trusted = trusted

    def place(self, key: str) -> str:
        """Its path."""
        return str(self.folder / key)

    def folders(self, inside: str) -> list[str]:
        """As `Storage`; what else is there, such as what a file browser left, is none of ours."""
        folder = self.folder / inside
        try:
            return sorted(path.name for path in folder.iterdir() if path.is_dir())
        except FileNotFoundError:
            return []

    def listing(self, inside: str) -> list[StoredPart]:
        """As `Storage`."""
        found = []
        if not self._owns(inside):
            return []
        try:
            with os.scandir(self.folder / inside) as entries:
                for entry in entries:
                    if not PART.fullmatch(entry.name):
                        continue
                    part = StoredPart(f"{inside}/{entry.name}", 0, 0)
                    # Merged away, or not to be looked at: reading it tells.
                    with contextlib.suppress(OSError):
                        status = entry.stat()
                        if not self._takes(part, status):
                            continue
                        part = part._replace(size=status.st_size, written=status.st_mtime_ns)
                    found.append(part)
        except FileNotFoundError:
            return []
        return sorted(found, key=lambda part: (part.written, part.key))

    def open(self, part: StoredPart) -> FileIO | None:
        """As `Storage`."""
        path = self.folder / part.key
        file = open_regular(path, LARGEST_BYTES)
        try:
            if self._takes(part, os.fstat(file.fileno())):
                return file
        except BaseException:
            file.close()
            raise
        file.close()
        return None

    def read(self, part: StoredPart, *, itself: bool = False) -> bytes | None:
        """As `Storage`."""
        file = self.open(part)
        if file is None:
            return None
        with file:
            content = read_open(file, self.folder / part.key, LARGEST_BYTES)
        return check(content, part, self.place(part.key))

    def note(self, name: str, limit: int) -> bytes:
        """As `Storage`."""
        return read_regular(self.folder / name, limit)

    def add(self, key: str, content: bytes | memoryview) -> bool:
        """As `Storage`."""
        path = self.folder / key
        if not self._owns(key.rpartition("/")[0]):
            return False
        folder_mode, mode = self._modes
        for left in reversed(range(_TRIES)):
            try:
                make_folder(path.parent, folder_mode)
                write_whole(path, content, mode)
                break
            except FileNotFoundError:  # somebody clears the cache just now
                if not left:
                    raise
        return True

    def remove(self, part: StoredPart) -> None:
        """As `Storage`; or an empty folder in its place."""
        path = self.folder / part.key
        if path.is_dir() and not path.is_symlink():
            path.rmdir()
        else:
            path.unlink()

    def set_aside(self, part: StoredPart) -> None:
        """As `Storage`."""
        path = self.folder / part.key
        path.rename(path.with_name(path.name + ".damaged"))

    def clear(self, inside: str) -> tuple[int, list[str]]:
        """As `Storage`, with folders that are empty then."""
        return delete_named(self.folder / inside, OURS)

    def tidy(self, inside: str) -> None:
        """As `Storage`."""
        sweep_leftovers(self.folder / inside)

    @property
    def _modes(self) -> tuple[int, int]:
        """What new folders and files allow, less the umask: only where others are trusted, they may write, too."""
        return (0o777, 0o666) if self._trusted else (0o755, 0o644)

    def _owns(self, inside: str) -> bool:
        """Whether a folder is as the user and the system alone can have filled it; says so if not.

        Raises:
            OSError: it cannot be looked at.
        """
        if self._trusted:
            return True
        names = inside.split("/") if inside else []
        for depth in range(len(names) + 1):
            place = "/".join(names[:depth])
            try:
                reason = why_not_ours((self.folder / place).stat())
            except FileNotFoundError:  # the user will make it
                return True
            if reason:
                self._pass_over(place, reason)
                return False
        return True

    def _takes(self, part: StoredPart, status: os.stat_result) -> bool:
        """Whether a part is used, by whose it is; says so if not."""
        reason = None if self._trusted else why_not_ours(status)
        if reason:
            self._pass_over(part.key, reason)
        return reason is None

    def _pass_over(self, place: str, reason: str) -> None:
        others = sum(1 for _ in self._parts_of_others())
        # Of a cache that is yet to be filled, all parts will be.
        some = f"{count(others, 'part')} of " if others else ""
        self.caution.say(
            "others",
            f"{some}the cache {printable(self.name)} {'are' if others > 1 else 'is'} passed over: "
            f"{printable(place) or 'it'} {reason}, and whoever writes a part decides about numbers; use them with "
            "--trust-cache, or choose another cache with --cache DIR",
        )

    def _parts_of_others(self) -> Iterator[str]:
        """All parts that are not used, wherever they are in the cache."""
        foreign: dict[str, bool] = {}
        for folder, _, files in os.walk(self.folder):
            try:
                above = foreign.get(str(Path(folder).parent), False)
                foreign[folder] = above or why_not_ours(os.stat(folder)) is not None  # noqa: PTH116
                for name in files:
                    if PART.fullmatch(name) and (
                        foreign[folder] or why_not_ours(os.stat(os.path.join(folder, name)))  # noqa: PTH116, PTH118
                    ):
                        yield name
            except OSError:  # gone, or not to be looked at, and not used either
                continue


def why_not_ours(status: os.stat_result) -> str | None:
    """Why a file or folder may hold what another user put there; None where only the user and root can have.

    Where there are no users, everything is the user's own.
    """
    if not hasattr(os, "geteuid"):
        return None
    if reason := belongs_to_another(status):
        return reason
    if status.st_mode & stat.S_IWOTH or (status.st_mode & stat.S_IWGRP and not _private(status.st_gid)):
        return f"can be changed by other users (mode {stat.S_IMODE(status.st_mode):o})"
    return None


@functools.cache
def _private(group: int) -> bool:
    """Whether a group is the user's own, of the same name, as many systems make one for each user."""
    import grp
    import pwd

    try:
        found, user = grp.getgrgid(group), pwd.getpwuid(os.geteuid())
    except KeyError:
        return False
    return found.gr_name == user.pw_name and set(found.gr_mem) <= {user.pw_name}
