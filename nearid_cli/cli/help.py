"""`nearid help`."""

from __future__ import annotations

from typing import Annotated

import typer

from nearid_cli.cli import completing
from nearid_cli.cli.groups import help_of


def show_help(
    context: typer.Context,
    names: Annotated[
        list[str] | None,
        typer.Argument(
            help="A command, such as score or gate init.",
            metavar="[COMMAND]",
            autocompletion=completing.commands,
        ),
    ] = None,
) -> None:
    """Show what a command does, as its --help."""
    typer.echo(help_of(context, names or []))
