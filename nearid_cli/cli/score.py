"""`nearid score`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nearid_cli.cli import options as shared
from nearid_cli.cli import show
from nearid_cli.encoders.registry import DEFAULT_METRICS


def score(
    context: typer.Context,
    references: Annotated[
        Path, typer.Argument(help="Folder of references, or a manifest of everything.", metavar="REFS")
    ],
    generations: Annotated[
        Path | None, typer.Argument(help="Folder of generations, or a manifest.", metavar="GENS")
    ] = None,
    metrics: shared.Metrics = list(DEFAULT_METRICS),  # noqa: B006 - Typer copies defaults
    layout: Annotated[
        str,
        typer.Option(
            "--layout",
            help="How the folders are laid out: auto, folders, flat, prefix, dreambooth, dreambench++, "
            "dreambench++-samples, customconcept101 or manifest.",
            envvar="NEARID_LAYOUT",
            metavar="LAYOUT",
        ),
    ] = "auto",
    output: Annotated[
        list[Path] | None,
        typer.Option(
            "--output",
            "-o",
            help="Also write .json, .csv, .parquet or .md; repeat for several.",
            metavar="FILE",
        ),
    ] = None,
    images: Annotated[
        list[Path] | None,
        typer.Option(
            "--images", help="Write one row a generation: .csv, .parquet or .jsonl.", metavar="FILE"
        ),
    ] = None,
    form: Annotated[
        str, typer.Option("--format", help="What stdout gets: table or json.", metavar="FORMAT")
    ] = "table",
    sort: Annotated[
        str | None,
        typer.Option(
            "--sort", help="Order of subjects: subject (by name), or a metric (worst first).", metavar="KEY"
        ),
    ] = None,
    worst: Annotated[
        int,
        typer.Option("--worst", min=0, help="Show the N worst generations.", metavar="N", show_default=False),
    ] = 0,
    allow_unmatched: Annotated[
        bool,
        typer.Option(
            "--allow-unmatched",
            help="Go on without subjects that lack references or generations.",
            envvar="NEARID_ALLOW_UNMATCHED",
        ),
    ] = False,
    skip_bad: shared.SkipBad = False,
    cache: shared.CacheFolder = None,
    no_cache: shared.NoCache = False,
    verify_content: shared.VerifyContent = False,
    device: shared.Device = "auto",
    dtype: shared.Dtype = "auto",
    batch_size: shared.BatchSize = "auto",
    workers: shared.Workers = None,
    max_pixels: shared.MaxPixels = None,
) -> None:
    """Score the generations of each subject against its references."""
    from nearid_cli import reports
    from nearid_cli.evaluate.score import score as run

    show.check_format(form)
    reports.check_outputs(output or [], images or [])
    chosen = shared.options(
        context, metrics, cache, no_cache, verify_content, device, dtype, batch_size, workers, max_pixels
    )
    reports.check_sort(sort, [request.name for request in chosen.requests()])
    result = run(
        references, generations, chosen, layout=layout, allow_unmatched=allow_unmatched, skip_bad=skip_bad
    )
    for path in output or []:
        reports.write(result, path, sort=sort)
    for path in images or []:
        reports.write_images(result, path)
    if form == "json":
        show.json_text(reports.to_json(result))
        for line in reports.findings(result):
            typer.echo(f"warning: {line}", err=True)
    else:
        reports.render_score(result, show.console(), sort=sort, worst=worst)
