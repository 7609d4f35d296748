"""Table 1 for people: ours beside the published one, the difference, and what is missing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from nearid_cli.benchmarks.table import Table, write
from nearid_cli.benchmarks.table import render as render_table
from nearid_cli.benchmarks.table1.result import COLUMNS, Table1Result, Table1Row, published
from nearid_cli.benchmarks.tables.groups import GROUPS
from nearid_cli.files import replace_file
from nearid_cli.reports.sheet import Column, Sheet

if TYPE_CHECKING:
    from rich.console import Console

_PERCENT = ("ssr", "pa", "mtg_ssr", "mtg_pa")


def table1_table(result: Table1Result) -> Table:
    """Three rows a metric: ours, the published one, and the difference; only ours where nothing is published."""
    rows = [(name, *_cells(kind, row)) for row in result.rows for name, kind in _kinds(row)]
    return Table(
        "table1",
        "Table 1 of the NearID paper, ours beside the published numbers. SSR and PA in percent, PA of NearID-Bench "
        "counted as published. Differences are ours minus published.",
        ("metric", *COLUMNS.values()),
        tuple(rows),
        1,
        _sheet(result),
        "it was not measured, or not published; what was not measured is named below",
    )


def render(result: Table1Result, console: Console) -> None:
    """Print the table, and what a reader of the numbers must not miss."""
    render_table(table1_table(result), console)
    for line in findings(result):
        console.print(line, soft_wrap=True, markup=False, highlight=False, emoji=False)


def findings(result: Table1Result) -> Iterator[str]:
    """What a reader of the numbers must not miss, a line each."""
    for line in result.missing:
        yield f"missing: {line}"
    if result.samples and len(result.sources) < len(GROUPS["all"]):
        yield (
            f"NearID-Bench pools {len(result.sources)} of the {len(GROUPS['all'])} sources of Table 1: "
            f"{', '.join(result.sources)}"
        )
    for metric, samples in result.samples.items():
        if samples != 3500:
            yield f"{metric}: {samples:,} samples of NearID-Bench, Table 1 has 3,500"


def write_result(result: Table1Result, folder: Path) -> None:
    """Write `table1.json`, `.csv`, `.md` and `.tex` into a folder that exists, replacing older files.

    Raises:
        InputError: a file cannot be written.
    """
    replace_file(folder / "table1.json", (to_json(result) + "\n").encode())
    made_by = [
        f"tool: {result.tool.name} {result.tool.version}, {result.created}",
        f"published: {published()['source']}",
    ]
    write(table1_table(result), folder, "nearid-table1", [*made_by, *findings(result)])


def to_json(result: Table1Result) -> str:
    """The result as JSON of ASCII characters alone."""
    return json.dumps(result.to_dict(), indent=2, allow_nan=False)


def _kinds(row: Table1Row) -> list[tuple[str, str]]:
    if row.published is None:
        return [(row.metric, "ours")]
    return [(row.metric, "ours"), (f"{row.name}, published", "published"), ("difference", "difference")]


def _value(kind: str, row: Table1Row, column: str) -> float | None:
    ours = row.ours[column]
    theirs = None if row.published is None else row.published[column]
    if kind == "difference":
        return None if ours is None or theirs is None else ours - theirs
    return ours if kind == "ours" else theirs


def _cells(kind: str, row: Table1Row) -> Iterator[str]:
    for column in COLUMNS:
        value = _value(kind, row, column)
        digits = 2 if column in _PERCENT else 3
        rounded = None if value is None else round(value, digits) + 0.0  # no -0.00
        sign = "+" if kind == "difference" and rounded else ""
        yield "-" if rounded is None else f"{rounded:{sign}.{digits}f}"


def _sheet(result: Table1Result) -> Sheet:
    """One row a metric: `<column>`, `<column>_published` and `<column>_difference`."""
    numbers = [
        Column(
            column if kind == "ours" else f"{column}_{kind}",
            float,
            [_value(kind, row, column) for row in result.rows],
        )
        for column in COLUMNS
        for kind in ("ours", "published", "difference")
    ]
    return (Column("metric", str, [row.metric for row in result.rows]), *numbers)
