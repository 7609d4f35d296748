"""Documents, tables and sentences that fit a terminal.

Numbers are never cut, and what does not fit beside goes into a table below. Sentences break at spaces; where nobody
limits the width, as in a pipe, each is one line. Markup is shown, not obeyed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, Literal

from rich import box
from rich.cells import cell_len
from rich.table import Table as Grid
from rich.text import Text

from nearid_cli.reports.blocks import Document, Entries, Entry, FindingList, Panel, Prose
from nearid_cli.reports.curves import Sketches
from nearid_cli.reports.labels import apart
from nearid_cli.reports.table import BREAK, GLUE, Column, Mark, Table, safe
from nearid_cli.text import printable

if TYPE_CHECKING:
    from rich.console import Console

GAP = 2  # spaces between columns
MOST_ROWS = 500
"""So many rows of a table are shown; a longer one says where the rest is. Nobody reads more, and fitting takes time."""
_SHORTEST = 8  # columns that a label needs to stay apart from others
_HEADER = 14  # headers longer than this may fold to make room
_FEW_WORDS = 16  # words beside numbers have no column of their own below this
_MARKS: dict[Mark, tuple[str, str]] = {"best": ("*", "bold"), "second": ("+", "underline")}
_BARS, _PLAIN_BARS = "▁▂▃▄▅▆▇█", "_.-=+*%#"
_STATES = {"failed": "bold red", "warned": "yellow", "passed": "green"}
_LEGEND: dict[Mark, str] = {"best": "* best, + second"}


@dataclass(frozen=True)
class TextColumn:
    """A column of numbers or short texts.

    Attributes:
        header: its title; a long one folds.
        cells: one a row, that of the foot among them, never folded unless `room` says so.
        room: where given, cells longer than this fold.
        justify: to which side the cells go.
        group: neighbours of one group stay together.
    """

    header: str
    cells: Sequence[Text]
    room: int | None = None
    justify: Literal["left", "right"] = "right"
    group: str = ""

    @property
    def width(self) -> int:
        """Wide enough for every number; a long header folds."""
        cells = max(cell.cell_len for cell in self.cells)
        words = re.split(f"[ \n{BREAK}]", self.header.rstrip())
        header = min(max(map(cell_len, words)), _HEADER) + self.header.endswith("  ") * GAP
        return max(min(cells, self.room or cells), header)

    @property
    def title(self) -> Text:
        """The header, broken where it may break if it must."""
        header = self.header.replace(GLUE, " ")
        whole = header.replace(BREAK, "")
        return Text(whole if len(whole) <= self.width else header.replace(BREAK, "\n"))


def render(document: Document, console: Console) -> None:
    """Print a document, an empty line below each block; what a reader must not miss comes last."""
    last: list[Text] = []
    for block in document.draft.blocks:
        if block.where == "page":
            continue
        if isinstance(block, FindingList):
            last += [Text(line, style=_STATES.get(block.state, "")) for line in block.lines()]
        elif isinstance(block, Panel) and block.few != []:
            show_table(console, block.table if block.few is None else block.table.only(block.few))
        elif isinstance(block, Entries):
            _tell(block, console)
        elif isinstance(block, Sketches):
            _sketch(block, console)
        elif isinstance(block, Prose) and block.lines:
            first, *rest = block.lines
            say(console, f"{block.title} {first}".strip(), *rest, "")
    say(console, *last)


def _sketch(block: Sketches, console: Console) -> None:
    """A line a number, a character a step; a space where there is no number."""
    bars = _PLAIN_BARS if console.options.ascii_only else _BARS
    widest = max(cell_len(printable(one.name)) for one in block.rows)
    say(console, block.title)
    for one in block.rows:
        name = printable(one.name)
        room = len(one.values) if console.soft_wrap else max(console.width - widest - 2 * GAP, 1)
        for start in range(0, len(one.values), room):
            shown = "".join(bars[step] if step is not None else " " for step in one.steps(len(bars)))
            label = name if start == 0 else ""
            line = f"{label}{' ' * (widest - cell_len(label) + GAP)}{shown[start : start + room]}"
            say(console, Text(line.rstrip()), indent=GAP)
    say(console, "")


def _tell(block: Entries, console: Console) -> None:
    """Each under its name; what begins alike, such as for want of a baseline, is said once."""
    alike: dict[str, list[Entry]] = {}
    for entry in block.entries:
        alike.setdefault(entry.lines[0], []).append(entry)
    for first, entries in alike.items():
        names = "; ".join(entry.name for entry in entries)
        more = [entries[0].numbers, *entries[0].lines[1:]] if len(entries) == 1 else []
        say(console, Text(f"{block.state.upper()} {names}", style=_STATES[block.state]))
        say(console, first, *more, indent=2)
        say(console, "")


def show_table(console: Console, made: Table) -> None:
    """Print a table in as many pieces as the width asks for, and below it what must be known to read it."""
    shown = _cut(made)
    for one in fitted(shown, console.width):
        console.print(one, soft_wrap=False)
        console.print()
    if shown is not made:
        flag = "--groups" if made.noun == "groups" else "-o"
        say(
            console,
            f"The first {MOST_ROWS:,} of {made.size:,} {made.noun}; {flag} FILE.csv has all of them.",
            "",
        )
    if made.notes:
        say(console, *made.notes, "")
    if legend := made.legend(_LEGEND, "terminal"):
        say(console, legend, "")


def _cut(made: Table) -> Table:
    """The table without rows that nobody reads; whole where it is one of few that were asked for by number."""
    if made.whole or made.size <= MOST_ROWS:
        return made
    places = [*range(MOST_ROWS), *([made.size] if made.foot else ())]
    return replace(made.only(places), foot=made.foot)


def fitted(made: Table, width: int) -> list[Grid]:
    """The table in pieces that fit a width, all of which begin with the names of the rows.

    Columns of one group stay together. Words stand at the end of the rows, or as near to the first number as the width
    allows: beside it, or below it. Numbers by a metric are tables of their own under its name.
    """
    header, *names = _beside(made.shown_names)
    grids = []
    for by, part in groupby((c for c in made.shown if not c.page), key=lambda column: column.by):
        title = f"by {safe(by)}" if by else header
        room = width - min(max(map(cell_len, [title, *names])), made.fold)
        for columns in _dealt(list(map(_spelled, part)), room):
            beside = width - _needed(columns)
            short = _shortened(names[: made.size], None if made.whole else beside)
            grids.append(_grid(title, [*short, *names[made.size :]], columns, made.foot, beside))
    return grids


def _beside(columns: Sequence[Column]) -> list[str]:
    """The names of each row as one text, each under the one above, and their titles before all."""
    cells = [[one.plain_title, *(one.spelled(place) for place in range(len(one.cells)))] for one in columns]
    widths = [max(map(cell_len, column)) for column in cells]
    return [
        "  ".join(
            cell + " " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True)
        ).rstrip()
        for row in zip(*cells, strict=True)
    ]


def _spelled(column: Column) -> TextColumn:
    """A column with its cells spelled, the best two marked."""
    cells = [Text(column.spelled(place, "terminal")) for place in range(len(column.cells))]
    ranked = any(one in mark for mark in column.marks for one in _MARKS)
    if ranked:
        for place, cell in enumerate(cells):
            sign, style = next((_MARKS[one] for one in _MARKS if one in column.mark(place)), (" ", ""))
            cells[place] = Text.assemble((cell.plain, style), f" {sign}")
    return TextColumn(
        f"{column.heading}{'  ' if ranked else ''}",
        cells,
        column.kind.folds or None,
        "left" if column.kind.text else "right",
        column.group,
    )


def _dealt(columns: Sequence[TextColumn], room: int) -> list[list[TextColumn]]:
    """The columns dealt out to tables with so much room beside the names, words where their numbers are read."""
    words = next((column for column in columns if column.room), None)
    grouped = groupby((c for c in columns if c is not words), key=lambda column: column.group)
    groups = [part for name, own in grouped for part in ([[*own]] if name else [[one] for one in own])]
    if words is None:
        return _pages(groups, room)
    if len(whole := _pages([*groups, [words]], room)) == 1 or not groups:
        return whole
    first, *rest = _held(groups, room)
    left = room - _needed(first) - GAP
    if left >= _FEW_WORDS:
        beside = [*first, replace(words, room=min(left, words.room or left))]
    elif len(first) > 1 or first[0].width < _FEW_WORDS:
        return _pages([*groups, [replace(words, room=room - GAP)]], room)
    else:
        below = [Text(f"{cell}\n{said}") for cell, said in zip(first[0].cells, words.cells, strict=True)]
        beside = [replace(first[0], cells=below, room=first[0].width)]
    return _pages([beside, [column for group in rest for column in group]], room)


def _pages(groups: Iterable[Sequence[TextColumn]], room: int) -> list[list[TextColumn]]:
    """Columns dealt out to tables with so much room beside the names, groups whole, if it holds them at all."""
    dealt: list[list[TextColumn]] = []
    left = 0
    for part in _held(groups, room):
        if not dealt or _needed(part) > left:
            dealt.append([])
            left = room
        dealt[-1] += part
        left -= _needed(part)
    return dealt


def _held(groups: Iterable[Sequence[TextColumn]], room: int) -> Iterator[Sequence[TextColumn]]:
    """Groups that the room holds whole, the others column by column."""
    for group in groups:
        yield from [group] if _needed(group) <= room else ([column] for column in group)


def _needed(group: Sequence[TextColumn]) -> int:
    return sum(column.width + GAP for column in group)


def _shortened(names: Sequence[str], room: int | None) -> Sequence[str]:
    """Names as they are where two lines hold them whole, word by word; the others without their middle.

    They stay apart. All are whole where no room is given, as paths must be.
    """

    def holds(name: str, room: int) -> bool:
        if cell_len(name) <= room:
            return True
        return cell_len(name) < 2 * room and max(map(cell_len, name.split()), default=0) <= room

    if room is None or all(holds(name, room) for name in names):
        return names
    short = zip(names, apart(names, max(room, _SHORTEST)), strict=True)
    return [name if holds(name, room) else label for name, label in short]


def _grid(header: str, names: Sequence[str], columns: Sequence[TextColumn], foot: bool, room: int) -> Grid:
    """One row a name, the last one the foot where there is one. Names fold where `room` for them asks for it."""
    made = Grid(
        box=box.SIMPLE,
        show_edge=False,
        pad_edge=False,
        padding=(0, GAP - 1, 0, 0),  # the box's own divider is the other space
        show_footer=foot,
        footer_style="bold",
    )
    made.add_column(Text(header), Text(names[-1] if foot else ""), overflow="fold")
    for column in columns:
        last = column.cells[-1] if foot else ""
        made.add_column(column.title, last, justify=column.justify, width=column.width, overflow="fold")
    shown = len(names) - foot
    cells = [[Text(name) for name in names[:shown]], *(column.cells[:shown] for column in columns)]
    rooms = [room, *(column.width for column in columns)]
    if any(_folds(own, room) for own, room in zip(cells, rooms, strict=True)):
        for row in zip(*cells, strict=True):
            made.add_row(*row)
    elif shown:  # all as one row of many lines, which takes Rich half the time
        made.add_row(*map(Text("\n").join, cells))
    return made


def _folds(cells: Iterable[Text], room: int) -> bool:
    """Whether any cell takes more than one line."""
    return any(cell.cell_len > room or "\n" in cell.plain for cell in cells)


def say(console: Console, *lines: str | Text, indent: int = 0) -> None:
    """Print sentences, broken at spaces where the console has a width of its own.

    A command at the end of one is never broken, so that it can be copied: it goes below where it does not fit beside.
    """
    for line in lines:
        text = Text(line) if isinstance(line, str) else line
        for piece in [text] if console.soft_wrap else _broken(text, console, console.width - indent):
            console.print(Text(" " * indent) + piece, soft_wrap=True)


def _broken(text: Text, console: Console, width: int) -> list[Text]:
    if text.cell_len <= width:
        return [text]
    found = re.fullmatch(r"(.*:) (nearid .*)", text.plain)
    words = text[: found.end(1)] if found else text.copy()
    words.plain = words.plain.replace(" %", f"{GLUE}%")  # a number keeps its unit
    pieces = [*words.wrap(console, width, overflow="fold")]
    for piece in pieces:
        piece.plain = piece.plain.replace(GLUE, " ").rstrip()
    return [*pieces, text[found.start(2) :]] if found else pieces
