"""Identities: the views of each, their masks, and the distractors of every source, aligned by row position."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nearid_cli.errors import InputError
from nearid_cli.nearid_data.pictures import PictureColumns, Slots
from nearid_cli.nearid_data.rows import RowsGiven, choose_rows
from nearid_cli.nearid_data.sources import Notify, open_source
from nearid_cli.text import count, first_few, printable

if TYPE_CHECKING:
    from datasets import Dataset


@dataclass(frozen=True)
class IdentityRow:
    """One identity, its pictures as the files they were stored as. An empty slot is None.

    Attributes:
        number: the row's position in the data set.
        id: the data set's own number or name for it, if it has one.
        category: empty where the data set says none.
        views: pictures of the identity.
        masks: where the identity is in each view.
        distractors: for each source, the look-alikes of each view.
        distractor_masks: for each source, where the look-alike is; only rendered data sets have them.
    """

    number: int
    id: int | str | None
    category: str
    views: Slots
    masks: Slots
    distractors: tuple[Slots, ...] = ()
    distractor_masks: tuple[Slots, ...] = ()


@dataclass(frozen=True)
class Identities:
    """Chosen rows of a data set of identities and of its distractor sets. Picklable: data sets travel by path.

    Attributes:
        dataset: the positives.
        views, masks: their pictures.
        distractors, distractor_masks: the pictures of each distractor set.
        numbers: int64 [N], the chosen rows, in order.
    """

    dataset: Dataset
    views: PictureColumns
    masks: PictureColumns
    distractors: tuple[PictureColumns, ...]
    distractor_masks: tuple[PictureColumns, ...]
    numbers: NDArray[np.int64]

    @classmethod
    def open(
        cls,
        positives: str,
        distractors: Sequence[str],
        rows: RowsGiven | None = None,
        split: str = "train",
        notify: Notify = lambda line: None,
    ) -> Identities:
        """Open positives and the distractor sets that align with them by row position.

        Args:
            positives: a source for `open_source` with columns images1..3 (or img1..3) and perhaps masks1..3.
            distractors: sources with columns nimg1..3 and perhaps nmasks1..3; none is allowed.
            rows: as for `choose_rows`, by a column of the positives; None takes every row.
            split: which split of all of them.
            notify: called with one line before something may be downloaded.

        Raises:
            InputError: a source cannot be opened, lacks its columns, or does not align with the positives: it has
                another number of rows, or other ids in them.
        """
        dataset = open_source(positives, split, notify)
        views = _columns(positives, dataset, "images", "img")
        others = []
        for source in distractors:
            other = open_source(source, split, notify)
            columns = _columns(source, other, "nimg")
            _check_aligned(positives, dataset, source, other)
            others.append((columns, PictureColumns.find(source, other, "nmasks")))
        return cls(
            dataset,
            views,
            PictureColumns.find(positives, dataset, "masks"),
            tuple(columns for columns, _ in others),
            tuple(masks for _, masks in others),
            np.arange(len(dataset)) if rows is None else np.array(choose_rows(rows, positives, dataset)),
        )

    @property
    def sources(self) -> tuple[str, ...]:
        """The distractor sets, as they were named."""
        return tuple(columns.source for columns in self.distractors)

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, position: int) -> IdentityRow:
        """Read a row whole.

        Raises:
            IndexError: there is none at this position.
        """
        number = int(self.numbers[position])
        return IdentityRow(
            number,
            self._value("id", number),
            str(self._value("category", number) or ""),
            self.views.contents(number),
            self.masks.contents(number),
            tuple(columns.contents(number) for columns in self.distractors),
            tuple(columns.contents(number) for columns in self.distractor_masks),
        )

    def subset(self, numbers: Sequence[int] | NDArray[np.integer]) -> Identities:
        """The same data sets with other rows chosen, by their positions in the data set.

        Raises:
            IndexError: a data set has no such row.
        """
        chosen = np.asarray(numbers, dtype=np.int64)
        if chosen.size and not 0 <= chosen.min() <= chosen.max() < len(self.dataset):
            raise IndexError(f"rows are 0 to {len(self.dataset) - 1}")
        return replace(self, numbers=chosen)

    def _value(self, column: str, number: int) -> int | str | None:
        if column not in self.dataset.column_names:
            return None
        value: int | str | None = self.dataset.data.column(column)[number].as_py()
        return value


def _columns(source: str, dataset: Dataset, *prefixes: str) -> PictureColumns:
    columns = PictureColumns.find(source, dataset, *prefixes)
    if not columns.exist:
        expected = " or ".join(f"{prefix}1 to {prefix}3" for prefix in prefixes)
        found = ", ".join(map(printable, dataset.column_names))
        raise InputError(f"{printable(source)}: expected picture columns {expected}, found {found}")
    return columns


def _check_aligned(positives: str, dataset: Dataset, source: str, other: Dataset) -> None:
    """Raise InputError unless rows at one position can be of one identity."""
    if len(dataset) != len(other):
        raise InputError(
            f"{printable(source)} has {count(len(other), 'row')} and {printable(positives)} has {len(dataset):,}: "
            "distractors go with the positives by row position, so both need the same rows"
        )
    if "id" not in dataset.column_names or "id" not in other.column_names:
        return
    pairs = zip(_ids(dataset), _ids(other), strict=True)
    differ = [
        f"row {row}: {ours!r} and {theirs!r}"
        for row, (ours, theirs) in enumerate(pairs)
        if ours is not None and theirs is not None and ours != theirs and str(ours) != str(theirs)
    ]
    if differ:
        raise InputError(
            f"{printable(source)} does not go with {printable(positives)}: the ids of "
            f"{count(len(differ), 'row')} of {len(dataset):,} differ",
            first_few(differ),
        )


def _ids(dataset: Dataset) -> list[int | str | None]:
    ids: list[int | str | None] = dataset.data.column("id").to_pylist()
    return ids
