"""Three numbered picture columns of a data set: which cells hold a picture, and their bytes or pixels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nearid_cli.errors import InputError
from nearid_cli.images.decode import UnreadableImage, decode
from nearid_cli.text import count, first_few, printable

if TYPE_CHECKING:
    from datasets import Dataset
    from PIL import Image

SLOTS = 3
"""Views of an identity. A slot keeps its number whether or not the others hold a picture."""

Slots = tuple[bytes | None, bytes | None, bytes | None]


class BadRowError(InputError):
    """A picture of a data set cannot be used. Names the data set, the row and the column."""

    def __init__(self, message: str, details: Sequence[str] = ()) -> None:
        # A DataLoader raises again what a worker raised, as this class with the text of the worker's traceback
        # for a message. The line for people is what follows the name of the class there.
        super().__init__(message.rpartition(f"{type(self).__name__}: ")[2].strip(), details)


class PictureColumns:
    """Up to three picture columns, one a slot.

    Args:
        source: what the data set is called in messages.
        dataset: from `open_source`.
        names: the columns of slots 1 to 3, whether the data set has them or not.

    Attributes:
        names: as given; None where there is no such column.
        present: bool [rows, 3], which cells hold a picture.

    Raises:
        InputError: a column holds something else than pictures, or names of files instead of their bytes.
    """

    def __init__(self, source: str, dataset: Dataset, names: Sequence[str | None] = (None,) * SLOTS) -> None:
        self.source = source
        self.names = tuple(name if name in dataset.column_names else None for name in names)
        self._dataset = dataset
        self.present: NDArray[np.bool_] = np.zeros((len(dataset), SLOTS), bool)
        for slot, name in enumerate(self.names):
            if name is not None:
                self.present[:, slot] = _present(source, dataset, name)

    @classmethod
    def find(cls, source: str, dataset: Dataset, *prefixes: str) -> PictureColumns:
        """The columns of the first prefix that the data set has any of: `images` is images1, images2, images3."""
        for prefix in prefixes:
            names = [f"{prefix}{slot + 1}" for slot in range(SLOTS)]
            if not set(names).isdisjoint(dataset.column_names):
                return cls(source, dataset, names)
        return cls(source, dataset)

    @property
    def exist(self) -> bool:
        """Whether the data set has any of the columns."""
        return any(self.names)

    def place(self, row: int, slot: int) -> str:
        """Where a picture is, for people: data set, row and column."""
        return f"{self.source}, row {row}, column {self.names[slot]}"

    def content(self, row: int, slot: int) -> bytes | None:
        """The picture's file as it was stored, or None where there is none. Slots count from 0."""
        if not self.present[row, slot]:
            return None
        cell = self._dataset.data.column(self.names[slot])[row].as_py()
        content: bytes = cell["bytes"] if isinstance(cell, dict) else cell
        return content

    def contents(self, row: int) -> Slots:
        """The three cells of a row."""
        return self.content(row, 0), self.content(row, 1), self.content(row, 2)

    def picture(self, row: int, slot: int) -> Image.Image | None:
        """The picture decoded to RGB, as `images.decode` does it, or None where there is none.

        Raises:
            BadRowError: there is one, and it cannot be decoded.
        """
        content = self.content(row, slot)
        if content is None:
            return None
        try:
            return decode(content)
        except UnreadableImage as error:
            raise self.unreadable(row, slot, error) from error

    def unreadable(self, row: int, slot: int, error: UnreadableImage) -> BadRowError:
        """What to raise for a picture that cannot be used."""
        return BadRowError(
            f"{printable(self.place(row, slot))}: {error.reason}; "
            "mend the data set, or leave the row out with a list of rows"
        )


def _present(source: str, dataset: Dataset, name: str) -> NDArray[np.bool_]:
    """Which rows hold a picture in a column; looks at Arrow's validity bits, not at the pictures."""
    import pyarrow as pa
    import pyarrow.compute as pc

    column = dataset.data.column(name)
    fields = {field.name: field.type for field in column.type} if pa.types.is_struct(column.type) else {}
    if pa.types.is_null(column.type):
        return np.zeros(len(column), bool)
    if not _is_binary(fields.get("bytes", column.type)):
        raise InputError(
            f"{printable(source)}: expected pictures in column {name}, found {printable(str(column.type))[:80]}"
        )
    valid = _numpy(pc.is_valid(column))
    if not fields:
        return valid
    # `struct_field` gives null where the struct itself is null.
    present = _numpy(pc.is_valid(pc.struct_field(column, "bytes")))
    if "path" in fields:
        named = _numpy(pc.is_valid(pc.struct_field(column, "path"))) & ~present
        if named.any():
            raise InputError(
                f"{printable(source)}: column {name} holds names of files and not their bytes in "
                f"{count(int(named.sum()), 'row')}; save the data set with its pictures in it",
                first_few(f"row {row}" for row in np.flatnonzero(named)),
            )
    return present


def _is_binary(kind: object) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _numpy(column: object) -> NDArray[np.bool_]:
    return np.asarray(column, dtype=bool)
