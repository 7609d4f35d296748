"""What every form of a gate's result says alike: what a check is about, what was found, how it ended."""

from __future__ import annotations

from nearid_cli.reports.figures import figure, score_figure, signed_figure
from nearid_cli.results import GateResult, Rule, Verdict
from nearid_cli.text import count, printable

STATUSES = ("failed", "warned", "passed")
"""In the order in which verdicts are shown."""


def with_status(gate: GateResult, status: str) -> list[Verdict]:
    """The verdicts with a status, in the order of the rules."""
    return [verdict for verdict in gate.verdicts if verdict.status == status]


def rule_title(rule: Rule) -> str:
    """A rule by what it is about.

    >>> rule_title(Rule("nearid", "score", "subject", None, None, 0.02, None, "error"))
    'nearid score by subject'
    """
    what = rule.statistic if rule.statistic == "copies" else f"{printable(rule.metric)} {rule.statistic}"
    return what if rule.level == "aggregate" else f"{what} by {rule.level}"


def check_title(verdict: Verdict) -> str:
    """What one verdict is about: the number, and whose."""
    statistic = verdict.rule.statistic
    what = statistic if statistic == "copies" else f"{verdict.metric} {statistic}"
    whose = (("method", verdict.method), ("subject", verdict.subject))
    return printable(", ".join([what, *(f"{kind} {name}" for kind, name in whose if name is not None)]))


def found_figure(verdict: Verdict) -> str:
    """The number of the run."""
    return _figure(verdict, verdict.found)


def baseline_figure(verdict: Verdict) -> str:
    """The number of the baseline."""
    return _figure(verdict, verdict.baseline)


def drop_figure(verdict: Verdict) -> str:
    """The drop with its interval."""
    return "-" if verdict.drop is None else score_figure(verdict.drop, verdict.ci)


def numbers(verdict: Verdict) -> str:
    """What was expected and what was found, in one line."""
    facts = [f"expected {verdict.expected}", f"found {found_figure(verdict)}"]
    if verdict.baseline is not None:
        facts.append(f"baseline {baseline_figure(verdict)}")
    if verdict.drop is not None:
        facts.append(f"drop {drop_figure(verdict)}")
    return "; ".join(facts)


def moved(verdict: Verdict) -> str:
    """The subjects that fell most, or nothing."""
    return ", ".join(f"{printable(one.subject)} {signed_figure(one.delta)}" for one in verdict.moved)


def outcome(gate: GateResult) -> str:
    """How the gate ended, in one line."""
    failed, warned, passed = (len(with_status(gate, status)) for status in STATUSES)
    parts = [f"{failed:,} failed"] if failed else []
    parts += [f"{warned:,} warned"] if warned else []
    checks = count(len(gate.verdicts), "check")
    return (
        f"gate {'passed' if gate.passed else 'failed'}: {checks}, {', '.join([*parts, f'{passed:,} passed'])}"
    )


def compared(gate: GateResult) -> str:
    """What was judged, and against what."""
    return printable(f"{gate.run} against {gate.baseline or 'no baseline'}")


def _figure(verdict: Verdict, value: float | None) -> str:
    return f"{value:.0f}" if verdict.rule.statistic == "copies" and value is not None else figure(value)
