"""The tables of NearID-Bench: groups, sources and categories, what a reader must not miss, and what made them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from nearid_cli.benchmarks.differences import differences_table
from nearid_cli.benchmarks.report import Report
from nearid_cli.benchmarks.tables.result import PoolCell, TablesResult
from nearid_cli.benchmarks.tables.similarities import GROUPS
from nearid_cli.metrics.margins import Outcome
from nearid_cli.reports.charts import IntervalChart, Spots, percent, rate
from nearid_cli.reports.table import COUNT, RECORD, SCORE, TEXT, Column, Kind, Table, named, share
from nearid_cli.text import count, few

_CAPTION = (
    "NearID-Bench in percent, 95 % intervals over samples in brackets. SSR: samples that win all their trials. PA: "
    "trials won; PA published counts the mean margin of each sample as one more trial, as Table 1 of the paper does. "
    "H: harmonic mean of SSR and PA."
)
_RATE = share(2)
_NUMBERS = {
    "ssr": ("SSR", _RATE),
    "pa": ("PA", _RATE),
    "pa_published": ("PA published", _RATE),
    "h": ("H", _RATE),
    "ssr_mean": ("SSR mean", _RATE),
    "mean_margin": ("mean margin", SCORE),
    "median_margin": ("median margin", SCORE),
}
_WHOLE = ("ssr", "pa")
"""What a terminal shows with intervals."""
_SHORT = ("pa_published", "h")
"""What it shows without."""

FEW: dict[str, Sequence[int]] = {"sources": [], "categories": []}
"""A terminal has no room for sources and categories."""


def report(result: TablesResult) -> Report:
    """Groups, sources, categories where the samples have some, and differences where a method is compared with."""
    return Report(
        "NearID-Bench",
        result,
        tuple(tables(result)),
        tuple(findings(result)),
        tuple(_facts(result)),
        "nearid-bench",
        few=FEW,
        charts=charts(result),
    )


def tables(result: TablesResult) -> Iterator[Table]:
    """The tables of `report`."""
    yield _table("groups", "pool", _grouped(result))
    yield _table("sources", "source", [c for c in result.cells if c.scope == "source" and c.category is None])
    if categories := [cell for cell in result.cells if cell.category is not None]:
        yield _table("categories", "pool", categories)
    if result.differences:
        yield differences_table(result.differences)


def charts(result: TablesResult) -> dict[str, tuple[IntervalChart, ...]]:
    """SSR and PA of every pool with intervals, above the table of groups; what is not the first pool folds away."""
    cells = _grouped(result)
    places = {title: place for place, title in enumerate(dict.fromkeys(map(_title, cells)))}
    pools = {cell.name: [own for own in cells if own.name == cell.name] for cell in cells}
    return {
        "groups": tuple(
            IntervalChart(
                f"rates-{number}",
                [
                    Spots(
                        f"{name.upper()} in percent, {pool}",
                        percent(name.upper()),
                        [
                            rate(
                                _title(cell),
                                places[_title(cell)],
                                getattr(cell.outcome, name),
                                getattr(cell.outcome, f"{name}_ci95"),
                            )
                            for cell in own
                        ],
                    )
                    for name in _WHOLE
                ],
                where="page",
                folded=f"SSR and PA, {pool}" if number else "",
            )
            for number, (pool, own) in enumerate(pools.items())
        )
    }


def findings(result: TablesResult) -> list[str]:
    """What a reader of the numbers must not miss: a line each."""
    lacking: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for cell in result.cells:
        if cell.missing and cell.category is None:
            lacking.setdefault((cell.name, cell.missing), []).append(_title(cell))
    lines = [
        f"{name} without {', '.join(missing)}: {few(methods)}" for (name, missing), methods in lacking.items()
    ]
    for uneven in result.uneven:
        sizes = ", ".join(f"{source} {size:,}" for source, size in uneven.sources.items())
        lines.append(
            f"{uneven.method} ({uneven.variant}): of {count(uneven.samples, 'sample')} not every source has every one: "
            f"{sizes}"
        )
    if result.passed_over:
        passed = [f"{path} ({reason})" for path, reason in result.passed_over]
        lines.append(f"{count(len(passed), 'file')} passed over: {few(passed)}")
    return lines


def _grouped(result: TablesResult) -> list[PoolCell]:
    """Groups, and sources that are in none."""
    known = {source for sources in GROUPS.values() for source in sources}
    return [
        cell
        for cell in result.cells
        if cell.category is None and (cell.scope == "group" or cell.name not in known)
    ]


def _table(label: str, place: str, cells: Sequence[PoolCell]) -> Table:
    """One row a cell."""

    def fact(name: str) -> Column:
        return named("", [getattr(cell, name) for cell in cells], name)

    expected = [len(cell.sources) + len(cell.missing) for cell in cells]
    found = [len(cell.sources) for cell in cells]
    return Table(
        (
            fact("scope"),
            named(place, [cell.name for cell in cells], "name"),
            named("category" if label == "categories" else "", [cell.category for cell in cells], "category"),
            named("method", [_title(cell) for cell in cells]),
            *map(fact, ("method", "family", "checkpoint", "variant", "rows", "mode")),
        ),
        (
            Column(RECORD, list(zip(found, expected, strict=True)), "sources", paper=True),
            Column(COUNT, found, name="sources"),
            Column(COUNT, expected, name="sources_expected"),
            Column(TEXT, [" ".join(cell.missing) for cell in cells], name="missing"),
            Column(COUNT, [cell.outcome.samples for cell in cells], "samples", "samples", paper=True),
            Column(COUNT, [cell.without_trials for cell in cells], name="without_trials"),
            *outcome_columns([cell.outcome for cell in cells]),
        ),
        caption=_CAPTION,
        label=label,
    )


def outcome_columns(every: Sequence[Outcome]) -> Iterator[Column]:
    """The numbers of a row each."""
    yield Column(COUNT, [one.trials for one in every], name="trials")
    yield from (_number(name, title, kind, every) for name, (title, kind) in _NUMBERS.items())


def _number(name: str, title: str, kind: Kind, every: Sequence[Outcome]) -> Column:
    return Column(
        kind,
        [getattr(one, name) for one in every],
        title,
        name,
        intervals=[getattr(one, f"{name}_ci95") for one in every],
        paper=True,
        page=name not in _WHOLE + _SHORT,
        bare="terminal" if name in _SHORT else "",
    )


def _title(cell: PoolCell) -> str:
    return cell.method if cell.variant == "image" else f"{cell.method} ({cell.variant})"


def _facts(result: TablesResult) -> Iterator[str]:
    yield f"folders: {', '.join(result.roots)} ({count(result.files, 'similarity file')})"
    yield from (f"{name}: {', '.join(sources)}" for name, sources in result.groups.items())
