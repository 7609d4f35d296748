"""The result of DreamBench++ as files in a folder: summary, scores and tables."""

from __future__ import annotations

import json
from pathlib import Path

from nearid_cli.benchmarks.dreambench.bench import DreamBench
from nearid_cli.benchmarks.dreambench.ratings import category_of, in_order, subject_of
from nearid_cli.benchmarks.dreambench.report import report
from nearid_cli.benchmarks.dreambench.samples import Scored
from nearid_cli.benchmarks.report import make_folder
from nearid_cli.files import replace_file
from nearid_cli.reports.blocks import Content, Document
from nearid_cli.reports.files import write_document
from nearid_cli.reports.table import SCORE, Column, Table, named


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
    report(found.result).write(folder)
    scores = _scores_document(found)
    for extension in (".csv", ".parquet"):
        write_document(scores, folder / f"scores{extension}")


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


def _scores_document(found: DreamBench) -> Document:
    """One row a method and item that any set has; empty where a set has no number."""
    keys = [
        (method, item)
        for method in in_order({method for one in found.sets for method in one.methods})
        for item in sorted({item for one in found.sets for item in one.methods.get(method, {})})
    ]
    table = Table(
        (
            named("", [method for method, _ in keys], "method"),
            named("", [item for _, item in keys], "item"),
            named("", [category_of(item) for _, item in keys], "category"),
            named("", [subject_of(item) for _, item in keys], "subject"),
        ),
        tuple(
            Column(SCORE, [one.methods.get(method, {}).get(item) for method, item in keys], name=one.name)
            for one in found.sets
        ),
    )
    return Document(
        "benchmark", found.result, lambda: Content(table=table), report(found.result).about_numbers
    )
