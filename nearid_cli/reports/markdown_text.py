"""The pieces of a Markdown document: safe text, tables, and parts that give way when a comment would be too long."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from nearid_cli.reports.table import Column, Mark, Table
from nearid_cli.text import printable

LIMIT = 65_000
"""Characters of a document; GitHub takes a comment of up to 65,536."""

# What begins an inline element anywhere, and what begins a heading or list at the start of a line.
_SPECIAL = re.compile(r"[\\`*_\[\]<>~&$]|^[-+#=]|(?<=\d)[.)](?=\s|$)")
# What GitHub would turn into a notification of somebody, or a reference to an issue.
_MENTION = re.compile(r"@(?=\w)|#(?=\d)")


@dataclass(frozen=True)
class Part:
    """A piece of a document whose rows may be cut at the end, but not the lines around them.

    Attributes:
        rank: the parts with the lowest ranks get room first.
        before: lines above the rows.
        rows: one line each, most important first.
        after: lines below the rows, and below the line that says how many were cut.
        noun: what a row is, in the plural.
        most: never show more rows than this.
    """

    rank: int
    before: Sequence[str] = ()
    rows: Sequence[str] = ()
    after: Sequence[str] = ()
    noun: str = "rows"
    most: int | None = None

    def lines(self, kept: int) -> list[str]:
        """The part with so many of its rows."""
        left = len(self.rows) - kept
        note = ["", f"*{left:,} more {self.noun} left out here; the JSON has them all.*"] if left else []
        return [*self.before, *self.rows[:kept], *note, *self.after]


def document(parts: Sequence[Part], limit: int = LIMIT) -> str:
    """The parts one after the other; rows are left out where the whole would exceed `limit` characters."""
    room = limit - sum(_length(part.lines(0)) for part in parts)
    kept = dict.fromkeys(range(len(parts)), 0)
    for i in sorted(kept, key=lambda i: parts[i].rank):
        for row in parts[i].rows[: parts[i].most]:
            room -= len(row) + 1
            if room < 0:
                room += len(row) + 1
                break
            kept[i] += 1
    return "".join(line + "\n" for i, part in enumerate(parts) for line in part.lines(kept[i]))


def table(
    rank: int, header: Sequence[str], rows: Iterable[Sequence[str]], noun: str = "rows", texts: int = 1
) -> Part:
    """A table, with an empty line below.

    Args:
        rank: as in `Part`.
        header: one title a column; escaped here.
        rows: cells that are Markdown already, as many as titles.
        noun: what a row is, in the plural.
        texts: so many columns on the left hold text, the others numbers.
    """
    rule = ["---"] * texts + ["---:"] * (len(header) - texts)
    lines = [_row(cells) for cells in rows]
    return Part(rank, (_row(map(escape, header)), _row(rule)), lines, ("",), noun)


_MARKS = (
    (Mark.BEST, "**", "**"),
    (Mark.SECOND, "<ins>", "</ins>"),
    (Mark.BETTER, "", " ▲"),
    (Mark.WORSE, "", " ▼"),
)
LEGEND = {
    Mark.BEST: "Best in **bold**, second <ins>underlined</ins>",
    Mark.BETTER: "▲ better, ▼ worse",
}


def table_part(rank: int, made: Table) -> Part:
    """A table without its foot; notes and what the marks mean are not in it."""
    columns = [*made.shown_names, *made.shown]
    rows = ([_cell(column, place) for column in columns] for place in range(made.size))
    rule = ["---" if column.kind.text else "---:" for column in columns]
    header = [_row(escape(column.plain_title) for column in columns), _row(rule)]
    return Part(rank, header, [_row(cells) for cells in rows], ("",), made.noun)


def _cell(column: Column, place: int) -> str:
    text = column.spelled(place)
    if column.kind.text:
        text = escape(text)
    for mark, before, after in _MARKS:
        if mark in column.mark(place):
            text = f"{before}{text}{after}"
    return text


def details(summary: str, part: Part) -> Part:
    """A part that is folded away under `summary`, which is escaped here."""
    # Inside <summary> Markdown is not read, so HTML's own escapes are what counts.
    text = html.escape(printable(summary), quote=False)
    before = ("<details>", f"<summary>{text}</summary>", "", *part.before)
    return Part(part.rank, before, part.rows, (*part.after, "</details>", ""), part.noun, part.most)


def bullets(
    rank: int, title: str, entries: Iterable[str], noun: str = "entries", most: int | None = None
) -> Part:
    """A list under its title, or nothing without entries, which are Markdown already."""
    lines = [f"- {entry}" for entry in entries]
    return Part(rank, (f"## {title}", ""), lines, ("",), noun, most) if lines else Part(rank)


def escape(text: str) -> str:
    r"""Text that Markdown shows as it is, in a table cell too.

    GitHub calls nobody and links no issue because of it: after `@` and `#` comes a space without width.

    >>> print(escape("<script> a|b `c` @d\n"))
    \<script\> a&#124;b \`c\` @&#8203;d\\n
    """
    marked = _MENTION.sub(r"\g<0>&#8203;", _SPECIAL.sub(r"\\\g<0>", printable(text)))
    # The pipe is an entity because renderers disagree about a backslash before an escaped pipe.
    return marked.replace("|", "&#124;")


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _length(lines: Sequence[str]) -> int:
    return sum(len(line) + 1 for line in lines)
