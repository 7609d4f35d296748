"""Reading the fenced blocks, links and headings of a Markdown file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_FENCE = re.compile(
    r"(?:<!-- (?P<note>[^>]*) -->\n)?^```(?P<language>\S*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)


@dataclass(frozen=True)
class Block:
    """A fenced block, with the HTML comment right above it (`exit 2`, `not run: reason`)."""

    language: str
    text: str
    line: int
    note: str


@dataclass(frozen=True)
class Command:
    """A line that begins with `$ `, and the output shown below it."""

    line: str
    output: str


def blocks(path: Path, language: str | None = None) -> list[Block]:
    """The fenced blocks of a file, or those of one language."""
    text = path.read_text(encoding="utf-8")
    found = [
        Block(match["language"], match["text"], text.count("\n", 0, match.start()) + 1, match["note"] or "")
        for match in _FENCE.finditer(text)
    ]
    return [block for block in found if language in (None, block.language)]


def commands(block: Block) -> list[Command]:
    """The commands of a console block."""
    assert block.text.startswith("$ "), block
    pieces = re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]
    return [Command(*(piece.split("\n", 1))) for piece in pieces]


def prose(path: Path) -> str:
    """The file without its fenced blocks."""
    return _FENCE.sub("", path.read_text(encoding="utf-8"))


def links(path: Path) -> list[str]:
    """The targets of all links that are not to the web."""
    found = re.findall(r"\[[^\]]*\]\(([^)\s]+)\)", prose(path))
    return [target for target in found if not target.startswith(("http:", "https:", "mailto:"))]


def anchors(path: Path) -> set[str]:
    """The anchors that GitHub makes of the headings."""
    headings = re.findall(r"^#+ (.+)$", prose(path), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
