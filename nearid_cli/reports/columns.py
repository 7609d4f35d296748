"""Tables and sentences that fit a terminal.

Numbers are never cut, and what does not fit beside goes into a table below. Sentences break at spaces; where nobody
limits the width, as in a pipe, each is one line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

GAP = 2  # spaces between columns
_GLUE = "\ue000"  # stands for a space that is none to break at
_SHORTEST = 8  # columns that a label needs to stay apart from others
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
        groups: of columns that stay together, if the width holds them at all.
        names: of the rows.
        width: of the terminal.
        fold: names that are longer may fold to make room.
    """
    room = room_beside(names, width, fold)
    dealt: list[list[Column]] = []
    left = 0
    for group in groups:
        for part in [group] if _needed(group) <= room else [[column] for column in group]:
            if not dealt or _needed(part) > left:
                dealt.append([])
                left = room
            dealt[-1] += part
            left -= _needed(part)
    return dealt


def room_beside(names: Sequence[str], width: int, fold: int = FOLD) -> int:
    """How many columns of a width are left beside names, of which longer ones may fold or be shortened."""
    from rich.cells import cell_len

    return width - min(max(map(cell_len, names), default=0), fold)


def _needed(group: Sequence[Column]) -> int:
    return sum(column.width + GAP for column in group)


def _shortened(names: Sequence[str], room: int) -> Sequence[str]:
    """Names as they are where two lines hold them whole, word by word; the others without their middle."""
    from rich.cells import cell_len

    def holds(name: str) -> bool:
        return cell_len(name) <= room or (
            cell_len(name) < 2 * room and max(map(cell_len, name.split()), default=0) <= room
        )

    if all(map(holds, names)):
        return names
    from nearid_cli.reports.labels import apart

    return [
        name if holds(name) else label
        for name, label in zip(names, apart(names, max(room, _SHORTEST)), strict=True)
    ]


def show(console: Console, tables: Iterable[Table]) -> None:
    """Print tables, an empty line below each."""
    for one in tables:
        console.print(one, soft_wrap=False)
        console.print()


def say(console: Console, *lines: str | Text, indent: int = 0) -> None:
    """Print sentences, broken at spaces where the console has a width of its own. Markup is shown, not obeyed.

    A command at the end of one is never broken, so that it can be copied: it goes below where it does not fit beside.
    """
    from rich.text import Text

    for line in lines:
        text = Text(line) if isinstance(line, str) else line
        for piece in [text] if console.soft_wrap else _broken(text, console, console.width - indent):
            console.print(Text(" " * indent) + piece, soft_wrap=True)


def _broken(text: Text, console: Console, width: int) -> list[Text]:
    if text.cell_len <= width:
        return [text]
    found = re.fullmatch(r"(.*:) (nearid .*)", text.plain)
    words = text[: found.end(1)] if found else text.copy()
    words.plain = words.plain.replace(" %", f"{_GLUE}%")  # a number keeps its unit
    pieces = [*words.wrap(console, width, overflow="fold")]
    for piece in pieces:
        piece.plain = piece.plain.replace(_GLUE, " ").rstrip()
    return [*pieces, text[found.start(2) :]] if found else pieces


def table(
    header: str, names: Sequence[str], columns: Sequence[Column], foot: str = "", width: int | None = None
) -> Table:
    """One row a name. Names fold where the width asks for it, numbers do not. Markup is shown, not obeyed.

    Args:
        header: of the names.
        names: of the rows.
        columns: of numbers or short texts.
        foot: the name of the last row, if the columns have one.
        width: of the terminal; names that two lines do not hold there lose their middle, and stay apart. None for names
            that must be whole, such as paths.
    """
    if width is not None:
        names = _shortened(names, width - _needed(columns))
    from rich import box
    from rich.table import Table
    from rich.text import Text

    made = Table(
        box=box.SIMPLE,
        show_edge=False,
        pad_edge=False,
        padding=(0, GAP - 1, 0, 0),  # the box's own divider is the other space
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
