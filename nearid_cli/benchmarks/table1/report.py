"""Table 1: ours beside the published one, the difference, and what is missing."""

from __future__ import annotations

from collections.abc import Iterator

from nearid_cli.benchmarks.report import Report
from nearid_cli.benchmarks.table1.result import COLUMNS, Table1Result, Table1Row, published
from nearid_cli.benchmarks.tables.groups import GROUPS
from nearid_cli.reports.provenance import about_tool
from nearid_cli.reports.table import SCORE, Column, Kind, Table, named

_PERCENT = ("ssr", "pa", "mtg_ssr", "mtg_pa")


def report(result: Table1Result) -> Report:
    """One table."""
    return Report(
        "Table 1",
        result,
        (_table(result),),
        tuple(_findings(result)),
        (about_tool(result.tool, result.created), f"published: {published()['source']}"),
        "nearid",
        missing="it was not measured, or not published; what was not measured is named below",
    )


def _findings(result: Table1Result) -> Iterator[str]:
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


def _table(result: Table1Result) -> Table:
    """Three rows a metric: ours, the published one, and the difference; only ours where nothing is published."""
    rows = [(row, name, kind) for row in result.rows for name, kind in _kinds(row)]
    return Table(
        (named("metric", [name for _, name, _ in rows]),),
        tuple(
            Column(_number(name), [_cell(kind, row, name) for row, _, kind in rows], title, paper=True)
            for name, title in COLUMNS.items()
        ),
        caption="Table 1 of the NearID paper, ours beside the published numbers. SSR and PA in percent, PA of "
        "NearID-Bench counted as published. Differences are ours minus published.",
        label="table1",
        data=_data(result),
    )


def _data(result: Table1Result) -> Table:
    """One row a metric: `<column>`, `<column>_published` and `<column>_difference`."""
    numbers = [
        Column(
            SCORE,
            [_value(kind, row, column) for row in result.rows],
            name=column if kind == "ours" else f"{column}_{kind}",
        )
        for column in COLUMNS
        for kind in ("ours", "published", "difference")
    ]
    return Table((named("", [row.metric for row in result.rows], "metric"),), tuple(numbers))


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


def _cell(kind: str, row: Table1Row, column: str) -> tuple[float, str] | None:
    """A number, and the sign of one above 0."""
    value = _value(kind, row, column)
    return None if value is None else (value, "+" if kind == "difference" else "")


def _number(column: str) -> Kind:
    digits = 2 if column in _PERCENT else 3

    def spell(cell: tuple[float, str]) -> str:
        rounded = round(cell[0], digits) + 0.0  # no -0.00
        return f"{rounded:{cell[1] if rounded else ''}.{digits}f}"

    return Kind(float, spell)
