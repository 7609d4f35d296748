"""The samples of MTG: their pictures, the oracles of their twins, and their similarities by a metric, as a file.

The files are those of the published code (Gorluxor/NearID, evaluation/sim_test.py, mode `mtg`), column by column.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nearid_cli.benchmarks.contents import StoredPicture
from nearid_cli.benchmarks.slots import Places, between, within
from nearid_cli.embedding.settings import Settings, ahead, progress_bar
from nearid_cli.errors import BadImage, InputError
from nearid_cli.evaluate.kinds.measured import Likeness
from nearid_cli.files import replace_file
from nearid_cli.metrics.part_level import SIMILARITIES, oracle, part_margins
from nearid_cli.nearid_data import PartEdits, PictureColumns
from nearid_cli.opening import read_regular
from nearid_cli.reports.formats.data import to_csv, to_parquet
from nearid_cli.reports.table import COUNT, SCORE, TRUTH, Column, Table
from nearid_cli.text import printable, storable

Floats = npt.NDArray[np.float64]

TWINS = 2

_COLUMNS = {name: f"mtg_sim_{name[1]}_{name[2:]}" for name in SIMILARITIES}
_ORACLES = ("mtg_oracle_1", "mtg_oracle_2")


@dataclass(frozen=True)
class PartSimilarities:
    """What a metric says of N samples, NaN where it says nothing.

    Attributes:
        rows: int64 [N], the rows of the data set.
        oracles: float64 [N, 2], of the twins 1' and 2'.
        similarities: float64 [N, 5], columns as in `part_level.SIMILARITIES`.
    """

    rows: npt.NDArray[np.int64]
    oracles: Floats
    similarities: Floats


@dataclass(frozen=True)
class Areas:
    """How much of each picture the masks cover, in pixels.

    Attributes:
        objects, parts: float64 [N, 2]; NaN where there is no mask, or none that can be read.
        bad: masks that cannot be read, by row and column.
        uneven: which twins have masks of different sizes, bool [N, 2].
        masks: how many there are, good and bad.
    """

    objects: Floats
    parts: Floats
    bad: dict[tuple[int, str], BadImage]
    uneven: npt.NDArray[np.bool_]
    masks: int


def measure_masks(edits: PartEdits, rows: npt.NDArray[np.int64], settings: Settings) -> Areas:
    """Count the pixels above 0 of all masks, once they are grey (Pillow's mode L; transparency does not count)."""
    from nearid_cli.images.decode import MAX_PIXELS, UnreadableImage, decode

    cells = [
        (columns, n, slot)
        for n in range(len(rows))
        for slot in range(TWINS)
        for columns in (edits.object_masks, edits.part_masks)
        if columns.present[rows[n], slot]
    ]
    found: dict[PictureColumns, Floats] = {
        columns: np.full((len(rows), TWINS), np.nan) for columns in (edits.object_masks, edits.part_masks)
    }
    sizes = np.zeros((2, len(rows), TWINS, 2), np.int64)
    bad = {}

    def measure(cell: tuple[PictureColumns, int, int]) -> tuple[int, tuple[int, int]] | UnreadableImage:
        columns, n, slot = cell
        try:
            mask = decode(columns.content(int(rows[n]), slot) or b"", settings.max_pixels or MAX_PIXELS)
        except UnreadableImage as error:
            return error
        return int(np.count_nonzero(np.asarray(mask.convert("L")))), mask.size

    with ThreadPoolExecutor(settings.threads) as pool, progress_bar(settings, len(cells), "masks") as bar:
        for (columns, n, slot), measured in ahead(
            pool, ((cell, cell) for cell in cells), measure, window=4 * settings.threads
        ):
            bar.update()
            if isinstance(measured, UnreadableImage):
                place = storable(columns.place(int(rows[n]), slot))
                bad[int(rows[n]), str(columns.names[slot])] = BadImage(place, measured.reason)
            else:
                found[columns][n, slot], sizes[int(columns is edits.part_masks), n, slot] = measured
    uneven = (sizes > 0).all(axis=(0, 3)) & (sizes[0] != sizes[1]).any(axis=2)
    return Areas(found[edits.object_masks], found[edits.part_masks], bad, uneven, len(cells))


def oracles_of(edits: PartEdits, rows: npt.NDArray[np.int64], areas: Areas) -> Floats:
    """The oracles [N, 2]; NaN where a mask is there and cannot be read, for then nobody knows."""
    found = oracle(areas.parts, areas.objects)
    for n, row in enumerate(rows.tolist()):
        for slot in range(TWINS):
            names = {edits.object_masks.names[slot], edits.part_masks.names[slot]}
            if any((row, name) in areas.bad for name in names):
                found[n, slot] = np.nan
    return found


def stored_pictures(
    edits: PartEdits, rows: npt.NDArray[np.int64], masks: str, areas: Areas
) -> Iterator[tuple[int, int, StoredPicture]]:
    """The pictures to embed, each with its sample and its place there: originals are 0 and 1, their twins 2 and 3.

    Under masks, picture and twin use the mask of the object in the picture. One without that mask is absent.
    """
    for n, row in enumerate(rows.tolist()):
        for place in range(2 * TWINS):
            columns, slot = (edits.originals, edits.inpainted)[place // TWINS], place % TWINS
            if columns.present[row, slot] and (masks == "none" or not np.isnan(areas.objects[n, slot])):
                yield n, place, StoredPicture(columns, row, slot, edits.object_masks, masks)


def similarities_of(likeness: Likeness, places: Places) -> Floats:
    """The similarities [N, 5] of samples.

    Args:
        likeness: of pictures by their places.
        places: int64 [N, 4], of originals and twins; -1 for an absent picture.
    """
    empty = np.full((len(places), 1), -1)
    originals, twins = np.hstack([places[:, :TWINS], empty]), np.hstack([places[:, TWINS:], empty])
    crossed = between(likeness, originals, twins)
    return np.stack(
        [
            within(likeness, originals)[:, 0],
            crossed[:, 0, 0],
            crossed[:, 0, 1],
            crossed[:, 1, 1],
            crossed[:, 1, 0],
        ],
        axis=1,
    )


def write_part_similarities(path: Path, table: PartSimilarities) -> None:
    """Write a file of similarities and its twin in Parquet, `.parquet` in place of `.csv`.

    Raises:
        InputError: a file cannot be written. Nothing is left behind, an older file stays as it was.
    """
    data = _data(table)
    replace_file(path, to_csv(data).encode())
    replace_file(path.with_suffix(".parquet"), to_parquet(data, {}))


def read_part_similarities(path: Path) -> PartSimilarities:
    """Read back what `write_part_similarities` wrote, to the last bit.

    Raises:
        InputError: the file cannot be read, or is none of these.
    """
    try:
        text = read_regular(path, 2**30).decode()
        lines = list(csv.DictReader(io.StringIO(text, newline="")))
        return PartSimilarities(
            np.array([int(line["sample_id"]) for line in lines], np.int64),
            _numbers(lines, _ORACLES),
            _numbers(lines, list(_COLUMNS.values())),
        )
    except (OSError, ValueError, KeyError, TypeError, OverflowError, csv.Error) as error:
        raise InputError(
            f"{printable(path)}: no similarities of MTG ({error}); remove it and run again"
        ) from error


def _data(table: PartSimilarities) -> Table:
    margins = part_margins(table.similarities)
    wins = [[None if np.isnan(margin) else margin > 0 for margin in row] for row in margins.tolist()]
    every = [[win for win in row if win is not None] for row in wins]

    def numbers(name: str, values: Floats) -> Column:
        return Column(SCORE, values.tolist(), name=name)

    columns: list[Column] = []
    for twin, values in enumerate(table.oracles.T, 1):
        columns += [numbers(f"mtg_ratio_{twin}", 1 - values), numbers(f"mtg_oracle_{twin}", values)]
    columns += map(numbers, _COLUMNS.values(), table.similarities.T)
    columns += [numbers(f"mtg_margin_{k}", values) for k, values in enumerate(margins.T, 1)]
    columns += [Column(TRUTH, won, name=f"mtg_win_{k}") for k, won in enumerate(zip(*wins, strict=True), 1)]
    columns.append(Column(TRUTH, [all(won) if won else None for won in every], name="mtg_overall_win"))
    return Table((Column(COUNT, table.rows.tolist(), name="sample_id"),), tuple(columns))


def _numbers(lines: Sequence[Mapping[str, str]], names: Sequence[str]) -> Floats:
    found = [[float(line[name]) if line[name] else np.nan for name in names] for line in lines]
    return np.array(found, np.float64).reshape(len(lines), len(names))
