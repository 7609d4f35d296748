"""Opening files that anybody may have made: regular files only, no larger than expected; and JSON and TOML in them.

A name on disk may be a pipe that never answers, a device that never ends, a link into /proc, or a file of terabytes.
All reading of files from outside goes through here, so that none of these is ever opened, and none is read whole.
"""

from __future__ import annotations

import errno
import functools
import json
import os
import re
import stat
from io import FileIO
from pathlib import Path
from typing import Any

from nearid_cli import elsewhere
from nearid_cli.text import file_size, printable

TEXT_BYTES = 64 * 2**20
"""More than any configuration, model card or manifest of people has."""

_TRANSIENT = frozenset({
    errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS, errno.EAGAIN, errno.EINTR, errno.EBUSY, errno.EIO,
    errno.EREMOTEIO, errno.ESTALE, errno.ETIMEDOUT, errno.ENETDOWN, errno.ENETUNREACH, errno.EHOSTDOWN,
    errno.ECONNRESET, errno.ENOSPC, errno.EDQUOT, errno.EFBIG,
})  # fmt: skip


_TOML_BYTES = 2**20
_LONG_KEY = re.compile(rb"""(?<![\w."'-])(?:(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){100}""")
"""The parser takes minutes for keys of a hundred thousand parts."""


class UnfitFileError(OSError):
    """What a path names is no regular file, or a larger one than is read; `strerror` says which."""


class MalformedError(ValueError):
    """A file's content is not what its format asks for. The message says why, on one line, and quotes none of it."""


def is_transient(error: BaseException) -> bool:
    """Whether an error says something of the machine at this moment, not of the file.

    >>> is_transient(OSError(errno.EMFILE, "Too many open files")), is_transient(PermissionError(errno.EACCES, ""))
    (True, False)
    """
    # A file that is too large to be read has the number of one that must not become larger.
    if isinstance(error, UnfitFileError):
        return False
    return isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno in _TRANSIENT)


def expanded(path: str | os.PathLike[str]) -> Path:
    """A path with the user's folder in the place of `~`; that of a user who does not exist is a name like any other.

    >>> str(expanded("~nobody-here/x"))
    '~nobody-here/x'
    """
    try:
        return Path(os.path.expanduser(path))  # noqa: PTH111 - Path's raises where there is no such user
    except ValueError:  # of a user whose name none can have
        return Path(path)


def real_path(path: str | os.PathLike[str]) -> Path:
    """Where a path leads, absolute; links that lead in a circle, and what is no name, stay as they are."""
    try:
        return Path(os.path.realpath(path))
    except ValueError:
        return Path(os.path.abspath(path))  # noqa: PTH100 - resolve() fails likewise


def open_regular(path: str | os.PathLike[str], limit: int | None = None) -> FileIO:
    """Open a regular file for reading, at its start and without a buffer of Python's.

    Args:
        path: the file, or a link to one.
        limit: a file of more bytes than this is refused; None for any.

    Raises:
        UnfitFileError: it is something else than a regular file, or too large.
        OSError: it cannot be opened.
    """
    if (place := elsewhere.place_of(path)) is not None:
        return place[0].open(place[1], limit)
    # Looked at before it is opened, because opening a pipe waits and opening a device may do something; and again
    # after, because it may have been swapped in between.
    try:
        status = os.stat(path)  # noqa: PTH116 - Path.stat is twice as slow
    except ValueError as error:  # of NUL, or letters that no name has
        raise UnfitFileError(errno.EINVAL, "is no name that a file can have", printable(path)) from error
    _check(status, path, limit)
    file = os.fdopen(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb", buffering=0)
    try:
        _check(os.fstat(file.fileno()), path, limit)
    except BaseException:
        file.close()
        raise
    return file


def read_regular(path: str | os.PathLike[str], limit: int = TEXT_BYTES) -> bytes:
    """The bytes of a regular file, at most `limit`.

    Raises:
        UnfitFileError, OSError: as `open_regular`.
    """
    with open_regular(path, limit) as file:
        return read_open(file, path, limit)


def read_start(path: str | os.PathLike[str], most: int) -> bytes:
    """The first bytes of a regular file of any size.

    Raises:
        UnfitFileError, OSError: as `open_regular`.
    """
    if (place := elsewhere.place_of(path)) is not None:
        return place[0].start(place[1], most)
    with open_regular(path) as file:
        return file.read(most)


def read_open(file: FileIO, path: str | os.PathLike[str], limit: int = TEXT_BYTES) -> bytes:
    """The bytes of a file that `open_regular` opened, at most `limit`; for who looks at it while it is open.

    Raises:
        UnfitFileError: it has grown larger.
        OSError: it cannot be read.
    """
    parts = []
    left = limit + 1  # it may grow while it is read
    at_once = os.fstat(file.fileno()).st_size + 1  # most often all of it, which then is in memory once
    while left and (part := file.read(min(left, at_once))):
        parts.append(part)
        left -= len(part)
        at_once = 2**20
    if not left:
        raise too_large(path, limit + 1, limit)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def check_regular(status: os.stat_result, path: str | os.PathLike[str]) -> None:
    """Raise UnfitFileError, with the reason, unless a path names a regular file that lies on a disk."""
    if not stat.S_ISREG(status.st_mode):
        what = "is a directory" if stat.S_ISDIR(status.st_mode) else "is not a regular file"
        raise UnfitFileError(errno.EISDIR if stat.S_ISDIR(status.st_mode) else errno.EINVAL, what, path)
    if status.st_dev in _of_the_kernel():
        raise UnfitFileError(errno.EINVAL, "is not a regular file but one of the kernel's", path)


def _check(status: os.stat_result, path: str | os.PathLike[str], limit: int | None) -> None:
    check_regular(status, path)
    if limit is not None and status.st_size > limit:
        raise too_large(path, status.st_size, limit)


def too_large(path: str | os.PathLike[str], size: int, limit: int) -> UnfitFileError:
    """Why a file is not read."""
    return UnfitFileError(
        errno.EFBIG, f"has {file_size(size)}, and no more than {file_size(limit)} are read", path
    )


@functools.cache
def _of_the_kernel() -> frozenset[int]:
    """The devices of file systems whose files are made as they are read: their sizes say nothing."""
    mounts = [Path("/proc"), Path("/sys")]
    return frozenset(mount.stat().st_dev for mount in mounts if mount.is_mount())


def read_json(path: str | os.PathLike[str], limit: int = TEXT_BYTES, **options: Any) -> Any:
    """What a JSON file says.

    Args:
        path: the file.
        limit: as for `read_regular`.
        options: for `json.loads`.

    Raises:
        UnfitFileError, OSError: it cannot be read.
        MalformedError: it is not JSON that Python can hold.
    """
    return parse_json(read_regular(path, limit), **options)


def parse_json(content: bytes | str, **options: Any) -> Any:
    """What JSON says; arguments and errors as for `read_json`.

    >>> parse_json(b"[" * 100_000)
    Traceback (most recent call last):
    nearid_cli.opening.MalformedError: it is nested too deeply
    """
    try:
        return json.loads(content, **options)
    except MalformedError:  # of a hook
        raise
    except json.JSONDecodeError as error:
        raise MalformedError(
            f"it is not JSON: {error.msg} (line {error.lineno}, column {error.colno})"
        ) from error
    except (ValueError, RecursionError, OverflowError) as error:
        raise MalformedError(_why(error, "JSON")) from error


def as_json(value: Any) -> str:
    """A value as who wrote it in JSON knows it."""
    return json.dumps(value, ensure_ascii=False)


def parse_toml(content: bytes) -> dict[str, Any]:
    """What TOML says.

    Raises:
        MalformedError: it is not TOML that Python can hold.

    >>> parse_toml(b"a = 1")
    {'a': 1}
    """
    import tomllib  # of interest where there is a configuration

    if len(content) > _TOML_BYTES:
        raise MalformedError(
            f"it has {file_size(len(content))}, and no more than {file_size(_TOML_BYTES)} of TOML are read"
        )
    if _LONG_KEY.search(content):
        raise MalformedError("it is nested too deeply")
    try:
        return tomllib.loads(content.decode())
    except tomllib.TOMLDecodeError as error:
        raise MalformedError(f"it is not TOML: {printable(str(error))}") from error
    except (ValueError, RecursionError, OverflowError) as error:
        raise MalformedError(_why(error, "TOML")) from error


def _why(error: Exception, kind: str) -> str:
    """Why text of any format could not be read, apart from its grammar."""
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, UnicodeDecodeError):
        return f"it is not UTF-8 text (at byte {error.start:,})"
    return f"it is not {kind} that can be read: a number in it is too long"  # of thousands of digits
