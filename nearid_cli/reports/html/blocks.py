"""What the parts of the page are made of: blocks, each shown by the macro of its class's name in blocks.html."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup


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
    """

    number: int
    metric: str
    first: str
    svg: Markup


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
