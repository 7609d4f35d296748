"""The result of DreamBench++ as tables, and in a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from nearid_cli.benchmarks.adjusting import TESTS
from nearid_cli.benchmarks.dreambench.ratings import CATEGORIES
from nearid_cli.benchmarks.dreambench.result import (
    CEILING,
    MEAN,
    Alignment,
    CategoryAlignment,
    DreamBenchResult,
)
from nearid_cli.benchmarks.table import Table
from nearid_cli.benchmarks.table import render as render_table
from nearid_cli.metrics.correlations import FEW_SUBJECTS
from nearid_cli.reports.figures import figure, p_figure, score_figure, signed_figure
from nearid_cli.reports.sheet import Column
from nearid_cli.results import Interval
from nearid_cli.text import count, printable

if TYPE_CHECKING:
    from rich.console import Console

_TITLES = {"live_subject_animal": "animal", "live_subject_human": "human"}
_MH = CATEGORIES[0]
_IN_BRACKETS = "In brackets: 95 % intervals over subjects."


def tables(result: DreamBenchResult) -> list[Table]:
    """Metrics by categories, metrics by methods and differences; without ratings, mean scores by methods."""
    if result.human is None:
        return [_scored(result)]
    every = [result.human, *result.alignments]
    made = [_by_category(result, every), _by_method(result, every)]
    return [*made, _differences(result)] if result.differences else made


def render(result: DreamBenchResult, console: Console) -> None:
    """Print the tables; correlations by method for the category of MH alone."""
    for table in tables(result):
        rows = table.rows
        if table.name == "methods":
            rows = tuple(row for row in rows if row[1] == _title(_MH))
        if rows:
            render_table(replace(table, rows=rows), console)
    for line in findings(result):
        console.print(line, soft_wrap=not console.is_terminal, markup=False, highlight=False, emoji=False)


def findings(result: DreamBenchResult) -> list[str]:
    """What a reader of the numbers must not miss: a line each."""
    if result.human is None:
        return []
    few = {
        _title(own.category): own.subjects
        for one in (result.human, *result.alignments)
        for own in one.categories
        if own.ci95 is not None and own.subjects < FEW_SUBJECTS
    }
    named = ", ".join(f"{category} {count(subjects, 'subject')}" for category, subjects in few.items())
    return [f"intervals over fewer than {FEW_SUBJECTS} subjects are rough: {named}"] if few else []


def _title(category: str) -> str:
    return _TITLES.get(category, category)


def _by_category(result: DreamBenchResult, every: Sequence[Alignment]) -> Table:
    present = [name for name in CATEGORIES if any(_of(one, name) for one in every)]
    sheet = [Column("metric", str, [one.metric for one in every])]
    for name in present:
        own = [_of(one, name) for one in every]
        sheet += _interval_columns(
            name, [one.mh if one else None for one in own], [one.ci95 if one else None for one in own]
        )
        for number in ("items", "subjects", "averaged"):
            sheet.append(Column(f"{name}_{number}", int, [getattr(one, number, 0) for one in own]))
    sheet += _interval_columns(MEAN, [one.mean for one in every], [one.mean_ci95 for one in every])
    rounding = " Each correlation is rounded to four decimals first." if result.published_rounding else ""
    return Table(
        "table",
        "Agreement with people (DreamBench++): Pearson correlation with human ratings, Fisher-z mean over "
        f"{count(len(result.methods), 'method')}. MH is that of {_title(_MH)}. {_IN_BRACKETS}{rounding}",
        ("metric", *(f"{_title(name)} ({_number(every, name)})" for name in present), MEAN),
        tuple(
            (
                one.metric,
                *(_cell(one, name) for name in present),
                "-" if one.mean is None else score_figure(one.mean, one.mean_ci95),
            )
            for one in every
        ),
        1,
        tuple(sheet),
    )


def _number(every: Sequence[Alignment], category: str) -> str:
    """How many pictures the correlations of a category are over; the most, where metrics differ."""
    numbers = {own.items for one in every if (own := _of(one, category))}
    return f"n {'=' if len(numbers) == 1 else '≤'} {max(numbers):,}"


def _cell(one: Alignment, category: str) -> str:
    own = _of(one, category)
    return "-" if own is None or own.mh is None else score_figure(own.mh, own.ci95)


def _of(one: Alignment, category: str) -> CategoryAlignment | None:
    return next((own for own in one.categories if own.category == category), None)


def _interval_columns(
    name: str, values: Sequence[float | None], intervals: Sequence[Interval | None]
) -> list[Column]:
    ends = [one or (None, None) for one in intervals]
    return [
        Column(name, float, values),
        Column(f"{name}_low", float, [low for low, _ in ends]),
        Column(f"{name}_high", float, [high for _, high in ends]),
    ]


def _by_method(result: DreamBenchResult, every: Sequence[Alignment]) -> Table:
    flat = [
        (one.metric, own.category, method)
        for one in every
        for own in one.categories
        for method in own.methods
    ]
    groups = [(None, None) if metric == CEILING else method.groups for metric, _, method in flat]
    rows = []
    for one in every:
        for own in one.categories:
            r = {method.method: figure(method.r) for method in own.methods}
            rows.append(
                (one.metric, _title(own.category), *(r.get(method, "-") for method in result.methods))
            )
    return Table(
        "methods",
        "Pearson correlation with human ratings by method of generation: the mean of those with the two groups.",
        ("metric", "category", *result.methods),
        tuple(rows),
        2,
        (
            Column("metric", str, [metric for metric, _, _ in flat]),
            Column("category", str, [category for _, category, _ in flat]),
            Column("method", str, [method.method for _, _, method in flat]),
            Column("items", int, [method.items for _, _, method in flat]),
            Column("r", float, [method.r for _, _, method in flat]),
            Column("group1", float, [pair[0] for pair in groups]),
            Column("group2", float, [pair[1] for pair in groups]),
        ),
    )


def _differences(result: DreamBenchResult) -> Table:
    every = result.differences
    return Table(
        "differences",
        f"Each metric minus {printable(every[0].against)}, over the pictures that both score. p: how often chance "
        f"alone would differ as much, adjusted for comparing several metrics; the larger of two tests. {_IN_BRACKETS}",
        ("metric", "category", "subjects", "difference", "p"),
        tuple(
            (
                one.metric,
                _title(one.category),
                f"{one.subjects:,}",
                signed_figure(one.delta, one.ci95),
                p_figure(one.p_adjusted),
            )
            for one in every
        ),
        2,
        (
            *(
                Column(name, str, [getattr(one, name) for one in every])
                for name in ("metric", "against", "category")
            ),
            *(Column(name, int, [getattr(one, name) for one in every]) for name in ("items", "subjects")),
            *_interval_columns("delta", [one.delta for one in every], [one.ci95 for one in every]),
            *(Column(name, float, [getattr(one, name) for one in every]) for name in TESTS),
            Column("exact", bool, [one.exact for one in every]),
        ),
    )


def _scored(result: DreamBenchResult) -> Table:
    metrics = list(dict.fromkeys(one.metric for one in result.scored))
    means = {(one.metric, one.method): one.mean for one in result.scored}
    return Table(
        "table",
        "Mean score (100 x cosine) of each method; without human ratings there is nothing to correlate it with.",
        ("metric", *result.methods),
        tuple(
            (metric, *(figure(means.get((metric, method))) for method in result.methods))
            for metric in metrics
        ),
        1,
        (
            Column("metric", str, [one.metric for one in result.scored]),
            Column("method", str, [one.method for one in result.scored]),
            Column("items", int, [one.items for one in result.scored]),
            Column("mean", float, [one.mean for one in result.scored]),
        ),
    )
