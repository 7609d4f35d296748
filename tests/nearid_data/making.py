"""Small data sets in the form of NearID's, made with the `datasets` library."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import datasets
import numpy as np
from PIL import Image

datasets.disable_progress_bars()

Cells = Mapping[str, Sequence[bytes | None]]


def png(level: int | tuple[int, int, int], size: tuple[int, int] = (8, 8), mode: str = "RGB") -> bytes:
    """A picture of one colour."""
    return encoded(Image.new(mode, size, level))


def encoded(picture: Image.Image | np.ndarray[Any, Any]) -> bytes:
    if isinstance(picture, np.ndarray):
        picture = Image.fromarray(picture)
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def table(cells: Cells, **columns: Sequence[object]) -> datasets.Dataset:
    """A data set with picture columns, and other columns before them."""
    features = datasets.Dataset.from_dict(dict(columns)).features
    for name in cells:
        features[name] = datasets.Image()
    pictures = {
        name: [None if content is None else {"bytes": content, "path": None} for content in column]
        for name, column in cells.items()
    }
    return datasets.Dataset.from_dict({**columns, **pictures}, features=features)


def slots(prefix: str, rows: Sequence[Sequence[bytes | None]]) -> dict[str, list[bytes | None]]:
    """Columns prefix1 to prefix3 from one triple a row."""
    return {f"{prefix}{slot + 1}": [row[slot] for row in rows] for slot in range(3)}


def saved(dataset: datasets.Dataset | datasets.DatasetDict, folder: Path) -> str:
    """Write with `save_to_disk`; the source's name."""
    dataset.save_to_disk(str(folder))
    return str(folder)
