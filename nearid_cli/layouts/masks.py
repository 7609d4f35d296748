"""Finding the mask of each picture: in a folder that mirrors the pictures, beside them, or in their manifest."""

from __future__ import annotations

import logging
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import NamedTuple, Protocol

from nearid_cli.errors import InputError, UsageError
from nearid_cli.flags import MASK_FILLS, MASK_KEEPS, MASK_SOURCES
from nearid_cli.images.formats import EXTENSIONS
from nearid_cli.images.reading import Masking
from nearid_cli.layouts.byproducts import MASK_SUFFIX
from nearid_cli.layouts.dataset import Dataset, Picture, SubjectPictures
from nearid_cli.layouts.names import composed
from nearid_cli.layouts.reach import Reach, refuse_links
from nearid_cli.layouts.walk import scan
from nearid_cli.mirrors.find import here
from nearid_cli.options import MaskOptions
from nearid_cli.remote.stores import as_path, url_of
from nearid_cli.text import count, first_few, printable, unknown

logger = logging.getLogger(__name__)

_SIDES = {
    "references": ("references", "refs"),
    "generations": ("generations", "gens"),
    "distractors": ("distractors",),
}
"""What the folder of the masks of a side may be called, besides as the folder of the pictures is."""
_ABOVE = 3  # so many folders of a path above the pictures' root may be mirrored, too
_SHOWN = 20


class MaskedData(NamedTuple):
    """Data sets whose pictures know their masks and boxes, where these are asked for.

    Attributes:
        datasets: by method.
        source: where masks are from, in words; empty where nobody asked for masks.
        parts: what is scored; empty for whole pictures.
        besides: whether it is scored besides whole pictures rather than in their place.
        allow_unmasked: whether pictures without a mask are scored whole.
        lacking: why a picture has no mask.
    """

    datasets: Mapping[str, Dataset]
    source: str = ""
    parts: tuple[Masking, ...] = ()
    besides: bool = False
    allow_unmasked: bool = False
    lacking: Callable[[Picture], str] = str


def find_masks(datasets: Mapping[str, Dataset], asked: MaskOptions) -> MaskedData:
    """The same data sets with the mask of each picture, where it has one.

    Args:
        datasets: by method, as they were found: pictures have the masks and boxes that their manifests say.
        asked: where masks are, and what is kept.

    Raises:
        UsageError: options contradict each other, or pictures are no files.
        InputError: masks are in doubt (all such are named), or there are none at all; or subjects share a picture, and
            the parts that show them are not wanted.
    """
    check_mask_options(asked)
    pictures = [one for dataset in datasets.values() for _, _, one in _sides(dataset)]
    if asked.masks is None and any(one.has_mask for one in pictures):
        logger.info(
            "scored are the parts that the manifest's masks and boxes show; whole pictures: --masks none"
        )
        asked = replace(asked, masks="manifest")
    if asked.masks in (None, "none"):
        _refuse_idle_options(asked)
        return MaskedData(_whole(datasets))
    if held := [one.place for one in pictures if one.in_memory]:
        raise UsageError(
            "masks are for pictures that are files, and some are in memory: mask these before you give them",
            first_few(held, _SHOWN),
        )
    columns = asked.masks in ("manifest", "both")
    first_root, reach = next((one.generations, one.reach) for one in datasets.values())
    place: _Place | None = None
    if asked.masks in ("sidecar", "both"):
        place = _Sidecars()
    elif asked.masks not in MASK_SOURCES:
        place = _MirroringFolder(here(as_path(asked.masks)), reach)
    finder = _MaskFinder(columns, place, pictures, reach)
    found = {name: _each(dataset, finder.masked) for name, dataset in datasets.items()}
    refuse_links(Path(first_root), finder.leading_out)
    if place is not None and finder.problems:
        raise InputError(
            f"{count(len(finder.problems), 'mask')} in doubt; {place.advice}",
            first_few(finder.problems, _SHOWN),
        )
    if not any(one.has_mask for dataset in found.values() for _, _, one in _sides(dataset)):
        first = pictures[0]
        raise InputError(f"not one picture has a mask; of {printable(first.place)}: {finder.lacking(first)}")
    both = "both" in (asked.masks, asked.keep)
    keeps = ("foreground", "background") if both else (asked.keep,)
    parts = tuple(Masking(keep, asked.fill, asked.clean) for keep in keeps)
    return MaskedData(found, " and ".join(finder.used), parts, both, asked.allow_unmasked, finder.lacking)


def check_mask_options(asked: MaskOptions) -> None:
    """Refuse options of masks that mean nothing, or contradict each other.

    Raises:
        UsageError: with the option.
        InputError: there is no such folder, or no OpenCV for `--mask-clean`.
    """
    for option, value, words in (
        ("--mask-keep", asked.keep, MASK_KEEPS),
        ("--mask-fill", asked.fill, MASK_FILLS),
    ):
        if value not in words:
            raise UsageError(unknown(option, value, words))
    both = "both" in (asked.masks, asked.keep)
    if both and asked.keep == "background":
        raise UsageError("--masks both scores each part in turn, and --mask-keep background only one")
    if both and asked.allow_unmasked:
        raise UsageError(
            "--allow-unmasked: a picture without a mask has no background to score alone; "
            "--skip-bad goes on without such pictures"
        )
    if asked.clean:
        from nearid_cli.images.masking import opencv

        opencv()
    if asked.masks in (None, *MASK_SOURCES) or url_of(asked.masks):
        return
    if not os.path.isdir(asked.masks):  # noqa: PTH112
        what = "is no folder" if os.path.lexists(asked.masks) else "does not exist"
        expected = f"expected a folder, {', '.join(MASK_SOURCES[:-1])} or {MASK_SOURCES[-1]}"
        raise InputError(f"--masks {printable(asked.masks)} {what}: {expected}")


def _refuse_idle_options(asked: MaskOptions) -> None:
    """Raise UsageError for options of masks where there are none."""
    given = {
        "--mask-keep": asked.keep != "foreground",
        "--mask-fill": asked.fill != "black",
        "--mask-clean": asked.clean,
        "--allow-unmasked": asked.allow_unmasked,
    }
    if any(given.values()):
        options = " and ".join(option for option, said in given.items() if said)
        raise UsageError(f"{options} without masks: say where these are with --masks")


class _Place(Protocol):
    """A place where masks are found by the names of their pictures."""

    source: str
    advice: str

    def of(self, side: str, root: str, picture: Picture) -> Sequence[Path]:
        """The masks that fit a picture of this side and its root."""

    def lacking(self, picture: Picture) -> str:
        """That there is none, and what was expected."""


class _MirroringFolder:
    """A folder in which a mask has the path that its picture has below its side's root."""

    def __init__(self, folder: Path, reach: Reach) -> None:
        shown = printable(folder)
        self.source = f"folder {shown}"
        self.advice = (
            "a picture has one mask, of its own: put those of references into a folder references of "
            f"{shown} and those of generations into generations, or name them in a manifest"
        )
        self._folder = folder
        names = scan(folder, reach=reach).names
        if not names:
            raise InputError(f"no pictures in the folder of masks {shown}")
        self._masks = _ByPicture(names)

    def of(self, side: str, root: str, picture: Picture) -> Sequence[Path]:
        names = [prefix + name for prefix in _prefixes(side, root) for name in _mirrored(picture)]
        return [self._folder / name for name in self._masks.of(names)]

    def lacking(self, picture: Picture) -> str:
        return f"no mask: expected {printable(_stem(picture.name))}.png in {printable(self._folder)}"


class _Sidecars:
    """The folder of each picture itself."""

    source = "sidecars"
    advice = "a picture has one mask, of its own: remove or rename the others, or name them in a manifest"

    def __init__(self) -> None:
        self._masks = cache(self._list)

    def of(self, side: str, root: str, picture: Picture) -> Sequence[Path]:
        folder, name = os.path.split(picture.path)
        return [Path(folder, one) for one in self._masks(folder).of([name])]

    def lacking(self, picture: Picture) -> str:
        return f"no mask: expected {printable(_stem(picture.path.name))}_mask.png beside it"

    def _list(self, folder: str) -> _ByPicture:
        try:
            names = sorted(os.listdir(folder or "."))  # noqa: PTH208
        except OSError:
            names = []  # its pictures cannot be read either, which is said of them
        return _ByPicture([one for one in names if _is_picture(one)], plain=False)


class _MaskFinder:
    """Finds the mask of one picture after the other.

    Args:
        columns: whether what manifests say counts.
        place: where else masks are; None for nowhere.
        pictures: of all data sets. None of them is a mask, wherever it lies.
        reach: where masks may lead that are links.

    Attributes:
        problems: masks that fit several pictures, and pictures that several masks fit.
        leading_out: masks that are links to elsewhere.
        used: where masks were found, in words.
    """

    def __init__(
        self, columns: bool, place: _Place | None, pictures: Iterable[Picture], reach: Reach
    ) -> None:
        self._columns = columns
        self._place = place
        self._real = cache(os.path.realpath)
        self._pictures = {self._key(one.path) for one in pictures}
        self._of: dict[str, Picture] = {}
        self._reach = reach
        self.problems: list[str] = []
        self.leading_out: dict[str, None] = {}
        self.used: dict[str, None] = {}

    def masked(self, side: str, root: str, picture: Picture) -> Picture:
        """The picture with its mask and box, where it has them; notes what is in doubt."""
        found: dict[str, Path] = {}
        if self._columns and picture.has_mask:
            self.used["manifest"] = None
        if self._columns and picture.mask is not None:
            found[self._key(picture.mask)] = picture.mask
        if self._place is not None:
            for path in self._place.of(side, root, picture):
                self._found(picture, path, self._place.source, found)
        if len(found) > 1:
            self._doubt(f"{picture.path}: {' or '.join(map(str, found.values()))}")
        mask = next(iter(found.values()), None)
        return replace(picture, mask=mask, box=picture.box if self._columns else None)

    def lacking(self, picture: Picture) -> str:
        """Why a picture has no mask."""
        said = ["no mask or box in a manifest"] if self._columns else []
        return "; ".join([*said, *([self._place.lacking(picture)] if self._place else [])])

    def _found(self, picture: Picture, path: Path, source: str, found: dict[str, Path]) -> None:
        key = self._key(path)
        if key in self._pictures or key in found:
            return
        if not self._reach.opens(path):
            self.leading_out[f"{path} -> {os.path.realpath(path)}"] = None
        found[key] = path
        self.used[source] = None
        other = self._of.setdefault(key, picture)
        if self._key(other.path) != self._key(picture.path):
            self._doubt(f"{path}: of {other.path}, or of {picture.path}")

    def _doubt(self, line: str) -> None:
        if printable(line) not in self.problems:
            self.problems.append(printable(line))

    def _key(self, path: Path) -> str:
        """The same for every spelling of a file's path."""
        head, name = os.path.split(path)
        return os.path.join(self._real(head or "."), name)  # noqa: PTH118


class _ByPicture:
    """Files of masks by what their pictures are called.

    Args:
        files: paths with `/`.
        plain: whether a mask may be called as its picture is, without `_mask` behind it.

    >>> masks = _ByPicture(["cat/0.png", "cat/1.jpg_mask.png"])
    >>> masks.of(["cat/0.jpg"]), masks.of(["CAT/1.jpg"])
    (['cat/0.png'], ['cat/1.jpg_mask.png'])
    """

    def __init__(self, files: Iterable[str], plain: bool = True) -> None:
        self._exact: dict[str, list[str]] = defaultdict(list)
        self._folded: dict[str, list[str]] = defaultdict(list)
        for file in files:
            stem = _stem(file)
            bare = MASK_SUFFIX.sub("", stem)
            for name in dict.fromkeys([*([stem] if plain else []), *([bare] if bare != stem else [])]):
                self._exact[composed(name)].append(file)
                self._folded[composed(name).casefold()].append(file)

    def of(self, pictures: Sequence[str]) -> list[str]:
        """The files that fit one of these paths; where none does, those that fit without case."""
        names = [composed(name) for one in pictures for name in (_stem(one), one)]
        found = [file for name in names for file in self._exact.get(name, ())]
        found = found or [file for name in names for file in self._folded.get(name.casefold(), ())]
        return list(dict.fromkeys(found))


def _stem(path: str) -> str:
    """A path without the extension.

    >>> _stem("a.b/0.png"), _stem("a.b/0")
    ('a.b/0', 'a.b/0')
    """
    folder, slash, name = path.rpartition("/")
    return folder + slash + (name.rpartition(".")[0] or name)


def _is_picture(name: str) -> bool:
    return name.rpartition(".")[2].lower() in EXTENSIONS and not name.startswith(".")


@cache
def _prefixes(side: str, root: str) -> tuple[str, ...]:
    """What may stand before a picture's name in a folder of masks."""
    folder = os.path.abspath(root)  # noqa: PTH100
    if not os.path.isdir(folder):  # noqa: PTH112 - a manifest
        folder = os.path.dirname(folder)  # noqa: PTH120
    above = Path(folder).parts[1:][-_ABOVE:]
    tails = ["", *("/".join(above[start:]) + "/" for start in range(len(above)))]
    words = ["", *(f"{word}/" for word in _SIDES[side])]
    return tuple(dict.fromkeys(word + tail for word in words for tail in tails))


def _mirrored(picture: Picture) -> list[str]:
    """The path of a picture below its root; of one elsewhere, the ends of its path with two and more parts."""
    if not picture.name.startswith(("/", "../")):
        return [picture.name]
    parts = Path(os.path.abspath(picture.path)).parts[1:]  # noqa: PTH100
    return ["/".join(parts[-number:]) for number in range(2, _ABOVE + 3) if number <= len(parts)]


def _sides(dataset: Dataset) -> Iterator[tuple[str, str, Picture]]:
    """All pictures, each with the side that it is on and this side's root."""
    roots = {
        "references": dataset.references,
        "generations": dataset.generations,
        "distractors": dataset.distractors or dataset.references,
    }
    for subject in (*dataset.subjects, *dataset.strangers):
        for side, root in roots.items():
            for one in getattr(subject, side):
                yield side, root, one


def _each(dataset: Dataset, change: Callable[[str, str, Picture], Picture]) -> Dataset:
    """The data set with every picture changed."""
    changed = iter([change(*given) for given in _sides(dataset)])

    def subjects(given: Iterable[SubjectPictures]) -> tuple[SubjectPictures, ...]:
        return tuple(
            SubjectPictures(one.name, *(tuple(next(changed) for _ in getattr(one, side)) for side in _SIDES))
            for one in given
        )

    return replace(dataset, subjects=subjects(dataset.subjects), strangers=subjects(dataset.strangers))


def _without(side: str, root: str, picture: Picture) -> Picture:
    return replace(picture, mask=None, box=None) if picture.has_mask else picture


def _whole(datasets: Mapping[str, Dataset]) -> Mapping[str, Dataset]:
    """The data sets without masks and boxes, which are not wanted; says that there are some.

    Raises:
        InputError: several subjects are in different parts of one picture.
    """
    given = [(side, one) for dataset in datasets.values() for side, _, one in _sides(dataset) if one.has_mask]
    if not given:
        return datasets
    number = len({one.path for _, one in given})
    remedy = "without --masks none these parts alone are scored"
    parts: dict[tuple[str, Path], Picture] = {}
    shared = [
        one.place
        for side, one in given
        if (first := parts.setdefault((side, one.path), one)).mask != one.mask or first.box != one.box
    ]
    if shared:
        raise InputError(
            f"{count(len(set(shared)), 'picture')} of several subjects, told apart by mask or box; {remedy}",
            first_few(map(printable, dict.fromkeys(shared)), _SHOWN),
        )
    logger.info("masks or boxes of %s in the manifest are not used; %s", count(number, "picture"), remedy)
    return {name: _each(dataset, _without) for name, dataset in datasets.items()}
