"""Tables and lists of the page as HTML. Everything that comes in as text is escaped here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from nearid_cli.reports.html.svg import escaped
from nearid_cli.reports.labels import Label, attributes

COLUMNS = 8
"""So many columns of numbers a table has beside its first; more go into further tables below, which fit on paper."""

NAME = 32
"""So many characters of a name a row shows."""

HEADER = 20
"""And so many above a column."""


def table(
    caption: str, header: Sequence[str | Label], rows: Iterable[Sequence[str]], kind: str = "numbers"
) -> str:
    """A table that scrolls by itself where it is too wide. `rows` hold whole cells as HTML, the first one a `<th>`."""
    body = list(rows)
    parts = []
    for start in range(1, len(header), COLUMNS) if kind == "numbers" else [1]:
        taken = slice(start, start + COLUMNS if kind == "numbers" else None)
        head = "".join(_head(name) for name in [header[0], *header[taken]])
        lines = "".join(f"<tr>{row[0]}{''.join(row[taken])}</tr>" for row in body)
        more = (
            f", columns {start} to {start + len(header[taken]) - 1}"
            if len(header[taken]) < len(header) - 1
            else ""
        )
        parts.append(
            f'<table class="{kind}"><caption><span>{escaped(caption + more)}</span></caption>'
            f"<thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table>"
        )
    region = f'role="region" tabindex="0" aria-label="{escaped(caption)}"'
    return f'<div class="scroll" {region}>{"".join(parts)}</div>'


def row_name(label: Label, before: str = "") -> str:
    """The first cell of a row, with HTML before the name."""
    return f'<th scope="row"{attributes(label)}>{before}<bdi>{escaped(label.short)}</bdi></th>'


def cells(*values: str) -> list[str]:
    """Cells of text."""
    return [f"<td>{escaped(value)}</td>" for value in values]


def word(value: str) -> str:
    """A cell of words among cells of numbers."""
    return f'<td class="word">{escaped(value)}</td>'


def listed(items: Sequence[str], title: str = "") -> str:
    """Sentences as a list, with a heading where one is given; nothing where there are none."""
    entries = "".join(f"<li>{escaped(item)}</li>" for item in items)
    heading = f"<h3>{escaped(title)}</h3>" if title else ""
    return f"{heading}<ul>{entries}</ul>" if items else ""


def folded(content: str, title: str = "The numbers") -> str:
    """What opens when its title is pressed, and on paper."""
    return f"<details><summary>{escaped(title)}</summary>{content}</details>"


def _head(name: str | Label) -> str:
    if isinstance(name, Label):
        return f'<th scope="col"{attributes(name)}><bdi>{escaped(name.short)}</bdi></th>'
    words = name in ("metric", "over", "verdict")  # words stand at the left, numbers at the right
    kind = ' class="word"' if words else ""
    return f'<th scope="col"{kind}>{escaped(name)}</th>'
