"""`nearid score --maps DIR`: where each generation lost its identity, drawn over it.

    DIR/METRIC/PATH OF THE GENERATION.png
    DIR/maps.csv                            a row a map: metric, subject, generation, reference, score, file

A cell that looks like the reference shows the picture as it is, one that does not is magenta, the more the worse. Where
the metric says nothing, because nothing of the reference is there, the picture is grey and dark.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from nearid_cli.errors import InputError, ModelError, UsageError
from nearid_cli.files import replace_file
from nearid_cli.remote.stores import check_on_disk
from nearid_cli.text import few, printable, storable

if TYPE_CHECKING:
    import numpy.typing as npt
    from PIL import Image

    from nearid_cli.embedding.reading import Content
    from nearid_cli.embedding.settings import Settings
    from nearid_cli.evaluate.kinds.measured import Measured, Pictures
    from nearid_cli.layouts.dataset import Dataset

INDEX = "maps.csv"
LONGEST = 1024
"""The longest side of a map in pixels; larger generations are reduced to it."""

_COLUMNS = ("metric", "subject", "generation", "reference", "score", "file")
_MAGENTA, _STRENGTH = np.array([255, 0, 200], np.float32), 0.65
_DARK = 0.4


def check_maps(metrics: Sequence[Measured], folder: Path, datasets: Iterable[Dataset]) -> None:
    """Refuse what cannot be done before anything is computed.

    Args:
        metrics: of which some have maps.
        folder: where these shall be.
        datasets: whose pictures stay as they are.

    Raises:
        UsageError: no metric has maps, or the folder is a URL.
        InputError: the folder cannot be one, or lies where pictures are looked for.
    """
    check_on_disk(folder)
    if not any(metric.has_maps for metric in metrics):
        names = few([metric.name for metric in metrics])
        raise UsageError(f"--maps: none of {names} says where identity was lost; vsm does: --metric vsm")
    places = [folder / _folder_of(metric.name) for metric in metrics if metric.has_maps]
    for place in (folder, *places):
        # Of no name that may not be looked at is it true that it exists; `Path.exists` raises.
        there = next(one for one in (place, *place.absolute().parents) if os.path.exists(one))  # noqa: PTH110
        if not there.is_dir():
            raise InputError(f"--maps: {printable(there)} is no folder")
        if not os.access(there, os.W_OK):
            raise InputError(f"--maps: {printable(there)} cannot be written")
    for dataset in datasets:
        for side in (dataset.references, dataset.generations, dataset.distractors):
            if side and Path(side).is_dir() and any(_overlap(place, Path(side)) for place in places):
                raise InputError(
                    f"--maps: maps in {printable(folder)} would lie among the pictures of {printable(side)}, and be "
                    "taken for some; choose another folder"
                )


def write_maps(
    folder: Path, metrics: Sequence[Measured], pictures: Pictures, settings: Settings
) -> list[dict[str, str]]:
    """Draw the maps of all metrics that have them.

    Args:
        folder: made if need be; older maps of the same names are replaced.
        metrics: ready to give numbers.
        pictures: the data set.
        settings: how pictures are read.

    Returns:
        For each generation in order the file of its map below the folder, by metric.

    Raises:
        NearIDError: a metric fails, or a file cannot be read or written.
    """
    owners = [(subject.name, one) for subject in pictures.subjects for one in subject.generations]
    found: list[dict[str, str]] = [{} for _ in owners]
    taken: set[str] = set()
    rows: list[tuple[str, ...]] = []
    for metric in metrics:
        for lost in metric.maps(pictures):
            subject, (picture, digest) = owners[lost.generation]
            name = _unused(_file_of(metric.name, picture.name), taken)
            image = drawn(_opened(pictures.contents[digest], settings), lost.grid)
            _write(folder / name, image)
            found[lost.generation][metric.name] = name
            row = (metric.name, subject, picture.name, lost.reference, repr(lost.score), name)
            rows.append(tuple(map(storable, row)))
    table = io.StringIO()
    csv.writer(table, lineterminator="\n").writerows([_COLUMNS, *rows])
    _make(folder)
    replace_file(folder / INDEX, table.getvalue().encode())
    return found


def drawn(picture: Image.Image, grid: npt.NDArray[np.float32]) -> Image.Image:
    """A map over its picture, RGB; see the module.

    Args:
        picture: RGB; reduced where a side is longer than `LONGEST`.
        grid: [H, W] from 0 to 1, NaN where nothing is said.
    """
    from PIL import Image

    picture = picture.copy()
    picture.thumbnail((LONGEST, LONGEST), Image.Resampling.LANCZOS)
    rows, columns = (
        np.arange(pixels) * cells // pixels
        for pixels, cells in zip((picture.height, picture.width), grid.shape, strict=True)
    )
    values = grid[np.ix_(rows, columns)][..., None]
    levels = np.asarray(picture, np.float32)
    grey = np.asarray(picture.convert("L"), np.float32)[..., None] * _DARK
    share = _STRENGTH * np.nan_to_num(values)
    mixed = np.where(np.isnan(values), grey, levels + share * (_MAGENTA - levels))
    return Image.fromarray(np.rint(mixed).astype(np.uint8))


def _opened(content: Content, settings: Settings) -> Image.Image:
    from nearid_cli.images.decode import UnreadableImage

    try:
        return content.open_apart(settings.max_pixels, settings.reading)[0].image  # whole, masked or not
    except UnreadableImage as error:
        raise ModelError(f"{printable(content.name)} cannot be read any more: {error.reason}") from error


def _overlap(a: Path, b: Path) -> bool:
    a, b = a.resolve(), b.resolve()
    return a.is_relative_to(b) or b.is_relative_to(a)


def _folder_of(metric: str) -> str:
    return storable(metric).replace("/", "_")


def _file_of(metric: str, generation: str) -> str:
    """Where a map is below the folder; a name of a generation may lead out of its own."""
    parts = [part for part in PurePosixPath(storable(generation)).parts if part not in ("/", "..")]
    path = "/".join((_folder_of(metric), *parts))
    return path if path.lower().endswith(".png") else f"{path}.png"


def _unused(name: str, taken: set[str]) -> str:
    """The name, or where it is taken, as by a picture of several subjects, the next one that is not."""
    stem, number, found = name.removesuffix(".png"), 1, name
    while found in taken:
        number += 1
        found = f"{stem} ({number}).png"
    taken.add(found)
    return found


def _write(file: Path, image: Image.Image) -> None:
    content = io.BytesIO()
    image.save(content, "PNG")
    _make(file.parent)
    replace_file(file, content.getvalue())


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make {printable(folder)}: {error.strerror or error}") from error
