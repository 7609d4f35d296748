"""Masks, grids and class images that lie among pictures: left out where the tree shows what they are.

A name that merely contains *mask* or *grid* is no reason: a subject may be a mask, a prompt may have one.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence

MASK_SUFFIX = re.compile(r"[_. -]masks?$", re.IGNORECASE)
_MASK_FOLDERS = frozenset({"mask", "masks"})
_THUMBNAIL_FOLDERS = frozenset({"thumbnail", "thumbnails", "thumb", "thumbs"})
_PICTURE_FOLDERS = frozenset(
    {"image", "images", "img", "imgs", "picture", "pictures", "photo", "photos", "rgb"}
)
_GRID = re.compile(r"(?:(.+)[_-])?grids?(?:[_-]?[0-9]+)*", re.IGNORECASE | re.DOTALL)
_PLOT_GRIDS = frozenset({"xyz", "xy"})  # what scripts of Stable Diffusion web UIs call theirs
_WHOLE_FOLDERS = {
    "grids": "grids",
    "txt2img_grids": "grids",
    "img2img_grids": "grids",
    "class_image": "class images",
    "class_images": "class images",
    "class_data": "class images",
    "class_samples": "class images",
    "regularization": "class images",
    "regularization_images": "class images",
}

# Told at once, since there may be many names.
_SUSPICIOUS = re.compile("mask|grid|thumb|class|regularization")

Folder = tuple[str, ...]


def find_byproducts(names: Sequence[str], subjects: frozenset[str] = frozenset()) -> dict[str, str]:
    """Which of the pictures of a tree are no pictures of a subject, and why.

    * masks: `x_mask.png` beside `x.png`; a folder `mask` or `masks` whose pictures are called as those beside it, or
      whose folders are called as those beside it; a folder `masks` that is not at the top.
    * grids: `grid.png`, `grid-0001.png`, `xyz_grid-0.png`; `x_grid.png` beside `x_0.png`; a folder `grids`.
    * thumbnails: a folder `thumbnails` whose pictures are called as those beside it.
    * class images: a folder `class_images`, `class_data`, `class_samples` or `regularization`.

    Args:
        names: of pictures, relative to the root, with `/`.
        subjects: names, without case, that are subjects even where they sound like one of these.

    Returns:
        name -> reason.

    >>> find_byproducts(["cat/0.png", "cat/0_mask.png", "cat/a mask_0.png", "grid.png", "cup_on_a_grid_0.png"])
    {'cat/0_mask.png': 'masks', 'grid.png': 'grids'}
    """
    suspects = [name for name in names if _SUSPICIOUS.search(name.lower())]
    if not suspects:
        return {}
    beside = _Beside(names, subjects)
    return {name: reason for name in suspects if (reason := beside.reason(name))}


class _Beside:
    """What lies beside what, in a tree; arguments as for `find_byproducts`.

    Attributes:
        stems: of the files in each folder.
        folders: names of the folders in each.
    """

    def __init__(self, names: Sequence[str], subjects: frozenset[str]) -> None:
        self.subjects = subjects
        self.stems: dict[Folder, set[str]] = defaultdict(set)
        self.folders: dict[Folder, set[str]] = defaultdict(set)
        for name in names:
            *parts, file = name.split("/")
            self.stems[tuple(parts)].add(_stem(file))
            for depth, part in enumerate(parts):
                self.folders[tuple(parts[:depth])].add(part)

    def reason(self, name: str) -> str | None:
        """Why a picture is none of a subject; None for one that may be."""
        *parts, file = name.split("/")
        return self._of_folders(parts) or self._of_file(_stem(file), self.stems[tuple(parts)])

    def _of_folders(self, parts: Sequence[str]) -> str | None:
        """Why all that lies in these folders is left out."""
        for depth, part in enumerate(parts):
            parent, lower = tuple(parts[:depth]), part.lower()
            key = lower.replace("-", "_").replace(" ", "_")
            if key in _WHOLE_FOLDERS and lower not in self.subjects:
                return _WHOLE_FOLDERS[key]
            if lower in _MASK_FOLDERS and self._holds_masks(parent, part):
                return "masks"
            if lower in _THUMBNAIL_FOLDERS and self.stems[(*parent, part)] & self.stems[parent]:
                return "thumbnails"
        return None

    def _holds_masks(self, parent: Folder, name: str) -> bool:
        """Whether a folder called mask or masks is that of the pictures beside it, and no subject of this name."""
        beside = self.stems[parent]
        if name.lower() == "masks" and (parent or beside):
            return True
        own = {MASK_SUFFIX.sub("", stem) for stem in self.stems[(*parent, name)]}
        for sibling in self.folders[parent]:
            if sibling.lower() in _PICTURE_FOLDERS:
                beside = beside | self.stems[(*parent, sibling)]
        return bool(own & beside) or bool(self.folders[(*parent, name)] & (self.folders[parent] - {name}))

    def _of_file(self, stem: str, beside: set[str]) -> str | None:
        if (of := MASK_SUFFIX.sub("", stem)) != stem:
            return "masks" if of in beside and stem.lower() not in self.subjects else None
        match = _GRID.fullmatch(stem)
        if match is None:
            return None
        start = match[1]
        if start is None:
            return None if {"grid", "grids"} & self.subjects else "grids"
        if start.lower() in _PLOT_GRIDS:
            return "grids"
        numbered = re.compile(rf"{re.escape(start)}[_-]?[0-9]+", re.DOTALL)
        is_subject = not self.subjects.isdisjoint((f"{start}_grid".lower(), f"{start} grid".lower()))
        return "grids" if not is_subject and any(map(numbered.fullmatch, beside)) else None


def _stem(file: str) -> str:
    return file.rpartition(".")[0] or file
