"""`nearid bench`: the benchmarks of the paper, one module a command."""

from __future__ import annotations

from nearid_cli.cli.groups import group

app = group(
    "The three benchmarks of the NearID paper, and its tables.",
    {
        name: f"nearid_cli.cli.bench.{name}:run"
        for name in ("nearid", "mtg", "dreambench", "table1", "tables")
    },
)
