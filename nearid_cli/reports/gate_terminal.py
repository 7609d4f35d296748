"""The verdicts of a gate in a terminal: what failed with all that is known about it, then all, if they are few."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from nearid_cli.reports.gate_text import (
    STATUSES,
    baseline_figure,
    check_title,
    drop_figure,
    found_figure,
    moved,
    numbers,
    outcome,
    with_status,
)
from nearid_cli.reports.terminal import GAP, Column, pages, room_beside, say, show, table
from nearid_cli.results import GateResult, Verdict

if TYPE_CHECKING:
    from rich.console import Console

_FEW = 20  # so many verdicts are shown as a table; of more, those that passed are only counted
_STYLES = {"failed": "bold red", "warned": "yellow", "passed": "green"}


def render_gate(gate: GateResult, console: Console) -> None:
    """Print the failures and warnings, a table of all verdicts if they are few, and how the gate ended.

    Args:
        gate: what to show.
        console: where to; its width decides whether the table is in one piece.
    """
    from rich.text import Text

    for status in ("failed", "warned"):
        for reason, verdicts in _by_reason(with_status(gate, status)).items():
            first, *more = verdicts
            lines = [reason]
            if not more:
                lines += [numbers(first), f"fell most: {moved(first)}" if first.moved else ""]
            titles = "; ".join(map(check_title, verdicts))
            say(console, Text(f"{status.upper()} {titles}", style=_STYLES[status]))
            say(console, *filter(None, lines), indent=2)
            say(console, "")
    if len(gate.verdicts) <= _FEW:
        _table(gate, console)
    style = _STYLES["passed" if gate.passed else "failed"]
    say(console, Text(outcome(gate), style=style))


def _by_reason(verdicts: Sequence[Verdict]) -> dict[str, list[Verdict]]:
    """What several checks failed for alike, such as a baseline that is not there, is said once."""
    found: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        found.setdefault(verdict.reason, []).append(verdict)
    return found


def _table(gate: GateResult, console: Console) -> None:
    """One row a verdict."""
    verdicts = [verdict for status in STATUSES for verdict in with_status(gate, status)]
    names = [check_title(verdict) for verdict in verdicts]
    figures = [
        Column("", [verdict.status for verdict in verdicts], justify="left"),
        Column("found", [found_figure(verdict) for verdict in verdicts]),
    ]
    if any(verdict.baseline is not None for verdict in verdicts):
        figures.append(Column("baseline", [baseline_figure(verdict) for verdict in verdicts]))
    if any(verdict.drop is not None for verdict in verdicts):
        figures.append(Column("drop", [_drop(verdict) for verdict in verdicts]))
    bounds = Column("expected", [verdict.expected for verdict in verdicts], justify="left")
    if len(found := pages([figures, [bounds]], names, console.width)) > 1:
        room = room_beside(names, console.width) - GAP
        found = pages([figures, [replace(bounds, room=room)]], names, console.width)
    show(console, [table("check", names, page) for page in found])


def _drop(verdict: Verdict) -> str:
    """The drop; nothing where the rule asks for none."""
    return "" if verdict.rule.max_drop is None else drop_figure(verdict)
