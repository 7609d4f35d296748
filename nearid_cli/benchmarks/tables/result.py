"""What `nearid bench tables` finds out. Plain frozen dataclasses; a number that does not exist is None."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nearid_cli.benchmarks.differences import RateDifference
from nearid_cli.metrics.margins import Outcome
from nearid_cli.results import Tool
from nearid_cli.results.base import Plain, known_figure, listed, plain
from nearid_cli.text import count


@dataclass(frozen=True)
class PoolCell:
    """One method on one source, or on the sources of a group together.

    Attributes:
        method: its name in tables: family and checkpoint, and rows and mode where the files have several.
        family, checkpoint, variant, rows, mode: what the files' names say, see `similarities.SimilarityName`.
        scope: `group` or `source`.
        name: of the group or source.
        category: of the samples; None for all of them.
        sources: what is pooled here.
        missing: sources of the group for which this method has no file.
        without_trials: samples that have no trial, because views or distractors are absent; they count nowhere.
        outcome: the numbers.
    """

    method: str
    family: str
    checkpoint: str
    variant: str
    rows: str
    mode: str
    scope: str
    name: str
    category: str | None
    sources: tuple[str, ...]
    missing: tuple[str, ...]
    without_trials: int
    outcome: Outcome

    def to_dict(self) -> dict[str, Any]:
        """One flat dictionary, the numbers beside the names."""
        named = {name: value for name, value in vars(self).items() if name != "outcome"}
        return {**plain(named), **plain(self.outcome)}


@dataclass(frozen=True)
class Uneven:
    """A method whose sources hold different samples.

    Attributes:
        method, variant: which one.
        samples: how many any source has.
        sources: how many each has.
    """

    method: str
    variant: str
    samples: int
    sources: dict[str, int]


@dataclass(frozen=True, repr=False)
class TablesResult(Plain):
    """The result of `nearid bench tables` (schema `nearid.bench.tables/2`).

    Attributes:
        tool: the program that made it.
        created: ISO 8601, UTC.
        roots: the folders that were searched.
        files: how many similarity files went into it.
        prefer: `first`, `last` or None.
        passed_over: files that went not into it, each with the reason.
        groups: name -> sources.
        uneven: methods whose sources hold different samples.
        differences: each method minus one of them, by group and by source that is in none; empty without such a one.
        cells: groups first, then sources, then categories.
    """

    tool: Tool
    created: str
    roots: tuple[str, ...]
    files: int
    prefer: str | None
    passed_over: tuple[tuple[str, str], ...]
    groups: dict[str, tuple[str, ...]]
    uneven: tuple[Uneven, ...]
    differences: tuple[RateDifference, ...]
    cells: tuple[PoolCell, ...]
    schema = "nearid.bench.tables/2"

    def to_dict(self) -> dict[str, Any]:
        """The result as JSON-ready dictionaries and lists, keys as in docs/guides/bench-nearid.md."""
        facts = {name: value for name, value in vars(self).items() if name not in ("passed_over", "cells")}
        passed_over = [{"path": path, "reason": reason} for path, reason in self.passed_over]
        cells = [cell.to_dict() for cell in self.cells]
        return {"schema": self.schema, **plain(facts), "passed_over": passed_over, "cells": cells}

    def _line(self) -> str:
        groups = [cell for cell in self.cells if cell.scope == "group" and cell.category is None]
        shown = [f"{cell.method} on {cell.name} {known_figure('SSR', cell.outcome.ssr)}" for cell in groups]
        return f"{count(self.files, 'file')}; {listed(shown)}"
