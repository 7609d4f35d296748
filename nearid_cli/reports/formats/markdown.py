"""Documents as GitHub Markdown, short enough for a comment on a pull request."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from nearid_cli.reports.formats.base import FileFormat
from nearid_cli.text import printable

if TYPE_CHECKING:
    from nearid_cli.reports.blocks import Block, Document
    from nearid_cli.reports.table import Column, Mark, Table

LIMIT = 65_000
"""Characters of a document; GitHub takes a comment of up to 65,536."""

LEGEND: dict[Mark, str] = {
    "best": "Best in **bold**, second <ins>underlined</ins>",
    "better": "▲ better, ▼ worse",
}
_MARKS: dict[Mark, str] = {"best": "**{}**", "second": "<ins>{}</ins>", "better": "{} ▲", "worse": "{} ▼"}

# What begins an inline element anywhere, and what begins a heading or list at the start of a line.
_SPECIAL = r"[\\`*_\[\]<>~&$]|^[-+#=]|(?<=\d)[.)](?=\s|$)"
# What GitHub would turn into a notification of somebody, a reference to an issue, or a link.
_LIVE = r"@(?=\w)|#(?=\d)|(?i:https?|ftp)(?=:)|(?i:www)(?=\.)|(?i:GH-)(?=\d)"

_NAMED = 20
"""So many names of a finding are listed; the rest is counted."""


class Markdown(FileFormat):
    """What a reader must see, and folded away what each subject scored and what made the numbers."""

    extension = ".md"
    holds = ("score", "compare", "gate", "benchmark")
    place = 5

    def render(self, document: Document) -> str:
        """A document that would be too long loses rows of its longest tables and says how many."""
        return markdown(document)


class Piece(NamedTuple):
    """A piece of a document whose rows may be cut at the end, but not the lines around them.

    Attributes:
        rank: the pieces with the lowest ranks get room first.
        before: lines above the rows.
        rows: one line each, most important first.
        after: lines below the rows, and below the line that says how many were cut.
        noun: what a row is, in the plural.
    """

    rank: int
    before: Sequence[str] = ()
    rows: Sequence[str] = ()
    after: Sequence[str] = ()
    noun: str = "rows"

    def lines(self, kept: int) -> list[str]:
        """The piece with so many of its rows."""
        left = len(self.rows) - kept
        note = ["", f"*{left:,} more {self.noun} left out here; the JSON has them all.*"] if left else []
        return [*self.before, *self.rows[:kept], *note, *self.after]


def markdown(document: Document, limit: int = LIMIT) -> str:
    """The document in at most so many characters; verdicts of a gate come first."""
    pieces = []
    if document.judged:  # which may have a verdict for every subject: half of the room is left to the scores
        pieces.append(Piece(0, (*markdown(document.judged, limit // 2).splitlines(), "")))
    if document.draft.title:
        pieces.append(Piece(0, (f"# {document.draft.title}", "")))
    for block in document.draft.on_pages:
        pieces += [_folded(block.folded, piece) if block.folded else piece for piece in _pieces(block)]
    return joined(pieces, limit)


def joined(pieces: Sequence[Piece], limit: int = LIMIT) -> str:
    """The pieces one after the other; rows are left out where the whole would exceed `limit` characters."""
    room = limit - sum(len(line) + 1 for piece in pieces for line in piece.lines(0))
    kept = [0] * len(pieces)
    for i in sorted(range(len(pieces)), key=lambda i: pieces[i].rank):
        for row in pieces[i].rows:
            if len(row) >= room:
                break
            room -= len(row) + 1
            kept[i] += 1
    return "".join(f"{line}\n" for piece, n in zip(pieces, kept, strict=True) for line in piece.lines(n))


def _pieces(block: Block) -> Iterator[Piece]:
    from nearid_cli.reports.blocks import Entries, FindingList, Panel, Prose

    if isinstance(block, Panel):
        table = block.table
        yield table_piece(block.rank, table)
        below = [*filter(None, [table.legend(LEGEND, escape=escape)]), *map(escape, table.notes)]
        if below and not block.folded:
            yield Piece(0, (*below, ""))
    elif isinstance(block, Entries) and block.entries:
        lines = [f"**{escape(one.name)}**: {_sentences(one.lines)}" for one in block.entries]
        yield _bullets(block.rank, block.title, lines, "warnings" if block.state == "warned" else "failures")
    elif isinstance(block, FindingList) and (found := block.lines(_NAMED)):
        yield _bullets(block.rank, "Findings", map(escape, found), "entries")
    elif isinstance(block, Prose) and block.lines:
        lines = list(map(escape, block.lines))
        if block.listed:
            yield _bullets(block.rank, block.title, lines, "facts")
        else:
            yield Piece(0, (*_heading(block.title), *lines, ""))


def table_piece(rank: int, made: Table) -> Piece:
    """A table without its foot; notes and what the marks mean are not in it."""
    columns = [*made.shown_names, *made.shown]
    rule = ["---" if column.kind.text else "---:" for column in columns]
    header = [_row(escape(column.plain_title) for column in columns), _row(rule)]
    rows = [_row(_cell(column, place) for column in columns) for place in range(made.size)]
    return Piece(rank, header, rows, ("",), made.noun)


def _cell(column: Column, place: int) -> str:
    text = column.spelled(place)
    if column.kind.text:
        text = escape(text)
    for mark, shown in _MARKS.items():
        if mark in column.mark(place):
            text = shown.format(text)
    return text


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _folded(summary: str, piece: Piece) -> Piece:
    """A piece that is folded away under `summary`, which is escaped here."""
    import html

    # Inside <summary> Markdown is not read, so HTML's own escapes count; what is live to GitHub is so there, too.
    text = re.sub(_LIVE, r"\g<0>&#8203;", html.escape(printable(summary), quote=False))
    before = ("<details>", f"<summary>{text}</summary>", "", *piece.before)
    return piece._replace(before=before, after=(*piece.after, "</details>", ""))


def _bullets(rank: int, title: str, entries: Iterable[str], noun: str) -> Piece:
    """A list of what is Markdown already, under its title where there is one."""
    return Piece(rank, _heading(title), [f"- {entry}" for entry in entries], ("",), noun)


def _heading(title: str) -> tuple[str, ...]:
    return (f"## {escape(title)}", "") if title else ()


def _sentences(lines: Sequence[str]) -> str:
    """Lines as sentences that follow each other."""
    first, *rest = lines
    return " ".join(f"{escape(line)}." for line in (first, *(f"{one[:1].upper()}{one[1:]}" for one in rest)))


def escape(text: str) -> str:
    r"""Text that Markdown shows as it is, in a table cell too.

    GitHub calls nobody, and links no issue and no address because of it: inside of these is a space without width.

    >>> print(escape("<script> a|b `c` @d\n"))
    \<script\> a&#124;b \`c\` @&#8203;d\\n
    """
    marked = re.sub(_LIVE, r"\g<0>&#8203;", re.sub(_SPECIAL, r"\\\g<0>", printable(text)))
    # The pipe is an entity because renderers disagree about a backslash before an escaped pipe.
    return marked.replace("|", "&#124;")
