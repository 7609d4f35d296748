"""The plot of numbers over steps: a line a training, its intervals as a band, copies and the best marked."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from markupsafe import Markup

from nearid_cli.reports.gauge import Gauge
from nearid_cli.reports.html.svg import (
    Scale,
    fitted,
    labelled_text,
    line,
    picture,
    text,
    tick_label,
    ticks,
    y_axis,
)
from nearid_cli.reports.labels import Label
from nearid_cli.reports.table import Kind
from nearid_cli.results import Interval

NAME = 18
"""So many characters of a training's name fit above a plot."""

_WIDTH, _LEFT, _RIGHT, _TOP, _TALL = 560, 58, 544, 14, 250
_PER_ROW = 3  # names above a plot
_DIGIT = 8.5  # the width of a digit of a tick, on a phone


@dataclass(frozen=True)
class Stop:
    """A checkpoint on a line.

    Attributes:
        at: its step or epoch; None for a last one that has none.
        name: what it is called.
        value, interval: its number; None where there is none, and the line has a gap.
        hollow: drawn as an outline with a cross, because it copies and is not chosen.
        best: it has a ring.
    """

    at: int | None
    name: str
    value: float | None
    interval: Interval | None = None
    hollow: bool = False
    best: bool = False


@dataclass(frozen=True)
class Line:
    """A training: its checkpoints in order."""

    name: Label
    colour: str
    stops: Sequence[Stop]


def line_plot(
    ident: str,
    title: str,
    lines: Sequence[Line],
    unit: str,
    kind: Kind,
    gauge: Gauge | None,
    span: float,
    *,
    labelled: bool,
) -> Markup:
    """Numbers over steps, one line a training. The distance of two steps is theirs in truth.

    Args:
        ident: unique on the page.
        title: what it shows.
        lines: of which at least one has a stop.
        unit: what the steps are.
        kind: how the numbers are told.
        gauge: of the metric, for which way is better; None where there is none.
        span: no axis covers less.
        labelled: whether "best" stands at the ring where there is one line: it is the best by these numbers.
    """
    shown = [one for one in lines if len(lines) > 1]
    top = _TOP + 22 * -(-len(shown) // _PER_ROW)
    bottom = top + _TALL
    places = _places(lines)
    every = [stop for own in lines for stop in own.stops]
    x = fitted([at for own in places for at in own], _LEFT, _RIGHT, 2, 0.04)
    y = fitted([v for one in every for v in (one.value, *(one.interval or ()))], bottom, top, span)
    body = [y_axis(y, _LEFT, _RIGHT), *_steps(x, lines, places, bottom)]
    body += [_named(one, index) for index, one in enumerate(shown)]
    for one, own in zip(lines, places, strict=True):
        body.append(f'<g class="{one.colour}">{"".join(_drawn(one, own, x, y, labelled and not shown))}</g>')
    body.append(text((_LEFT + _RIGHT) / 2, bottom + 38, unit, "label", "middle"))
    if gauge is not None and gauge.lower:
        body.append(text(_LEFT, bottom + 38, "↓ lower is better", "label"))
    description = ". ".join(
        f"{f'{one.name.name}: ' if one.name.name else ''}{', '.join(_said(stop, unit, kind) for stop in one.stops)}"
        for one in lines
    )
    return picture(ident, (_WIDTH, bottom + 46), title, description, "".join(body), "steps")


def _named(one: Line, index: int) -> str:
    """A training's name above the plot."""
    x, y = _LEFT + 165 * (index % _PER_ROW), 14 + 22 * (index // _PER_ROW)
    key = f'<circle class="dot" cx="{x + 4}" cy="{y - 4}" r="5"/>'
    return f'<g class="{one.colour}">{key}{labelled_text(x + 14, y, one.name, "beside-dot")}</g>'


def _said(stop: Stop, unit: str, kind: Kind) -> str:
    where = stop.name if stop.at is None else f"{unit} {stop.at}"
    value = "no number" if stop.value is None else kind.say(stop.value, stop.interval)
    return f"{where}: {value}{' (copies)' * stop.hollow}{' (the best)' * stop.best}"


def _places(lines: Sequence[Line]) -> list[list[float]]:
    """Where the stops of each line are; one without a step, the last of its line, is as far on as two are apart."""
    found = []
    for one in lines:
        known = [float(stop.at) for stop in one.stops if stop.at is not None]
        gaps = [b - a for a, b in pairwise(known)]
        apart = sorted(gaps)[len(gaps) // 2] if gaps else 1.0
        found.append(known + [known[-1] + apart] * (len(one.stops) - len(known)))
    return found


def _steps(
    x: Scale, lines: Sequence[Line], places: Sequence[Sequence[float]], bottom: float
) -> Iterator[str]:
    """Ticks below: round numbers, and the name of a last checkpoint without one."""
    named = {
        own[-1]: one.stops[-1].name
        for one, own in zip(lines, places, strict=True)
        if one.stops[-1].at is None
    }
    round_ones = [mark for mark in ticks(x.low, x.high, 8) if mark >= 0 and mark == int(mark)]
    wide = _DIGIT * max((len(tick_label(mark, [0, 1])) for mark in round_ones), default=0)
    apart = x(round_ones[1]) - x(round_ones[0]) if len(round_ones) > 1 else _RIGHT
    every = math.ceil((wide + _DIGIT) / apart)
    for place, mark in enumerate(round_ones):
        yield line(x(mark), bottom, x(mark), bottom + 5, "axis")
        if place % every == 0 and all(abs(x(mark) - x(at)) > 40 for at in named):
            middle = min(x(mark), _WIDTH - wide / 2)
            yield text(middle, bottom + 19, tick_label(mark, [0, 1]), "tick", "middle")
    for at, name in named.items():
        short = name if len(name) <= 9 else "the last"
        yield text(min(x(at), _RIGHT - 20), bottom + 19, short, "tick", "middle")
    yield line(_LEFT, bottom, _RIGHT, bottom, "axis")


def _drawn(one: Line, places: Sequence[float], x: Scale, y: Scale, labelled: bool) -> Iterator[str]:
    """Bands and lines between stops that have numbers, and the stops."""
    stops = [*zip(places, one.stops, strict=True)]
    for known, run in groupby(stops, key=lambda item: item[1].value is not None):
        own = [(x(at), y(stop.value), stop) for at, stop in run if stop.value is not None] if known else []
        if len(own) > 1:
            yield f'<path class="line" d="M{"L".join(f"{a:.1f} {b:.1f}" for a, b, _ in own)}"/>'
        for banded, part in groupby(own, key=lambda item: item[2].interval is not None):
            ends = [(at, *map(y, stop.interval)) for at, _, stop in part if stop.interval] if banded else []
            if len(ends) > 1:
                around = [(at, high) for at, _, high in ends] + [(at, low) for at, low, _ in reversed(ends)]
                yield f'<path class="around" d="M{"L".join(f"{a:.1f} {b:.1f}" for a, b in around)}Z"/>'
            for at, low, high in ends:
                yield line(at, low, at, high, "rug")
        for at, height, stop in own:
            yield from _stop(at, height, stop, labelled)


def _stop(at: float, height: float, stop: Stop, labelled: bool) -> Iterator[str]:
    if stop.best:
        yield f'<circle class="ring" cx="{at:.1f}" cy="{height:.1f}" r="10"/>'
        if labelled:
            yield text(at, height - 16, "best", "beside-dot", "middle")
    dot = f'<circle class="dot" cx="{at:.1f}" cy="{height:.1f}" r="5.5"/>'
    if stop.hollow:
        cross = f'<path class="cross" d="M{at - 3.5:.1f} {height - 3.5:.1f}l7 7m0 -7l-7 7"/>'
        yield f'<g class="hollow">{dot}{cross}</g>'
    else:
        yield dot
