"""Walking folders safely: which files are pictures, which are left out and why, in which order."""

from __future__ import annotations

import errno
import importlib.util
import os
import re
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from nearid_cli.errors import InputError
from nearid_cli.text import printable

EXTENSIONS = frozenset({"jpg", "jpeg", "png", "webp", "bmp", "tif", "tiff", "gif", "avif"})
HEIF_EXTENSIONS = frozenset({"heic", "heif"})

_SYSTEM_NAMES = frozenset({"thumbs.db", "desktop.ini", "__macosx"})
# Whole names only: a subject called `class_ring`, `world_class`, `gas_mask` or `griddle` must stay.
_LEFT_OUT_FOLDERS = {
    "mask": "masks",
    "masks": "masks",
    "grids": "grids",
    "class_image": "class images",
    "class_images": "class images",
    "class_data": "class images",
    "class_samples": "class images",
    "regularization": "class images",
    "regularization_images": "class images",
}
_GRID = re.compile(r"grid(?![a-z])|.*[_-]grid(?:[_-]?[0-9]+)*(?:\.|$)", re.DOTALL)
# At most 18 digits at once: int() refuses strings of thousands of digits, which a manifest may hold.
_NUMBER = re.compile(r"([0-9]{1,18})")

NaturalKey = tuple[list[str | int], str]


def natural_key(name: str) -> NaturalKey:
    """The sort key of natural order: numbers by value, letters without case.

    >>> sorted(["img10.png", "Img2.png", "img1.png"], key=natural_key)
    ['img1.png', 'Img2.png', 'img10.png']
    """
    pieces: list[str | int] = list(_NUMBER.split(name.casefold()))
    pieces[1::2] = map(int, pieces[1::2])
    return pieces, name


@cache
def extensions() -> frozenset[str]:
    """The extensions of pictures, in lower case; HEIC only where pillow-heif is installed."""
    return EXTENSIONS | HEIF_EXTENSIONS if importlib.util.find_spec("pillow_heif") else EXTENSIONS


@dataclass(frozen=True)
class Walk:
    """The pictures below a folder, as names relative to it with `/`, and what was left out by reason."""

    names: list[str]
    left_out: Counter[str]


def walk(root: Path, below: str = "") -> Walk:
    """All pictures in a folder, at any depth.

    Natural order; the pictures of a folder come before those of its subfolders. Symlinked folders
    are followed unless they lead back to a folder that they are in. A symlink with a picture's
    extension whose target is gone counts as a picture: who reads it reports it.

    Args:
        root: the folder that names are relative to.
        below: the subfolder of `root` to walk, with `/`; empty for all of it.

    Raises:
        InputError: a folder cannot be read.
    """
    names: list[str] = []
    left_out: Counter[str] = Counter()
    known = extensions()
    top = os.path.join(root, below) if below else os.fspath(root)  # noqa: PTH118 - raw strings are fast
    # Each with: the start of its pictures' names, the reason to leave out all of it, the folders it is in.
    folders: list[tuple[str, str, str | None, frozenset[tuple[int, int]]]] = [
        (top, f"{below}/" if below else "", None, frozenset())
    ]
    while folders:
        folder, prefix, reason, above = folders.pop()
        entries, identity = _read(folder)
        if identity in above:
            left_out["folders that lead back to themselves"] += 1
            continue
        pictures: list[str] = []
        subfolders: list[str] = []
        for entry in entries:
            name = entry.name
            kind = _kind(entry)
            if kind == "folder":
                skip = _why_skip_folder(name)
                if skip is None:
                    subfolders.append(name)
                else:
                    left_out[skip] += 1
            elif why := reason or _why_left_out(name, kind, known):
                left_out[why] += 1
            else:
                pictures.append(name)
        pictures.sort(key=natural_key)
        names.extend([prefix + name for name in pictures])
        subfolders.sort(key=natural_key, reverse=True)
        inside = above | {identity}
        folders.extend(
            (f"{folder}{os.sep}{name}", f"{prefix}{name}/", reason or _reason_for_folder(name), inside)
            for name in subfolders
        )
    return Walk(names, left_out)


def _read(folder: str) -> tuple[list[os.DirEntry[str]], tuple[int, int]]:
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
        if error.errno == errno.ELOOP or _extension(entry.name) in extensions():
            return "file"
        raise InputError(f"cannot read {printable(entry.path)}: {error.strerror}") from error


def _extension(name: str) -> str:
    return name.rpartition(".")[2].lower()


def _why_skip_folder(name: str) -> str | None:
    """Why a folder is not entered at all."""
    if name.startswith("."):
        return "hidden folders"
    return "system files" if name.lower() in _SYSTEM_NAMES else None


def _reason_for_folder(name: str) -> str | None:
    """Why every file in a folder is left out; such folders are entered only to count."""
    return _LEFT_OUT_FOLDERS.get(name.lower().replace("-", "_").replace(" ", "_"))


def _why_left_out(name: str, kind: str, known: frozenset[str]) -> str | None:
    if name.startswith("."):
        return "hidden files"
    if kind == "special":
        return "not regular files"
    lower = name.lower()
    extension = _extension(lower)
    if extension not in known or "." not in name:
        if lower in _SYSTEM_NAMES:
            return "system files"
        return "HEIC files (pillow-heif is not installed)" if extension in HEIF_EXTENSIONS else "other files"
    if "_mask." in lower or "-mask." in lower:
        return "masks"
    if "grid" in lower and _GRID.match(lower):
        return "grids"
    return None
