"""The result of a gate in words: what failed and why, every verdict with its numbers, and how the gate ended."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache

from nearid_cli.breakdown.labels import told
from nearid_cli.reports.blocks import Block, Draft, Entries, Entry, FindingList, Panel, Prose
from nearid_cli.reports.table import TEXT, Column, Kind, Table, figure, named, signed_figure
from nearid_cli.results import GateResult, Rule, Verdict
from nearid_cli.results.gate import COPIES, COUNTS
from nearid_cli.text import count, printable

STATUSES = ("failed", "warned", "passed")
"""In the order in which verdicts are shown."""

_FEW = 20  # so many verdicts are a table in a terminal; of more, those that passed are only counted
_BOUNDS = Kind(str, printable, text=True, folds=60)
_NUMBERS = "numbers"


@cache
def _numbers(decimals: int) -> Kind:
    """Numbers with so many decimals, or counts: 3 copies."""
    return Kind(float, lambda value: f"{value}" if isinstance(value, int) else figure(value, decimals))


_NUMBER = _numbers(3)


def gate_draft(gate: GateResult) -> Draft:
    """What the document of a gate says."""
    table = verdict_table(gate)
    made_by = f"{gate.tool.name} {gate.tool.version}, {gate.created}"
    return Draft(
        f"{'✅' if gate.passed else '❌'} nearid {outcome(gate)}",
        (
            Prose([compared(gate)], where="page"),
            *_told(gate),
            Panel(table, None if len(gate.verdicts) <= _FEW else [], where="terminal"),
            *_on_pages(gate, table),
            FindingList((), outcome(gate), status(gate), where="terminal"),
            Prose([made_by], where="page"),
        ),
        table,
        (compared(gate), made_by),
    )


def _told(gate: GateResult) -> Iterator[Block]:
    """What failed and why."""
    for rank, (state, title) in enumerate((("failed", "Failed"), ("warned", "Warnings"))):
        entries = []
        for one in with_status(gate, state):
            entries.append(
                Entry(check_title(one), [*filter(None, [one.reason, fell_most(one)])], numbers(one))
            )
        yield Entries(entries, title, state, rank=rank)


def _on_pages(gate: GateResult, table: Table) -> Iterator[Block]:
    """The table of what did not pass, and that of the rest folded away."""
    passed = len(with_status(gate, "passed"))
    rest = len(gate.verdicts) - passed
    if rest:
        yield Panel(table.only(range(rest)), where="page", rank=2)
    if passed:
        fine = table.only(range(rest, len(gate.verdicts)))
        yield Panel(fine, where="page", folded=f"{passed:,} passed", rank=3)


def verdict_table(gate: GateResult) -> Table:
    """One row a verdict: what failed, then what warned, then what passed."""
    found = [verdict for state in STATUSES for verdict in with_status(gate, state)]

    def facts(kind: Kind, *names: str, of_rule: bool = False) -> Iterator[Column]:
        """For data files."""
        for name in names:
            yield Column(kind, [getattr(one.rule if of_rule else one, name) for one in found], name=name)

    kinds = [_numbers(one.decimals) for one in found]
    sides = [
        Column(
            _NUMBER,
            [_number(one, getattr(one, name)) for one in found],
            name,
            name,
            paper=True,
            group=_NUMBERS,
            kinds=kinds,
        )
        for name in ("found", "baseline")
    ]
    ci = [one.ci for one in found]
    drops = Column(
        _NUMBER, [one.drop for one in found], "drop", "drop", ci, paper=True, group=_NUMBERS, kinds=kinds
    )
    by_group = [one.rule.by is not None for one in found]
    groups = (
        Column(TEXT, [one.rule.by for one in found], name="by"),
        Column(
            TEXT,
            ["+".join(v or "" for v in one.group.values()) if one.group else None for one in found],
            name="group",
        ),
    )
    reasons = Column(TEXT, [one.reason for one in found], name="reason")
    moves = Column(TEXT, [moved(one) or None for one in found], name="moved")
    state = Column(TEXT, [one.status for one in found], "verdict", "status", paper=True, group=_NUMBERS)
    return Table(
        (named("check", [*map(check_title, found)]),),
        (
            state,
            *facts(TEXT, "metric", "subject", "method"),
            *(groups if any(by_group) else ()),
            *facts(TEXT, "statistic", "level", "on_fail", of_rule=True),
            *(replace(one, title=one.title if one.known else "") for one in (*sides, drops)),
            Column(_BOUNDS, [one.expected for one in found], "expected", "expected", paper=True),
            *facts(_NUMBER, "min", "max", "max_drop", "confidence", of_rule=True),
            reasons,
            moves,
        ),
        caption=f"Verdicts of nearid gate on {compared(gate)}.",
        label="nearid-gate",
        noun="checks",
        whole=True,
    )


def with_status(gate: GateResult, state: str) -> list[Verdict]:
    """The verdicts with a status, in the order of the rules."""
    return [verdict for verdict in gate.verdicts if verdict.status == state]


def status(gate: GateResult) -> str:
    """That of the gate itself."""
    return "passed" if gate.passed else "failed"


def rule_title(rule: Rule) -> str:
    """A rule by what it is about.

    >>> rule_title(Rule("nearid", "score", "subject", None, None, 0.02, None, "error"))
    'nearid score by subject'
    """
    what = rule.statistic if rule.statistic == COPIES else f"{printable(rule.metric)} {rule.statistic}"
    by = [] if rule.by is None else [printable(rule.by + ("" if rule.group is None else f" {rule.group}"))]
    by += [] if rule.level == "aggregate" else [rule.level]
    return f"{what} by {' and '.join(by)}" if by else what


def check_title(verdict: Verdict) -> str:
    """What one verdict is about: the number, and whose."""
    statistic = verdict.rule.statistic
    what = statistic if statistic == COPIES else f"{verdict.metric} {statistic}"
    whose = (("method", verdict.method), ("subject", verdict.subject))
    group = told(verdict.group) or ("" if verdict.rule.by is None else f"by {verdict.rule.by}")
    of = [f"{kind} {name}" for kind, name in whose if name is not None]
    return printable(", ".join(filter(None, [what, group, *of])))


def numbers(verdict: Verdict) -> str:
    """What was expected and what was found, in one line."""
    kind = _numbers(verdict.decimals)
    found, baseline = (kind.say(_number(verdict, one)) for one in (verdict.found, verdict.baseline))
    facts = [f"expected {verdict.expected}", f"found {found}"]
    if verdict.baseline is not None:
        facts.append(f"baseline {baseline}")
    if verdict.drop is not None:
        facts.append(f"{'drop' if verdict.higher_is_better else 'rise'} {kind.say(verdict.drop, verdict.ci)}")
    return "; ".join(facts)


def moved(verdict: Verdict) -> str:
    """The subjects that got worse most, or nothing."""
    places = verdict.decimals
    return ", ".join(f"{printable(one.subject)} {signed_figure(one.delta, places)}" for one in verdict.moved)


def fell_most(verdict: Verdict) -> str:
    """The same as a sentence that says which way they went."""
    went = "fell" if verdict.higher_is_better else "rose"
    return f"{went} most: {moved(verdict)}" if verdict.moved else ""


def outcome(gate: GateResult) -> str:
    """How the gate ended, in one line."""
    counts = {state: len(with_status(gate, state)) for state in STATUSES}
    parts = [f"{number:,} {state}" for state, number in counts.items() if number or state == "passed"]
    return f"gate {status(gate)}: {count(len(gate.verdicts), 'check')}, {', '.join(parts)}"


def compared(gate: GateResult) -> str:
    """What was judged, and against what."""
    return printable(f"{gate.run} against {gate.baseline or 'no baseline'}")


def _number(verdict: Verdict, value: float | None) -> float | None:
    """A number of the verdict, whole where it is a count."""
    return value if value is None or verdict.rule.statistic not in COUNTS else round(value)


_MOST = 10
"""GitHub shows so many errors and so many warnings of one step."""


def github_annotations(gate: GateResult) -> list[str]:
    """Workflow commands, which GitHub shows as annotations of a run: one for each failure and warning.

    Of more than GitHub shows, the last one counts the rest. The commands and how their text is escaped: GitHub's
    documentation of workflow commands, and `actions/toolkit`.
    """
    lines = []
    for command, state in (("error", "failed"), ("warning", "warned")):
        verdicts = with_status(gate, state)
        shown = verdicts if len(verdicts) <= _MOST else verdicts[: _MOST - 1]
        for one in shown:
            message = f"{printable(one.reason)}\n{printable(numbers(one))}"
            lines.append(_annotation(command, check_title(one), message))
        if rest := len(verdicts) - len(shown):
            lines.append(_annotation(command, f"{rest:,} more {state}", outcome(gate)))
    return lines


def _annotation(command: str, title: str, message: str) -> str:
    title = _escaped(f"nearid gate: {title}").replace(":", "%3A").replace(",", "%2C")
    return f"::{command} title={title}::{_escaped(message)}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
