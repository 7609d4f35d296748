"""The result of MTG for people: its table, what a reader must not miss, and its files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from nearid_cli.benchmarks.mtg.result import MtgResult
from nearid_cli.benchmarks.rates import differences_table
from nearid_cli.benchmarks.table import Table, write
from nearid_cli.benchmarks.table import render as render_table
from nearid_cli.files import replace_file
from nearid_cli.metrics.part_level import PartLevel
from nearid_cli.reports.figures import score_figure, some
from nearid_cli.reports.sheet import Column, Sheet
from nearid_cli.results import Interval
from nearid_cli.text import count, printable

if TYPE_CHECKING:
    from rich.console import Console

_NUMBERS = ("mo", "mo_pair", "ssr", "pa")
_COUNTS = ("mo_pairs", "mo_pair_pairs", "samples", "trials")

_CAPTION = (
    "Edits of parts (MTG). MO: Fisher-z mean of four correlations of similarities with oracles, of so many pairs "
    "together; MOpair: of the two of a picture with its own twin. SSR: samples that win all their trials, in percent; "
    "PA: trials that are won, in percent. In brackets: 95 % intervals over samples."
)


def tables(result: MtgResult) -> list[Table]:
    """The metrics, and where there are several their differences from the first."""
    made = [mtg_table(result)]
    return [*made, differences_table(result.differences)] if result.differences else made


def mtg_table(result: MtgResult) -> Table:
    """One row a metric."""
    return Table(
        "table",
        _CAPTION,
        ("metric", "MO", "MOpair", "pairs", "SSR", "samples", "PA", "trials"),
        tuple(
            (
                metric,
                score_figure_or_none(one.mo, one.mo_ci95),
                score_figure_or_none(one.mo_pair, one.mo_pair_ci95),
                f"{one.mo_pairs:,}",
                percent_figure(one.ssr, one.ssr_ci95),
                f"{one.samples:,}",
                percent_figure(one.pa, one.pa_ci95),
                f"{one.trials:,}",
            )
            for metric, one in result.scores.items()
        ),
        1,
        _sheet(result),
    )


def render(result: MtgResult, console: Console) -> None:
    """Print the tables, and what a reader of the numbers must not miss."""
    for table in tables(result):
        render_table(table, console)
    for line in findings(result):
        console.print(line, soft_wrap=True, markup=False, highlight=False, emoji=False)


def findings(result: MtgResult) -> Iterator[str]:
    """What a reader of the numbers must not miss, a line each."""
    inputs = result.inputs
    if inputs.skipped:
        skipped = [f"{one.path} ({one.reason})" for one in inputs.skipped]
        yield f"{count(len(skipped), 'picture')} skipped: {some(skipped)}"
    if inputs.zero_oracles:
        yield (
            f"oracles that are 0: {inputs.zero_oracles:,} of {inputs.oracles:,} "
            "(no mask, an empty object, or all of it edited)"
        )
    if inputs.negative_oracles:
        yield (
            f"oracles below 0: {inputs.negative_oracles:,} of {inputs.oracles:,} (the part is larger than the object)"
        )
    for metric, one in result.scores.items():
        if one.mo is None:
            yield f"{printable(metric)}: no MO, because no sample has both an oracle and a similarity with a twin"
        elif flat := [f"r({own.similarity}, {own.oracle})" for own in one.correlations if not own.varies]:
            verb = "does not exist and counts" if len(flat) == 1 else "do not exist and count"
            yield f"{printable(metric)}: {', '.join(flat)} {verb} 0, for lack of variance"
        if one.samples < inputs.samples:
            lacking = inputs.samples - one.samples
            yield f"{printable(metric)}: {lacking:,} of {count(inputs.samples, 'sample')} without a trial"


def write_result(result: MtgResult, folder: Path) -> None:
    """Write `summary.json` and `table`, and `differences` of several metrics, as `.csv`, `.md` and `.tex`.

    Raises:
        InputError: a file cannot be written.
    """
    replace_file(folder / "summary.json", (to_json(result) + "\n").encode())
    for table in tables(result):
        label = "nearid-mtg" if table.name == "table" else f"nearid-mtg-{table.name}"
        write(table, folder, label, list(_made_by(result)))


def to_json(result: MtgResult) -> str:
    """The result as JSON of ASCII characters alone."""
    return json.dumps(result.to_dict(), indent=2, allow_nan=False)


def score_figure_or_none(value: float | None, ci95: Interval | None) -> str:
    """A number with its interval, or `-`."""
    return "-" if value is None else score_figure(value, ci95)


def percent_figure(share: float | None, ci95: Interval | None) -> str:
    """A share in percent with its interval.

    >>> percent_figure(0.465, (0.41, 0.5249)), percent_figure(1.0, None), percent_figure(None, None)
    ('46.5 [41.0, 52.5]', '100.0', '-')
    """
    if share is None:
        return "-"
    ends = "" if ci95 is None else f" [{100 * ci95[0]:.1f}, {100 * ci95[1]:.1f}]"
    return f"{100 * share:.1f}{ends}"


def _made_by(result: MtgResult) -> Iterator[str]:
    inputs = result.inputs
    yield f"tool: {result.tool.name} {result.tool.version}, {result.created}"
    rows = "all rows" if inputs.rows is None else f"the rows of {inputs.rows}"
    yield f"data: {inputs.data}, split {inputs.split}, {rows} ({count(inputs.samples, 'sample')}), masks {inputs.masks}"
    for metric in result.metrics:
        facts = {key: value for key, value in vars(metric).items() if key != "name" and value}
        yield f"metric {metric.name}: " + "; ".join(f"{key} {value}" for key, value in facts.items())
    yield from findings(result)


def _sheet(result: MtgResult) -> Sheet:
    every = list(result.scores.values())
    columns = [Column("metric", str, list(result.scores))]
    for number in _NUMBERS:
        columns.append(Column(number, float, [getattr(one, number) for one in every]))
        columns += _interval(number, [getattr(one, f"{number}_ci95") for one in every])
    columns += [Column(number, int, [getattr(one, number) for one in every]) for number in _COUNTS]
    columns.append(Column("mean_margin", float, [one.mean_margin for one in every]))
    for k, (similarity, oracle) in enumerate(_pairs(every[0])):
        own = [one.correlations[k] for one in every]
        name = f"r_{similarity}_{oracle}"
        columns.append(Column(name, float, [one.r for one in own]))
        columns += _interval(name, [one.ci95 for one in own])
        columns.append(Column(f"{name}_n", int, [one.n for one in own]))
        columns.append(Column(f"{name}_varies", bool, [one.varies for one in own]))
    return tuple(columns)


def _pairs(one: PartLevel) -> list[tuple[str, str]]:
    return [(own.similarity, own.oracle) for own in one.correlations]


def _interval(name: str, intervals: list[Interval | None]) -> list[Column]:
    return [
        Column(f"{name}_{end}", float, [None if ci95 is None else ci95[place] for ci95 in intervals])
        for place, end in enumerate(("low", "high"))
    ]
