"""What a Python program gives as one side of a data set: lists and dicts of paths, PIL images, arrays and tensors.

A list is the pictures of one subject, a dict has them by subject. Both become an `Assigned`, as a folder does, so that
subjects are matched by the same rules whatever they came from.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

from nearid_cli.elsewhere import shown
from nearid_cli.errors import InputError, UsageError
from nearid_cli.images.formats import EXTENSIONS
from nearid_cli.layouts.dataset import InMemory, LeftOutFiles, LetGo, Picture
from nearid_cli.layouts.layout import Layout
from nearid_cli.layouts.pixels import described_pixels, holds_pixels, image_of, is_several, pixel_problem
from nearid_cli.layouts.reach import WITHIN, Reach
from nearid_cli.layouts.sides import Assigned, Tree, prompt_and_seed
from nearid_cli.layouts.tables.manifest import is_manifest
from nearid_cli.layouts.walk import walk
from nearid_cli.mirrors import here
from nearid_cli.remote.stores import as_path, url_of
from nearid_cli.results.score import memory_root
from nearid_cli.text import count, first_few, printable

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import torch
    from PIL import Image

    PathLike = str | os.PathLike[str]
    OnePicture = PathLike | Image.Image | npt.NDArray[np.uint8] | torch.Tensor
    ManyPictures = OnePicture | Iterable[OnePicture]
    GivenSide = ManyPictures | Mapping[str, ManyPictures]


class _Given(Layout):
    """That of a side that was not found but given."""

    name = "given"

    def __reduce__(self) -> str:
        return "GIVEN"  # the same one when it is read back: there is no other


GIVEN = _Given()
_EXPECTED = "a path, a PIL image or pixels (a uint8 array [height, width, 3] or a tensor [3, height, width])"
_SHOWN = 20  # so many wrong places of one call are listed
_SHOWN_SUBJECTS = 8


def read_side(
    value: GivenSide, side: str, parameter: str | None = None, reach: Reach = WITHIN
) -> Path | Assigned:
    """One side of a data set as a program gives it.

    Args:
        value: a folder or manifest; a picture, or an iterable of pictures, of one subject; or such by subject.
        side: which one, `references`, `generations` or `distractors`.
        parameter: what the program calls it, for messages; None for the same.
        reach: where links in folders may lead besides.

    Returns:
        The path of a folder or manifest, for `find` to read; else the pictures, `loose` where no subject was named.

    Raises:
        UsageError: something is no picture; every such place is named.
        InputError: there are no pictures, or files that do not exist; every such place is named.

    >>> read_side({"cat": []}, "references")
    Traceback (most recent call last):
    nearid_cli.errors.InputError: references["cat"]: no pictures
    """
    if is_path(value) and os.fspath(value) and not _is_picture_file(path := here(as_path(value))):
        return path
    reader = _Reader(memory_root(side), parameter or side, reach)
    reader.side(value)
    return reader.found()


def read_picture(value: OnePicture, parameter: str) -> Path | InMemory:
    """One picture, a file or in memory.

    Raises:
        UsageError: it is neither.
    """
    reader = _Reader(memory_root(parameter), parameter)
    reader.picture(value, parameter, None, 0)
    reader.refuse()
    ((_, one),) = reader.taken
    return source_of(one)


def read_pictures(value: ManyPictures, parameter: str) -> list[Picture]:
    """A picture, or several, in the order given; the same one may come several times.

    Raises:
        UsageError: something is no picture; every such place is named.
        InputError: there are no pictures, or files that do not exist; every such place is named.
    """
    reader = _Reader(memory_root(parameter), parameter, repeats=True)
    reader.pictures(value, parameter, None)
    reader.refuse()
    return [one for _, one in reader.taken]


def source_of(picture: Picture) -> Path | InMemory:
    """Where the pixels of a picture are that a program has just given."""
    assert not isinstance(picture.in_memory, LetGo)
    return picture.in_memory or picture.path


def is_given(side: Assigned | Tree) -> TypeGuard[Assigned]:
    """Whether a program gave the pictures of a side one by one; its root is then no folder that anybody named."""
    return isinstance(side, Assigned) and side.layout is GIVEN


def is_list(side: Assigned | Tree) -> TypeGuard[Assigned]:
    """Whether a side is a list of pictures, whose subject has no name yet."""
    return is_given(side) and not side.subjects


def several_subjects(which: str, names: Sequence[str]) -> UsageError:
    """A list cannot say whose of several subjects its pictures are."""
    return UsageError(
        f"{which}: a list holds the pictures of one subject, and the other side has "
        f"{shown_subjects(names)}; give a dict of lists by subject"
    )


def shown_subjects(names: Sequence[str]) -> str:
    """How many subjects, and which.

    >>> shown_subjects(["cat", "dog"])
    '2 subjects (cat, dog)'
    """
    more = ", ..." if len(names) > _SHOWN_SUBJECTS else ""
    return f"{count(len(names), 'subject')} ({', '.join(map(printable, names[:_SHOWN_SUBJECTS]))}{more})"


class _Reader:
    """Reads the pictures of one side in the order given, and gathers all that is wrong with them.

    Args:
        root: what stands before the names of pictures in memory.
        parameter: what the program calls the side.
        reach: where links in folders may lead besides.
        repeats: take a file as often as it is given.
    """

    def __init__(self, root: str, parameter: str, reach: Reach = WITHIN, *, repeats: bool = False) -> None:
        self._root = root
        self._reach = reach
        self._parameter = parameter
        self._repeats = repeats
        self._left_out = LeftOutFiles()
        self._files: set[tuple[str | None, str]] = set()
        self._wrong: list[str] = []
        self._lacking: list[str] = []
        self.taken: list[tuple[str | None, Picture]] = []

    def side(self, value: object) -> None:
        """Take all pictures of the side."""
        if not isinstance(value, Mapping):
            self.pictures(value, self._parameter, None)
            return
        for name, pictures in value.items():
            self._subject(name, pictures)
        if not value:
            self._lacking.append(f"{self._parameter}: no pictures, the dict is empty")

    def _subject(self, name: object, value: object) -> None:
        """Take what a dict has: a subject's name, and its pictures or their folder."""
        if not isinstance(name, str) or not name.strip():
            found = "an empty one" if isinstance(name, str) else f"{_described(name)} {printable(repr(name))}"
            self._wrong.append(f"{self._parameter}: expected names of subjects as keys, found {found}")
            return
        place = f'{self._parameter}["{printable(name)}"]'
        if not is_path(value) or not (folder := here(as_path(value))).is_dir():
            self.pictures(value, place, name)
            return
        walked = walk(folder, reach=self._reach)
        self._left_out.extend(walked.left_out)
        for one in walked.names:
            self._take(name, Picture.at(folder, one, None, *prompt_and_seed(one)))
        if not walked.names:
            self._lacking.append(f"{place}: no pictures in the folder {printable(value)}")

    def pictures(self, value: object, place: str, subject: str | None) -> None:
        """Take the pictures of one subject: one or an iterable of them."""
        if is_one(value):
            self.picture(value, place, subject, 0)
            return
        items = _items(value)
        if items is None:
            self._wrong.append(f"{place}: expected pictures, found {_described(value)}")
            return
        if not items:
            self._lacking.append(f"{place}: no pictures")
        for number, item in enumerate(items):
            self.picture(item, f"{place}[{number}]", subject, number)

    def picture(self, value: Any, place: str, subject: str | None, number: int) -> None:
        """Take one picture, which is named after its subject and number if it is in memory."""
        if is_path(value):
            path = here(as_path(value))
            if not os.fspath(value):
                self._wrong.append(f"{place}: expected {_EXPECTED}, found an empty path")
            elif path.is_dir():
                self._wrong.append(f"{place}: expected a picture, found the folder {printable(path)}")
            elif not os.path.lexists(path):
                self._lacking.append(f"{place}: no such file: {printable(path)}")
            else:
                self._take(subject, Picture(path, ""))
        elif holds_pixels(value) and (problem := pixel_problem(value)):
            self._wrong.append(f"{place}: expected {_EXPECTED}, found {problem}")
        elif _is_image(value) or holds_pixels(value):
            name = memory_name(self._root, subject, number)
            image = value if _is_image(value) else image_of(value)
            self.taken.append((subject, Picture(Path(name), name, in_memory=InMemory(place, image))))
        else:
            self._wrong.append(f"{place}: expected {_EXPECTED}, found {_described(value)}")

    def refuse(self) -> None:
        """Raise what is wrong with the pictures, if anything is."""
        for kind, problems in ((UsageError, self._wrong), (InputError, self._lacking)):
            if problems:
                raise kind(problems[0], first_few(problems[1:], _SHOWN - 1))

    def found(self) -> Assigned:
        """The side that all pictures come to; files are named by their paths below the folder that they share."""
        self.refuse()
        root = shared_folder([one.path for _, one in self.taken if one.in_memory is None])
        side = Assigned(root or Path(self._root), GIVEN, left_out=self._left_out)
        for subject, one in self.taken:
            named = one if one.in_memory else replace(one, name=name_below(root, one.path))
            pictures = side.loose if subject is None else side.subjects.setdefault(subject, [])
            pictures.append(named)
        return side

    def _take(self, subject: str | None, picture: Picture) -> None:
        file = os.path.abspath(picture.path)  # noqa: PTH100 - textual, as the memo does it
        if (subject, file) in self._files and not self._repeats:
            self._left_out.add("repeated paths", shown(str(picture.path)))
            return
        self._files.add((subject, file))
        self.taken.append((subject, picture))


def is_path(value: object) -> TypeGuard[str | os.PathLike[str]]:
    """Whether a value is a path of text; one of bytes is none."""
    return isinstance(value, str) or (isinstance(value, os.PathLike) and isinstance(os.fspath(value), str))


def _is_picture_file(path: Path) -> bool:
    return path.suffix.lower().lstrip(".") in EXTENSIONS and not is_manifest(path) and path.is_file()


def _is_image(value: object) -> bool:
    module = sys.modules.get("PIL.Image")  # whoever has an image has imported it
    return module is not None and isinstance(value, module.Image)


def is_one(value: Any) -> bool:
    """Whether a value stands for one picture, if for any: arrays and tensors of four dimensions hold several."""
    return is_path(value) or _is_image(value) or (holds_pixels(value) and not is_several(value))


def _items(value: object) -> list[object] | None:
    """What is in a list or another iterable; None for what holds no pictures in an order."""
    if isinstance(value, (Mapping, AbstractSet, bytes, bytearray)) or not isinstance(value, Iterable):
        return None
    try:
        return list(value)
    except TypeError:  # an array without dimensions, say
        return None


def _described(value: Any) -> str:
    """The type of a value in words, with what matters of an array."""
    if value is None:
        return "None"
    if isinstance(value, AbstractSet):
        return "a set, which has no order"
    kind = type(value)
    if holds_pixels(value):
        return described_pixels(value)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    shape = getattr(value, "shape", None)
    return f"{name} {list(shape)}" if isinstance(shape, tuple) else name


def memory_name(root: str, subject: str | None, number: int) -> str:
    """What a picture in memory is called: `<generations>/cat/0`."""
    return "/".join((root, *([] if subject is None else [subject]), str(number)))


def shared_folder(paths: Iterable[Path]) -> Path | None:
    """The deepest folder that all files are in; the current one where they have none, None without files."""
    folders = {str(path.parent) for path in paths}
    try:
        return Path(os.path.commonpath(folders)) if folders else None
    except ValueError:  # absolute and relative paths, or those of several disks
        return Path()


def name_below(root: Path | None, path: Path) -> str:
    """A file's name below a folder, with `/`; all of its path where it lies elsewhere."""
    if root and root.parts and path.is_relative_to(root):
        return path.relative_to(root).as_posix()
    return url_of(path) or shown(path.as_posix())
