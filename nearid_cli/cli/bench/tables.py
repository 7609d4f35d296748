"""`nearid bench tables`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from nearid_cli.cli.options import reads_no_urls
from nearid_cli.cli.outputs import BenchmarkOutputs
from nearid_cli.flags import Flag, FollowSymlinks


@reads_no_urls
def run(
    *,
    roots: Annotated[
        list[Path],
        typer.Argument(
            help="Folders of similarity files, searched at any depth, or such files: those of `nearid bench nearid` or "
            "of the published code.",
            metavar="ROOT...",
        ),
    ],
    groups: Annotated[
        tuple[str, ...],
        Flag(
            "Pool these sources, repeated or as a comma list: all, low-res, full-res, flux, powerpaint, sdxl, "
            "qwen, fluxc. All that have sources by default.",
            "GROUP",
            name="group",
        ),
    ] = (),
    masks: Annotated[
        tuple[str, ...],
        Flag(
            "Files of these masks alone, repeated or as a comma list: none, foreground, background.", "MASKS"
        ),
    ] = (),
    metrics: Annotated[
        tuple[str, ...],
        Flag(
            "Files of these metrics alone, repeated or as a comma list: a checkpoint as in the files' names, its "
            "last part, or a name of `nearid models list`.",
            "METRIC",
            name="metric",
            short="m",
        ),
    ] = (),
    prefer: Annotated[
        str | None,
        Flag(
            "Where two files are of the same model, source, masks, rows and mode, take the first or the last of "
            "them; without it this is an error.",
            "first|last",
        ),
    ] = None,
    outputs: BenchmarkOutputs,
    follow_symlinks: FollowSymlinks = False,
) -> None:
    """Make the tables of NearID-Bench from similarity files.

    SSR, PA and their relatives, by source, by category, and pooled as in Table 1 of the paper.
    """
    from nearid_cli.benchmarks.tables.report import report
    from nearid_cli.benchmarks.tables.tabulate import tabulate

    folder = outputs.folder()
    result = tabulate(
        roots,
        groups=_each(groups),
        variants=["image" if name == "none" else name for name in _each(masks)],
        metrics=_each(metrics),
        prefer=prefer and prefer.lower(),
        follow_symlinks=follow_symlinks,
    )
    outputs.give(report(result), folder)


def _each(values: Sequence[str]) -> list[str]:
    """The values of an option that repeats or takes a comma list."""
    return [part.strip() for value in values for part in value.split(",")]
