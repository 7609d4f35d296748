"""What a page may draw beside a table that has the same numbers. Formats that draw nothing leave it out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from nearid_cli.reports.blocks import Block
from nearid_cli.reports.gauge import Gauge
from nearid_cli.results import Interval, Metric


class Spot(NamedTuple):
    """A number with its interval.

    Attributes:
        name: of what.
        place: of that among all that the page draws, which decides its colour; None for what the others are to be seen
            against.
        value, interval: None where there is none.
    """

    name: str
    place: int | None
    value: float | None
    interval: Interval | None = None


class Spots(NamedTuple):
    """Numbers of one kind below each other: how they are shown, what they are, and whether they are differences."""

    title: str
    gauge: Gauge
    rows: Sequence[Spot]
    signed: bool = False


@dataclass(frozen=True)
class IntervalChart(Block):
    """Plots of numbers with their intervals, beside each other; `name` is unique on the page."""

    name: str
    plots: Sequence[Spots]


class Spokes(NamedTuple):
    """One number an axis of a radar, None for one that does not exist.

    Attributes:
        name: of what.
        place: as of a `Spot`.
        values: one an axis.
    """

    name: str
    place: int | None
    values: Sequence[float | None]


@dataclass(frozen=True)
class RadarChart(Block):
    """Numbers of one kind on axes around a centre; at least three axes. `name` is unique on the page."""

    name: str
    title: str
    gauge: Gauge
    axes: Sequence[str]
    series: Sequence[Spokes]


def percent(title: str) -> Gauge:
    """Of shares in percent. No axis covers less than five points."""
    return Gauge(Metric(title, "", None, "", "", "", "", "", range=(0.0, 100.0)), 100.0)


def rate(name: str, place: int, share: float | None, ends: Interval | None) -> Spot:
    """A share, and its interval, in percent."""
    return Spot(
        name,
        place,
        None if share is None else 100 * share,
        None if ends is None else (100 * ends[0], 100 * ends[1]),
    )
