"""Table 1: ours beside the published one, the difference, and what is missing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from nearid_cli.benchmarks.report import Report
from nearid_cli.benchmarks.table1.result import COLUMNS, Table1Result, Table1Row, published
from nearid_cli.benchmarks.tables.similarities import GROUPS
from nearid_cli.reports.table import SCORE, Column, Kind, Table, named

_PERCENT = ("ssr", "pa", "mtg_ssr", "mtg_pa")
_TITLES = {
    "ours": "{metric}",
    "published": "{name}, published",
    "published_float32": "{name}, published in float32",
    "difference_float32": "difference",
}


def report(result: Table1Result) -> Report:
    """One table."""
    return Report(
        "Table 1",
        result,
        (_table(result),),
        tuple(_findings(result)),
        (f"published: {published()['source']}",),
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
    """Rows of a metric: ours, the published one, and the difference, once more in float32 where that is published."""
    rows = [(row, kind, numbers) for row in result.rows for kind, numbers in _numbers(row).items()]
    titles = [_TITLES.get(kind, kind).format(metric=row.metric, name=row.name) for row, kind, _ in rows]
    return Table(
        (named("metric", titles),),
        tuple(
            Column(
                _number(name),
                [_cell(kind, numbers.get(name)) for _, kind, numbers in rows],
                title,
                paper=True,
            )
            for name, title in COLUMNS.items()
        ),
        caption="Table 1 of the NearID paper, ours beside the published numbers. SSR and PA in percent, PA of "
        "NearID-Bench counted as published. Differences are ours minus published.",
        label="table1",
        data=_data(result),
    )


def _data(result: Table1Result) -> Table:
    """One row a metric: `<column>`, `<column>_published` and `<column>_difference`, and what else `_numbers` has."""
    rows = [_numbers(row) for row in result.rows]
    known = {(column, kind) for row in rows for kind, numbers in row.items() for column in numbers}
    usual = ("ours", "published", "difference")
    numbers = [
        Column(
            SCORE,
            [row.get(kind, {}).get(column) for row in rows],
            name=column if kind == "ours" else f"{column}_{kind}",
        )
        for column in COLUMNS
        for kind in (*usual, "published_float32", "difference_float32")
        if kind in usual or (column, kind) in known
    ]
    return Table((named("", [row.metric for row in result.rows], "metric"),), tuple(numbers))


def _numbers(row: Table1Row) -> dict[str, Mapping[str, float | None]]:
    """`ours`, and where the metric is in Table 1 what is `published` and the `difference`, each by column.

    Where values in float32 are published, these as well, and the difference from them.
    """
    found: dict[str, Mapping[str, float | None]] = {"ours": row.ours}
    for stated, ending in ((row.published, ""), (row.published_float32, "_float32")):
        if stated:
            found[f"published{ending}"] = stated
            found[f"difference{ending}"] = {
                column: None if ours is None else ours - theirs
                for column, theirs in stated.items()
                for ours in [row.ours[column]]
            }
    return found


def _cell(kind: str, value: float | None) -> tuple[float, str] | None:
    """A number, and the sign of one above 0."""
    return None if value is None else (value, "+" if kind.startswith("difference") else "")


def _number(column: str) -> Kind:
    digits = 2 if column in _PERCENT else 3

    def spell(cell: tuple[float, str]) -> str:
        rounded = round(cell[0], digits) + 0.0  # no -0.00
        return f"{rounded:{cell[1] if rounded else ''}.{digits}f}"

    return Kind(float, spell)
