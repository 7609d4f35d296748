"""The result of DreamBench++ as files in a folder: summary, scores and tables."""

from __future__ import annotations

import json
from pathlib import Path

from nearid_cli.benchmarks.dreambench.bench import DreamBench
from nearid_cli.benchmarks.dreambench.ratings import category_of, in_order, subject_of
from nearid_cli.benchmarks.dreambench.report import findings, tables
from nearid_cli.benchmarks.dreambench.result import DreamBenchResult
from nearid_cli.benchmarks.dreambench.samples import Scored
from nearid_cli.benchmarks.table import make_folder
from nearid_cli.benchmarks.table import write as write_table
from nearid_cli.files import replace_file
from nearid_cli.reports.sheet import Column, Sheet
from nearid_cli.reports.tabular import to_csv, to_parquet


def write(found: DreamBench, folder: Path) -> None:
    """Write the result into a folder that exists, replacing older files.

    | file | holds |
    |---|---|
    | `summary.json` | the result |
    | `scores.csv`, `scores.parquet` | one row a picture: method, item, human ratings, a column a metric |
    | `table`, `methods`, `differences`: `.csv`, `.md`, `.tex` | the tables |

    Raises:
        InputError: a file cannot be written.
    """
    result = found.result
    replace_file(folder / "summary.json", (to_json(result) + "\n").encode())
    sheet = _score_sheet(found)
    replace_file(folder / "scores.csv", to_csv(sheet).encode())
    facts = {
        key: value
        for key, value in result.to_dict().items()
        if key in ("schema", "tool", "created", "metrics")
    }
    replace_file(folder / "scores.parquet", to_parquet(sheet, {"nearid": json.dumps(facts)}))
    for table in tables(result):
        write_table(table, folder, f"dreambench-{table.name}", _made_by(result))


def write_scores(scored: Scored, folder: Path) -> None:
    """Write the scores of samples as published: `scores/<metric>/<method>.json`, `/` in a metric's name as `~`.

    Raises:
        InputError: a file cannot be written.
    """
    for metric, methods in scored.scores.items():
        own = make_folder(folder / "scores" / metric.replace("/", "~"))
        for method, scores in methods.items():
            text = json.dumps(dict(sorted(scores.items())), indent=4, allow_nan=False)
            replace_file(own / f"{method}.json", text.encode())


def to_json(result: DreamBenchResult) -> str:
    """The result as JSON of ASCII characters alone."""
    return json.dumps(result.to_dict(), indent=2, allow_nan=False)


def _score_sheet(found: DreamBench) -> Sheet:
    """One row a method and item that any set has; empty where a set has no number."""
    keys = [
        (method, item)
        for method in in_order({method for one in found.sets for method in one.methods})
        for item in sorted({item for one in found.sets for item in one.methods.get(method, {})})
    ]
    return (
        Column("method", str, [method for method, _ in keys]),
        Column("item", str, [item for _, item in keys]),
        Column("category", str, [category_of(item) for _, item in keys]),
        Column("subject", str, [subject_of(item) for _, item in keys]),
        *(
            Column(one.name, float, [one.methods.get(method, {}).get(item) for method, item in keys])
            for one in found.sets
        ),
    )


def _made_by(result: DreamBenchResult) -> list[str]:
    """What made the numbers, a line a fact."""
    facts = [f"tool: {result.tool.name} {result.tool.version}, {result.created}"]
    if result.samples is not None:
        facts.append(f"samples: {result.samples}")
    if result.ratings is not None:
        facts.append(f"ratings: {result.ratings}")
    facts += [
        f"scores of {one.metric}: {one.origin}" for one in result.alignments if one.origin != result.samples
    ]
    facts += [
        f"metric {one.name}: "
        + "; ".join(f"{key} {value}" for key, value in vars(one).items() if key != "name" and value)
        for one in result.metrics
    ]
    for number, what in (
        (sum(len(one.items) or 1 for one in result.unjoined), "did not join"),
        (len(result.unpaired), "without a partner"),
        (len(result.skipped), "that cannot be read"),
    ):
        if number:
            facts.append(f"left out: {number:,} {what}; summary.json names them")
    return [*facts, *findings(result)]
