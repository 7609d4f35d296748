"""Documents as GitHub Markdown, short enough for a comment on a pull request."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from nearid_cli.reports.blocks import Block, Document, Entries, Findings, Panel, Prose
from nearid_cli.reports.formats.base import Format
from nearid_cli.reports.markdown_text import (
    LEGEND,
    LIMIT,
    Part,
    bullets,
    details,
    escape,
    table_part,
)
from nearid_cli.reports.markdown_text import document as joined

_NAMED = 20
"""So many names of a finding are listed; the rest is counted."""


class Markdown(Format):
    """What a reader must see, and folded away what each subject scored and what made the numbers."""

    extension = ".md"
    holds = ("score", "compare", "gate", "benchmark")
    place = 5

    def render(self, document: Document) -> str:
        """A document that would be too long loses rows of its longest tables and says how many."""
        return markdown(document)


def markdown(document: Document, limit: int = LIMIT) -> str:
    """The document in at most so many characters; verdicts of a gate come first."""
    parts = []
    if document.judged:  # which may have a verdict for every subject: half of the room is left to the scores
        parts.append(Part(0, (*markdown(document.judged, limit // 2).splitlines(), "")))
    if document.content.title:
        parts.append(Part(0, (f"# {document.content.title}", "")))
    blocks = [block for block in document.content.blocks if block.where != "terminal"]
    for block in sorted(blocks, key=lambda block: bool(block.folded)):
        parts += [details(block.folded, part) if block.folded else part for part in _parts(block)]
    return joined(parts, limit)


def _parts(block: Block) -> Iterator[Part]:
    if isinstance(block, Panel):
        table = block.table
        yield table_part(block.rank, table)
        below = [*filter(None, [table.legend(LEGEND, escape=escape)]), *map(escape, table.notes)]
        if below and not block.folded:
            yield Part(0, (*below, ""))
    elif isinstance(block, Entries):
        lines = [f"**{escape(one.name)}**: {_sentences(one.lines)}" for one in block.entries]
        yield bullets(block.rank, block.title, lines, "warnings" if block.state == "warned" else "failures")
    elif isinstance(block, Findings) and (found := block.lines(_NAMED)):
        yield bullets(block.rank, "Findings", map(escape, found))
    elif isinstance(block, Prose) and block.lines:
        heading = (f"## {escape(block.title)}", "") if block.title else ()
        lines = [escape(line) for line in block.lines]
        if block.listed:
            yield Part(block.rank, heading, [f"- {line}" for line in lines], ("",), "facts")
        else:
            yield Part(0, (*heading, *lines, ""))


def _sentences(lines: Sequence[str]) -> str:
    """Lines as sentences that follow each other."""
    first, *rest = lines
    return " ".join(f"{escape(line)}." for line in (first, *(f"{one[:1].upper()}{one[1:]}" for one in rest)))
