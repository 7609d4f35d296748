"""`nearid bench tables`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nearid_cli.cli import options as shared
from nearid_cli.cli import show


def run(
    roots: Annotated[
        list[Path],
        typer.Argument(
            help="Folders of similarity files, searched at any depth, or such files: those of `nearid bench nearid` or "
            "of the published code.",
            metavar="ROOT...",
        ),
    ],
    groups: Annotated[
        list[str] | None,
        typer.Option(
            "--group",
            help="Pool these sources, repeated or as a comma list: all, low-res, full-res, flux, powerpaint, sdxl, "
            "qwen, fluxc. All that have sources by default.",
            metavar="GROUP",
        ),
    ] = None,
    masks: Annotated[
        list[str] | None,
        typer.Option(
            "--masks",
            help="Files of these masks alone, repeated or as a comma list: none, foreground, background.",
            metavar="MASKS",
        ),
    ] = None,
    metrics: Annotated[
        list[str] | None,
        typer.Option(
            "--metric",
            "-m",
            help="Files of these metrics alone, repeated or as a comma list: a checkpoint as in the files' names, its "
            "last part, or a name of `nearid models list`.",
            metavar="METRIC",
        ),
    ] = None,
    prefer: Annotated[
        str | None,
        typer.Option(
            "--prefer",
            help="Where two files are of the same model, source, masks, rows and mode, take the first or the last of "
            "them; without it this is an error.",
            metavar="first|last",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder for summary.json and the tables.", metavar="DIR"),
    ] = None,
    form: shared.Format = "table",
) -> None:
    """Make the tables of NearID-Bench from similarity files.

    SSR, PA and their relatives, by source, by category, and pooled as in Table 1 of the paper.
    """
    from nearid_cli.benchmarks.table import make_folder
    from nearid_cli.benchmarks.tables import report
    from nearid_cli.benchmarks.tables.tabulate import tabulate

    result = tabulate(
        roots,
        groups=_each(groups),
        variants=["image" if name == "none" else name for name in _each(masks)],
        metrics=_each(metrics),
        prefer=prefer and prefer.lower(),
    )
    if output is not None:
        report.write(result, make_folder(output))
    if form == "json":
        show.json_result(report.to_json(result), report.findings(result))
    else:
        report.render(result, show.console())


def _each(values: list[str] | None) -> list[str]:
    """The values of an option that repeats or takes a comma list."""
    return [part.strip() for value in values or [] for part in value.split(",")]
