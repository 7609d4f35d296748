"""The blocks that no other format has: plots. Each is shown by the macro of its class's name in blocks.html."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from nearid_cli.reports.blocks import Block


@dataclass(frozen=True)
class Figures(Block):
    """Plots beside each other, each with its name."""

    plots: Sequence[tuple[str, Markup]]


@dataclass(frozen=True)
class Heatmap(Block):
    """One plot as wide as the page."""

    svg: Markup


@dataclass(frozen=True)
class Scatter(Block):
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
class Choice(Block):
    """Panels of which one is shown: `name` is unique on the page, `options` are the titles of the panels."""

    name: str
    label: str
    options: Sequence[str]
    panels: Sequence[Block]
