"""Walking folders safely: which files are pictures, which are left out and why, in which order."""

from __future__ import annotations

import errno
import logging
import os
import re
from collections import deque
from functools import cached_property
from pathlib import Path

from nearid_cli.errors import InputError
from nearid_cli.images.formats import EXTENSIONS, sniff
from nearid_cli.layouts.dataset import LeftOutFiles
from nearid_cli.layouts.reach import WITHIN, Reach, refuse_links, with_slash
from nearid_cli.layouts.sides import Tree
from nearid_cli.opening import read_regular, read_start
from nearid_cli.text import NaturalKey, few, natural_key, printable

logger = logging.getLogger(__name__)

# Never looked into: what lies beside pictures everywhere. Any other file may be a picture under an odd name.
_NO_PICTURES = frozenset({
    "txt", "md", "rst", "json", "jsonl", "yaml", "yml", "toml", "ini", "cfg", "csv", "tsv", "parquet",
    "arrow", "xml", "html", "htm", "css", "js", "ts", "py", "pyc", "ipynb", "sh", "log", "lock",
    "caption", "captions", "tfevents", "safetensors", "bin", "pt", "pth", "ckpt", "pkl", "pickle",
    "npy", "npz", "h5", "msgpack", "onnx", "gguf", "zip", "tar", "gz", "tgz", "bz2", "xz", "7z", "rar",
    "mp4", "mov", "avi", "mkv", "webm", "mp3", "wav", "db",
})  # fmt: skip
_SYSTEM_FILES = frozenset({"thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r"})
# Thumbnails, bins, snapshots and the like of macOS, Windows, Linux and the usual network storage.
_SYSTEM_FOLDERS = frozenset({
    "__macosx", "network trash folder", "temporary items", "thevolumesettingsfolder", "@eadir",
    "#recycle", "@recycle", "@recently-snapshot", "#snapshot", "~snapshot", "@__thumb", "@sharebin",
    "@tmp", "$recycle.bin", "recycler", "recycled", "system volume information", "found.000",
    "lost+found",
})  # fmt: skip
_PREVIOUS_VERSION = re.compile(r"@gmt-[0-9.]+-[0-9.]+")  # a snapshot, as Samba names it
_SNIFFED = 64  # bytes; enough for every format's first words


def walk(root: Path, below: str = "", reach: Reach = WITHIN) -> Tree:
    """All pictures in a folder, at any depth, without masks, grids and class images.

    Natural order; the pictures of a folder come before those of its subfolders. A symlink with a picture's extension
    whose target is gone counts as a picture: who reads it reports it. So does a file with a strange extension, or none,
    that begins as a picture does.

    Each folder is read once, under its own name where it has one in `root`: links to it are left out, with a warning.

    Args:
        root: the folder that names are relative to.
        below: the subfolder of `root` to walk, with `/`; empty for all of it.
        reach: where links may lead besides `root`.

    Raises:
        InputError: a folder cannot be read, or links lead elsewhere; names all of these.
    """
    tree = scan(root, below, reach)
    tree.leave_out_byproducts()
    return tree


def scan(root: Path, below: str = "", reach: Reach = WITHIN) -> Tree:
    """As `walk`, with masks, grids and class images among the pictures.

    Raises:
        InputError: as `walk`.
    """
    return _Walk(root, reach.including(root)).tree(below)


def has_pictures(root: Path, reach: Reach = WITHIN) -> bool:
    """Whether `scan` finds any, which reads no further than the first folder that has some.

    Raises:
        InputError: as `scan`, of what was read.
    """
    return _Walk(root, reach.including(root)).begins() or bool(scan(root, reach=reach).names)


class Look:
    """A folder that layouts look at.

    Attributes:
        root: itself.
        reach: where links and paths in its files may lead.
    """

    def __init__(self, root: Path, reach: Reach = WITHIN) -> None:
        self.root = root
        self.reach = reach.including(root)

    @cached_property
    def tree(self) -> Tree:
        """All of it, as `scan` reads it; walked once."""
        return scan(self.root, reach=self.reach)

    def check(self, *files: Path) -> None:
        """Raise InputError for files that say something of the pictures, and are links that lead elsewhere."""
        links = [file for file in files if not self.reach.opens(file)]
        refuse_links(
            self.root, (f"{os.path.relpath(one, self.root)} -> {os.path.realpath(one)}" for one in links)
        )

    def opened(self, file: Path) -> bytes:
        """What is in a file that says something of the pictures.

        Raises:
            InputError: it cannot be read, or it is a link that leads elsewhere.
        """
        self.check(file)
        try:
            return read_regular(file)
        except OSError as error:
            raise InputError(f"cannot read {printable(file)}: {error.strerror}") from error

    def below(self, folder: str) -> Tree:
        """One of its subfolders, as `walk` reads it."""
        return walk(self.root, folder, self.reach)


class _Walk:
    """Reads the folders below a root, those that are links after all others."""

    def __init__(self, root: Path, reach: Reach) -> None:
        self._root = root
        self._reach = reach
        self._left_out = LeftOutFiles()
        self._read: dict[str, str] = {}
        """The folders that were read: how the names of their pictures begin, by their real paths."""
        self._names: dict[str, list[str]] = {}
        """The pictures of each folder, by how their names begin."""
        self._links: deque[tuple[str, str]] = deque()
        """Links to folders, each with how names begin there."""
        self._again: list[str] = []
        self._leading_out: list[str] = []

    def tree(self, below: str) -> Tree:
        """What is in the root, or in one of its subfolders."""
        top = os.path.join(self._root, below) if below else os.fspath(self._root)  # noqa: PTH118 - raw strings are fast
        self._read_all(top, f"{below}/" if below else "", os.path.realpath(top))
        linked = bool(self._links)
        while self._links:
            folder, prefix = self._links.popleft()
            self._read_all(folder, prefix, os.path.realpath(folder))
        refuse_links(self._root, self._leading_out)
        if self._again:
            logger.warning(
                "in %s, %s left out, since the same folder is read under another name: %s",
                printable(self._root),
                "1 link is" if len(self._again) == 1 else f"{len(self._again):,} links are",
                few(self._again),
            )
        # What links lead to comes where they stand.
        order = sorted(self._names, key=_path_key) if linked else self._names
        return Tree(self._root, [name for prefix in order for name in self._names[prefix]], self._left_out)

    def begins(self) -> bool:
        """Whether there are pictures, wherever no links lead."""
        top = os.fspath(self._root)
        self._read_all(top, "", os.path.realpath(top), first=True)
        return bool(self._names)

    def _read_all(self, top: str, start: str, real_top: str, first: bool = False) -> None:
        """Read a folder and all below it but for links to folders; `first`: down to the first pictures."""
        folders = [(top, start, real_top)]
        while folders:
            folder, prefix, real = folders.pop()
            if (other := self._read.setdefault(real, prefix)) != prefix:
                if prefix.startswith(other):
                    self._left_out.add("folders that lead back to themselves", prefix)
                else:
                    self._left_out.add("links to folders that are read under another name", prefix)
                    self._again.append(f"{prefix} -> {other}")
                continue
            pictures: list[str] = []
            subfolders: list[str] = []
            links: list[str] = []
            for entry in _entries(folder):
                name = entry.name
                kind = _kind(entry)
                if kind == "folder":
                    if why := why_skipped(name):
                        self._left_out.add(why, f"{prefix}{name}/")
                    elif not entry.is_symlink():
                        subfolders.append(name)
                    elif self._may_follow(entry, prefix):
                        links.append(name)
                elif why := _why_left_out(entry, kind):
                    self._left_out.add(why, prefix + name)
                elif not entry.is_symlink() or self._may_follow(entry, prefix):
                    pictures.append(name)
            pictures.sort(key=natural_key)
            if pictures:
                self._names[prefix] = [prefix + name for name in pictures]
                if first:
                    return
            subfolders.sort(key=natural_key, reverse=True)
            inside = with_slash(real)
            folders.extend(
                (f"{folder}{os.sep}{name}", f"{prefix}{name}/", inside + name) for name in subfolders
            )
            links.sort(key=natural_key)
            self._links.extend((f"{folder}{os.sep}{name}", f"{prefix}{name}/") for name in links)

    def _may_follow(self, link: os.DirEntry[str], prefix: str) -> bool:
        real = os.path.realpath(link.path)
        if self._reach.links_to(real):
            return True
        self._leading_out.append(f"{prefix}{link.name} -> {real}")
        return False


def _path_key(prefix: str) -> tuple[NaturalKey, ...]:
    return tuple(map(natural_key, prefix.split("/")[:-1]))


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError as error:
        raise InputError(f"cannot read folder {printable(folder)}: {error.strerror}") from error


def _kind(entry: os.DirEntry[str]) -> str:
    """`folder`, `file` or `special`; a link that leads nowhere counts as a file."""
    try:
        if entry.is_dir():
            return "folder"
        if entry.is_file() or not os.path.exists(entry.path):  # noqa: PTH110
            return "file"
        return "special"
    except OSError as error:
        if error.errno == errno.ELOOP or _extension(entry.name) in EXTENSIONS:
            return "file"
        raise InputError(f"cannot read {printable(entry.path)}: {error.strerror}") from error


def _extension(name: str) -> str:
    return name.rpartition(".")[2].lower() if "." in name else ""


def why_skipped(name: str) -> str | None:
    """Why a folder of this name is neither a subject nor a method, and not entered at all; None for any other.

    >>> why_skipped("@eaDir"), why_skipped(".git"), why_skipped("@anna")
    ('system files', 'hidden folders', None)
    """
    if name.startswith("."):
        return "hidden folders"
    lower = name.lower()
    return "system files" if lower in _SYSTEM_FOLDERS or _PREVIOUS_VERSION.fullmatch(lower) else None


def _why_left_out(entry: os.DirEntry[str], kind: str) -> str | None:
    name = entry.name
    if name.startswith("."):
        return "hidden files"
    if kind == "special":
        return "not regular files"
    extension = _extension(name)
    if extension in EXTENSIONS:
        return None
    if name.lower() in _SYSTEM_FILES:
        return "system files"
    return None if extension not in _NO_PICTURES and _begins_as_a_picture(entry.path) else "other files"


def _begins_as_a_picture(path: str) -> bool:
    try:
        found = sniff(read_start(path, _SNIFFED))
    except OSError:
        return False  # it is named among the other files
    return found is not None and found.decodable
