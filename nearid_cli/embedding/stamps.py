"""What the time stamps of file systems are worth: whose clock sets them, and what that clock has passed already.

A file whose ctime is as it was has the same bytes, if two things hold.

1. *Every write moves the ctime, no program can set it, and an inode is one file.* So it is on the file systems that are
   in the tables below. It is not on FAT (no ctime), on SMB, 9P and FUSE (whatever the other side says), on images of
   disks (what the image says), or where each client stamps by a clock of its own (Ceph, Lustre). What is in no table
   is not trusted: its files are read each time.
2. *The clock has ticked since.* Two writes within one tick leave one ctime. So a file is trusted only if its ctime was
   `SETTLED` ago when its reading began, **by the clock that stamps it**: then any write during the reading or later
   has a later ctime. That clock need not be the one that a program is told:

   * Files of this machine are stamped by the kernel. A process may be told another time (libfaketime, a test), so the
     kernel is asked for a stamp: the ctime of a file in memory that is made for it.
   * Files of a server are stamped by the server, whose clock may be hours from ours. But it had come to the newest
     ctime that was seen there, and nobody needs to know how long ago that was.

What stands in for an object of a store (`elsewhere.py`) has no times. It is known by its address and its tag, which the
store changes with every version; where there is no tag it is not trusted.

What is left is a clock that is set back to the very tick of an earlier write, and writes through a memory mapping,
which move the ctime when they begin and not when they go on.
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys
import time
import zlib
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import BinaryIO, NamedTuple, TypeVar

from nearid_cli import elsewhere
from nearid_cli.opening import open_regular

SETTLED = 2 * 10**9
"""Nanoseconds. No file system in the tables counts in longer steps."""

_WAITS = (0, 0.1, 0.3, 1)  # seconds before each reading of a file that changes

T = TypeVar("T")


class FileState(NamedTuple):
    """What a file is known by."""

    path: bytes
    size: int
    mtime_ns: int
    ctime_ns: int
    device: int
    inode: int

    @property
    def is_object(self) -> bool:
        """Whether it is an object of a store whose tag tells versions apart."""
        return self.device == _TAGGED

    @classmethod
    def of(cls, path: str | os.PathLike[str], status: os.stat_result) -> FileState:
        """The state of `path` as `os.stat` or `os.fstat` saw it."""
        if (other := elsewhere.stand_in(path)) is not None:
            number = zlib.crc32(other.identity)  # few have the same, which is all that it is for
            return cls(other.identity, other.size, 0, 0, _TAGGED if other.tagged else _UNTAGGED, number)
        return cls(
            os.fsencode(os.path.abspath(path)),  # noqa: PTH100 - abspath is textual; resolve() would touch the disk
            status.st_size,
            status.st_mtime_ns,
            status.st_ctime_ns,
            status.st_dev,
            status.st_ino,
        )


_TAGGED, _UNTAGGED = 2**64 - 1, 2**64 - 2
"""In place of a device: objects whose tag tells versions apart, and others. No kernel has so many."""


class ChangingFileError(OSError):
    """A file was another one after each reading than before it."""


def read_steadily(
    path: Path, read: Callable[[BinaryIO], T], open_file: Callable[[Path], BinaryIO] = open_regular
) -> tuple[FileState, T]:
    """Read a file of which nothing changes meanwhile; where something does, read it again, a few times.

    Args:
        path: the file.
        read: what to make of it, opened at its start.
        open_file: opens it.

    Returns:
        The file's state, before and after, and what `read` gave.

    Raises:
        ChangingFileError: it keeps changing.
        OSError: it cannot be read; and whatever `read` and `open_file` raise.
    """
    for wait in _WAITS:
        if wait:  # to sleep for no time is to let another thread go first
            time.sleep(wait)
        with open_file(path) as file:
            before = FileState.of(path, os.fstat(file.fileno()))
            made = read(file)
            if FileState.of(path, os.fstat(file.fileno())) == before:
                return before, made
    raise ChangingFileError(
        errno.ETXTBSY, f"keeps changing: it was read {len(_WAITS)} times, and was changed each time", path
    )


class _Clock(Enum):
    """Whose clock sets a file's ctime."""

    KERNEL = "this machine's"
    SERVER = "one server's"
    UNKNOWN = "not known, or no clock's"


_LINUX = {  # by `f_type`, see statfs(2)
    0xEF53: _Clock.KERNEL,  # ext2, ext3, ext4
    0x58465342: _Clock.KERNEL,  # XFS
    0x9123683E: _Clock.KERNEL,  # Btrfs
    0x2FC12FC1: _Clock.KERNEL,  # ZFS
    0xCA451A4E: _Clock.KERNEL,  # bcachefs
    0xF2F52010: _Clock.KERNEL,  # F2FS
    0x01021994: _Clock.KERNEL,  # tmpfs
    0x794C7630: _Clock.KERNEL,  # overlay: of the layers, which are of the above
    0x6969: _Clock.SERVER,  # NFS
}
_MACOS = {b"apfs": _Clock.KERNEL, b"hfs": _Clock.KERNEL, b"nfs": _Clock.SERVER}  # by `f_fstypename`


class Stamps:
    """The time stamps of files, from now on.

    One is made before files are read, and whatever it says of clocks was true then.
    """

    def __init__(self) -> None:
        self._clocks = {_TAGGED: _Clock.KERNEL, _UNTAGGED: _Clock.UNKNOWN}
        self._newest: dict[int, int] = {}
        self._kernel = _kernel_time()

    def look(self, path: str | os.PathLike[str]) -> os.stat_result:
        """As `os.stat`, and as files are now: a client of NFS may answer that with what it knew a minute ago.

        Raises:
            OSError: there is no such file; for a file of a server, also: it is not regular, or cannot be opened.
        """
        status = os.stat(path)  # noqa: PTH116 - Path.stat is twice as slow
        if elsewhere.stand_in(path) is not None:
            return status
        if self._clock(path, status.st_dev) is _Clock.SERVER:
            with open_regular(path) as file:  # opening asks the server
                status = os.fstat(file.fileno())
            self._newest[status.st_dev] = max(self._newest.get(status.st_dev, 0), status.st_ctime_ns)
        return status

    def trusted(self, file: FileState) -> bool:
        """Whether equal stamps mean equal bytes, where the file lies."""
        return self._clock(file.path, file.device) is not _Clock.UNKNOWN

    def settled(self, file: FileState) -> bool:
        """Whether any write to a file since now moves its ctime."""
        clock = self._clock(file.path, file.device)
        if clock is _Clock.UNKNOWN:
            return False
        now = self._kernel if clock is _Clock.KERNEL else self._newest.get(file.device, 0)
        return now - file.ctime_ns > SETTLED

    def _clock(self, path: str | bytes | os.PathLike[str], device: int) -> _Clock:
        found = self._clocks.get(device)
        if found is None:
            found = self._clocks[device] = _clock_of(os.fsencode(path))
        return found


def _kernel_time() -> int:
    """The time by which the kernel stamps files, in nanoseconds; 0 if it cannot be had."""
    if not hasattr(os, "memfd_create"):
        return time.time_ns()
    try:
        file = os.memfd_create("nearid-time")
    except OSError:
        return 0
    try:
        return os.fstat(file).st_ctime_ns
    finally:
        os.close(file)


def _clock_of(path: bytes) -> _Clock:
    """Whose clock stamps a file. Asked of the file, because the list of mounts knows no subvolumes and no layers."""
    answer = ctypes.create_string_buffer(4096)  # larger than `struct statfs` of any system
    try:
        failed = ctypes.CDLL(None).statfs(path, answer)
    except (OSError, AttributeError, TypeError):  # a system without it
        return _Clock.UNKNOWN
    if failed:
        return _Clock.UNKNOWN
    if sys.platform == "darwin":
        return _MACOS.get(answer.raw[72:88].rstrip(b"\0"), _Clock.UNKNOWN)
    return _LINUX.get(ctypes.c_ulong.from_buffer(answer).value & 0xFFFFFFFF, _Clock.UNKNOWN)
