"""`nearid bench table1`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nearid_cli.cli import options as shared
from nearid_cli.cli import show
from nearid_cli.options import Metrics, Options, SkipBad


def run(
    *,
    output: Annotated[
        Path, typer.Option("--out", "-o", help="Folder for everything; a second run resumes.", metavar="DIR")
    ],
    positives: Annotated[
        str, typer.Option("--positives", help="NearID-Bench: views of the objects.", metavar="SOURCE")
    ] = "Aleksandar/NearID",
    distractors: Annotated[
        list[str] | None,
        typer.Option(
            "--distractors",
            help="NearID-Bench: distractors; repeat. By default the seven sources of Table 1.",
            metavar="SOURCE",
        ),
    ] = None,
    rows: Annotated[
        Path | None,
        typer.Option(
            "--rows",
            help="NearID-Bench: JSON list of the rows to take, splits/test.json of the published code; all by default.",
            metavar="FILE",
        ),
    ] = None,
    split: Annotated[
        str, typer.Option("--split", help="NearID-Bench: which split.", metavar="SPLIT")
    ] = "train",
    mtg: Annotated[
        str, typer.Option("--mtg", help="MTG: its data set.", metavar="SOURCE")
    ] = "abdo-eldesokey/mtg-dataset",
    samples: Annotated[
        Path | None,
        typer.Option(
            "--samples", help="DreamBench++: folder of samples, METHOD/{src_image,tgt_image}.", metavar="DIR"
        ),
    ] = None,
    ratings: Annotated[
        Path | None,
        typer.Option("--ratings", help="DreamBench++: folder of the human ratings.", metavar="DIR"),
    ] = None,
    metrics: Metrics = ("clip-i", "dino", "siglip2", "nearid"),
    form: shared.Format = "table",
    skip_bad: SkipBad = False,
    options: Options,
) -> None:
    """Run or resume all three, and print Table 1 of the paper.

    What is missing, a data set or a checkpoint, is named; the rest is done.
    """
    from nearid_cli.benchmarks.table import render
    from nearid_cli.benchmarks.table1 import report
    from nearid_cli.benchmarks.table1.bench import DISTRACTORS, Table1Job, table1

    job = Table1Job(
        positives, tuple(distractors or DISTRACTORS), rows, split, mtg, samples, ratings, skip_bad
    )
    result = table1(job, output, options)
    report.write_result(result, output)
    findings = list(report.findings(result))
    if form == "json":
        show.json_result(report.to_json(result), findings)
        return
    terminal = show.console()
    render(report.table1_table(result), terminal)
    for line in findings:
        terminal.print(line, soft_wrap=True, markup=False, highlight=False, emoji=False)
