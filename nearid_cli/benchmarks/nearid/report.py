"""The result of NearID-Bench: its similarities and its tables, what a reader must not miss, and what made them."""

from __future__ import annotations

from collections.abc import Iterator

from nearid_cli.benchmarks.differences import group_differences_table
from nearid_cli.benchmarks.labels import LABEL, few_groups, group_columns, too_many
from nearid_cli.benchmarks.nearid.result import NearidBenchResult
from nearid_cli.benchmarks.report import Report
from nearid_cli.benchmarks.tables import report as of_tables
from nearid_cli.reports.table import COUNT, SCORE, Column, Kind, Table, named
from nearid_cli.text import count, few

_MEANS = {"mean_sim": "two views", "mean_cross": "view and distractor", "mean_neg_sim": "two distractors"}
_OF_ROWS = Kind(int, lambda both: f"{both[0]:,} of {both[1]:,}")


def report(result: NearidBenchResult) -> Report:
    """SSR and PA by group, source and category where there are distractors, and the similarities by source."""
    found = [] if result.tables is None else of_tables.findings(result.tables)
    tables = [] if result.tables is None else [*of_tables.tables(result.tables)]
    by_group = [*_by_group(result)]
    return Report(
        "NearID-Bench",
        result,
        (*tables, *by_group, _similarities(result)),
        (*found, *_skipped(result), *too_many(by_group)),
        (*_data(result), *_how(result)),
        "nearid-bench",
        "; ".join(_how(result)),
        {**of_tables.FEW, "similarities": [], **few_groups(by_group)} if tables else {},
        charts={} if result.tables is None else of_tables.charts(result.tables),
    )


def _skipped(result: NearidBenchResult) -> list[str]:
    skipped = [f"{one.path} ({one.reason})" for one in result.skipped]
    return [f"{count(len(skipped), 'picture')} left out: {few(skipped, 1)}"] if skipped else []


def _by_group(result: NearidBenchResult) -> Iterator[Table]:
    """Every group by every metric, and their differences from the first one."""
    if not result.label_groups:
        return
    rows = [(one, metric, found) for one in result.label_groups for metric, found in one.scores.items()]
    yield Table(
        group_columns([(one.by, one.labels, metric) for one, metric, _ in rows]),
        (
            Column(COUNT, [found.samples for _, _, found in rows], "samples", "samples", paper=True),
            *of_tables.outcome_columns([found for _, _, found in rows]),
        ),
        caption="The same by label, of all sources together; 95 % intervals over samples in brackets.",
        label=LABEL,
    )
    if differences := [row for group in result.label_groups for row in group.differences]:
        yield group_differences_table(differences)


def _similarities(result: NearidBenchResult) -> Table:
    """Every file of similarities: how many samples, and their mean similarities."""
    every = result.similarities
    samples, rows = [one.samples for one in every], [one.rows for one in every]
    return Table(
        (
            named("source", [one.source for one in every], "source"),
            named("metric", [one.metric for one in every], "metric"),
            named("", [one.path for one in every], "path"),
        ),
        (
            Column(COUNT, rows, name="rows"),
            Column(COUNT, samples, name="samples"),
            Column(_OF_ROWS, list(zip(samples, rows, strict=True)), "samples", paper=True),
            *(
                Column(SCORE, [getattr(one, name) for one in every], title, name, paper=True)
                for name, title in _MEANS.items()
            ),
        ),
        caption="Mean cosine similarities within samples; a distractor is compared with the view of its slot.",
        label="similarities",
    )


def _data(result: NearidBenchResult) -> Iterator[str]:
    for name, known in result.inputs.data.items():
        yield f"data: {name}" + (f" ({known})" if known else "")


def _how(result: NearidBenchResult) -> Iterator[str]:
    """Which rows, and how they were seen."""
    inputs = result.inputs
    first = f", the first {inputs.max_samples:,} of them" if inputs.max_samples else ""
    yield f"split {inputs.split}, rows {inputs.rows or 'all'}{first}"
    slots = "numbered without gaps" if inputs.compact_slots else "as in the data"
    yield f"mode {inputs.mode}, masks {inputs.masks}, slots {slots}"
