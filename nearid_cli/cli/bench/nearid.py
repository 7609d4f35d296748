"""`nearid bench nearid`."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from nearid_cli.cli import options as shared
from nearid_cli.cli import show
from nearid_cli.options import DEFAULT_METRICS, Metrics, Options, SkipBad


def run(
    *,
    positives: Annotated[
        str,
        typer.Option(
            "--positives",
            help="Views of identities: a Hub id, a save_to_disk folder, a Parquet file or folder.",
            metavar="SOURCE",
        ),
    ],
    distractors: Annotated[
        list[str] | None,
        typer.Option(
            "--distractors",
            help="Their distractors, row by row; repeat for several sources.",
            metavar="SOURCE",
        ),
    ] = None,
    rows: Annotated[
        Path | None,
        typer.Option("--rows", help="JSON list of the rows to take; all by default.", metavar="FILE"),
    ] = None,
    split: Annotated[
        str, typer.Option("--split", help="Which split of the data sets.", metavar="NAME")
    ] = "train",
    mode: Annotated[
        str,
        typer.Option(
            "--mode",
            help="positives (views alone), full (and views with distractors) or fullneg (and distractors alone).",
            metavar="MODE",
        ),
    ] = "full",
    masks: Annotated[
        str,
        typer.Option(
            "--masks",
            help="none, foreground (black around the object) or background (the object black).",
            metavar="MASKS",
        ),
    ] = "none",
    max_samples: Annotated[
        int | None,
        typer.Option("--max-samples", help="Take the first N of the rows.", metavar="N", min=1),
    ] = None,
    compact_slots: Annotated[
        bool,
        typer.Option(
            "--compact-slots",
            help="Number pictures without gaps where a view is missing, as the published code does.",
        ),
    ] = False,
    metrics: Metrics = DEFAULT_METRICS,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Folder for similarities, summary.json and tables; what is there is not computed again.",
            metavar="DIR",
        ),
    ] = None,
    form: shared.Format = "table",
    skip_bad: SkipBad = False,
    options: Options,
) -> None:
    """NearID-Bench: are objects told from look-alikes?

    Are two views of one object more alike to a metric than a view and a near-identical distractor?

    Reports SSR and PA by source, by category, and pooled as in Table 1 of the paper.
    """
    from nearid_cli.benchmarks.nearid import report
    from nearid_cli.benchmarks.nearid.bench import bench_nearid
    from nearid_cli.benchmarks.nearid.job import NearidJob
    from nearid_cli.benchmarks.table import make_folder

    job = NearidJob(
        positives,
        tuple(distractors or ()),
        rows,
        split,
        mode,
        masks,
        max_samples,
        compact_slots,
        skip_bad,
    )
    with ExitStack() as stack:
        folder = make_folder(output) if output else Path(stack.enter_context(TemporaryDirectory()))
        result = bench_nearid(job, folder, options)
        if output:
            report.write(result, folder)
    if form == "json":
        show.json_result(report.to_json(result), report.findings(result))
    else:
        report.render(result, show.console())
