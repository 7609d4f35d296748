"""`nearid export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nearid_cli.flags import Flag
from nearid_cli.text import file_size, printable


def export(
    checkpoint: Annotated[
        Path,
        typer.Argument(help="A checkpoint of training, or a NearID model's folder.", metavar="CHECKPOINT"),
    ],
    out: Annotated[Path, typer.Argument(help="The folder to write, new or empty.", metavar="OUT")],
    dtype: Annotated[
        str, Flag("Precision of the weights: float16, bfloat16 or float32.", "DTYPE")
    ] = "float16",
    push_to_hub: Annotated[
        str | None,
        Flag("Upload it to this Hub repository too (organisation/model); a new one is private.", "ID"),
    ] = None,
) -> None:
    """Release a trained model, and check the release.

    Writes config.json, model.safetensors, preprocessor_config.json and a model card, loads them back and compares
    embeddings with the checkpoint's.
    """
    from nearid_cli.training.export import check_push, push
    from nearid_cli.training.export import export as write

    if push_to_hub is not None:
        check_push(push_to_hub)
    done = write(checkpoint, out, dtype)
    typer.echo(
        f"{printable(done.folder)}: {done.dtype}, {file_size(done.size)}, embeddings of {done.embed_dim}; "
        f"loaded back, {done.pictures} pictures embed as by the checkpoint (lowest cosine {done.cosine:.6f})"
    )
    if push_to_hub is not None:
        typer.echo(f"pushed to {push(done.folder, push_to_hub)}")
