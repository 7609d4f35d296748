"""Write docs/reference/cli.md from the commands themselves: `python scripts/cli_reference.py`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from nearid_cli.cli.app import app

TARGET = Path(__file__).parents[1] / "docs" / "reference" / "cli.md"
INTRODUCTION = """\
# Commands and options

Made by `python scripts/cli_reference.py` from the program itself; a test keeps it up to date. `nearid COMMAND
--help` says the same. Exit codes and everyday examples are in [scoring](../guides/score.md), the rules by which
a flag, a `NEARID_*` variable and `nearid.toml` win over each other in [configuration.md](configuration.md), what
`--metric` takes in [offline.md](../guides/offline.md).

Results go to stdout, progress and messages to stderr. Flags that repeat (`--metric`, `--output`) keep their order.
"""


def reference() -> str:
    """The whole page."""
    root: Any = typer.main.get_command(app)
    return "\n".join([INTRODUCTION, *_section("nearid", root)])


def _section(name: str, command: Any) -> Iterator[str]:
    yield f"## {name}\n"
    yield f"{_paragraphs(command.help)}\n"
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name == "option"]
    names = command.list_commands(None) if hasattr(command, "list_commands") else []
    children = {child: command.get_command(None, child) for child in names}
    yield "```text"
    pieces = [name, "[OPTIONS]", *map(_usage, arguments), *(["COMMAND"] if children else [])]
    yield f"{' '.join(pieces)}\n```\n"
    if arguments:
        yield "| argument | |\n|---|---|"
        yield from (f"| `{argument.metavar}` | {_cell(argument.help)} |" for argument in arguments)
        yield ""
    if options:
        yield "| option | meaning | default | environment |\n|---|---|---|---|"
        yield from map(_option, options)
        yield ""
    for child, inner in children.items():
        yield from _section(f"{name} {child}", inner)


def _usage(argument: Any) -> str:
    many = "..." if argument.nargs == -1 else ""
    return f"{argument.metavar}{many}" if argument.required else f"[{argument.metavar}{many}]"


def _option(option: Any) -> str:
    names = ", ".join(f"`{name}`" for name in sorted(option.opts, key=len))
    value = "" if option.is_flag else f" `{option.metavar}`"
    required = " Required." if option.required else ""
    return (
        f"| {names}{value} | {_cell(option.help)}{required} | {_default(option)} | {_code(option.envvar)} |"
    )


def _default(option: Any) -> str:
    if option.is_flag or option.default in (None, 0):
        return ""
    values = option.default if isinstance(option.default, (list, tuple)) else [option.default]
    return _code(",".join(map(str, values)))


def _code(text: str | None) -> str:
    return f"`{text}`" if text else ""


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _paragraphs(text: str) -> str:
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.strip().split("\n\n"))


if __name__ == "__main__":
    TARGET.write_text(reference(), encoding="utf-8")
