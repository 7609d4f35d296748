"""Files and folders: writing them whole or not at all, their digests, and where the cache is."""

from __future__ import annotations

import errno
import os
import re
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, BinaryIO, NoReturn

from nearid_cli.errors import InputError
from nearid_cli.opening import expanded, open_regular, real_path
from nearid_cli.remote.stores import url_of
from nearid_cli.text import printable

if TYPE_CHECKING:
    from blake3 import blake3

_PROCESS = os.getpid()
_ASIDE = re.compile(r"\.[0-9a-f]{32}\.tmp")
# Between its making and its lock a file that is written looks like one that was left.
_UNLOCKED_SECONDS = 2.0
_BLOCK = 2**22
_FLUSHES = 16
"""Files that are flushed at a time: a file system's journal takes many at once in about the time of one."""


def name_aside(path: Path) -> Path:
    """A free name beside `path` for what is to take its place. A short one: the own may be as long as names can be."""
    return path.with_name(f".{uuid.uuid4().hex}.tmp")


@contextmanager
def in_use(aside: Path) -> Iterator[None]:
    """Keep a file or folder that is there by `name_aside` from being swept, until the block or this process ends."""
    handle = os.open(aside, os.O_RDONLY)
    try:
        hold_lock(handle)
        yield
    finally:
        os.close(handle)


def hold_lock(handle: int) -> bool:
    """Lock an open file or folder until it is closed, or this process ends, however it does.

    Returns:
        False where another process holds it, or the system has no such locks.
    """
    try:
        import fcntl
    except ImportError:  # on Windows, where what was left is not told from what is written, and stays
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def sweep_leftovers(folder: Path) -> None:
    """Delete what processes that were killed had begun to write in a folder, and nothing that is still written."""
    with suppress(OSError):  # not there, or not ours to look into
        for path in [Path(entry.path) for entry in os.scandir(folder) if _ASIDE.fullmatch(entry.name)]:
            with suppress(OSError):  # another process sweeps, or it is another user's
                _sweep(path)


def _sweep(path: Path) -> None:
    if time.time() - path.lstat().st_mtime < _UNLOCKED_SECONDS or path.is_symlink():
        return
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        if hold_lock(handle):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
    finally:
        os.close(handle)


def delete_named(folder: Path, names: re.Pattern[str]) -> tuple[int, list[str]]:
    """Delete what lies in a folder under names of ours, and folders that are empty then. All else stays.

    Args:
        folder: need not exist. If a link, where it leads to.
        names: of what is ours, relative to the folder; those of folders end with `/`.

    Returns:
        Bytes freed, and the paths of what stays, in order.

    Raises:
        OSError: something cannot be deleted. The rest is.
    """
    if not folder.is_dir():
        return 0, [str(folder)] if os.path.lexists(folder) else []
    freed = 0
    left: list[str] = []
    seen: list[tuple[str, str]] = []
    failed: list[OSError] = []
    for place, folders, files in os.walk(folder, onerror=failed.append):
        sweep_leftovers(Path(place))
        inside = "" if place == str(folder) else f"{os.path.relpath(place, folder)}/"
        seen.append((place, inside))
        links = [name for name in folders if Path(place, name).is_symlink()]
        folders[:] = [name for name in folders if not _ASIDE.fullmatch(name)]
        for name in sorted([*files, *links]):
            path = Path(place, name)
            if names.fullmatch(inside + name):
                try:
                    size = path.lstat().st_size
                    path.unlink()
                    freed += size
                except FileNotFoundError:  # another process was faster
                    continue
                except OSError as error:
                    failed.append(error)
            elif not _ASIDE.fullmatch(name):  # which is still written
                left.append(str(path))
    for place, inside in reversed(seen):
        if not inside or names.fullmatch(inside):
            with suppress(OSError):  # there is something in it
                Path(place).rmdir()
    if real := [error for error in failed if not isinstance(error, FileNotFoundError)]:
        raise real[0]
    return freed, sorted(left)


def write_whole(path: Path, content: bytes | memoryview, mode: int = 0o666) -> None:
    """Write bytes aside, flush them to the disk and rename them into place, where they are when this returns.

    Args:
        path: the file.
        content: what is to be in it.
        mode: what a new file allows, less the umask.

    Raises:
        OSError: the disk would not take it. Nothing is left behind, then or after an interrupt, and an
            older file stays as it was.
    """
    with whole_file(path, mode) as file:
        file.write(content)


@contextmanager
def whole_file(path: Path, mode: int = 0o666) -> Iterator[BinaryIO]:
    """The same for what is written piece by piece: the file takes its name when the block ends, on the disk.

    Args:
        path: the file.
        mode: what a new file allows, less the umask.

    Raises:
        OSError: the disk would not take it. Nothing is left behind, also where the block fails, and an older file stays
            as it was.
    """
    aside = name_aside(path)
    try:
        with os.fdopen(
            os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode), "wb"
        ) as file:
            hold_lock(file.fileno())
            yield file
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
    flush(path.parent)


def flush(path: Path) -> None:
    """Flush a file to the disk, or a folder's names, so that files that were renamed into it survive a power loss.

    Raises:
        OSError: the disk is failing. That a system, or a file system, cannot do it is no error.
    """
    try:
        opened = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except PermissionError:  # Windows opens no folders; and one may write into a folder without reading it
        return
    try:
        os.fsync(opened)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EBADF):
            raise
    finally:
        os.close(opened)


def make_folder(folder: Path, mode: int = 0o777) -> None:
    """Make a folder and those on the way to it, where they are not there, and flush their names to the disk.

    Args:
        folder: may exist.
        mode: what new folders allow, less the umask.

    Raises:
        OSError: the disk would not take it, or a file is in the way.
    """
    missing = [folder]  # a list, as a path may have more parts than functions may call themselves
    refused = set()
    while missing:
        try:
            missing[-1].mkdir(mode)
        except FileNotFoundError:
            # The second time what it lies in is there, and takes none, such as /proc.
            if missing[-1] in refused or missing[-1] == missing[-1].parent:  # the current folder is gone
                raise
            refused.add(missing[-1])
            missing.append(missing[-1].parent)
            continue
        except OSError:
            if not missing[-1].is_dir():  # or another process may be as far
                raise
        else:
            flush(missing[-1].parent)
        missing.pop()


def replace_file(path: Path, data: bytes) -> None:
    """Write a file aside and put it in place, so that nobody ever sees half of it; or an object where a URL is meant.

    Raises:
        InputError: it cannot be written. Nothing is left behind, an older file stays as it was.
    """
    if url := url_of(path):
        from nearid_cli.remote.sending import send

        send(url, data)
        return
    with replaced_file(path) as file:
        file.write(data)


@contextmanager
def replaced_file(path: Path) -> Iterator[BinaryIO]:
    """The same for what is written piece by piece.

    Raises:
        InputError: it cannot be written. Nothing is left behind, an older file stays as it was.
    """
    if url := url_of(path):
        from nearid_cli.remote.sending import send_file

        with TemporaryDirectory(prefix="nearid-") as folder:
            made = Path(folder, "object")
            with made.open("xb") as file:
                yield file
            send_file(url, made)
        return
    target = real_path(path)  # through a symlink, which stays one
    if target.exists() and not target.is_file():  # root could put a file in the place of a device
        raise InputError(f"cannot write {printable(path)}: it is not a regular file")
    sweep_leftovers(target.parent)
    try:
        with whole_file(target) as file:
            yield file
    except OSError as error:
        raise InputError(f"cannot write {printable(path)}: {error.strerror or error}") from error


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """A new folder beside `folder` that takes its name when the block ends, and is removed when the block fails.

    Args:
        folder: may exist if it is empty; folders on the way to it are made.

    Raises:
        OSError: the disk would not take it, or `folder` is in the way.
    """
    with folder_aside(folder.absolute()) as aside:
        yield aside
        _flush_all(aside)
        if folder.is_dir():
            folder.rmdir()
        aside.rename(folder)
    flush(aside.parent)


@contextmanager
def folder_aside(path: Path) -> Iterator[Path]:
    """A new folder beside `path` that is gone when the block ends, or swept once this process is killed.

    Args:
        path: what is to be made of it; folders on the way are made.

    Raises:
        OSError: the disk would not take it.
    """
    aside = name_aside(path)
    sweep_leftovers(aside.parent)
    try:
        make_folder(aside)
        with in_use(aside):
            yield aside
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _flush_all(folder: Path) -> None:
    """Flush a folder with all that is in it, before it gets a name by which people take it for whole."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(_FLUSHES) as pool:
        list(pool.map(flush, files_below(folder)))
    for place, _, _ in os.walk(folder, topdown=False, onerror=_refuse):
        flush(Path(place))


def files_below(folder: Path) -> list[Path]:
    """All files in a folder and in those inside it, links to files among them, in order.

    Raises:
        OSError: a folder cannot be read. `Path.rglob` would leave out what is in it, and say nothing.
    """
    found = (Path(place, name) for place, _, names in os.walk(folder, onerror=_refuse) for name in names)
    return sorted(path for path in found if path.is_file())


def _refuse(error: OSError) -> NoReturn:
    raise error


def default_cache_folder() -> Path:
    """Where embeddings and converted weights are kept unless `--cache` or the folder in NEARID_CACHE says otherwise.

    In the folder for temporary files where the user has no home, as in a container that runs as any number.
    """
    from platformdirs import user_cache_path

    chosen = os.environ.get("NEARID_CACHE")
    if chosen and url_of(chosen) is None:
        return expanded(chosen)
    try:
        folder = user_cache_path("nearid", appauthor=False)
    except RuntimeError:  # of the newer versions; of older ones it is a relative path that begins with `~`
        folder = Path()
    return (
        folder if folder.is_absolute() else Path(os.environ.get("TMPDIR") or "/tmp", f"nearid-{os.getuid()}")
    )


def cache_folder(given: str | os.PathLike[str] | None) -> Path:
    """The cache's folder, where an option may name it; of one under a URL, what is of use on this machine only."""
    return expanded(given) if given and url_of(given) is None else default_cache_folder()


def cache_place(given: str | os.PathLike[str] | None) -> Path | str:
    """The cache's folder, or its URL, where an option or NEARID_CACHE may name either."""
    chosen = given or os.environ.get("NEARID_CACHE")
    return (chosen and url_of(chosen)) or cache_folder(given)


def new_hasher() -> blake3:
    """A BLAKE3 hasher that uses all cores.

    One alone in a forked process: the threads of the process before are not there, and it would wait for them for ever.
    """
    from blake3 import blake3

    return blake3(max_threads=blake3.AUTO if os.getpid() == _PROCESS else 1)


def digest_stream(file: BinaryIO) -> bytes:
    """The BLAKE3 digest of a file of any size, 32 bytes.

    Args:
        file: opened without a buffer, at its start.

    Raises:
        OSError: it cannot be read.
    """
    from blake3 import blake3

    # Not mapped: a file that shrinks meanwhile would end the process.
    block = file.read(_BLOCK)
    # One block is done sooner than other threads are woken, which then look for more of it for a while.
    hasher = new_hasher() if len(block) == _BLOCK else blake3()
    while block:
        hasher.update(block)
        block = file.read(_BLOCK)
    return hasher.digest()


def digest_file(path: Path) -> str:
    """The BLAKE3 digest of a file of any size, in hex.

    Raises:
        OSError: it cannot be read, or is not a regular file.
    """
    with open_regular(path) as file:
        return digest_stream(file).hex()
