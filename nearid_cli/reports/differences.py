"""Differences from a baseline as columns, for methods, and for groups of generations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from nearid_cli.reports.gauge import Gauge
from nearid_cli.reports.table import BREAK, COUNT, RECORD, SIGNED, WORDS, Column, Kind, Mark, P
from nearid_cli.results import Comparison
from nearid_cli.results.compare import BETTER


def difference_columns(gauge: Gauge, found: Sequence[Comparison], counted: bool = True) -> Iterator[Column]:
    """What was found by one metric, a row each.

    Args:
        gauge: of the metric.
        found: the comparisons.
        counted: whether to say of each what it is over.
    """
    yield Column(
        gauge.signed,
        [one.delta for one in found],
        "difference",
        intervals=[one.ci95 for one in found],
        marks=[trend(one) for one in found],
    )
    yield Column(WORDS, [one.verdict for one in found], "verdict")
    yield Column(P, [one.p for one in found], "p", group="p")
    yield Column(P, [one.p_adjusted for one in found], "p (adjusted)", group="p")
    yield Column(RECORD, [(one.wins, one.ties, one.losses) for one in found], f"wins/ties{BREAK}/losses")
    for kind in ("subjects", "prompts", "pairs") if counted else ():
        if any(getattr(one, kind) for one in found):
            yield Column(COUNT, [getattr(one, kind) for one in found], kind, group="counts")
    yield Column(gauge.score, [one.detectable for one in found], "detectable", page=True)


def stored_differences(metric: str, found: Sequence[Comparison | None]) -> Iterator[Column]:
    """What each method differs from the baseline by one metric, for data files."""

    def column(number: str, kind: Kind) -> Column:
        return Column(kind, [getattr(one, number, None) for one in found], name=f"{metric}_{number}")

    yield replace(column("delta", SIGNED), intervals=[one.ci95 if one else None for one in found])
    yield from (column(number, P) for number in ("p", "p_studentised", "p_holm", "p_adjusted"))
    yield column("verdict", WORDS)
    for number in ("wins", "ties", "losses", "prompts", "pairs", "unpaired"):
        yield column(number, COUNT)


def trend(comparison: Comparison | None) -> tuple[Mark, ...]:
    """Which way a difference was shown to go; nothing where none was."""
    if comparison is None or not comparison.shown:
        return ()
    return ("better",) if comparison.verdict == BETTER else ("worse",)
