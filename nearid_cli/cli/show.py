"""Printing to a terminal or a pipe."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from nearid_cli.remote.stores import named

if TYPE_CHECKING:
    from rich.console import Console

# A file has no width; this one holds the default metrics with intervals side by side.
_PIPE_WIDTH = 160


def console(stderr: bool = False) -> Console:
    """Stdout for tables, or stderr: no colour in a pipe or with NO_COLOR, and room enough when nobody limits it.

    Sentences are whole lines then, for programs that look for them.
    """
    from rich.console import Console

    class Output(Console):
        def on_broken_pipe(self) -> None:
            raise  # Rich would exit with code 1, which is a failed gate's

    stream = sys.stderr if stderr else sys.stdout
    environment = dict(os.environ)
    asked = re.fullmatch("[1-9][0-9]{0,8}", environment.get("COLUMNS", ""))
    if not asked:
        environment.pop("COLUMNS", None)  # Rich would take 0, and stumble over other digits
    limited = asked or stream.isatty()
    width = None if limited else _PIPE_WIDTH
    return Output(
        stderr=stderr, width=width, soft_wrap=not limited, highlight=False, emoji=False, _environ=environment
    )


def wrote(*paths: Path) -> None:
    """Say on stderr which files were written."""
    if paths:
        with contextlib.suppress(BrokenPipeError):  # nobody reads it any more
            sys.stdout.flush()  # where both are one terminal or file, what was printed comes first
        typer.echo(f"wrote {', '.join(map(named, paths))}", err=True)


def rows(header: Sequence[str] | None, cells: Sequence[Sequence[str]], numbers: Sequence[int] = ()) -> None:
    """Print rows of text in aligned columns.

    Args:
        header: one title a column, or None.
        cells: rows of plain text; markup in it is shown, not obeyed.
        numbers: columns to align right.
    """
    from rich.box import SIMPLE
    from rich.table import Table
    from rich.text import Text

    table = Table(
        box=SIMPLE if header else None, show_header=header is not None, show_edge=False, pad_edge=False
    )
    for column in range(len(cells[0])):
        table.add_column(
            header[column] if header else "",
            justify="right" if column in numbers else "left",
            overflow="fold",
        )
    for row in cells:
        table.add_row(*map(Text, row))
    terminal = console()
    with terminal.capture() as captured:
        terminal.print(table)
    for line in captured.get().splitlines():
        print(line.rstrip())
