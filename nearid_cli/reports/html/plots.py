"""The plots of the report as plain SVG: intervals, distributions, a scatter, a heatmap.

Each function takes numbers, names, and how the numbers are shown, and returns one `<svg>`; nothing here knows result
objects. A method keeps its colour everywhere: class `m0`, `m1`, ... as in style.css.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
from markupsafe import Markup

from nearid_cli.reports.gauge import COSINE, Gauge, spanned
from nearid_cli.reports.html.svg import (
    Scale,
    escaped,
    fitted,
    labelled_text,
    line,
    picture,
    text,
    x_axis,
    y_axis,
)
from nearid_cli.reports.labels import Label, apart
from nearid_cli.results import Interval

COLOURS = 8
"""So many colours there are; a ninth method has the first one's again."""

_WIDTH = 560
_LEFT, _RIGHT = 142, _WIDTH - 62  # between names and numbers
NAME = 16
"""So many characters of a name fit left of a plot."""

Floats = npt.NDArray[np.float64]


def colour(index: int) -> str:
    """The CSS class of the n-th method."""
    return f"m{index % COLOURS}"


@dataclass(frozen=True)
class Whisker:
    """A line of a plot.

    Attributes:
        name: at its left.
        colour: CSS class.
        value, interval: the dot and its whisker.
        band: what the value is to be seen against: floor and ceiling, or what is too small to be detected.
        hollow: drawn as an outline, because it takes part in no ranking.
    """

    name: Label
    colour: str
    value: float | None
    interval: Interval | None = None
    band: tuple[float | None, float | None] = (None, None)
    hollow: bool = False


def interval_plot(
    ident: str,
    title: str,
    rows: Sequence[Whisker],
    gauge: Gauge = COSINE,
    *,
    ends: tuple[str, str] | None = None,
    zero: bool = False,
) -> Markup:
    """One row a method: a dot with its whisker on its band, and its number at the right.

    Args:
        ident: unique on the page.
        title: what it shows.
        rows: from top to bottom.
        gauge: how the values are shown.
        ends: names of the two ends of the bands, written above the first one.
        zero: mark 0, for differences.
    """
    height, top = 34, 24 if ends else 8
    bottom = top + height * len(rows)
    values = [v for row in rows for v in (row.value, *(row.interval or ()), *row.band)]
    scale = fitted([*values, 0.0] if zero else values, _LEFT, _RIGHT, gauge.span)
    kind = gauge.signed if zero else gauge.score
    body = [x_axis(scale, top, bottom), *_direction(gauge, bottom)]
    if zero:
        body.append(line(scale(0), top, scale(0), bottom, "zero"))
    for index, row in enumerate(rows):
        middle = top + height * (index + 0.5)
        body.append(_band(row, scale, middle))
        body.append(labelled_text(0, middle + 4.5, row.name, "name"))
        body.append(text(_WIDTH, middle + 4.5, kind.say(row.value), "value", "end"))
        if row.value is not None:
            body.append(_dot(row, scale, middle))
    if ends:
        low, high = next((row.band for row in rows if None not in row.band), (None, None))
        body += _ends(low, high, scale, ends, top - 8)
    description = "; ".join(
        f"{row.name.name}: {'no number' if row.value is None else gauge.score.say(row.value, row.interval)}"
        for row in rows
    )
    return picture(ident, (_WIDTH, _foot(gauge, bottom)), title, description, "".join(body))


def _direction(gauge: Gauge, bottom: float) -> list[str]:
    """What is said below an axis: which way is better, where that is to the left."""
    return [text(_LEFT, bottom + 34, "← lower is better", "label")] if gauge.lower else []


def _foot(gauge: Gauge, bottom: float) -> float:
    """The height of a plot whose rows end there."""
    return bottom + (42 if gauge.lower else 24)


def _dot(row: Whisker, scale: Scale, y: float) -> str:
    assert row.value is not None
    parts = [f'<g class="{row.colour}{" hollow" if row.hollow else ""}">']
    if row.interval is not None:
        parts.append(line(scale(row.interval[0]), y, scale(row.interval[1]), y, "whisker"))
    parts.append(f'<circle class="dot" cx="{scale(row.value):.1f}" cy="{y:.1f}" r="5.5"/></g>')
    return "".join(parts)


def _band(row: Whisker, scale: Scale, y: float) -> str:
    low, high = row.band
    if low is not None and high is not None and high > low:
        x = scale(low)
        return f'<rect class="band" x="{x:.1f}" y="{y - 9:.1f}" width="{scale(high) - x:.1f}" height="18" rx="3"/>'
    return "".join(line(scale(v), y - 9, scale(v), y + 9, "mark") for v in (low, high) if v is not None)


def _ends(low: float | None, high: float | None, scale: Scale, names: tuple[str, str], y: float) -> list[str]:
    """The names of the ends of a band, inside it where there is room."""
    if low is None or high is None:
        return []
    wide = scale(high) - scale(low) > 90
    return [
        text(scale(low), y, names[0], "tick", "start" if wide else "end"),
        text(scale(high), y, names[1], "tick", "end" if wide else "start"),
    ]


@dataclass(frozen=True)
class Spread:
    """A method's generations by one metric, and its floor and ceiling: the ceiling first where lower is better."""

    name: Label
    colour: str
    values: Floats
    band: tuple[float | None, float | None] = (None, None)


def distribution_plot(
    ident: str,
    title: str,
    rows: Sequence[Spread],
    gauge: Gauge = COSINE,
    ends: tuple[str, str] = ("floor", "ceiling"),
) -> Markup:
    """One hill a method: where its generations lie; a tick each where there are few, and the median.

    Each hill is as high as its row, so heights compare within a row only.
    """
    height, top = 52, 20
    bottom = top + height * len(rows)
    extremes = [
        float(foot)
        for row in rows
        if len(row.values)
        for foot in (
            row.values.min() - 3 * kernel_width(row.values),
            row.values.max() + 3 * kernel_width(row.values),
        )
    ]
    limits = (limit for row in rows for limit in row.band)
    scale = fitted([*extremes, *limits], _LEFT, _RIGHT, gauge.span)
    body = [x_axis(scale, top, bottom), text(_WIDTH, 12, "median", "tick", "end"), *_direction(gauge, bottom)]
    described = []
    for index, row in enumerate(rows):
        base = top + height * (index + 1) - 8
        body.append(labelled_text(0, base - 8, row.name, "name"))
        for value in row.band:
            if value is not None:
                body.append(line(scale(value), base - height + 12, scale(value), base + 4, "mark"))
        body.append(line(_LEFT, base, _RIGHT, base, "axis"))
        if len(row.values):
            median = gauge.score.say(float(np.median(row.values)))
            body.append(_hill(row, scale, base, height - 12))
            body.append(text(_WIDTH, base - 8, median, "value", "end"))
            described.append(f"{row.name.name}: median {median} of {len(row.values)}")
        else:
            described.append(f"{row.name.name}: no number")
    low, high = next((row.band for row in rows if None not in row.band), (None, None))
    body += _ends(low, high, scale, ends, 12)
    return picture(ident, (_WIDTH, _foot(gauge, bottom)), title, "; ".join(described), "".join(body))


def _hill(row: Spread, scale: Scale, base: float, height: float) -> str:
    median = scale(float(np.median(row.values)))
    if not kernel_width(row.values):  # one value, or several that are equal, are no distribution
        return f'<g class="{row.colour}">{line(median, base + 6, median, base - height / 2, "median")}</g>'
    points, density = smoothed(row.values, scale.low, scale.high)
    heights = density / density.max() * height
    shown = heights > 0.2  # no flat line to both ends of the axis
    xs = scale.start + (points - scale.low) / (scale.high - scale.low) * (scale.end - scale.start)
    outline = "L".join(f"{x:.1f} {base - h:.1f}" for x, h in zip(xs[shown], heights[shown], strict=True))
    first, last = xs[shown][[0, -1]]
    at_median = float(np.interp(median, xs, heights))
    parts = [
        f'<g class="{row.colour}"><path class="hill" d="M{first:.1f} {base:.1f}L{outline}L{last:.1f} {base:.1f}Z"/>',
        line(median, base, median, base - at_median, "median"),
    ]
    if len(row.values) <= 200:  # more would be one thick line
        ticks = "".join(f"M{scale(float(value)):.1f} {base + 1:.1f}v5" for value in row.values)
        parts.append(f'<path class="rug" d="{ticks}"/>')
    return "".join([*parts, "</g>"])


def kernel_width(values: Floats) -> float:
    """Silverman's width of a Gaussian kernel: 0.9 min(sd, IQR / 1.34) n^-1/5 (Silverman 1986, equation 3.31)."""
    if len(values) < 2:
        return 0.0
    spread = float(values.std(ddof=1))
    low, high = np.percentile(values, [25, 75])
    return float(0.9 * min(spread, (high - low) / 1.34 or spread) * len(values) ** -0.2)


def smoothed(values: Floats, low: float, high: float, bins: int = 160) -> tuple[Floats, Floats]:
    """A kernel density estimate on a grid from `low` to `high`, from counts in bins.

    The kernel is at least half a bin wide: one value, or equal ones, make a narrow peak. `values` [n >= 1] lie within
    the bounds.
    """
    counts, edges = np.histogram(values, bins=bins, range=(low, high))
    step = (high - low) / bins
    width = max(kernel_width(values), step / 2)
    centres = (edges[1:] + edges[:-1]) / 2
    kernel = np.exp(-0.5 * ((centres[:, None] - centres[None, :]) / width) ** 2)
    density = kernel @ counts
    return centres, density / (density.sum() * step)


@dataclass(frozen=True)
class Cloud:
    """A method's generations by two metrics: x, y and whether it is a copy, all [n]."""

    colour: str
    x: Floats
    y: Floats
    copies: npt.NDArray[np.bool_]


def corner(x: Floats, y: Floats) -> tuple[float, float]:
    """Where the disagreement corner begins: the upper quartile of `x` and the lower quartile of `y`."""
    return float(np.percentile(x, 75)), float(np.percentile(y, 25))


def scatter_plot(
    ident: str,
    x_name: str,
    y_name: str,
    clouds: Sequence[Cloud],
    gauges: tuple[Gauge, Gauge] = (COSINE, COSINE),
) -> Markup:
    """Generations by two metrics, one cloud a method; the better by a metric the farther to the right, and up.

    The corner and its count leave copies aside: these are high by every metric, and say nothing about them.
    A cloud is one path of round dots: 10,000 elements would slow the page. page.js finds the point under the mouse
    with the scales that the plot carries.
    """
    left, top, right, bottom = 52, 12, _WIDTH - 12, 400
    x_all = np.concatenate([cloud.x for cloud in clouds])
    y_all = np.concatenate([cloud.y for cloud in clouds])
    original = ~np.concatenate([cloud.copies for cloud in clouds])
    x_gauge, y_gauge = gauges
    x_scale = _towards_better(x_all, left, right, x_gauge)
    y_scale = _towards_better(y_all, bottom, top, y_gauge)
    x_sign, y_sign = x_gauge.metric.sign, y_gauge.metric.sign
    x_good, y_good = x_sign * x_all, y_sign * y_all
    counted = original if original.any() else ~original
    x_corner, y_corner = corner(x_good[counted], y_good[counted]) if len(x_all) else (0.0, 0.0)
    inside = int((original & (x_good >= x_corner) & (y_good <= y_corner)).sum())
    x0, y0 = x_scale(x_sign * x_corner), y_scale(y_sign * y_corner)
    high, low = ("good", "bad") if x_gauge.lower or y_gauge.lower else ("high", "low")
    body = [
        y_axis(y_scale, left, right),
        x_axis(x_scale, top, bottom),
        f'<rect class="corner" x="{x0:.1f}" y="{y0:.1f}" width="{right - x0:.1f}" height="{bottom - y0:.1f}" rx="4"/>',
    ]
    (x_note, y_note), (x_label, y_label) = apart([x_name, y_name], 20), apart([x_name, y_name], 40)
    size = "large" if len(x_all) < 400 else "medium" if len(x_all) < 3000 else "small"
    for cloud in clouds:
        dots = "".join(
            f"M{x_scale(a):.1f} {y_scale(b):.1f}h0"
            for a, b in zip(cloud.x.tolist(), cloud.y.tolist(), strict=True)
        )
        body.append(f'<path class="cloud {size} {cloud.colour}" d="{dots}"/>')
    body += [
        text(right - 10, bottom - 28, f"{inside:,} {high} by {x_note},", "note", "end"),
        text(right - 10, bottom - 11, f"{low} by {y_note}", "note", "end"),
        *_axis_names(x_label, y_label, gauges, (left, top, right, bottom)),
        '<circle class="probe" r="9" cx="-20" cy="-20"/>',
    ]
    description = (
        f"{len(x_all):,} generations. {inside:,} of them, copies aside, are in the top quarter by {x_name} and the "
        f"lowest quarter by {y_name}. The same generations are in the strips below, with their numbers."
    )
    return picture(
        ident,
        (_WIDTH, bottom + 46),
        f"{y_name} against {x_name}",
        description,
        "".join(body),
        "scatter",
        f'data-x="{x_scale}" data-y="{y_scale}"',
    )


def _towards_better(values: Floats, start: float, end: float, gauge: Gauge) -> Scale:
    """A scale that holds all values, the better ones towards the end."""
    ends = (end, start) if gauge.lower else (start, end)
    return fitted([float(values.min()), float(values.max())] if len(values) else [], *ends, gauge.span)


def _axis_names(
    x_label: str, y_label: str, gauges: tuple[Gauge, Gauge], box: tuple[float, float, float, float]
) -> Iterator[str]:
    """Below and left of a plot, with arrows towards what is better."""
    left, top, right, bottom = box
    x_name, y_name = (
        f"{label}{', lower is better' if gauge.lower else ''} →"
        for label, gauge in zip((x_label, y_label), gauges, strict=True)
    )
    yield text((left + right) / 2, bottom + 38, x_name, "label", "middle")
    yield (
        f'<g transform="translate(13 {(top + bottom) / 2:.0f}) rotate(-90)">'
        f"{text(0, 0, y_name, 'label', 'middle')}</g>"
    )


@dataclass(frozen=True)
class Point:
    """A method by two metrics.

    Attributes:
        name: beside it.
        colour: CSS class.
        x, y: the means; None where there is none, and then the method is not drawn.
        x_interval, y_interval: their whiskers.
        hollow: drawn as an outline, because it takes part in no ranking.
    """

    name: Label
    colour: str
    x: float | None
    y: float | None
    x_interval: Interval | None = None
    y_interval: Interval | None = None
    hollow: bool = False


def point_plot(
    ident: str, x_name: str, y_name: str, points: Sequence[Point], gauges: tuple[Gauge, Gauge]
) -> Markup:
    """Methods by two metrics, a dot each with its whiskers both ways; the better the farther to the right, and up."""
    left, top, right, bottom = 52, 12, _WIDTH - 12, 380
    drawn = [(one, one.x, one.y) for one in points if one.x is not None and one.y is not None]
    xs = np.array([end for one, x, _ in drawn for end in (x, *(one.x_interval or ()))], np.float64)
    ys = np.array([end for one, _, y in drawn for end in (y, *(one.y_interval or ()))], np.float64)
    x_scale = _towards_better(xs, left, right, gauges[0])
    y_scale = _towards_better(ys, bottom, top, gauges[1])
    body = [y_axis(y_scale, left, right), x_axis(x_scale, top, bottom)]
    taken: list[tuple[float, float, float]] = []
    names = []
    for one, x, y in sorted(drawn, key=lambda point: y_scale(point[2])):
        at, height = x_scale(x), y_scale(y)
        parts = [f'<g class="{one.colour}{" hollow" if one.hollow else ""}">']
        if one.x_interval is not None:
            low, high = map(x_scale, one.x_interval)
            parts.append(line(low, height, high, height, "whisker"))
        if one.y_interval is not None:
            low, high = map(y_scale, one.y_interval)
            parts.append(line(at, low, at, high, "whisker"))
        body.append("".join([*parts, f'<circle class="dot" cx="{at:.1f}" cy="{height:.1f}" r="6"/></g>']))
        wide = _LETTER * len(one.name.short)
        start = at + 10 if at + 10 + wide <= right else at - 10 - wide
        baseline = height - 8
        while any(
            start < end and begin < start + wide and abs(baseline - at_y) < 15 for begin, end, at_y in taken
        ):
            baseline += 15
        taken.append((start, start + wide, baseline))
        label = labelled_text(start, baseline, one.name, "beside-dot")
        names.append(f'<g class="{one.colour}">{label}</g>')
    x_label, y_label = apart([x_name, y_name], 40)
    body += [*names, *_axis_names(x_label, y_label, gauges, (left, top, right, bottom))]
    description = "; ".join(
        f"{one.name.name}: {y_name} {gauges[1].score.say(one.y, one.y_interval)}, "
        f"{x_name} {gauges[0].score.say(one.x, one.x_interval)}"
        for one in points
    )
    return picture(ident, (_WIDTH, bottom + 46), f"{y_name} against {x_name}", description, "".join(body))


_LETTER = 7.4
"""How wide a letter of a name is, about."""

HEATS = 10
"""Steps of the heatmap's colours."""

ROW, COLUMN = 17, 14
"""So many characters of a method's name fit left of a row of the heatmap, and of a subject's above a column."""

BAND = 40
"""So many columns one picture has; more go into further pictures below, each of which fits on a sheet of paper."""

_HEAT_WIDTH, _HEAT_LEFT = 1080, 150


def heat(value: float, worst: float, best: float) -> int:
    """The step of the heatmap's colours, 0 for the worst value.

    >>> heat(0.2, 0.2, 0.8), heat(0.49, 0.2, 0.8), heat(0.8, 0.2, 0.8), heat(0.2, 0.8, 0.2)
    (0, 4, 9, 9)
    """
    return min(int((value - worst) / (best - worst) * HEATS), HEATS - 1)


def heatmap(
    ident: str,
    title: str,
    rows: Sequence[Label],
    columns: Sequence[Label],
    cells: Sequence[Sequence[float | None]],
    gauge: Gauge = COSINE,
    why: Mapping[tuple[int, int], str] = MappingProxyType({}),
) -> Markup:
    """Methods (rows) by subjects (columns): a picture for every 40 columns, with one scale of colours for all.

    Args:
        ident: unique on the page; further pictures add a number to it.
        title: what it shows.
        rows: the methods.
        columns: the subjects.
        cells: by row, then column; None is left empty.
        gauge: how they are shown.
        why: by row and column, why a cell is empty.
    """
    known = [value for row in cells for value in row if value is not None]
    low, high = spanned(min(known), max(known), gauge.span) if known else (0.0, 1.0)
    worst, best = (high, low) if gauge.lower else (low, high)
    cell = min((_HEAT_WIDTH - _HEAT_LEFT) / min(len(columns), BAND), 155)
    flat = max(len(column.name) for column in columns) * 6.6 < cell  # names fit side by side; else they stand
    pictures = []
    for start in range(0, len(columns), BAND):
        band = slice(start, start + BAND)
        part = "" if len(columns) <= BAND else f", subjects {start + 1} to {min(start + BAND, len(columns))}"
        shown = [
            [
                (
                    gauge.score.say(value),
                    None if value is None else heat(value, worst, best),
                    why.get((place, start + at), ""),
                )
                for at, value in enumerate(row[band])
            ]
            for place, row in enumerate(cells)
        ]
        body, height = _columns(rows, columns[band], shown, cell, flat)
        if start + BAND >= len(columns):
            body += _heats(height + 12, gauge.score.say(worst), gauge.score.say(best))
            height += 34
        size = f"{len(rows)} rows by {len(columns[band])} subjects"
        description = f"{size}; colours from {gauge.score.say(worst)} to {gauge.score.say(best)}."
        name = f"{ident}-{start // BAND}" if start else ident
        pictures.append(picture(name, (_HEAT_WIDTH, height), title + part, description, body, "heatmap"))
    return Markup("").join(pictures)


def _columns(
    rows: Sequence[Label],
    columns: Sequence[Label],
    cells: Sequence[Sequence[tuple[str, int | None, str]]],
    cell: float,
    flat: bool,
) -> tuple[str, float]:
    """The SVG of some columns, and its height. A cell is its text, its colour, and why it has none."""
    tall = 36 if len(rows) < 12 else 20
    header = 22 if flat else 118  # of 14 characters in a wide font
    body = []
    for place, column in enumerate(columns):
        x = _HEAT_LEFT + cell * (place + 0.5)
        if flat:
            body.append(labelled_text(x, header - 8, column, "tick", "middle"))
        else:
            body.append(labelled_text(x + 4, header - 8, column, "tick", turn=" rotate(-90)"))
    for index, name in enumerate(rows):
        y = header + tall * index
        body.append(labelled_text(0, y + tall / 2 + 4.5, name, "name"))
        for place, column in enumerate(columns):
            shown, colour, why = cells[index][place]
            kind = "none" if colour is None else f"h{colour}"
            x = _HEAT_LEFT + cell * place
            holds = cell >= max(38, 7 * (len(shown) - 1))
            number = text(x + cell / 2, y + tall / 2 + 4, shown, "", "middle") if holds else ""
            body.append(
                f'<g class="{kind}"><rect x="{x + 1:.1f}" y="{y + 1:.1f}" width="{cell - 2:.1f}" '
                f'height="{tall - 2}" rx="3"/>{number}'
                f"<title>{escaped(name.name)}, {escaped(column.name)}: {escaped(why or shown)}</title></g>"
            )
    return "".join(body), header + tall * len(rows)


def _heats(y: float, worst: str, best: str) -> str:
    steps = "".join(
        f'<g class="h{step}"><rect x="{_HEAT_LEFT + 44 + 16 * step:.1f}" y="{y:.1f}" width="16" height="10"/></g>'
        for step in range(HEATS)
    )
    ends = text(_HEAT_LEFT + 36, y + 9.5, worst, "tick", "end")
    return steps + ends + text(_HEAT_LEFT + 52 + 16 * HEATS, y + 9.5, best, "tick")
