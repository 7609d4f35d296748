"""What is judged side by side: a run and its baseline, of all generations or of the groups that a rule asks for."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean

import numpy as np

from nearid_cli.breakdown.labels import Breakdown, Labels, read_breakdowns
from nearid_cli.breakdown.restrict import split
from nearid_cli.breakdown.spelling import spelled_as
from nearid_cli.errors import UsageError
from nearid_cli.gate.drops import Both
from nearid_cli.gate.numbers import Numbers, Result, metrics, parts
from nearid_cli.gate.rules import DIVERSITIES, OF_WHOLE_SUBJECTS, RETENTION
from nearid_cli.metrics.retention import retention
from nearid_cli.results import Rule, ScoreResult
from nearid_cli.text import did_you_mean, printable

Methods = Mapping[str | None, Numbers]


class GroupNumbers(Numbers):
    """The numbers of some generations of a method.

    What a single generation has is had of any group; what it takes more for, such as retention, of subjects that are in
    the group with all of their generations, or where the result was asked for such groups (`nearid score --by`).
    """

    def __init__(self, result: ScoreResult, of_all: Numbers, by: str) -> None:
        """`result` is that of `of_all` as if it had only these generations, told apart by labels."""
        super().__init__(result)
        self._of_all = of_all
        self._by = by

    def number(self, metric: str, statistic: str, subject: str | None = None) -> float | None:
        """As of all generations."""
        if subject is not None and self._has_all_of(subject):
            return self._of_all.number(metric, statistic, subject)
        found = super().number(metric, statistic, subject)
        if found is not None or subject is not None or not all(map(self._has_all_of, self.subjects)):
            return found
        if statistic == RETENTION:
            return self._retention(metric)
        own = [self.number(metric, statistic, name) for name in self.subjects]
        known = [one for one in own if one is not None]
        return fmean(known) if known and statistic in OF_WHOLE_SUBJECTS else None

    def retention_parts(self, metric: str, subject: str) -> tuple[float, float] | None:
        """As of all generations."""
        return self._of_all.retention_parts(metric, subject) if self._has_all_of(subject) else None

    def why_none(self, metric: str, statistic: str, subject: str | None = None) -> str:
        """As of all generations, or that it is not known of this group."""
        names = list(self.subjects) if subject is None else [subject]
        without = all(self._of_all.number(metric, statistic, name) is None for name in names)
        if statistic not in OF_WHOLE_SUBJECTS or without:
            return self._of_all.why_none(metric, statistic, subject)
        if subject is not None:
            return "the group has not all generations of the subject"
        if statistic in DIVERSITIES:
            return "it is known of groups that have all generations of a subject"
        return f"the result does not tell it of such groups: nearid score --by {printable(self._by)}"

    @cached_property
    def lost(self) -> Mapping[str, set[str | None]]:
        """Those of all: the numbers of the group were made without what is lost."""
        return {metric: lost & self.subjects for metric, lost in self._of_all.lost.items()}

    def _has_all_of(self, subject: str) -> bool:
        return len(self.generations(subject)) == len(self._of_all.generations(subject))

    def _retention(self, metric: str) -> float | None:
        """Where no subject's room is within its noise, and so neither is that of all of them."""
        rows = [one.scores[metric] for one in self._of_all.result.subjects if one.subject in self.subjects]
        if self._of_all.is_outdated(metric) or any(row.within_noise for row in rows):
            return None
        numbers = [(row.score, row.ceiling, row.floor) for row in rows]
        known = np.array([row for row in numbers if None not in row], np.float64).reshape(-1, 3)
        score, ceiling, floor = metrics(self.result)[metric].sign * known.T
        found = retention(score, ceiling, floor, np.zeros(len(known))).of_all
        return None if math.isnan(found) else found


@dataclass(frozen=True)
class Judged:
    """A run and its baseline, or one group of generations of both.

    Attributes:
        labels: what the generations have in common; empty for all.
        runs, baselines: by method, of those that have any such generation.
    """

    labels: Labels
    runs: Methods
    baselines: Methods

    @cached_property
    def boths(self) -> Mapping[str | None, Both]:
        """The methods that both sides have."""
        return {
            method: Both(run, self.baselines[method])
            for method, run in self.runs.items()
            if method in self.baselines
        }


class GroupsError(Exception):
    """A rule asks for groups that a run does not have; what is said is why."""


class Groups:
    """A run and its baseline, and both by groups.

    Attributes:
        whole: of all generations.
    """

    def __init__(self, run: Result, baseline: Result | None) -> None:
        self.whole = Judged({}, parts(run), {} if baseline is None else parts(baseline))
        self._known: dict[tuple[str, ...], list[Judged]] = {}

    def of(self, rule: Rule) -> list[Judged]:
        """What a rule is to be judged on: all, or each group in the order of its values.

        Groups that only the baseline has are among them, since what the run lost would be judged nowhere.

        Raises:
            GroupsError: there are none such.
        """
        if rule.by is None:
            return [self.whole]
        breakdown = self._breakdown(rule.by)
        found = self._by(breakdown)
        if rule.group is None:
            return found
        wanted = [part for part in found if _is_named(breakdown, part.labels, rule.group)]
        if not any(part.runs for part in wanted):
            names = [_name(part.labels) for part in found if part.runs]
            there = " (the baseline has)" if wanted else ""
            raise GroupsError(
                f"the run has no {printable(breakdown.name)} {printable(rule.group) or 'that is empty'}{there}: "
                f"{printable(did_you_mean(rule.group, names))}"
            )
        return wanted

    def _breakdown(self, by: str) -> Breakdown:
        images = [image for run in self.whole.runs.values() for image in run.generations()]
        try:
            breakdowns = read_breakdowns([by], images)
        except UsageError as error:
            raise GroupsError(error.message) from None
        if len(breakdowns) > 1:
            raise GroupsError(f"by names several ways at once ({printable(by)}): write a rule for each")
        return breakdowns[0]

    def _by(self, breakdown: Breakdown) -> list[Judged]:
        if breakdown.labels not in self._known:
            self._known[breakdown.labels] = [*_parts(breakdown, self.whole)]
        return self._known[breakdown.labels]


def _parts(breakdown: Breakdown, whole: Judged) -> Iterator[Judged]:
    """Both sides by the groups that either has."""
    sides = whole.runs, whole.baselines
    every = [numbers for side in sides for numbers in side.values()]
    if not all(numbers.lists_all for numbers in every):
        raise GroupsError("the run or the baseline does not list all of its generations")
    results = [
        {method: _alike(numbers, whole.runs.get(method)) for method, numbers in side.items()}
        for side in sides
    ]
    groups = breakdown.groups(image for side in results for one in side.values() for image in one.images)
    of_methods = [
        {
            method: {
                breakdown.key_of(labels): GroupNumbers(result, side[method], breakdown.name)
                for labels, result in split(one, breakdown)
            }
            for method, one in spelled.items()
        }
        for side, spelled in zip(sides, results, strict=True)
    ]
    for key, labels in groups.items():
        runs, baselines = (
            {method: own[key] for method, own in side.items() if key in own} for side in of_methods
        )
        yield Judged(labels, runs, baselines)


def _alike(numbers: Numbers, run: Numbers | None) -> ScoreResult:
    """A result with its prompts as the run writes them."""
    return numbers.result if run is None or run is numbers else spelled_as(numbers.result, run.result)


def _is_named(breakdown: Breakdown, labels: Labels, name: str) -> bool:
    """Whether a group is meant by its values, joined by `+`; a prompt by any way of writing it."""
    (label, *others) = breakdown.labels
    if not others and name:
        return breakdown.key_of(labels) == breakdown.key_of({label: name})
    return _name(labels) == name


def _name(labels: Labels) -> str:
    """What a rule calls a group.

    >>> _name({"category": "animal", "seed": "3"}), _name({"category": None})
    ('animal+3', '')
    """
    return "+".join(value or "" for value in labels.values())
