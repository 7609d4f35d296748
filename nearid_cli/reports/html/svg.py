"""The few pieces of SVG that every plot of the report is made of: scales, axes, text.

Colours and type come from style.css by class, so that a plot follows light, dark and print with the page.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from nearid_cli.reports.gauge import spanned
from nearid_cli.reports.labels import Label
from nearid_cli.text import printable


@dataclass(frozen=True)
class Scale:
    """Numbers from `low` to `high` as coordinates from `start` to `end`."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """The coordinate of a value.

        >>> Scale(0, 1, 100, 300)(0.5)
        200.0
        """
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def __str__(self) -> str:
        """How page.js reads it."""
        return f"{self.low:.9g} {self.high:.9g} {self.start:.9g} {self.end:.9g}"


def fitted(
    values: Iterable[float | None], start: float, end: float, least: float, padding: float = 0.06
) -> Scale:
    """A scale that holds all values that exist, with some room on both sides, and covers at least so much.

    >>> scale = fitted([0.2, None, 0.8], 0, 100, 0.1)
    >>> round(scale.low, 3), round(scale.high, 3)
    (0.164, 0.836)
    """
    known = [value for value in values if value is not None] or [0.0, 1.0]
    low, high = spanned(min(known), max(known), least)
    room = (high - low) * padding
    return Scale(low - room, high + room, start, end)


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """At most so many round numbers from `low` to `high`, evenly spaced.

    >>> ticks(0.12, 0.97)
    [0.2, 0.4, 0.6, 0.8]
    >>> ticks(-0.031, 0.012)
    [-0.03, -0.02, -0.01, 0.0, 0.01]
    """
    rough = (high - low) / most
    power = 10 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(index * step, 12) for index in range(first, last + 1)]


def escaped(name: str) -> str:
    r"""A name as HTML or SVG text, or as an attribute in quotes.

    >>> escaped('<b> "x"\n')
    '&lt;b&gt; &#34;x&#34;\\n'
    """
    return str(escape(printable(name)))


def text(x: float, y: float, content: str, kind: str = "", anchor: str = "start") -> str:
    """A line of text; `content` is escaped here."""
    where = "" if anchor == "start" else f' text-anchor="{anchor}"'
    css = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y:.1f}"{where}{css}>{escaped(content)}</text>'


def labelled_text(x: float, y: float, label: Label, kind: str, anchor: str = "start", turn: str = "") -> str:
    """A label, with the whole name in a tooltip where it does not show it. `turn` is a further transform."""
    tooltip = "" if label.whole else f"<title>{escaped(label.name)}</title>"
    return f'<g transform="translate({x:.1f} {y:.1f}){turn}">{text(0, 0, label.short, kind, anchor)}{tooltip}</g>'


def line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    """A straight line."""
    return f'<path class="{kind}" d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}"/>'


def tick_label(value: float, all_ticks: Sequence[float]) -> str:
    """A tick with as many decimals as the spacing needs.

    >>> tick_label(0.5, [0.48, 0.5]), tick_label(30.0, [20.0, 30.0])
    ('0.50', '30')
    """
    step = all_ticks[1] - all_ticks[0] if len(all_ticks) > 1 else 0.1
    decimals = 0 if step >= 1 else max(1, math.ceil(-math.log10(step) - 1e-9))
    return f"{value + 0.0:.{decimals}f}"


def x_axis(scale: Scale, top: float, bottom: float) -> str:
    """Vertical grid lines with their numbers below."""
    marks = ticks(scale.low, scale.high)
    return "".join(
        line(scale(mark), top, scale(mark), bottom, "grid")
        + text(scale(mark), bottom + 16, tick_label(mark, marks), "tick", "middle")
        for mark in marks
    )


def y_axis(scale: Scale, left: float, right: float) -> str:
    """Horizontal grid lines with their numbers to the left."""
    marks = ticks(scale.low, scale.high)
    return "".join(
        line(left, scale(mark), right, scale(mark), "grid")
        + text(left - 8, scale(mark) + 4, tick_label(mark, marks), "tick", "end")
        for mark in marks
    )


def picture(
    ident: str,
    size: tuple[float, float],
    title: str,
    description: str,
    body: str,
    kind: str = "",
    more: str = "",
) -> Markup:
    """A whole plot: an image with a name and a description for those who do not see it.

    Args:
        ident: unique on the page.
        size: width and height of the coordinate system; the page scales it.
        title: escaped here.
        description: escaped here.
        body: SVG.
        kind: further CSS classes.
        more: further attributes, as written.
    """
    width, height = size
    return Markup(
        f'<svg class="plot {kind}" viewBox="0 0 {width:.0f} {height:.0f}" role="img" '
        f'aria-labelledby="{ident}-t {ident}-d"{" " + more if more else ""}>'
        f'<title id="{ident}-t">{escaped(title)}</title><desc id="{ident}-d">{escaped(description)}</desc>'
        f"{body}</svg>"
    )
