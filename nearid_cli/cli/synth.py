"""`nearid synth`."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from nearid_cli.cli import INTERRUPTED
from nearid_cli.flags import Flag, FollowSymlinks
from nearid_cli.text import count, printable

# Above it two seeds may share an identity: numbers are drawn from the 32-bit words of (seed, number).
_LARGEST = 2**32 - 1


def synth(
    folder: Annotated[Path, typer.Argument(help="A new folder for the pictures.", metavar="OUT")],
    form: Annotated[
        str,
        Flag(
            "folders (references/, generations/, distractors/ for `nearid score`) or dataset (Hugging Face "
            "data sets with NearID's columns for `nearid train`).",
            "FORM",
            name="as",
        ),
    ] = "folders",
    identities: Annotated[int, Flag("How many identities.", "N", low=1, high=_LARGEST)] = 100,
    views: Annotated[
        int, Flag("Pictures of an identity, each in its own context, 1 to 3.", "N", low=1, high=3)
    ] = 3,
    distractors: Annotated[int, Flag("Look-alikes of each view in the same context.", "K", low=0)] = 1,
    size: Annotated[int, Flag("Width and height in pixels.", "PIXELS", low=16)] = 112,
    difficulty: Annotated[
        str, Flag("How little a distractor differs: easy, medium, hard, or mixed for all three.", "LEVEL")
    ] = "mixed",
    categories: Annotated[
        str | None, Flag("Object families as a comma list; all by default.", "NAMES")
    ] = None,
    seed: Annotated[int, Flag("Everything follows from it.", "N", low=0, high=_LARGEST)] = 0,
    backgrounds: Annotated[
        Path | None, Flag("Folder of pictures to take backgrounds from; painted scenes by default.", "DIR")
    ] = None,
    follow_symlinks: FollowSymlinks = False,
    device: Annotated[
        str, Flag("cpu, cuda, cuda:N, or auto for a GPU where there is one.", "DEVICE")
    ] = "cpu",
    workers: Annotated[int | None, Flag("Rendering processes; one a core by default.", "N", low=1)] = None,
    start: Annotated[
        int, Flag("Number of the first identity, to go on after another run.", "N", low=0, high=_LARGEST)
    ] = 0,
    sheet: Annotated[
        Path | None, Flag("PNG file to draw the first identities and their distractors into.", "FILE")
    ] = None,
) -> None:
    """Render identities with near-identity distractors.

    Each identity is one object in several contexts (camera, light, background); each distractor is a
    similar but different object in exactly the context of one view. The same options and seed give the
    same files, whatever the number of workers. Nothing is downloaded.
    """
    try:
        from nearid_cli.layouts.reach import Reach
        from nearid_cli.synth.sample import SynthOptions
        from nearid_cli.synth.writing import find_backgrounds, next_command, write_identities

        options = SynthOptions(
            views=views,
            distractors=distractors,
            size=size,
            difficulty=difficulty,
            categories=tuple(name.strip() for name in categories.split(",")) if categories else (),
            seed=seed,
            backgrounds=find_backgrounds(backgrounds, Reach(follow_symlinks=follow_symlinks)),
        )
        written = write_identities(
            options,
            folder,
            range(start, start + identities),
            form,
            device,
            workers,
            sheet,
            progress=sys.stderr.isatty(),
        )
    except KeyboardInterrupt:
        typer.echo("interrupted; nothing was written", err=True)
        raise typer.Exit(INTERRUPTED) from None
    command = next_command(options, folder, form, identities)
    typer.echo(
        f"{count(written.identities, 'identity', 'identities')}, {count(written.pictures, 'picture')} at "
        f"{written.pictures / written.seconds:.0f} a second in {printable(folder)}",
        err=True,
    )
    if command:
        typer.echo(f"next: {printable(shlex.join(command))}", err=True)
