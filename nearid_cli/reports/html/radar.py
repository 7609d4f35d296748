"""A radar: numbers on axes around a centre, a line a metric, in as many pictures as stay readable.

The centre is 0, or lies below 0 where a number does; then the ring of 0 is drawn stronger, so that a negative number is
seen to be one. Where a number is missing the line is open.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from markupsafe import Markup

from nearid_cli.reports.charts import Spokes
from nearid_cli.reports.gauge import Gauge
from nearid_cli.reports.html.plots import colour
from nearid_cli.reports.html.svg import Scale, escaped, labelled_text, line, picture, text, tick_label, ticks
from nearid_cli.reports.labels import Label, labels

MOST = 5
"""So many lines one picture has, besides what they are seen against; more go into further ones of the same scale."""

_WIDTH, _RADIUS, _TOP = 360, 112, 30  # readable on a phone, where it is drawn about as wide as that
_X, _Y = _WIDTH / 2, _TOP + _RADIUS
_NAME, _AXIS = 15, 7  # so many characters fit in the legend, and beside an axis
_LEAST = 0.2  # no radar ends below: what is nothing but chance should not fill it

Place = tuple[float, float]

_CORNERS: dict[int, list[Place]] = {
    1: [(-4, -4), (4, -4), (4, 4), (-4, 4)],
    2: [(0, -5.5), (5.5, 0), (0, 5.5), (-5.5, 0)],
    3: [(0, -5), (5, 4), (-5, 4)],
}


def shade(place: int | None) -> str:
    """The CSS class of what has this place."""
    return "against hollow" if place is None else colour(place)


def radars(
    ident: str, title: str, axes: Sequence[str], series: Sequence[Spokes], gauge: Gauge
) -> Iterator[Markup]:
    """The pictures, of one scale, with lines divided evenly; what others are seen against is in each.

    Args:
        ident: unique on the page.
        title: what they show.
        axes: names, at least three; clockwise, the first at the top.
        series: the lines, each with a number or None an axis.
        gauge: how the numbers are told.
    """
    against = [one for one in series if one.place is None]
    own = [one for one in series if one.place is not None]
    scale, marks = _scale([value for one in series for value in one.values])
    pictures = max(1, math.ceil(len(own) / MOST))
    size = math.ceil(len(own) / pictures)
    for number in range(pictures):
        some = own[number * size : (number + 1) * size]
        yield _radar(f"{ident}-{number}", title, axes, [*against, *some], gauge, scale, marks)


def _scale(values: Sequence[float | None]) -> tuple[Scale, list[float]]:
    """From the centre to the outer ring, and the numbers of the rings, the centre's first."""
    known = [value for value in values if value is not None]
    low, high = min([0.0, *known]), max([_LEAST, *known])
    steps = ticks(low, high, 5)
    step = round(steps[1] - steps[0], 12)
    # A number at the centre has no direction any more, so a negative one never lies there.
    first = math.floor(low / step + 1e-9) - (1 if low < 0 else 0)
    last = math.ceil(high / step - 1e-9)
    marks = [round(step * index, 12) for index in range(first, last + 1)]
    return Scale(marks[0], marks[-1], 0, _RADIUS), marks


def _at(axis: int, axes: int, distance: float) -> Place:
    angle = 2 * math.pi * axis / axes
    return _X + distance * math.sin(angle), _Y - distance * math.cos(angle)


def _radar(
    ident: str,
    title: str,
    axes: Sequence[str],
    series: Sequence[Spokes],
    gauge: Gauge,
    scale: Scale,
    marks: Sequence[float],
) -> Markup:
    kinds = ["zero" if mark == 0 and marks[0] < 0 else "ring" for mark in marks]
    body = [
        f'<circle class="{kind}" cx="{_X}" cy="{_Y}" r="{scale(mark):.1f}"/>'
        for kind, mark in zip(kinds[1:], marks[1:], strict=True)
    ]
    body += [line(_X, _Y, *_at(axis, len(axes), _RADIUS), "grid") for axis in range(len(axes))]
    for one in series:
        body.append(_drawn(one, axes, gauge, scale))
    # Between two axes, where no line has its corner.
    turn = math.pi / len(axes)
    for mark in marks:
        x, y = _X + scale(mark) * math.sin(turn), _Y - scale(mark) * math.cos(turn)
        body.append(text(x, y + 4, tick_label(mark, marks), "tick halo", "middle"))
    body += [_axis_name(axis, len(axes), label) for axis, label in enumerate(labels(axes, _AXIS))]
    foot = _Y + _RADIUS + 46
    names = labels([one.name for one in series], _NAME)
    for index, (one, name) in enumerate(zip(series, names, strict=True)):
        x, y = 4 + 180 * (index % 2), foot + 22 * (index // 2)
        key = f'<path class="line" d="M{x} {y - 4}h26"/>{_mark(one, (x + 13, y - 4))}'
        body.append(f'<g class="{shade(one.place)}">{key}</g>{labelled_text(x + 34, y, name, "name")}')
    bottom = foot + 22 * math.ceil(len(series) / 2)
    said = [f"The centre is {tick_label(marks[0], marks)}{', the strong ring 0' if marks[0] < 0 else ''}."]
    if any(value is None for one in series for value in one.values):
        said.append("Open line: no number.")
    body.append(text(4, bottom + 2, " ".join(said), "label"))
    description = ". ".join(
        f"{one.name}: {', '.join(_told(*pair, gauge) for pair in zip(axes, one.values, strict=True))}"
        for one in series
    )
    return picture(ident, (_WIDTH, bottom + 12), title, description, "".join(body), "radar")


def _told(axis: str, value: float | None, gauge: Gauge) -> str:
    return f"{axis} {'no number' if value is None else gauge.score.say(value)}"


def _axis_name(axis: int, axes: int, label: Label) -> str:
    x, y = _at(axis, axes, _RADIUS + 12)
    side = round(math.sin(2 * math.pi * axis / axes), 6)
    anchor = "middle" if side == 0 else "start" if side > 0 else "end"
    below = -math.cos(2 * math.pi * axis / axes)
    return labelled_text(x, y + 4 + 6 * below, label, "name", anchor)


def _drawn(one: Spokes, axes: Sequence[str], gauge: Gauge, scale: Scale) -> str:
    """A line with its marks; open at the sides of a number that is missing."""
    places = [
        None if value is None else _at(axis, len(axes), scale(value)) for axis, value in enumerate(one.values)
    ]
    parts = []
    for axis, here in enumerate(places):
        there = places[(axis + 1) % len(places)]
        if here and there:
            parts.append(f"M{here[0]:.1f} {here[1]:.1f}L{there[0]:.1f} {there[1]:.1f}")
    path = f'<path class="line" d="{"".join(parts)}"/>' if parts else ""
    dots = "".join(
        f"<g>{_mark(one, here)}<title>{escaped(f'{one.name}: {_told(name, value, gauge)}')}</title></g>"
        for name, value, here in zip(axes, one.values, places, strict=True)
        if here
    )
    return f'<g class="{shade(one.place)}">{path}{dots}</g>'


def _mark(one: Spokes, at: Place) -> str:
    """Round, square, diamond or triangle, so that lines are told apart without their colours."""
    x, y = at
    if one.place is None or one.place % 4 == 0:
        return f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="4.5"/>'
    points = " ".join(f"{x + dx:.1f},{y + dy:.1f}" for dx, dy in _CORNERS[one.place % 4])
    return f'<polygon class="dot" points="{points}"/>'
