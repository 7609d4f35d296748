"""Writes the tables of docs/explanation/worlds.md: `python -m tests.worlds.page` (minutes; the first: `--verdicts`)."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.worlds.kinds import KINDS
from tests.worlds.outcomes import pooled_row, rate_row, rates, verdict_table

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "worlds.md"


def table(heading: str) -> list[str]:
    """The rows of the table below a heading of the page, without its head."""
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    return lines[slice(*_rows(lines, heading))]


def write(heading: str, rows: list[str]) -> None:
    """Put other rows into that table."""
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    lines[slice(*_rows(lines, heading))] = rows
    PAGE.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _rows(lines: list[str], heading: str) -> tuple[int, int]:
    start = (
        next(i for i in range(lines.index(f"## {heading}"), len(lines)) if lines[i].startswith("|---")) + 1
    )
    end = next((i for i in range(start, len(lines)) if not lines[i].startswith("|")), len(lines))
    return start, end


if __name__ == "__main__":
    write("212 worlds", verdict_table())
    if "--verdicts" not in sys.argv:
        rows = [rate_row(kind, rates(kind)) for kind in KINDS]
        write("Error rates and power", [*rows, pooled_row(rows)])
