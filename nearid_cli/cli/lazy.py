"""A group of commands of which only the one that is asked for is imported and built.

Building a command takes Typer a millisecond or two, and there are many: with all of them built, `nearid --help` would
take twice as long.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, ClassVar

import typer
import typer.main
from typer.core import TyperGroup

from nearid_cli.cli.options import with_flags


class LazyGroup(TyperGroup):
    """A group whose commands are named in `entries`.

    Attributes:
        entries: name of the command -> `module:attribute` of its function or Typer app, in the order of the help.
    """

    entries: ClassVar[Mapping[str, str]] = {}

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands: Any = dict.fromkeys(self.entries)  # the names are there before the commands

    def list_commands(self, ctx: Any) -> list[str]:
        """The names, in the order of the help."""
        return list(self.entries)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Build a command, or give the one that was built; None if there is none of this name."""
        if cmd_name not in self.entries:
            return None
        if self.commands[cmd_name] is None:
            self.commands[cmd_name] = _built(cmd_name, _loaded(self.entries[cmd_name]))
        return self.commands[cmd_name]

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the names with what they are for. Nothing is built for that."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, _summary(_loaded(entry))) for name, entry in self.entries.items()])


def _loaded(entry: str) -> typer.Typer | Callable[..., Any]:
    module, _, name = entry.partition(":")
    found: typer.Typer | Callable[..., Any] = getattr(import_module(module), name)
    return found


def _summary(command: typer.Typer | Callable[..., Any]) -> str:
    """The first sentence of a command's help."""
    text = str(command.info.help) if isinstance(command, typer.Typer) else command.__doc__ or ""
    first = text.strip().partition("\n")[0].partition(". ")[0]
    return first if first.endswith(("?", ".")) else f"{first}."


def _built(name: str, command: typer.Typer | Callable[..., Any]) -> Any:
    if isinstance(command, typer.Typer):
        group = command
    else:
        group = typer.Typer(add_completion=False, rich_markup_mode=None)
        group.command(name)(with_flags(command))  # a Typer app with one command is that command
    built: Any = typer.main.get_command(group)
    built.name = name
    return built
