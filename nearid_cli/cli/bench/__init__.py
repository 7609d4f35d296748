"""`nearid bench`: the benchmarks of the paper, one module a command."""

from __future__ import annotations

from typing import Annotated

from nearid_cli.cli.groups import group
from nearid_cli.flags import Flag

BySamples = Annotated[
    tuple[str, ...],
    Flag(
        "Break the result down by labels of the samples, repeated or as a comma list; crossed as category+source.",
        "LABEL",
    ),
]

app = group(
    "The three benchmarks of the NearID paper, and its tables.",
    {
        name: f"nearid_cli.cli.bench.{name}:run"
        for name in ("nearid", "mtg", "dreambench", "table1", "tables")
    },
)
