"""Tables, made once from a result and rendered by every format.

Cells are values, never text made early: a column's kind says how they look to people and as what data files store
them. A renderer decides what fits and how a mark looks: `terminal.py`, `formats/` and `html/`.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from nearid_cli.text import printable

if TYPE_CHECKING:
    from nearid_cli.results import Interval


class Kind(NamedTuple):
    """What the cells of a column are.

    Attributes:
        type: as which data files store them: `str`, `bool`, `int` or `float`.
        spell: a value for people, in a plain text without line breaks.
        text: names or words, which stand at the left and are escaped; numbers stand at the right.
        folds: a terminal breaks what is longer at spaces; 0 for what stays whole. It takes one such column a table.
    """

    type: type[str] | type[bool] | type[int] | type[float]
    spell: Callable[[Any], str]
    text: bool = False
    folds: int = 0

    def say(self, value: Any, ends: Interval | None = None) -> str:
        """A value for people with its interval, `-` for one that does not exist.

        >>> SCORE.say(0.8124, (0.79, 0.83)), SCORE.say(-0.0001), SCORE.say(None)
        ('0.812 [0.790, 0.830]', '0.000', '-')
        >>> SIGNED.say(0.0124, (-0.02, 0.0001)), CHANGE.say(0.0124), CHANGE.say(-0.0001)
        ('+0.012 [-0.020, 0.000]', '▲ +0.012', '= 0.000')
        >>> P.say(0.00099), P.say(0.001)
        ('<0.001', '0.001')
        """
        if missing(value):
            return "-"
        return f"{self.spell(value)} [{', '.join(map(self.spell, ends))}]" if ends else self.spell(value)


def figure(value: float, decimals: int = 3) -> str:
    """A number with so many decimals, and no -0."""
    return f"{round(value, decimals) + 0.0:.{decimals}f}"


def signed_figure(value: float, decimals: int = 3) -> str:
    """The same with its sign, so far as these decimals show it."""
    return f"{'+' if round(value, decimals) > 0 else ''}{figure(value, decimals)}"


@functools.cache
def score(decimals: int) -> Kind:
    """A number with so many decimals."""
    return Kind(float, lambda value: figure(value, decimals))


@functools.cache
def signed(decimals: int) -> Kind:
    """A difference with its sign."""
    return Kind(float, lambda value: signed_figure(value, decimals))


@functools.cache
def change(decimals: int, lower: bool = False) -> Kind:
    """A change, with an arrow that says which way the number went; where lower is better, a word says what that means.

    >>> change(3, lower=True).spell(0.0124), change(1, lower=True).spell(-2.04)
    ('▲ +0.012 worse', '▼ -2.0 better')
    """

    def spell(value: float) -> str:
        rounded = round(value, decimals)
        arrow, word = ("▲", " worse") if rounded > 0 else ("▼", " better") if rounded < 0 else ("=", "")
        return f"{arrow} {signed_figure(value, decimals)}{word if lower else ''}"

    return Kind(float, spell)


TEXT = Kind(str, printable, text=True)
WORDS = Kind(str, printable, text=True, folds=34)
TRUTH = Kind(bool, lambda value: "yes" if value else "no", text=True)
COUNT = Kind(int, "{:,}".format)
SCORE = score(3)
SIGNED = signed(3)
CHANGE = change(3)
P = Kind(float, lambda p: "<0.001" if p < 0.001 else figure(p))
RECORD = Kind(str, lambda counts: "/".join(f"{number:,}" for number in counts))
"""Several counts beside each other, such as wins, ties and losses; for people only."""


def share(digits: int) -> Kind:
    """A share in percent, stored as it is.

    >>> share(1).spell(0.4651), share(2).spell(1.0)
    ('46.5', '100.00')
    """
    return Kind(float, lambda value: f"{100 * value:.{digits}f}")


BREAK = "\u200b"
"""Where a title may break but for its spaces; it has no width."""

GLUE = "\ue000"
"""A space that is none to break at. No name has it: it is not printable."""

LOWER = "↓"
"""Behind the name of a metric whose lower numbers are better."""

LOWER_IS_BETTER = f"{LOWER}: lower is better"


Mark = Literal["best", "second", "better", "worse"]
"""What a cell is among the others of its column; every renderer has its own way to show it."""


@dataclass(frozen=True)
class Column:
    r"""One column.

    Attributes:
        kind: what its cells are.
        cells: one value a row; None, or NaN, for one that does not exist.
        title: for people; without one it is for data files only. May break at spaces and each `BREAK`, not at `GLUE`.
        name: in data files; without one it is for people only.
        intervals: of the cells, shown beside them.
        ends: the intervals in data files, `<ends>_low` and `<ends>_high`; by default `name`.
        marks: of the cells.
        group: in a terminal, neighbours of one group stay together.
        by: by which metric the numbers are, where the title does not say: `floor by nearid`. In a terminal such columns
            are a table of their own, with `by nearid` as its header.
        paper: a table of a paper shows it, too.
        page: for pages only, since a terminal has no room.
        bare: where the intervals are left out for want of room: `terminal` or `paper`.
        lower: the title is a metric whose lower numbers are better, and says so.
        kinds: of the cells, where they are by different metrics.
    """

    kind: Kind
    cells: Sequence[Any]
    title: str = ""
    name: str = ""
    intervals: Sequence[Interval | None] = ()
    ends: str = ""
    marks: Sequence[Collection[Mark]] = ()
    group: str = ""
    by: str = ""
    paper: bool = False
    page: bool = False
    bare: Literal["", "terminal", "paper"] = ""
    lower: bool = False
    kinds: Sequence[Kind] = ()

    @property
    def heading(self) -> str:
        """The title as it is shown, safe; where it breaks stays."""
        return f"{safe(self.title)}{GLUE}{LOWER}" if self.lower else safe(self.title)

    @property
    def plain_title(self) -> str:
        """The heading in one line, with what the numbers are by."""
        title = self.heading.replace(BREAK, "").replace(GLUE, " ")
        return f"{title} by {safe(self.by)}" if self.by else title

    @property
    def known(self) -> bool:
        """Whether any cell exists."""
        return any(not missing(cell) for cell in self.cells)

    def spelled(self, place: int, where: str = "") -> str:
        """A cell for people; without its interval where the column is `bare`."""
        ends = self.intervals[place] if self.intervals and not (where and where == self.bare) else None
        kind = self.kinds[place] if self.kinds else self.kind
        return kind.say(self.cells[place], ends)

    def mark(self, place: int) -> Collection[Mark]:
        """The marks of a cell."""
        return self.marks[place] if self.marks else ()

    def only(self, places: Sequence[int]) -> Column:
        """The column with some of its rows."""

        def some(values: Sequence[Any]) -> Sequence[Any]:
            return [values[place] for place in places] if values else values

        return replace(
            self,
            cells=some(self.cells),
            intervals=some(self.intervals),
            marks=some(self.marks),
            kinds=some(self.kinds),
        )

    def stored(self) -> Iterator[tuple[str, type[Any], list[Any]]]:
        """What data files hold: names, types and values; an interval is two columns."""
        if not self.name:
            return
        yield self.name, self.kind.type, [None if missing(cell) else cell for cell in self.cells]
        for end, name in enumerate(("low", "high") if self.intervals else ()):
            ends = [None if one is None else one[end] for one in self.intervals]
            yield f"{self.ends or self.name}_{name}", float, ends


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        names: the columns on the left, which say what each row is. Where a data file has other names than people see,
            one of them has no title and another no name.
        columns: the others.
        foot: the last row is not one of them but speaks of all, such as an aggregate. Data files leave it out, lest it
            be taken for one, and Markdown, which may cut rows at the end.
        caption: what the table shows, in sentences, for papers and pages.
        label: of the table in a paper, and the name of its file.
        noun: what a row is, in the plural.
        notes: what must be known to read it, a sentence each, such as what a `-` stands for.
        marks: what marks mean beyond what a renderer says of how they look: `{"best": ", over 8 subjects"}`.
        brackets: what the intervals are, such as `95 % intervals over subjects`; empty where the caption says so.
        data: what data files hold in its place, where they have other rows.
        whole: names must not be shortened in a terminal, such as paths.
        fold: in a terminal, names that are longer may fold to make room.
    """

    names: tuple[Column, ...]
    columns: tuple[Column, ...]
    foot: bool = False
    caption: str = ""
    label: str = ""
    noun: str = "rows"
    notes: tuple[str, ...] = ()
    marks: Mapping[Mark, str] = field(default_factory=dict)
    brackets: str = ""
    data: Table | None = None
    whole: bool = False
    fold: int = 14

    @property
    def shown_names(self) -> list[Column]:
        """The names for people."""
        return [column for column in self.names if column.title]

    @property
    def shown(self) -> list[Column]:
        """The columns for people: those that are by something of their own after the others."""
        return sorted((column for column in self.columns if column.title), key=lambda column: bool(column.by))

    @property
    def size(self) -> int:
        """How many rows there are, the foot not among them."""
        return len(self.names[0].cells) - self.foot

    @property
    def gaps(self) -> bool:
        """Whether people see a `-`."""
        return any(missing(cell) for column in self.shown for cell in column.cells)

    def only(self, places: Sequence[int]) -> Table:
        """The table with some of its rows, and without its foot."""
        return replace(
            self,
            names=tuple(column.only(places) for column in self.names),
            columns=tuple(column.only(places) for column in self.columns),
            foot=False,
        )

    def legend(self, spelled: Mapping[Mark, str], where: str = "", escape: Callable[[str], str] = str) -> str:
        """What marks, brackets and arrows mean, in sentences; nothing where there are none.

        Args:
            spelled: how a renderer shows marks, in words; those that it does not show are not explained.
            where: as for `Column.spelled`.
            escape: makes text safe for where it goes, which `spelled` is already.
        """
        found = [f"{spelled[mark]}{escape(words)}." for mark, words in self.marks.items() if mark in spelled]
        if self.brackets and any(any(one.intervals) and one.bare != where for one in self.shown):
            found.append(escape(f"In brackets: {self.brackets}."))
        if any(one.lower for one in (*self.shown_names, *self.shown)):
            found.append(escape(f"{LOWER_IS_BETTER}."))
        return " ".join(found)

    def stored(self) -> Iterator[tuple[str, type[Any], list[Any]]]:
        """What data files hold, column by column: names, types and values."""
        if self.data is not None:
            yield from self.data.stored()
            return
        for column in (*self.names, *self.columns):
            for name, kind, cells in column.stored():
                yield name, kind, cells[: self.size]


def safe(title: str) -> str:
    """A title with the names in it safe to show; where it breaks stays."""
    return "".join(character if character in (BREAK, GLUE) else printable(character) for character in title)


def missing(value: Any) -> bool:
    """Whether a cell does not exist."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def label_columns(rows: Sequence[Mapping[str, str | None]], others: Iterable[str]) -> Iterator[Column]:
    """A column for every label that some row has; one that is called like another column is `label_<name>`.

    Names that differ in case only are alike to many readers of tables, and so here.

    Args:
        rows: the labels of each.
        others: names of the table's other columns.

    >>> [column.name for column in label_columns([{"seed": "1"}, {"Path": "x"}], ["path", "hog"])]
    ['seed', 'label_Path']
    """
    taken = {name.casefold() for name in others}
    for label in {name: None for row in rows for name in row}:
        name = label
        while name.casefold() in taken:
            name = f"label_{name}"
        taken.add(name.casefold())
        yield Column(TEXT, [row.get(label) for row in rows], name=name)


def named(title: str, cells: Sequence[str | None], name: str = "") -> Column:
    """A column of names.

    >>> named("subject", ["cat"], "subject").spelled(0)
    'cat'
    """
    return Column(TEXT, cells, title, name)
