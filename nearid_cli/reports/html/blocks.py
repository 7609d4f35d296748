"""What the parts of the page are made of: blocks, each shown by the macro of its class's name in blocks.html."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

from nearid_cli.reports.labels import Label

COLUMNS = 8
"""So many columns of numbers a table has beside its first; more go into further tables below, which fit on paper."""

NAME = 32
"""So many characters of a name a row shows."""

HEADER = 20
"""And so many above a column."""


@dataclass(frozen=True)
class GridColumn:
    """A column of a table.

    Attributes:
        title: above it.
        cells: one a row.
        words: they are words, which stand left among numbers.
        marks: by row `best`, or a CSS class.
    """

    title: str | Label
    cells: Sequence[str]
    words: bool = False
    marks: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Grid:
    """A table that scrolls by itself where it is too wide.

    Attributes:
        caption: what it shows.
        header: above the names of the rows.
        names: of the rows.
        columns: beside the names.
        keys: by row the number of the method whose colour stands before the name.
        kind: of the cells, `numbers` or `words`.
        verdicts: the rows are named after their verdicts.
    """

    caption: str
    header: str
    names: Sequence[str | Label]
    columns: Sequence[GridColumn]
    keys: Mapping[int, int] = field(default_factory=dict)
    kind: str = "numbers"
    verdicts: bool = False

    def parts(self) -> Iterator[tuple[str, Sequence[GridColumn]]]:
        """The tables below each other, with caption and columns."""
        if self.kind != "numbers" or len(self.columns) <= COLUMNS:
            yield self.caption, self.columns
            return
        for start in range(0, len(self.columns), COLUMNS):
            columns = self.columns[start : start + COLUMNS]
            yield f"{self.caption}, columns {start + 1} to {start + len(columns)}", columns


@dataclass(frozen=True)
class Figures:
    """Plots beside each other, each with its name."""

    plots: Sequence[tuple[str, Markup]]


@dataclass(frozen=True)
class Heatmap:
    """One plot as wide as the page."""

    svg: Markup


@dataclass(frozen=True)
class Scatter:
    """Generations by two metrics, beside the strips of what the two disagree about.

    Attributes:
        number, metric: of the metric that is compared with the first one.
        first: the first metric.
        svg: the plot.
        names: of the methods.
    """

    number: int
    metric: str
    first: str
    svg: Markup
    names: Sequence[Label]


@dataclass(frozen=True)
class Choice:
    """Panels of which one is shown: `name` is unique on the page, `options` are the titles of the panels."""

    name: str
    label: str
    options: Sequence[str]
    panels: Sequence[Sequence[object]]


@dataclass(frozen=True)
class Heading:
    """The title of what follows."""

    text: str


@dataclass(frozen=True)
class Paragraph:
    """Sentences."""

    text: str


@dataclass(frozen=True)
class Bullets:
    """Sentences as a list, with a heading where one is given; nothing where there are none."""

    items: Sequence[str]
    title: str = ""


@dataclass(frozen=True)
class Folded:
    """What opens when its title is pressed, and on paper."""

    blocks: Iterable[object]
    title: str = "The numbers"


@dataclass(frozen=True)
class Section:
    """A part of the page: its id, its title, what it shows in a sentence, and that."""

    name: str
    title: str
    about: str
    blocks: Iterable[object]
