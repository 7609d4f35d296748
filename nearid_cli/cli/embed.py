"""`nearid embed`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nearid_cli.cli import options as shared
from nearid_cli.text import count, printable


def embed(
    context: typer.Context,
    paths: Annotated[list[Path], typer.Argument(help="Pictures, and folders of pictures.", metavar="PATHS")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The .parquet file to write.", metavar="FILE")
    ],
    metrics: shared.Metrics = ["nearid"],  # noqa: B006 - Typer copies defaults
    verbose: shared.Verbose = False,
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
    """Write the embeddings of pictures to a Parquet file.

    One row a picture and metric: path, digest, metric, embedding.
    """
    from nearid_cli import reports
    from nearid_cli.evaluate.embed import embed_pictures
    from nearid_cli.reports.embeddings import write_embeddings
    from nearid_cli.reports.figures import some

    shared.say_more(verbose)
    reports.check_outputs([output], known=(".parquet",))
    chosen = shared.options(context)
    result = embed_pictures(paths, chosen, skip_bad=skip_bad)
    write_embeddings(result, output)
    if result.skipped:
        skipped = [f"{picture.path} ({picture.reason})" for picture in result.skipped]
        typer.echo(f"{count(len(skipped), 'picture')} skipped: {some(skipped)}", err=True)
    typer.echo(
        f"{count(len(result.paths), 'picture')} by {', '.join(result.embeddings)} in {printable(output)}",
        err=True,
    )
