"""The samples of NearID-Bench: which rows of the data sets count, their pictures, and their similarities."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from nearid_cli.benchmarks.contents import StoredPicture
from nearid_cli.benchmarks.slots import Places, between, compacted, within
from nearid_cli.benchmarks.tables.similarities import Similarities
from nearid_cli.errors import InputError
from nearid_cli.evaluate.kinds.measured import Likeness
from nearid_cli.nearid_data import Identities, PictureColumns
from nearid_cli.text import count, first_few, printable

Triple = tuple[StoredPicture | None, StoredPicture | None, StoredPicture | None]

_NOTHING: Triple = (None, None, None)
_VIEWS_TO_SPARE = 1  # a sample needs two


@dataclass(frozen=True)
class SourceSamples:
    """SourceSamples of one source, in the order of their rows.

    Attributes:
        ids: the data set's ids; a row's position where it has none.
        categories: empty where the data set says none.
        views, distractors: the pictures that count, by slot.
    """

    ids: tuple[str, ...]
    categories: tuple[str, ...]
    views: tuple[Triple, ...]
    distractors: tuple[Triple, ...]

    def pictures(self) -> Iterator[StoredPicture]:
        """All pictures, sample by sample."""
        for views, distractors in zip(self.views, self.distractors, strict=True):
            yield from (picture for picture in (*views, *distractors) if picture is not None)


class ChosenRows:
    """The chosen rows of the data sets, seen as the benchmark sees them.

    Args:
        identities: the rows.
        crossed: whether distractors are used; without, there are none.
        keep: `none` for whole pictures, else what the masks leave: `foreground` or `background`. A picture without a
            mask is then missing. The mask of a view serves its distractor too.

    Attributes:
        rows: how many rows.

    Raises:
        InputError: masks are asked for and the positives have none.
    """

    def __init__(self, identities: Identities, crossed: bool, keep: str) -> None:
        if keep != "none" and not identities.masks.exist:
            raise InputError(
                f"{printable(identities.views.source)} has no columns masks1 to masks3, "
                f"so --masks {keep} has nothing to go by"
            )
        self.rows = len(identities)
        self._identities = identities
        self._crossed = crossed
        self._keep = keep

    def samples(self, source: int, without: Container[StoredPicture] = ()) -> SourceSamples:
        """The rows with two views and, where distractors are used, a distractor of the source.

        Args:
            source: its number.
            without: pictures that are treated as missing.

        Raises:
            InputError: there are none, or two of them have one id, so that nobody could tell them apart.
        """
        columns = [self._identities.views, *([self._identities.distractors[source]] if self._crossed else [])]
        chosen: dict[int, tuple[Triple, Triple]] = {}
        for row in self._identities.numbers.tolist():
            views, distractors = (*(self._triple(one, row, without) for one in columns), _NOTHING)[:2]
            if views.count(None) <= _VIEWS_TO_SPARE and (distractors != _NOTHING or not self._crossed):
                chosen[row] = (views, distractors)
        if not chosen:
            needed = "two views" + (" and a distractor" if self._crossed else "")
            masked = " with a mask" if self._keep != "none" else ""
            raise InputError(
                f"{printable(columns[-1].source)}: none of {count(self.rows, 'row')} has {needed}{masked}"
            )
        return SourceSamples(
            self._ids(list(chosen)),
            tuple(self._texts("category", list(chosen))),
            tuple(views for views, _ in chosen.values()),
            tuple(distractors for _, distractors in chosen.values()),
        )

    def _triple(self, columns: PictureColumns, row: int, without: Container[StoredPicture]) -> Triple:
        """The pictures of a row that can be used."""

        def usable(slot: int) -> StoredPicture | None:
            there = columns.present[row, slot] and (self._keep == "none" or masks.present[row, slot])
            picture = StoredPicture(columns, row, slot, masks, self._keep)
            return picture if there and picture not in without else None

        masks = self._identities.masks
        return usable(0), usable(1), usable(2)

    def _ids(self, rows: list[int]) -> tuple[str, ...]:
        ids = ids_of(self._identities, rows)
        first: dict[str, int] = {}
        twice = [
            f"{printable(name)}: rows {earlier} and {row}"
            for row, name in zip(rows, ids, strict=True)
            if (earlier := first.setdefault(name, row)) != row
        ]
        if twice:
            name = printable(self._identities.views.source)
            raise InputError(
                f"{name}: {count(len(twice), 'row')} with the id of another row", first_few(twice)
            )
        return ids

    def _texts(self, column: str, rows: list[int]) -> list[str]:
        return _texts(self._identities, column, rows)


def ids_of(identities: Identities, rows: list[int]) -> tuple[str, ...]:
    """What rows are called: by their ids, or where they have none by their positions."""
    return tuple(value or str(row) for row, value in zip(rows, _texts(identities, "id", rows), strict=True))


def _texts(identities: Identities, column: str, rows: list[int]) -> list[str]:
    dataset = identities.dataset
    if column not in dataset.column_names:
        return [""] * len(rows)
    values = dataset.data.column(column).take(rows).to_pylist()
    return ["" if value is None else str(value) for value in values]


def similarities(
    samples: SourceSamples,
    likeness: Likeness,
    places: Mapping[StoredPicture, int],
    mode: str,
    compact_slots: bool,
) -> Similarities:
    """The similarities of the samples of one source by one metric.

    Args:
        samples: of S rows.
        likeness: of pictures by their places.
        places: of each picture.
        mode: `positives` for those among the views, `full` for those with the distractors too, `fullneg` for those
            among the distractors too.
        compact_slots: move the pictures to the first slots, as the published code does.
    """

    def located(triples: tuple[Triple, ...]) -> Places:
        found = np.array(
            [[-1 if picture is None else places[picture] for picture in triple] for triple in triples]
        )
        return compacted(found) if compact_slots else found

    views, distractors = located(samples.views), located(samples.distractors)
    return Similarities(
        sample_ids=samples.ids,
        categories=samples.categories,
        n_pos=(views >= 0).sum(axis=1),
        n_neg=(distractors >= 0).sum(axis=1),
        sim=within(likeness, views),
        cross=between(likeness, views, distractors),
        neg_sim=within(likeness, distractors) if mode == "fullneg" else np.full((len(views), 3), np.nan),
    )
