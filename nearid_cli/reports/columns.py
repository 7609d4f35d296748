"""Tables that fit a terminal: numbers are never cut, and what does not fit beside goes into a table below."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

_GAP = 2  # spaces between columns
FOLD = 14  # names and headers longer than this may fold to make room


@dataclass(frozen=True)
class Column:
    """A column of numbers or short texts.

    Attributes:
        header: its title; a long one folds.
        cells: one a row, never folded unless `room` says so.
        foot: that of the aggregate row.
        room: where given, cells longer than this fold.
        justify: to which side the cells go.
    """

    header: str
    cells: Sequence[str | Text]
    foot: str = ""
    room: int | None = None
    justify: Literal["left", "right"] = "right"

    @property
    def width(self) -> int:
        """Wide enough for every number; a long header folds."""
        from rich.cells import cell_len

        lines = self.header.split("\n")
        cells = max(map(cell_len, map(str, [*self.cells, self.foot])))
        return max(min(cells, self.room or cells), min(max(map(cell_len, lines)), FOLD))


def pages(
    groups: Iterable[Sequence[Column]], names: Sequence[str], width: int, fold: int = FOLD
) -> list[list[Column]]:
    """Columns dealt out to tables of a width that all begin with the names, groups whole.

    Args:
        groups: of columns that stay together.
        names: of the rows.
        width: of the terminal.
        fold: names that are longer may fold to make room.
    """
    from rich.cells import cell_len

    room = width - min(max(map(cell_len, names), default=0), fold)
    dealt: list[list[Column]] = []
    left = 0
    for group in groups:
        needed = sum(column.width + _GAP for column in group)
        if not dealt or needed > left:
            dealt.append([])
            left = room
        dealt[-1] += group
        left -= needed
    return dealt


def table(header: str, names: Sequence[str], columns: Sequence[Column], foot: str = "") -> Table:
    """One row a name. Names fold where the width asks for it, numbers do not. Markup is shown, not obeyed."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    made = Table(
        box=box.SIMPLE,
        show_edge=False,
        pad_edge=False,
        padding=(0, _GAP - 1, 0, 0),  # the box's own divider is the other space
        show_footer=bool(foot),
        footer_style="bold",
    )
    made.add_column(Text(header), Text(foot), overflow="fold")
    for column in columns:
        made.add_column(
            Text(column.header), column.foot, justify=column.justify, width=column.width, overflow="fold"
        )
    for i, name in enumerate(names):
        cells = (column.cells[i] for column in columns)
        made.add_row(Text(name), *(Text(cell) if isinstance(cell, str) else cell for cell in cells))
    return made
