"""What `nearid bench table1` finds out. Plain frozen dataclasses; a number that does not exist is None."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any

from nearid_cli.results import Tool
from nearid_cli.results.base import Plain, listed, plain
from nearid_cli.text import count

COLUMNS = {
    "ssr": "NearID SSR",
    "pa": "NearID PA",
    "mtg_mo": "MTG MO",
    "mtg_mo_pair": "MTG MOpair",
    "mtg_ssr": "MTG SSR",
    "mtg_pa": "MTG PA",
    "mh": "DB++ MH",
}
"""The columns of Table 1 by the names of `Table1Row.ours`. SSR and PA are percentages there and here."""


@dataclass(frozen=True)
class Table1Row:
    """One metric.

    Attributes:
        metric: its name.
        name: what Table 1 calls it; None where it is not in it.
        ours: what was measured, keys as `COLUMNS`; None where something is missing. `pa` counts trials as the published
            tables do (`pa_published` of `nearid bench nearid`).
        published: what Table 1 says; None where the metric is not in it.
        published_float32: what the authors find in float32, where they say so; Table 1 was made in float16.
    """

    metric: str
    name: str | None
    ours: Mapping[str, float | None]
    published: Mapping[str, float] | None
    published_float32: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, repr=False)
class Table1Result(Plain):
    """The result of `nearid bench table1` (schema `nearid.bench.table1/1`).

    Attributes:
        tool, created: what made it, and when (ISO 8601, UTC).
        rows: one a metric.
        sources: sources of distractors that NearID-Bench pooled, of those that Table 1 pools.
        samples: samples that it pooled, by metric.
        missing: what could not be had, a line each.
    """

    tool: Tool
    created: str
    rows: tuple[Table1Row, ...]
    sources: tuple[str, ...]
    samples: Mapping[str, int]
    missing: tuple[str, ...]
    schema = "nearid.bench.table1/1"

    def to_dict(self) -> dict[str, Any]:
        """The result as JSON-ready dictionaries and lists, keys as in docs/guides/benchmarks.md."""
        return {"schema": self.schema, "published": published()["source"], **plain(self)}

    def _line(self) -> str:
        missing = f", {count(len(self.missing), 'number')} missing" if self.missing else ""
        return f"{listed([row.metric for row in self.rows])} on {count(len(self.sources), 'source')}{missing}"


@cache
def published() -> dict[str, Any]:
    """The published Table 1: `source`, and by metric `rows` with a name and the keys of `COLUMNS`."""
    text = resources.files(__package__).joinpath("published.json").read_text(encoding="utf-8")
    table: dict[str, Any] = json.loads(text)
    return table
