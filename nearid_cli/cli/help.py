"""`nearid help`."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from nearid_cli.cli import completing
from nearid_cli.errors import UsageError
from nearid_cli.text import unknown


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
    place: Any = context.find_root()
    for name in names or []:
        group = place.command
        known = group.list_commands(place) if isinstance(group, TyperGroup) else []
        if name not in known:
            raise UsageError(
                unknown("command", name, known) if known else f"{place.command_path} has no commands"
            )
        command: Any = group.get_command(place, name)
        place = type(place)(command, info_name=name, parent=place, **command.context_settings)
    typer.echo(place.get_help())
