"""What was given in the place of a folder or file, as a folder or file."""

from __future__ import annotations

import glob
import itertools
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar, cast

from nearid_cli import elsewhere
from nearid_cli.errors import InputError
from nearid_cli.remote.stores import in_a_store, url_of
from nearid_cli.text import count, few, printable

logger = logging.getLogger(__name__)

_ARCHIVES = (".zip", ".tar")
_COMPRESSED = (".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".tar.zst", ".7z", ".rar")
"""What would have to be unpacked from the start for every member."""

T = TypeVar("T")

_given: dict[str, Path] = {}
"""What paths and URLs came to when they were last looked at."""
_unpacked: dict[tuple[object, ...], Path] = {}
"""Archives and data sets, by their files as these were."""


def here(given: T) -> T:
    """The path on this machine of what was given: itself, or what stands in for it.

    What a URL names is listed each time, as it is now. Archives and data sets become folders of what they hold.

    Args:
        given: a path of a folder or a file; or a URL, of which a Path has kept one `/` only. What is no path is itself.

    Raises:
        UsageError: a URL is none that can be used.
        InputError: an archive or data set cannot be read, or names in it are none that files can have.
        RemoteError: a store refuses.
    """
    if not isinstance(given, Path):
        return given
    found = _given[str(given)] = _here(given)
    return cast("T", found)


def again(path: Path) -> Path:
    """As `here`, but as it was when this process last looked, if it has: for showing what was scored."""
    if str(path) not in _given and path.name == "manifest.jsonl" and not os.path.lexists(path):
        # The one that stands in for a data set, which is what can be found.
        return again(path.parent)
    return _given[str(path)] if str(path) in _given else here(path)


def beside(folder: Path, name: str) -> Path:
    """The path of a file that a table in a folder names: from there, or by a URL."""
    if not in_a_store(name):
        return Path(os.path.join(folder, name))  # noqa: PTH118 - raw strings are fast
    from nearid_cli.mirrors.buckets import stand_in_of

    return stand_in_of(name)


def _here(path: Path) -> Path:
    url = url_of(path)
    if url is None:
        whole = path
        for parent in path.parents if not os.path.lexists(path) else ():
            if parent.suffix.lower() in _ARCHIVES and parent.is_file():  # a folder in an archive
                return _opened(parent) / path.relative_to(parent)
        return _opened(whole)
    parts = url.split("/")
    for number, part in enumerate(parts[3:-1], 4):
        if part.lower().endswith(_ARCHIVES):
            archive = _opened(_listed("/".join(parts[:number])))
            fixed = itertools.takewhile(lambda one: not glob.has_magic(one), parts[number:])
            elsewhere.expect(archive.joinpath(*fixed))
            return archive.joinpath(*parts[number:])
    found = _opened(_listed(url))
    if url.lower().endswith(_ARCHIVES):
        elsewhere.expect(found)
    return found


def _listed(url: str) -> Path:
    from nearid_cli.mirrors.buckets import mirrored
    from nearid_cli.remote.attempts import AbsentError

    try:
        return mirrored(url)
    except AbsentError:
        # A pattern, perhaps, which whoever expands patterns finds below its folder.
        parts = url.split("/")
        fixed = next((number for number, part in enumerate(parts) if glob.has_magic(part)), 0)
        if fixed < 3:
            raise
        return Path(mirrored("/".join(parts[:fixed])), *parts[fixed:])


def _opened(path: Path) -> Path:
    """The folder of what an archive, a folder of shards or a data set holds; any other path is itself."""
    name = path.name.lower()
    if name.endswith(_COMPRESSED) and path.is_file():
        raise InputError(
            f"{printable(path)}: members of such archives cannot be read one by one; unpack it, or make a .tar or .zip "
            "of it"
        )
    if path.suffix.lower() in _ARCHIVES and path.is_file():
        return _once([path], lambda: _archives(path, [path]))
    if path.suffix.lower() == ".parquet":
        return _data_set(path)
    if not path.is_dir():
        return path
    shards, tables = _look(path)
    if shards:
        return _once(shards, lambda: _archives(path, shards))
    return _data_set(path) if tables else path


def _look(folder: Path) -> tuple[list[Path], bool]:
    """The shards that make up a folder, and whether it may be a data set. A folder with pictures is neither."""
    # Many patterns, for which `nearid --help` shall not wait.
    from nearid_cli.images.formats import EXTENSIONS

    shards: list[Path] = []
    tables = folders = False
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                extension = entry.name.rpartition(".")[2].lower()
                if extension in EXTENSIONS:
                    return [], False
                if extension == "tar" and entry.is_file():
                    shards.append(folder / entry.name)
                tables = tables or extension == "parquet" or entry.name == "data"
                folders = folders or (not entry.name.startswith(".") and entry.is_dir())
    except OSError:
        return [], False  # who reads it says why not
    return ([] if folders else sorted(shards)), tables


def _archives(path: Path, files: list[Path]) -> Path:
    from nearid_cli.mirrors.archives import as_folder

    if path.is_dir():
        _say_what_is_left_out(path, files, "shards")
    return as_folder(path, files, elsewhere.shown(str(path)))


def _data_set(path: Path) -> Path:
    from nearid_cli.mirrors import datasets

    files = datasets.files_of(path)
    columns = datasets.image_columns(files[0]) if files else []
    if not columns:
        return path

    def make() -> Path:
        if path.is_dir():
            _say_what_is_left_out(path, files, "a data set")
        return datasets.as_folder(path, files, columns, elsewhere.shown(str(path)))

    return _once(files, make)


def _say_what_is_left_out(folder: Path, read: list[Path], kind: str) -> None:
    """Warn of files in a folder that may hold pictures, too, where others make it something else than a folder."""
    from nearid_cli.images.formats import EXTENSIONS

    ends = (*_ARCHIVES, *_COMPRESSED, ".parquet", *(f".{one}" for one in EXTENSIONS))
    taken = {str(file) for file in read}
    names = []
    for place, folders, files in os.walk(folder):
        folders[:] = (one for one in folders if not one.startswith("."))
        inside = ((file, os.path.join(place, file)) for file in files)  # noqa: PTH118 - raw strings are fast
        names += [
            os.path.relpath(path, folder)
            for file, path in inside
            if file.lower().endswith(ends) and not file.startswith((".", "metadata.")) and path not in taken
        ]
    if names:
        logger.warning(
            "%s is read as %s; left out beside it: %s that may hold pictures, too: %s",
            printable(folder), kind, count(len(names), "file"), few(sorted(names)),
        )  # fmt: skip


def _once(files: list[Path], make: Callable[[], Path]) -> Path:
    """What some files come to, made again only where they have changed."""
    key = tuple((str(file), elsewhere.version(file)) for file in files)
    if key not in _unpacked:
        _unpacked[key] = make()
    return _unpacked[key]
