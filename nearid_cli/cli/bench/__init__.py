"""`nearid bench`: the benchmarks of the paper, one module a command."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import typer

from nearid_cli.cli.lazy import LazyGroup


class _Benchmarks(LazyGroup):
    """The commands of `nearid bench`."""

    entries: ClassVar[Mapping[str, str]] = {
        name: f"nearid_cli.cli.bench.{name}:run"
        for name in ("nearid", "mtg", "dreambench", "table1", "tables")
    }


app = typer.Typer(
    cls=_Benchmarks,
    help="The three benchmarks of the NearID paper, and its tables.",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.callback()
def _bench() -> None:
    """The three benchmarks of the NearID paper, and its tables."""
