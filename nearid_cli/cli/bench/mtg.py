"""`nearid bench mtg`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nearid_cli.cli import options as shared
from nearid_cli.cli import show
from nearid_cli.options import DEFAULT_METRICS, Metrics, Options, SkipBad


def run(
    *,
    data: Annotated[
        str,
        typer.Option(
            "--data",
            help="The data set: a Hub id, a save_to_disk folder, a Parquet file or folder.",
            metavar="SOURCE",
        ),
    ] = "abdo-eldesokey/mtg-dataset",
    split: Annotated[
        str | None,
        typer.Option(
            "--split",
            help="Which split of it; test by default. What has no splits is taken whole.",
            metavar="SPLIT",
        ),
    ] = None,
    rows: Annotated[
        Path | None,
        typer.Option("--rows", help="JSON list of the rows to take; all by default.", metavar="FILE"),
    ] = None,
    masks: Annotated[
        str,
        typer.Option(
            "--masks", help="What of the pictures is seen: none (all of them) or object.", metavar="MASKS"
        ),
    ] = "none",
    metrics: Metrics = DEFAULT_METRICS,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="Folder for similarities, summary and table; resumes.", metavar="DIR"
        ),
    ] = None,
    form: shared.Format = "table",
    skip_bad: SkipBad = False,
    options: Options,
) -> None:
    """MTG: does a metric see edits of parts?

    Every sample has two pictures of an object, and for each a twin in which a part of the object was edited.
    """
    from nearid_cli.benchmarks.mtg import report
    from nearid_cli.benchmarks.mtg.bench import MtgJob, evaluate_mtg
    from nearid_cli.benchmarks.table import render

    job = MtgJob(data=data, split=split, rows=rows, masks=masks, skip_bad=skip_bad)
    result = evaluate_mtg(job, options, output)
    if output is not None:
        report.write_result(result, output)
    findings = list(report.findings(result))
    if form == "json":
        show.json_result(report.to_json(result), findings)
        return
    terminal = show.console()
    for table in report.tables(result):
        render(table, terminal)
    for line in findings:
        terminal.print(line, soft_wrap=True, markup=False, highlight=False, emoji=False)
