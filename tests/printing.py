"""Results printed and written as the commands do it, in one call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nearid_cli.reports.document import document
from nearid_cli.reports.formats.latex import Latex
from nearid_cli.reports.formats.markdown import Markdown
from nearid_cli.reports.terminal import render
from nearid_cli.results import CompareResult, GateResult, PairResult, ScoreResult

if TYPE_CHECKING:
    from rich.console import Console


def show(result: ScoreResult | CompareResult | PairResult, console: Console, **asked: Any) -> None:
    """Print a result as its command does."""
    render(document(result, **asked), console)


def to_markdown(
    result: ScoreResult | CompareResult,
    sort: str | None = None,
    baseline: ScoreResult | None = None,
    gate: GateResult | None = None,
) -> str:
    """What `-o FILE.md` writes."""
    return Markdown().render(document(result, sort=sort, baseline=baseline, gate=gate))


def to_latex(result: ScoreResult | CompareResult, sort: str | None = None) -> str:
    """What `-o FILE.tex` writes."""
    return Latex().render(document(result, sort=sort))
