"""The heatmap of the report as plain SVG: methods by subjects, darker for higher."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from nearid_cli.reports.figures import figure
from nearid_cli.reports.html.svg import escaped, labelled_text, picture, spanned, text
from nearid_cli.reports.labels import Label

HEATS = 10
"""Steps of the heatmap's colours."""

NAME = 17
"""So many characters of a method's name fit left of a row."""

COLUMN = 14
"""And so many of a subject's name above a column."""

BAND = 40
"""So many columns one picture has; more go into further pictures below, each of which fits on a sheet of paper."""

_WIDTH, _LEFT = 1080, 150


def heat(value: float, low: float, high: float) -> int:
    """The step of the heatmap's colours, 0 for the lowest value.

    >>> heat(0.2, 0.2, 0.8), heat(0.49, 0.2, 0.8), heat(0.8, 0.2, 0.8)
    (0, 4, 9)
    """
    return min(int((value - low) / (high - low) * HEATS), HEATS - 1)


def heatmap(
    ident: str,
    title: str,
    rows: Sequence[Label],
    columns: Sequence[Label],
    cells: Sequence[Sequence[float | None]],
) -> Markup:
    """Methods (rows) by subjects (columns): a picture for every 40 columns, with one scale of colours for all.

    Args:
        ident: unique on the page; further pictures add a number to it.
        title: what it shows.
        rows: the methods.
        columns: the subjects.
        cells: by row, then column; None is left empty.
    """
    known = [value for row in cells for value in row if value is not None]
    low, high = spanned(min(known), max(known)) if known else (0.0, 1.0)
    cell = min((_WIDTH - _LEFT) / min(len(columns), BAND), 155)
    flat = max(len(column.name) for column in columns) * 6.6 < cell  # names fit side by side; else they stand
    pictures = []
    for start in range(0, len(columns), BAND):
        band = slice(start, start + BAND)
        part = "" if len(columns) <= BAND else f", subjects {start + 1} to {min(start + BAND, len(columns))}"
        body, height = _band(rows, columns[band], [row[band] for row in cells], (low, high), cell, flat)
        if start + BAND >= len(columns):
            body, height = body + _legend(height + 12, low, high), height + 34
        size = f"{len(rows)} rows by {len(columns[band])} subjects"
        description = f"{size}; colours from {figure(low)} to {figure(high)}."
        name = f"{ident}-{start // BAND}" if start else ident
        pictures.append(picture(name, (_WIDTH, height), title + part, description, body, "heatmap"))
    return Markup("").join(pictures)


def _band(
    rows: Sequence[Label],
    columns: Sequence[Label],
    cells: Sequence[Sequence[float | None]],
    limits: tuple[float, float],
    cell: float,
    flat: bool,
) -> tuple[str, float]:
    """The SVG of some columns, and its height."""
    tall = 36 if len(rows) < 12 else 20
    header = 22 if flat else 118  # of 14 characters in a wide font
    body = []
    for place, column in enumerate(columns):
        x = _LEFT + cell * (place + 0.5)
        if flat:
            body.append(labelled_text(x, header - 8, column, "tick", "middle"))
        else:
            body.append(labelled_text(x + 4, header - 8, column, "tick", turn=" rotate(-90)"))
    for index, name in enumerate(rows):
        y = header + tall * index
        body.append(labelled_text(0, y + tall / 2 + 4.5, name, "name"))
        for place, column in enumerate(columns):
            value = cells[index][place]
            kind = "none" if value is None else f"h{heat(value, *limits)}"
            x = _LEFT + cell * place
            number = text(x + cell / 2, y + tall / 2 + 4, figure(value), "", "middle") if cell >= 38 else ""
            body.append(
                f'<g class="{kind}"><rect x="{x + 1:.1f}" y="{y + 1:.1f}" width="{cell - 2:.1f}" '
                f'height="{tall - 2}" rx="3"/>{number}'
                f"<title>{escaped(name.name)}, {escaped(column.name)}: {figure(value)}</title></g>"
            )
    return "".join(body), header + tall * len(rows)


def _legend(y: float, low: float, high: float) -> str:
    steps = "".join(
        f'<g class="h{step}"><rect x="{_LEFT + 44 + 16 * step:.1f}" y="{y:.1f}" width="16" height="10"/></g>'
        for step in range(HEATS)
    )
    ends = text(_LEFT + 36, y + 9.5, figure(low), "tick", "end")
    return steps + ends + text(_LEFT + 52 + 16 * HEATS, y + 9.5, figure(high), "tick")
