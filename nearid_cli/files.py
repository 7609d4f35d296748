"""Files and folders: writing them whole or not at all, their digests, and where the cache is."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nearid_cli.errors import InputError
from nearid_cli.text import printable


def write_whole(path: Path, content: bytes | memoryview) -> None:
    """Write bytes aside, flush them to the disk and rename them into place.

    Raises:
        OSError: the disk would not take it. Nothing is left behind, then or after an interrupt, and an
            older file stays as it was.
    """
    # A short name: the file's own may be as long as the file system allows.
    aside = path.with_name(f".{uuid.uuid4().hex}.tmp")
    try:
        with aside.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def replace_file(path: Path, data: bytes) -> None:
    """Write a file aside and put it in place, so that nobody ever sees half of it.

    Raises:
        InputError: it cannot be written. Nothing is left behind, an older file stays as it was.
    """
    try:
        write_whole(path.resolve(), data)  # through a symlink, which stays one
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
    # A short name: the folder's own may be as long as the file system allows.
    aside = folder.absolute().parent / f".{uuid.uuid4().hex}.tmp"
    aside.mkdir(parents=True)
    try:
        yield aside
        if folder.is_dir():
            folder.rmdir()
        aside.rename(folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def default_cache_folder() -> Path:
    """Where embeddings and converted weights are kept unless `--cache` or NEARID_CACHE says otherwise."""
    from platformdirs import user_cache_path

    chosen = os.environ.get("NEARID_CACHE")
    return Path(chosen).expanduser() if chosen else user_cache_path("nearid", appauthor=False)


def digest_file(path: Path) -> str:
    """BLAKE3 digest of a file of any size, in hex; its bytes are mapped, not read into memory.

    Raises:
        OSError: it cannot be read.
    """
    from blake3 import blake3

    path.open("rb").close()  # what is wrong is said better by Python, with the file's name
    return blake3(max_threads=blake3.AUTO).update_mmap(path).hexdigest()
