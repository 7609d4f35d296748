"""What `nearid gate` finds out: the verdict on every rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nearid_cli.results.base import Saved, Tool
from nearid_cli.results.score import Interval
from nearid_cli.text import count

COPIES, MISSING, NEAR_COPIES = "copies", "missing", "near_copies"
COUNTS = (COPIES, MISSING, NEAR_COPIES)
"""Statistics of rules that count generations: which copy a reference, have no score, or nearly copy a reference."""


@dataclass(frozen=True)
class Rule:
    """One entry of `[[gate.rules]]`, as in docs/guides/gate.md.

    Attributes:
        metric: a metric of the run, or `*` for every one.
        statistic: `score`, `retention`, `identification`, `pair_mean`, `copies`, `missing`, `margin`, `near_copies`,
            `diversity` or `prompt_diversity`.
        level: `aggregate`, `subject` or `method`.
        min, max: absolute bounds; None for none.
        max_drop: how much worse than the baseline it may be; None for any.
        confidence: fail on `max_drop` only when the drop exceeds it with this confidence, above 0.5 and below 1.
        on_fail: `error` or `warn`.
        by: judge every group of generations that has one value of this label, or of several joined by `+`.
        group: judge this one alone, by its value or by its values joined by `+`; empty for those without the label.
    """

    metric: str
    statistic: str
    level: str
    min: float | None
    max: float | None
    max_drop: float | None
    confidence: float | None
    on_fail: str
    by: str | None = None
    group: str | None = None


@dataclass(frozen=True)
class Moved:
    """A subject that moved from the baseline.

    Attributes:
        subject: its name.
        delta: run minus baseline, in the metric's own numbers.
    """

    subject: str
    delta: float


@dataclass(frozen=True)
class Verdict:
    """One rule on one metric, and one subject, method or group where the rule asks for it.

    Attributes:
        rule: the rule.
        metric: of this verdict; `*` only where the run has no metric to apply the rule to.
        subject, method: of this verdict, or None.
        status: `passed`, `failed` or `warned` (failed, but the rule only warns; or the baseline lacks the group).
        reason: what is wrong, or what was fine, in one line.
        expected: the bounds in words, such as `score >= 0.600, drop <= 0.020`.
        found, baseline: the numbers; None where they do not exist.
        drop: how much worse than the baseline, paired by subject: baseline minus found, or where lower is better found
            minus baseline; None where the rule does not ask for it.
        ci: the two-sided interval of the drop, with the confidence of the rule (0.95 where it has none) for its
            coverage; where several groups are judged together with a larger one. None where there is none.
        moved: the subjects that moved most, worst first.
        higher_is_better: False for the numbers of a distance.
        decimals: with how many of them its numbers are told.
        group: what the generations have in common that it is about, label to value, None for those that lack the label;
            empty for all.
    """

    rule: Rule
    metric: str
    subject: str | None
    method: str | None
    status: str
    reason: str
    expected: str
    found: float | None
    baseline: float | None
    drop: float | None
    ci: Interval | None
    moved: tuple[Moved, ...]
    higher_is_better: bool = True
    decimals: int = 3
    group: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True, repr=False)
class GateResult(Saved):
    """The result of `nearid gate` (schema `nearid.gate/2`).

    In `nearid.gate/1`, `ci` had a coverage of 2 confidence - 1.

    Attributes:
        tool, created: what made it and when (ISO 8601, UTC).
        run, baseline: what was judged and what it was compared with, as they were named; the baseline None without one.
        passed: whether no verdict is `failed`.
        verdicts: rule by rule.
    """

    tool: Tool
    created: str
    run: str
    baseline: str | None
    passed: bool
    verdicts: tuple[Verdict, ...]
    schema = "nearid.gate/2"

    def facts(self) -> dict[str, Any]:
        """What made the verdicts: the JSON without these."""
        facts = self.to_dict()
        del facts["verdicts"]
        return facts

    def _line(self) -> str:
        states = [one.status for one in self.verdicts]
        numbers = [
            f"{states.count(state):,} {state}" for state in ("failed", "warned", "passed") if state in states
        ]
        return (
            f"{'passed' if self.passed else 'failed'}; {count(len(states), 'verdict')}: {', '.join(numbers)}"
        )
