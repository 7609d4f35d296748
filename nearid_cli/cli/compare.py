"""`nearid compare`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nearid_cli.activity import doing
from nearid_cli.cli import options as shared
from nearid_cli.cli import show
from nearid_cli.errors import UsageError
from nearid_cli.options import DEFAULT_METRICS, LayoutOptions, Leniency, Metrics, Options
from nearid_cli.text import printable


def compare(
    *,
    context: typer.Context,
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Folder of method folders, the folders of several methods, a manifest with a column method, or "
            "finished results (.json) of score.",
            metavar="METHODS",
        ),
    ] = None,
    references: Annotated[
        Path | None,
        typer.Option(
            "--refs",
            help="Folder of references, or a manifest; by default refs, references, real or src_image in METHODS.",
            metavar="DIR",
        ),
    ] = None,
    method: Annotated[
        list[str] | None,
        typer.Option(
            "--method", help="A method by name: its folder or finished result; repeat.", metavar="NAME=PATH"
        ),
    ] = None,
    baseline: Annotated[
        str | None,
        typer.Option(
            "--baseline",
            help="The method that the others are compared with; by default the best by the first metric.",
            metavar="NAME",
        ),
    ] = None,
    metrics: Metrics = DEFAULT_METRICS,
    distractors: shared.Distractors = None,
    how: LayoutOptions,
    output: Annotated[
        list[Path] | None,
        typer.Option(
            "--output",
            "-o",
            help="Also write .json, .csv, .parquet, .md, .tex or .html; repeat for several.",
            metavar="FILE",
        ),
    ] = None,
    images: shared.Images = None,
    form: shared.Format = "table",
    sort: Annotated[
        str | None,
        typer.Option(
            "--sort",
            help="Order of methods: method (as given), or a metric (best first); by default the first metric.",
            metavar="KEY",
        ),
    ] = None,
    thumbnails: shared.Thumbnails = 6000,
    leniency: Leniency,
    options: Options,
) -> None:
    """Compare methods: which one is best, and is the difference real.

    Also: do the metrics agree, and how far from real pictures is each method?
    """
    from nearid_cli import reports
    from nearid_cli.evaluate.methods import Contest
    from nearid_cli.reports.compare_terminal import render_compare
    from nearid_cli.reports.verdict import compare_findings

    shared.say_more(leniency.verbose)
    reports.check_outputs(output or [], images or [])
    contest = Contest(
        paths or [], _named(method or []), options, asked=shared.on_command_line(context, "metric")
    )
    if contest.metrics is not None:
        reports.check_sort(sort, contest.metrics, "method")
    result = contest.compare(
        baseline, references=references, distractors=distractors, layout=how, leniency=leniency
    )
    reports.check_sort(sort, [metric.name for metric in result.metrics], "method")
    order = sort or reports.default_sort(result)
    for path in output or []:
        with doing(f"writing {printable(path)}"):
            reports.write(result, path, sort=order, thumbnails=thumbnails, progress=options.progress)
    for path in images or []:
        with doing(f"writing {printable(path)}"):
            reports.write_images(result, path)
    if form == "json":
        show.json_result(reports.to_json(result), compare_findings(result))
    else:
        render_compare(result, show.console(), sort=order)
    show.wrote(*(output or []), *(images or []))


def _named(methods: list[str]) -> dict[str, Path]:
    """`--method NAME=PATH`, taken apart."""
    named: dict[str, Path] = {}
    for one in methods:
        name, _, path = one.partition("=")
        if not (name and path):
            raise UsageError(f"expected --method NAME=PATH, found {printable(one)!r}")
        if name in named:
            raise UsageError(f"two methods are called {printable(name)}; give one of them another name")
        named[name] = Path(path)
    return named
