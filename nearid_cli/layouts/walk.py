"""Walking folders safely: which files are pictures, which are left out and why, in which order."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

from nearid_cli.errors import InputError
from nearid_cli.images.formats import sniff
from nearid_cli.layouts.sides import Tree
from nearid_cli.text import natural_key, printable

# Those that are not decoded (HEIC without its library, JPEG XL, JPEG 2000) are photographs all the same: who decodes
# them says why not, and stops, where leaving them out would score what is left.
EXTENSIONS = frozenset({
    "jpg", "jpeg", "jpe", "jfif", "jif", "jfi", "pjpeg", "pjp", "png", "apng", "webp", "bmp", "dib",
    "tif", "tiff", "gif", "avif", "heic", "heif", "hif", "jxl", "jp2", "j2k", "jpx",
})  # fmt: skip
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


def walk(root: Path, below: str = "") -> Tree:
    """All pictures in a folder, at any depth, without masks, grids and class images.

    Natural order; the pictures of a folder come before those of its subfolders. Symlinked folders
    are followed unless they lead back to a folder that they are in. A symlink with a picture's
    extension whose target is gone counts as a picture: who reads it reports it. So does a file with
    a strange extension, or none, that begins as a picture does.

    Args:
        root: the folder that names are relative to.
        below: the subfolder of `root` to walk, with `/`; empty for all of it.

    Raises:
        InputError: a folder cannot be read.
    """
    tree = scan(root, below)
    tree.leave_out_byproducts()
    return tree


def scan(root: Path, below: str = "") -> Tree:
    """As `walk`, with masks, grids and class images among the pictures.

    Raises:
        InputError: a folder cannot be read.
    """
    tree = Tree(root, [])
    names, left_out = tree.names, tree.left_out
    top = os.path.join(root, below) if below else os.fspath(root)  # noqa: PTH118 - raw strings are fast
    # Each with: the start of its pictures' names, and the folders it is in.
    folders: list[tuple[str, str, frozenset[tuple[int, int]]]] = [
        (top, f"{below}/" if below else "", frozenset())
    ]
    while folders:
        folder, prefix, above = folders.pop()
        entries, identity = _entries(folder)
        if identity in above:
            left_out.add("folders that lead back to themselves", prefix)
            continue
        pictures: list[str] = []
        subfolders: list[str] = []
        for entry in entries:
            name = entry.name
            kind = _kind(entry)
            if kind == "folder":
                if why := why_skipped(name):
                    left_out.add(why, f"{prefix}{name}/")
                else:
                    subfolders.append(name)
            elif why := _why_left_out(entry, kind):
                left_out.add(why, prefix + name)
            else:
                pictures.append(name)
        pictures.sort(key=natural_key)
        names.extend([prefix + name for name in pictures])
        subfolders.sort(key=natural_key, reverse=True)
        inside = above | {identity}
        folders.extend((f"{folder}{os.sep}{name}", f"{prefix}{name}/", inside) for name in subfolders)
    return tree


def _entries(folder: str) -> tuple[list[os.DirEntry[str]], tuple[int, int]]:
    try:
        status = os.stat(folder)  # noqa: PTH116
        with os.scandir(folder) as entries:
            return list(entries), (status.st_dev, status.st_ino)
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
        with open(path, "rb") as file:  # noqa: PTH123
            found = sniff(file.read(_SNIFFED))
    except OSError:
        return False  # it is named among the other files
    return found is not None and found.decodable
