"""A picture of how costs grow: lines over the number of pictures, both axes logarithmic, as an SVG without scripts.

It has a ground of its own, light or dark as the system is, so that it can be read on pages of either kind.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

Points = Sequence[tuple[float, float]]
"""Of a line, from left to right."""

_WIDTH, _LEFT, _RIGHT = 880, 74, 240  # the right margin is for the names of the lines
_TOP, _HEIGHT, _GAP, _BOTTOM = 58, 250, 72, 36
_LINE = 17  # the least distance of two names

_STYLE = """
text { font: 13px system-ui, sans-serif; fill: #24292f }
.title { font-weight: 600; font-size: 14px }
.tick { font-size: 12px; fill: #57606a }
.ground { fill: #fff }
.grid { stroke: #d8dee4 }
.leader { stroke: #b6bec8; stroke-dasharray: 2 3; fill: none }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 }
  .tick { fill: #a5aeb8 }
  .ground { fill: #1c2128 }
  .grid { stroke: #373e47 }
  .leader { stroke: #57606a }
}
"""


@dataclass(frozen=True)
class Panel:
    """One of the plots, which share their lines' names and colours.

    Attributes:
        title: what is plotted, with its unit.
        lines: by name.
    """

    title: str
    lines: Mapping[str, Points]


def drawn(panels: Sequence[Panel], colours: Mapping[str, str], title: str, description: str) -> str:
    """The panels one below the other, as the text of an SVG file.

    Args:
        panels: at least one.
        colours: of each line, by name; readable on white and on black.
        title: what a reader of screens says first.
        description: what it says of the whole.
    """
    height = _TOP + len(panels) * _HEIGHT + (len(panels) - 1) * _GAP + _BOTTOM
    body = [_panel(panel, colours, _TOP + place * (_HEIGHT + _GAP)) for place, panel in enumerate(panels)]
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" '
            f'height="{height}" role="img" aria-labelledby="t d">',
            f'<title id="t">{escape(title)}</title>',
            f'<desc id="d">{escape(description)}</desc>',
            f"<style>{_STYLE}</style>",
            f'<rect class="ground" width="{_WIDTH}" height="{height}" rx="8"/>',
            *body,
            "</svg>",
            "",
        )
    )


def _panel(panel: Panel, colours: Mapping[str, str], top: float) -> str:
    bottom, right = top + _HEIGHT, _WIDTH - _RIGHT
    across = _Scale([x for own in panel.lines.values() for x, _ in own], _LEFT, right)
    up = _Scale([y for own in panel.lines.values() for _, y in own], bottom, top)
    parts = [_text(_LEFT, top - 16, panel.title, "title")]
    for tick in across.ticks:
        x = across(tick)
        parts += [
            _path("grid", [(x, top), (x, bottom)]),
            _text(x, bottom + 19, f"{tick:,.0f}", "tick", "middle"),
        ]
    for tick in up.ticks:
        y = up(tick)
        parts += [
            _path("grid", [(_LEFT, y), (right, y)]),
            _text(_LEFT - 10, y + 4, f"{tick:g}", "tick", "end"),
        ]
    parts.append(_text(right, bottom + 19, "pictures", "tick", "end"))
    ends = {name: (across(own[-1][0]), up(own[-1][1])) for name, own in panel.lines.items()}
    beside = dict(zip(ends, _apart([y for _, y in ends.values()], top, bottom), strict=True))
    for name, own in panel.lines.items():
        (x, y), colour = ends[name], colours[name]
        parts += [
            _path("leader", [(x, y), (right + 8, y), (right + 22, beside[name]), (right + 28, beside[name])]),
            _path(
                "",
                [(across(one), up(other)) for one, other in own],
                f'stroke="{colour}" stroke-width="2.5" fill="none"',
            ),
            *(
                f'<circle cx="{across(one):.1f}" cy="{up(other):.1f}" r="3.5" fill="{colour}"/>'
                for one, other in own
            ),
            f'<circle cx="{right + 36:.1f}" cy="{beside[name]:.1f}" r="4.5" fill="{colour}"/>',
            _text(right + 46, beside[name] + 4.5, name),
        ]
    return "\n".join(parts)


class _Scale:
    """Numbers as coordinates by their logarithms, from whole or half decades to whole or half decades around them."""

    def __init__(self, values: Sequence[float], start: float, end: float) -> None:
        self._low = math.floor(2 * math.log10(min(values)) - 0.1) / 2
        self._high = math.ceil(2 * math.log10(max(values)) + 0.1) / 2
        self._start, self._end = start, end

    def __call__(self, value: float) -> float:
        share = (math.log10(value) - self._low) / (self._high - self._low)
        return self._start + share * (self._end - self._start)

    @property
    def ticks(self) -> list[float]:
        """1, 2 and 5 of each decade where there are few decades, else the powers of ten."""
        factors = (1, 2, 5) if self._high - self._low <= 2.5 else (1,)
        every = [
            factor * 10.0**power
            for power in range(math.floor(self._low), math.ceil(self._high) + 1)
            for factor in factors
        ]
        return [one for one in every if self._low - 1e-9 <= math.log10(one) <= self._high + 1e-9]


def _apart(wanted: Sequence[float], top: float, bottom: float) -> list[float]:
    """Heights near the wanted ones, in their order, which are a line apart and within the panel."""
    order = sorted(range(len(wanted)), key=wanted.__getitem__)
    heights = [0.0] * len(wanted)
    at = top - _LINE
    for place in order:
        at = heights[place] = max(wanted[place], at + _LINE)
    at = bottom + _LINE
    for place in reversed(order):
        at = heights[place] = min(heights[place], at - _LINE)
    return heights


def _text(x: float, y: float, content: str, kind: str = "", anchor: str = "start") -> str:
    kind = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{kind}>{escape(content)}</text>'


def _path(kind: str, points: Points, more: str = "") -> str:
    kind = f' class="{kind}"' if kind else ""
    return f'<path d="M{" L".join(f"{x:.1f} {y:.1f}" for x, y in points)}"{kind} {more}/>'
