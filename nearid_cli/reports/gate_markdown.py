"""The verdicts of a gate as GitHub Markdown, for a comment or a step's summary."""

from __future__ import annotations

from collections.abc import Iterator

from nearid_cli.reports.gate_text import (
    baseline_figure,
    check_title,
    compared,
    drop_figure,
    found_figure,
    moved,
    outcome,
    with_status,
)
from nearid_cli.reports.markdown_text import LIMIT, Part, bullets, details, document, escape, table
from nearid_cli.results import GateResult, Verdict

_HEADER = ("check", "expected", "found", "baseline", "drop")


def gate_markdown(gate: GateResult, limit: int = LIMIT) -> str:
    """How the gate ended, every failure and warning with its reason, and the rest folded away.

    Args:
        gate: what to show.
        limit: characters; of more, the last rows are left out and counted.
    """
    return document(list(_parts(gate)), limit)


def _parts(gate: GateResult) -> Iterator[Part]:
    mark = "✅" if gate.passed else "❌"
    yield Part(0, (f"# {mark} nearid {outcome(gate)}", "", escape(compared(gate)), ""))
    failed, warned, passed = (with_status(gate, status) for status in ("failed", "warned", "passed"))
    yield bullets(0, "Failed", map(_reason, failed), "failures")
    yield bullets(1, "Warnings", map(_reason, warned), "warnings")
    if failed or warned:
        yield table(2, _HEADER, map(_row, [*failed, *warned]), "checks", texts=2)
    if passed:
        yield details(f"{len(passed):,} passed", table(3, _HEADER, map(_row, passed), "checks", texts=2))
    yield Part(0, (f"{escape(gate.tool.name)} {escape(gate.tool.version)}, {escape(gate.created)}",))


def _reason(verdict: Verdict) -> str:
    fell = f" Fell most: {escape(moved(verdict))}." if verdict.moved else ""
    return f"**{escape(check_title(verdict))}**: {escape(verdict.reason)}.{fell}"


def _row(verdict: Verdict) -> list[str]:
    figures = (found_figure(verdict), baseline_figure(verdict), drop_figure(verdict))
    return [escape(check_title(verdict)), escape(verdict.expected), *figures]
