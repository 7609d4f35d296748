"""The tables of NearID-Bench for people: in the terminal, and as files in a folder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nearid_cli.benchmarks import table as forms
from nearid_cli.benchmarks.rates import differences_table
from nearid_cli.benchmarks.table import Table
from nearid_cli.benchmarks.tables.groups import GROUPS
from nearid_cli.benchmarks.tables.result import Cell, TablesResult
from nearid_cli.files import replace_file
from nearid_cli.metrics.margins import Outcome
from nearid_cli.reports import json_text
from nearid_cli.reports.figures import score_figure, some
from nearid_cli.reports.sheet import Column, Sheet
from nearid_cli.results import Interval
from nearid_cli.text import count

if TYPE_CHECKING:
    from rich.console import Console

_CAPTION = (
    "NearID-Bench in percent, 95 % intervals over samples in brackets. SSR: samples that win all their trials. PA: "
    "trials won; PA published counts the mean margin of each sample as one more trial, as Table 1 of the paper does. "
    "H: harmonic mean of SSR and PA."
)
_COUNTS = ("sources", "samples")
_NUMBERS = {
    "ssr": "SSR",
    "pa": "PA",
    "pa_published": "PA published",
    "h": "H",
    "ssr_mean": "SSR mean",
    "mean_margin": "mean margin",
    "median_margin": "median margin",
}


def render(result: TablesResult, console: Console) -> None:
    """Print the main numbers of every group, of the sources that are in none, and what a reader must not miss."""
    cells = _grouped(result)
    width = max(len(cell.name) for cell in cells)
    rows = tuple(
        (
            f"{cell.name:<{width}}  {_title(cell)}",
            *_counts(cell),
            _figure(cell.outcome, "ssr"),
            _figure(cell.outcome, "pa"),
            _figure(cell.outcome, "pa_published", interval=False),
            _figure(cell.outcome, "h", interval=False),
        )
        for cell in cells
    )
    header = (f"{'pool':<{width}}  method", *_COUNTS, "SSR", "PA", "PA published", "H")
    forms.render(Table("groups", _CAPTION, header, rows, 1, ()), console)
    if result.differences:
        forms.render(differences_table(result.differences), console)
    for line in findings(result):
        console.print(line, soft_wrap=not console.is_terminal, markup=False, highlight=False, emoji=False)


def write(result: TablesResult, folder: Path) -> None:
    """Write `summary.json`, and `groups`, `sources` and `categories`, each as `.csv`, `.md` and `.tex`.

    Args:
        result: what to write.
        folder: which exists; older files in it are replaced.

    Raises:
        InputError: a file cannot be written.
    """
    replace_file(folder / "summary.json", (to_json(result) + "\n").encode())
    for table in tables(result):
        forms.write(table, folder, f"nearid-bench-{table.name}", list(_made_by(result)))


def to_json(result: TablesResult) -> str:
    """The result as JSON, one line a cell."""
    return json_text.to_json(result)


def tables(result: TablesResult) -> list[Table]:
    """Groups, sources, categories where the samples have some, and differences where a method is compared with."""
    sources = [cell for cell in result.cells if cell.scope == "source" and cell.category is None]
    categories = [cell for cell in result.cells if cell.category is not None]
    made = [_table("groups", _grouped(result)), _table("sources", sources)]
    if categories:
        made.append(_table("categories", categories))
    if result.differences:
        made.append(differences_table(result.differences))
    return made


def findings(result: TablesResult) -> list[str]:
    """What a reader of the numbers must not miss: a line each."""
    lacking: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for cell in result.cells:
        if cell.missing and cell.category is None:
            lacking.setdefault((cell.name, cell.missing), []).append(_title(cell))
    lines = [
        f"{name} without {', '.join(missing)}: {some(methods)}"
        for (name, missing), methods in lacking.items()
    ]
    for uneven in result.uneven:
        sizes = ", ".join(f"{source} {size:,}" for source, size in uneven.sources.items())
        lines.append(
            f"{uneven.method} ({uneven.variant}): of {count(uneven.samples, 'sample')} not every source has every one: "
            f"{sizes}"
        )
    if result.passed_over:
        passed = [f"{path} ({reason})" for path, reason in result.passed_over]
        lines.append(f"{count(len(passed), 'file')} passed over: {some(passed)}")
    return lines


def _grouped(result: TablesResult) -> list[Cell]:
    """Groups, and sources that are in none."""
    known = {source for sources in GROUPS.values() for source in sources}
    return [
        cell
        for cell in result.cells
        if cell.category is None and (cell.scope == "group" or cell.name not in known)
    ]


def _table(name: str, cells: Sequence[Cell]) -> Table:
    titles = {"groups": ("pool",), "sources": ("source",), "categories": ("pool", "category")}[name]
    rows = tuple(
        (
            *(cell.name, cell.category or "")[: len(titles)],
            _title(cell),
            *_counts(cell),
            *(_figure(cell.outcome, number) for number in _NUMBERS),
        )
        for cell in cells
    )
    header = (*titles, "method", *_COUNTS, *_NUMBERS.values())
    return Table(name, _CAPTION, header, rows, len(titles) + 1, _sheet(cells))


def _counts(cell: Cell) -> tuple[str, str]:
    return f"{len(cell.sources)}/{len(cell.sources) + len(cell.missing)}", f"{cell.outcome.samples:,}"


def _title(cell: Cell) -> str:
    return cell.method if cell.variant == "image" else f"{cell.method} ({cell.variant})"


def _figure(outcome: Outcome, number: str, interval: bool = True) -> str:
    value: float | None = getattr(outcome, number)
    ci95: Interval | None = getattr(outcome, f"{number}_ci95") if interval else None
    if value is None:
        return "-"
    if number.endswith("margin"):
        return score_figure(value, ci95)
    ends = f" [{100 * ci95[0]:.2f}, {100 * ci95[1]:.2f}]" if ci95 else ""
    return f"{100 * value:.2f}{ends}"


def _sheet(cells: Sequence[Cell]) -> Sheet:
    """One row a cell, rates from 0 to 1."""
    names = ("scope", "name", "category", "method", "family", "checkpoint", "variant", "rows", "mode")
    columns = [Column(name, str, [getattr(cell, name) for cell in cells]) for name in names]
    columns += [
        Column("sources", int, [len(cell.sources) for cell in cells]),
        Column("sources_expected", int, [len(cell.sources) + len(cell.missing) for cell in cells]),
        Column("missing", str, [" ".join(cell.missing) for cell in cells]),
        Column("samples", int, [cell.outcome.samples for cell in cells]),
        Column("without_trials", int, [cell.without_trials for cell in cells]),
        Column("trials", int, [cell.outcome.trials for cell in cells]),
    ]
    for number in _NUMBERS:
        ends: list[Any] = [getattr(cell.outcome, f"{number}_ci95") or (None, None) for cell in cells]
        columns += [
            Column(number, float, [getattr(cell.outcome, number) for cell in cells]),
            Column(f"{number}_low", float, [low for low, _ in ends]),
            Column(f"{number}_high", float, [high for _, high in ends]),
        ]
    return tuple(columns)


def _made_by(result: TablesResult) -> Iterator[str]:
    yield f"tool: {result.tool.name} {result.tool.version}, {result.created}"
    yield f"folders: {', '.join(result.roots)} ({count(result.files, 'similarity file')})"
    yield from (f"{name}: {', '.join(sources)}" for name, sources in result.groups.items())
    yield from findings(result)
