"""The verdicts of a gate as workflow commands, which GitHub shows as annotations of a run.

The commands and how their text is escaped: GitHub's documentation of workflow commands, and `actions/toolkit`.
"""

from __future__ import annotations

from nearid_cli.reports.gate import check_title, numbers, outcome, with_status
from nearid_cli.results import GateResult, Verdict
from nearid_cli.text import printable

_MOST = 10
"""GitHub shows so many errors and so many warnings of one step."""


def github_annotations(gate: GateResult) -> list[str]:
    """One line for each failure and warning; of more than GitHub shows, the last one counts the rest."""
    lines = []
    for command, status in (("error", "failed"), ("warning", "warned")):
        verdicts = with_status(gate, status)
        shown = verdicts if len(verdicts) <= _MOST else verdicts[: _MOST - 1]
        lines += [_annotation(command, check_title(verdict), _message(verdict)) for verdict in shown]
        if rest := len(verdicts) - len(shown):
            lines.append(_annotation(command, f"{rest:,} more {status}", outcome(gate)))
    return lines


def _message(verdict: Verdict) -> str:
    return f"{printable(verdict.reason)}\n{printable(numbers(verdict))}"


def _annotation(command: str, title: str, message: str) -> str:
    title = _escaped(f"nearid gate: {title}").replace(":", "%3A").replace(",", "%2C")
    return f"::{command} title={title}::{_escaped(message)}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
