"""The folder in which this process mirrors other places. It goes when the process ends, or when the next one begins."""

from __future__ import annotations

import atexit
import errno
import fcntl
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from nearid_cli.opening import UnfitFileError
from nearid_cli.owners import belongs_to_another
from nearid_cli.text import printable

_PREFIX = "nearid-mirror-"
_LOCK = ".in-use"
_making = threading.Lock()
_made: list[Path] = []


class FullError(OSError):
    """The disk takes no more where mirrors are; `strerror` says where that is."""


@contextmanager
def named() -> Iterator[None]:
    """Say of a disk that takes no more which one it is: who reads what lies elsewhere knows of no other file."""
    try:
        yield
    except (FullError, UnfitFileError):
        raise
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        raise FullError(
            error.errno, f"{error.strerror} in TMPDIR ({printable(tempfile.gettempdir())})"
        ) from error


@named()
def new_folder() -> Path:
    """An empty folder for a mirror."""
    with _making:
        if not _made:
            _made.append(_top())
        number = sum(1 for _ in _made[0].iterdir())
        folder = _made[0] / f"{number:04}"
        folder.mkdir()
        return folder


def free() -> int:
    """Bytes that the disk has left where mirrors are."""
    return shutil.disk_usage(_made[0] if _made else tempfile.gettempdir()).free


def _top() -> Path:
    # What a killed process left. Its lock went with it.
    for other in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(OSError):
            if belongs_to_another(other.lstat()) is None and not other.is_symlink():
                _remove_if_left(other)
    while True:
        top = Path(os.path.realpath(tempfile.mkdtemp(prefix=_PREFIX)))
        held = os.open(top / _LOCK, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(held, fcntl.LOCK_EX)
        if os.path.lexists(top / _LOCK):
            break
        os.close(held)  # another process took it for left before it was locked
    atexit.register(_remove, top, os.getpid())
    return top


def _remove_if_left(folder: Path) -> None:
    held = os.open(folder / _LOCK, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(held)


def _remove(folder: Path, process: int) -> None:
    if os.getpid() == process:  # and not one that was forked
        shutil.rmtree(folder, ignore_errors=True)
