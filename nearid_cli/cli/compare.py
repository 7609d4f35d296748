"""`nearid compare`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nearid_cli.activity import doing
from nearid_cli.cli import options as shared
from nearid_cli.cli import show
from nearid_cli.encoders.registry import DEFAULT_METRICS
from nearid_cli.errors import UsageError
from nearid_cli.text import printable


def compare(
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
    metrics: shared.Metrics = list(DEFAULT_METRICS),  # noqa: B006 - Typer copies defaults
    distractors: shared.Distractors = None,
    layout: shared.Layout = "auto",
    pattern: shared.Pattern = None,
    refs_pattern: shared.ReferencesPattern = None,
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
    thumbnails: shared.Thumbnails = "6000",
    verbose: shared.Verbose = False,
    allow_unmatched: shared.AllowUnmatched = False,
    skip_bad: shared.SkipBad = False,
    cache: shared.CacheFolder = None,
    no_cache: shared.NoCache = False,
    verify_content: shared.VerifyContent = False,
    device: shared.Device = "auto",
    dtype: shared.Dtype = "auto",
    batch_size: shared.BatchSize = "auto",
    workers: shared.Workers = None,
    max_pixels: shared.MaxPixels = None,
    color_profile: shared.ColorProfile = "ignore",
    sixteen_bit: shared.SixteenBit = "scale",
    safetensors_only: shared.SafetensorsOnly = False,
) -> None:
    """Compare methods: which one is best, and is the difference real.

    Also: do the metrics agree, and how far from real pictures is each method?
    """
    from nearid_cli import reports
    from nearid_cli.evaluate.compare import compare as run
    from nearid_cli.evaluate.methods import metrics_asked_for, score_or_read
    from nearid_cli.layouts import How
    from nearid_cli.reports.compare_terminal import render_compare
    from nearid_cli.reports.verdict import compare_findings

    shared.say_more(verbose)
    show.check_format(form)
    reports.check_outputs(output or [], images or [])
    shown = shared.thumbnails(thumbnails)
    places, named = paths or [], _named(method or [])
    chosen = shared.options(context)
    asked = metrics_asked_for(places, named, chosen, given=shared.on_command_line(context, "metrics"))
    if asked is not None:
        reports.check_sort(sort, asked, "method")
    results = score_or_read(
        places,
        named,
        chosen,
        references=references,
        distractors=distractors,
        layout=How(layout, pattern, refs_pattern),
        baseline=baseline,
        metrics=asked,
        allow_unmatched=allow_unmatched,
        skip_bad=skip_bad,
    )
    result = run(results, baseline, asked)
    reports.check_sort(sort, [metric.name for metric in result.metrics], "method")
    order = sort or reports.default_sort(result)
    for path in output or []:
        with doing(f"writing {printable(path)}"):
            reports.write(result, path, sort=order, thumbnails=shown, progress=chosen.progress)
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
