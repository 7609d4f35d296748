"""`nearid bench`: the benchmarks of the paper, one module a command."""

from __future__ import annotations

import typer

from nearid_cli.cli.bench import dreambench, mtg, nearid, table1, tables

app = typer.Typer(
    help="The three benchmarks of the NearID paper, and its tables.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.command("dreambench")(dreambench.run)
app.command("mtg")(mtg.run)
app.command("nearid")(nearid.run)
app.command("table1")(table1.run)
app.command("tables")(tables.run)
