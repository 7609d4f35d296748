"""Groups of commands, of which only the one that is asked for is imported and built; and how the whole is run.

Building a command takes Typer a millisecond or two, and there are many: with all of them built, `nearid --help` would
take twice as long. Nor does Typer say how a group falls back on one of its commands, shows another command's help, or
passes exceptions on. So this module, and no other, knows the classes that Typer has from Click.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, ClassVar, get_args

import typer
import typer.main
from typer.core import TyperCommand, TyperGroup

from nearid_cli.cli.options import defaults, say_what_counts, starting, with_flags
from nearid_cli.errors import UsageError
from nearid_cli.text import listed, unknown

# Typer raises the exceptions of Click, and its newer versions carry a Click of their own: this is
# the UsageError of the Typer that is installed.
ArgumentError: Any = typer.BadParameter.__base__


_OF_METRICS = ("metric", "scores", "name", "names")
"""Parameters that name metrics."""

HELP = "help"
"""What contexts hold in the place of a configuration where help is wanted, which must come even if that is broken."""

_TO_READ = object()
"""What stands for a value that Typer is to read."""


def _spare_reading(parameter: Any) -> None:
    """Take values as they are where there is nothing to read, such as texts, and those that nobody gave.

    Typer reads all of them by pydantic, and that takes longer to import than Typer itself.
    """
    if "process_value" in vars(parameter) or not hasattr(parameter, "type_descriptor"):
        return
    read = parameter.process_value

    def process_value(context: Any, value: Any) -> Any:
        found = _as_it_is(parameter, value)
        if found is _TO_READ:
            return read(context, value)
        return found if parameter.callback is None else parameter.callback(context, parameter, found)

    parameter.process_value = process_value


def _as_it_is(parameter: Any, value: Any) -> Any:
    """What a value comes to, or `_TO_READ`."""
    kind, info = parameter.type_descriptor.annotation, parameter.type_descriptor.parameter_info
    several = parameter.multiple or parameter.nargs == -1
    if value is None:
        return _TO_READ if parameter.required else () if several else None
    if not several:
        return _one_as_it_is(value, kind, info)
    if not value or not isinstance(value, list | tuple):
        return _TO_READ
    found = [_one_as_it_is(one, get_args(kind)[0], info) for one in value]
    return _TO_READ if _TO_READ in found else found


def _one_as_it_is(value: Any, kind: Any, info: Any) -> Any:
    if kind is Path and type(value) in (str, type(Path())) and "\0" not in str(value):
        return Path(value) if not info.readable or os.access(value, os.R_OK) else _TO_READ
    if type(value) is not kind:
        return _TO_READ
    if kind is str:
        return value
    within = kind in (int, float) and (info.min is None or value >= info.min)
    return value if within and (info.max is None or value <= info.max) else _TO_READ


class _Spared:
    """A command or group whose parameters are spared Typer's way of reading where they can be."""

    def get_params(self, ctx: Any) -> list[Any]:
        """All of them, the one for help too."""
        found: list[Any] = super().get_params(ctx)  # type: ignore[misc]
        for one in found:
            _spare_reading(one)
        return found


class _Command(_Spared, TyperCommand):
    """A command. What the environment may give, the configuration may give, too."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the arguments, the environment, and after these the configuration: Click ranks them so."""
        if ctx.obj not in (None, HELP):
            given = defaults(ctx.obj)
            shared = {one.name for one in self.params if one.envvar}
            ctx.default_map = {name: value for name, value in given.items() if name in shared}
        self._refuse_nothing(ctx, args)
        return super().parse_args(ctx, args)

    def _refuse_nothing(self, ctx: Any, args: list[str]) -> None:
        """Refuse empty texts. Python takes an empty path for the current folder, and whoever gives one means another.

        Raises:
            UsageError: naming all.
        """
        if "" in args or any(one.endswith("=") for one in args):
            given, *_ = self.make_parser(ctx).parse_args(args=list(args))
            empty = [one for one in self.params if "" in _texts(given.get(one.name))]
            if empty:
                names = [
                    one.opts[0] if one.opts[0][:1] == "-" else str(one.metavar or one.name) for one in empty
                ]
                raise UsageError(
                    f"{listed(names)}: expected a value, found an empty text; is a variable not set?"
                )

    def invoke(self, ctx: Any) -> Any:
        """Run the command, and say first what it has from the configuration: that may be of a folder far above."""
        if ctx.obj not in (None, HELP):
            configured = [one.name for one in self.params if _source(ctx, one.name) == "DEFAULT_MAP"]
            asked = [value for name in _OF_METRICS for value in _texts(ctx.params.get(name))]
            say_what_counts(ctx.obj, configured, asked)
        return super().invoke(ctx)


class LazyGroup(_Spared, TyperGroup):
    """A group whose commands are named in `entries`.

    Attributes:
        entries: name of the command -> `module:attribute` of its function or Typer app, in the order of the help.
        fallback: the command that arguments are for which begin with no command's name; None for none.
    """

    entries: ClassVar[Mapping[str, str]] = {}
    fallback: ClassVar[str | None] = None

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

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the fallback in front where no command is named. Only the group itself is asked for help by `--help`.

        A shell that asks what may come next gets the commands; for anything else it offers files.
        """
        is_named = bool(args) and args[0] in (*self.commands, *ctx.help_option_names)
        if self.fallback and not is_named and (args or not ctx.resilient_parsing):
            args = [self.fallback, *args]
        return super().parse_args(ctx, args)


def group(help: str, entries: Mapping[str, str], fallback: str | None = None) -> typer.Typer:
    """A group of commands below `nearid`.

    Args:
        help: what it is for.
        entries: as of `LazyGroup`.
        fallback: likewise.
    """
    kind = type("Group", (LazyGroup,), {"entries": entries, "fallback": fallback})
    app = typer.Typer(
        cls=kind,
        help=help,
        add_completion=False,
        no_args_is_help=fallback is None,
        rich_markup_mode=None,
    )
    app.callback()(lambda: None)
    return app


def run(app: typer.Typer, name: str, arguments: Iterable[str], known: object) -> None:
    """Run the command that the arguments name. Exceptions pass: Typer's own `main` hides some of them.

    Args:
        app: all commands.
        name: what it is called.
        arguments: without the program's name.
        known: what the context of every command holds as its `obj`.
    """
    command: Any = typer.main.get_command(app)
    with command.make_context(name, list(arguments), obj=known) as context:
        command.invoke(context)


def complete(app: typer.Typer, name: str) -> None:
    """Answer a shell that asks what may come next, and exit."""
    command: Any = typer.main.get_command(app)
    command.main(prog_name=name)


def _names_below(context: typer.Context, incomplete: str) -> list[str]:
    """For a shell: the commands below the one that `nearid help` has been given so far."""
    root: Any = context.find_root()
    command: Any = root.command
    for name in context.params.get("names") or []:
        command = command.get_command(root, name) if isinstance(command, TyperGroup) else None
    return starting(_names(command, root), incomplete)


def show_help(
    context: typer.Context,
    names: Annotated[
        list[str] | None,
        typer.Argument(
            help="A command, such as score or gate init.",
            metavar="[COMMAND]",
            autocompletion=_names_below,
        ),
    ] = None,
) -> None:
    """Show what a command does, as its --help."""
    place: Any = context.find_root()
    for name in names or []:
        known = _names(place.command, place)
        if name not in known:
            raise UsageError(
                unknown("command", name, known) if known else f"{place.command_path} has no commands"
            )
        command: Any = place.command.get_command(place, name)
        place = type(place)(command, info_name=name, parent=place, **command.context_settings)
    typer.echo(place.get_help())


def on_command_line(context: typer.Context, flag: str) -> bool:
    """Whether a flag stands on the command line, not just in the environment or the configuration."""
    return _source(context, flag.replace("-", "_")) == "COMMANDLINE"


def _source(context: Any, name: str) -> str | None:
    source = context.get_parameter_source(name)
    return None if source is None else str(source.name)


def _texts(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value) if isinstance(value, (list, tuple)) else []


def _names(command: Any, context: Any) -> list[str]:
    return command.list_commands(context) if isinstance(command, TyperGroup) else []


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
        app = command
    else:
        app = typer.Typer(add_completion=False, rich_markup_mode=None)
        app.command(name, cls=_Command)(with_flags(command))  # a Typer app with one command is that command
    built: Any = typer.main.get_command(app)
    built.name = name
    return built
