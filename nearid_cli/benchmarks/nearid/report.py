"""The result of NearID-Bench for people: in the terminal, and as files in a folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from nearid_cli.benchmarks import table as forms
from nearid_cli.benchmarks.nearid.result import NearidBenchResult
from nearid_cli.benchmarks.table import Table
from nearid_cli.benchmarks.tables import report as tables_report
from nearid_cli.files import replace_file
from nearid_cli.reports import json_text
from nearid_cli.reports.figures import figure
from nearid_cli.reports.sheet import Column
from nearid_cli.text import count

if TYPE_CHECKING:
    from rich.console import Console

_MEANS = {"mean_sim": "two views", "mean_cross": "view and distractor", "mean_neg_sim": "two distractors"}


def render(result: NearidBenchResult, console: Console) -> None:
    """Print SSR and PA by group, or, where there are no distractors, the similarities by source."""
    if result.tables is None:
        forms.render(_similarities(result), console)
    else:
        tables_report.render(result.tables, console)
    for line in (*_skipped(result), "; ".join(_how(result))):
        console.print(line, soft_wrap=not console.is_terminal, markup=False, highlight=False, emoji=False)


def write(result: NearidBenchResult, folder: Path) -> None:
    """Write `summary.json`, and the tables, each as `.csv`, `.md` and `.tex`, into a folder that exists.

    The tables are `similarities` and, where there are distractors, `groups`, `sources` and `categories`.

    Raises:
        InputError: a file cannot be written.
    """
    replace_file(folder / "summary.json", (to_json(result) + "\n").encode())
    tables = [_similarities(result), *(tables_report.tables(result.tables) if result.tables else [])]
    for table in tables:
        forms.write(table, folder, f"nearid-bench-{table.name}", list(_made_by(result)))


def to_json(result: NearidBenchResult) -> str:
    """The result as JSON, one line a file and one a cell."""
    return json_text.to_json(result)


def findings(result: NearidBenchResult) -> list[str]:
    """What a reader of the numbers must not miss: a line each."""
    return [*(tables_report.findings(result.tables) if result.tables else ()), *_skipped(result)]


def _skipped(result: NearidBenchResult) -> list[str]:
    if not result.skipped:
        return []
    first = result.skipped[0]
    more = f" and {len(result.skipped) - 1:,} more" if len(result.skipped) > 1 else ""
    return [f"{count(len(result.skipped), 'picture')} left out: {first.path} ({first.reason}){more}"]


def _similarities(result: NearidBenchResult) -> Table:
    """Every file of similarities: how many samples, and their mean similarities."""
    every = result.similarities
    rows = tuple(
        (
            one.source,
            one.metric,
            f"{one.samples:,} of {one.rows:,}",
            *(figure(getattr(one, mean)) for mean in _MEANS),
        )
        for one in every
    )
    caption = "Mean cosine similarities within samples; a distractor is compared with the view of its slot."
    sheet = (
        *(Column(name, str, [getattr(one, name) for one in every]) for name in ("source", "metric", "path")),
        *(Column(name, int, [getattr(one, name) for one in every]) for name in ("rows", "samples")),
        *(Column(name, float, [getattr(one, name) for one in every]) for name in _MEANS),
    )
    return Table("similarities", caption, ("source", "metric", "samples", *_MEANS.values()), rows, 2, sheet)


def _made_by(result: NearidBenchResult) -> Iterator[str]:
    inputs = result.inputs
    yield f"tool: {result.tool.name} {result.tool.version}, {result.created}"
    for name, known in inputs.data.items():
        yield f"data: {name}" + (f" ({known})" if known else "")
    yield from _how(result)
    for metric in result.metrics:
        facts = {key: value for key, value in vars(metric).items() if key != "name" and value}
        yield f"metric {metric.name}: " + "; ".join(f"{key} {value}" for key, value in facts.items())
    yield from findings(result)


def _how(result: NearidBenchResult) -> Iterator[str]:
    """Which rows, and how they were seen."""
    inputs = result.inputs
    first = f", the first {inputs.max_samples:,} of them" if inputs.max_samples else ""
    yield f"split {inputs.split}, rows {inputs.rows or 'all'}{first}"
    slots = "numbered without gaps" if inputs.compact_slots else "as in the data"
    yield f"mode {inputs.mode}, masks {inputs.masks}, slots {slots}"
