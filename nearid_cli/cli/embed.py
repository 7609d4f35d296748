"""`nearid embed`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nearid_cli.cli import options as shared
from nearid_cli.flags import Flag, FollowSymlinks, Metrics, SkipBad, Verbose
from nearid_cli.remote.stores import named
from nearid_cli.text import count, printable

if TYPE_CHECKING:
    from nearid_cli.options import Options


@shared.types_of("nearid_cli.options")
def embed(
    *,
    paths: Annotated[list[Path], typer.Argument(help="Pictures, and folders of pictures.", metavar="PATHS")],
    output: Annotated[Path, Flag("The .parquet file to write.", "FILE", short="o")],
    metrics: Metrics = ("nearid",),
    verbose: Verbose = False,
    skip_bad: SkipBad = False,
    follow_symlinks: FollowSymlinks = False,
    options: Options,
) -> None:
    """Write the embeddings of pictures to a Parquet file.

    One row a picture and metric: path, digest, metric, embedding.
    """
    from nearid_cli.evaluate.embed import embed_pictures
    from nearid_cli.reports.embeddings import write_embeddings
    from nearid_cli.reports.files import check_outputs
    from nearid_cli.text import few

    shared.say_more(verbose)
    check_outputs([output], known=(".parquet",))
    result = embed_pictures(paths, options, skip_bad=skip_bad, follow_symlinks=follow_symlinks)
    write_embeddings(result, output)
    if result.skipped:
        skipped = [f"{picture.path} ({picture.reason})" for picture in result.skipped]
        typer.echo(f"{count(len(skipped), 'picture')} skipped: {few(skipped)}", err=True)
    for metric, reasons in result.absent.items():
        without = [f"{result.paths[position]} ({reason})" for position, reason in reasons.items()]
        typer.echo(
            f"{count(len(without), 'picture')} without an embedding by {printable(metric)}: {few(without)}",
            err=True,
        )
    typer.echo(
        f"{count(len(result.paths), 'picture')} by {', '.join(result.embeddings)} in {named(output)}",
        err=True,
    )
