"""The numbers that rules are about, looked up in a finished result."""

from __future__ import annotations

import math
from collections.abc import KeysView, Mapping
from functools import cached_property

from nearid_cli.gate.rules import DIVERSITIES, RETENTION
from nearid_cli.results import CompareResult, Image, Metric, ScoreResult
from nearid_cli.results.correspondence import by_subject
from nearid_cli.results.gate import COPIES, MISSING, NEAR_COPIES
from nearid_cli.results.holes import holes
from nearid_cli.results.unscored import reason_of, why_no_score
from nearid_cli.text import printable

Result = ScoreResult | CompareResult

NEEDS = {
    "margin": "it takes distractors, as in nearid score --distractors DIR",
    RETENTION: "it takes two subjects with two references each, and ceilings above the floors",
    "identification": "it takes two subjects",
    COPIES: "the result does not list all of its generations",
    NEAR_COPIES: "it takes two references of a subject",
    "diversity": "it takes two generations of a subject",
    "prompt_diversity": "it takes two generations of one prompt",
}
"""What it takes for a statistic to exist."""

_NORMAL = 1.96  # the 97.5 % quantile
_OF_SCORES = ("score", "pair_mean")
_OF_PAIRS = (RETENTION, "identification")
NOT_OF_ALL = (NEAR_COPIES, *DIVERSITIES)
"""Statistics of all that leave out subjects which cannot have them."""
ON_SCALE = (*_OF_SCORES, "margin")
"""Statistics in the metric's own numbers. Others are counts, or shares of which a higher one is better."""


def parts(result: Result) -> dict[str | None, Numbers]:
    """The numbers of each method by its name, in order; those of a score result under None."""
    return {method: Numbers(run) for method, run in result.runs.items()}


def metrics(result: Result) -> Mapping[str, Metric]:
    """The metrics of a result by name, in order."""
    return {metric.name: metric for metric in result.metrics}


def most_missing(expected: float) -> int:
    """So many scores a run lacks by chance, or fewer, in 97.5 % of runs, where another one lacks as many as expected.

    Square roots of two Poisson counts + 3/8 differ with a variance of 1/2 (Anscombe, "The Transformation of Poisson,
    Binomial and Negative-Binomial Data", 1948).

    >>> most_missing(0), most_missing(1), most_missing(30)
    (4, 7, 48)
    """
    root = math.sqrt(expected + 3 / 8) + _NORMAL / math.sqrt(2)
    return math.ceil(root**2 - 3 / 8)


class Numbers:
    """The numbers of one method.

    Attributes:
        result: that they are of.
    """

    def __init__(self, result: ScoreResult) -> None:
        self.result = result
        self._subjects = {subject.subject: subject for subject in result.subjects}

    @property
    def lists_all(self) -> bool:
        """Whether the result lists all of its generations."""
        return len(self.result.images) >= sum(one.generations for one in self._subjects.values())

    @property
    def subjects(self) -> KeysView[str]:
        """Their names, in the result's order."""
        return self._subjects.keys()

    def generations(self, subject: str | None = None) -> list[Image]:
        """The generations of a subject, or of all."""
        return list(self.result.images) if subject is None else self._images.get(subject, [])

    def number(self, metric: str, statistic: str, subject: str | None = None) -> float | None:
        """A statistic of a subject, or of all of them together; None where it does not exist."""
        if statistic == COPIES:
            return self._copies(subject)
        if statistic == MISSING:
            return self.missing(metric, subject)[0]
        if statistic in _OF_SCORES and self._is_lost(metric, subject):
            return None
        if statistic == RETENTION and self.is_outdated(metric):
            return None
        scores = self.result.aggregate if subject is None else self._subjects[subject].scores
        number: float | None = getattr(scores.get(metric), statistic, None)
        return number

    def why_none(self, metric: str, statistic: str, subject: str | None = None) -> str:
        """What it takes for a statistic to exist that does not, or nothing."""
        made = metrics(self.result).get(metric)
        side = "below" if made and not made.higher_is_better else "above"
        if statistic == RETENTION:
            if self.is_outdated(metric):
                return "an older nearid made the result, whose retention meant something else; score it again"
            scores = None if subject is None else self._subjects[subject].scores.get(metric)
            if scores is not None and scores.within_noise:
                return f"its ceiling is no farther {side} its floor than chance may put it"
        if self.silent(metric, subject):
            return why_no_score(self.generations(subject), metric)
        if made is not None and statistic in NOT_OF_ALL:
            if made.against != Metric.against or (statistic in DIVERSITIES and made.kind != Metric.kind):
                return f"{printable(made.kind)} scores have none"
            if self._possible(metric, statistic, subject):
                return "an older nearid made the result; score it again"
        if made is not None and not made.usual and statistic in (*_OF_PAIRS, "margin"):
            if statistic == "margin" or made.against != Metric.against:
                return f"{printable(made.kind)} scores have none"
            if self.result.aggregate[metric].floor is None:
                return "it takes every generation against every reference: nearid score --pairs all"
        return NEEDS.get(statistic, "").replace("above", side)

    def silent(self, metric: str, subject: str | None = None) -> bool:
        """Whether the metric has no number of any generation of a subject, or of all."""
        missing, generations = self.missing(metric, subject)
        return 0 < generations <= missing

    def missing(self, metric: str, subject: str | None = None) -> tuple[int, int]:
        """Of how many generations of a subject, or of all, the metric has no number, and how many there are."""
        rows = self._subjects.values() if subject is None else [self._subjects[subject]]
        known = [row for row in rows if metric in row.scores]
        return sum(row.scores[metric].missing for row in known), sum(row.generations for row in known)

    def counted(self, metric: str, statistic: str, subject: str | None = None) -> list[str]:
        """The generations that a count is of; those without a score with the reason, near copies with the reference."""
        images = self.generations(subject)
        if statistic == COPIES:
            return [image.path for image in images if image.copy_of is not None]
        if statistic == NEAR_COPIES:
            return [f"{image.path} ({of})" for image in images if (of := image.near_copy_of.get(metric))]
        return [
            f"{image.path} ({reason_of(image, metric)})" for image in images if image.scores[metric] is None
        ]

    def lacking(self, metric: str, statistic: str) -> list[str]:
        """The subjects that do not have a statistic."""
        return [subject for subject in self.subjects if self.number(metric, statistic, subject) is None]

    def retention_parts(self, metric: str, subject: str) -> tuple[float, float] | None:
        """What a subject adds to the retention of all: score - floor, and ceiling - floor; None if one is missing."""
        scores = self._subjects[subject].scores.get(metric)
        if scores is None or self.is_outdated(metric):
            return None
        score, ceiling, floor = scores.score, scores.ceiling, scores.floor
        return None if score is None or ceiling is None or floor is None else (score - floor, ceiling - floor)

    def _possible(self, metric: str, statistic: str, subject: str | None) -> bool:
        """Whether near copies or diversity could be told of what was scored."""
        rows = self._subjects.values() if subject is None else [self._subjects[subject]]
        if statistic == NEAR_COPIES:
            return any(row.scores[metric].ceiling is not None for row in rows)
        return any(
            row.scores[metric].diversity is None and row.generations - row.scores[metric].missing > 1
            for row in rows
        )

    def is_outdated(self, metric: str) -> bool:
        """Whether an older release made the numbers of a metric."""
        return any(one.name == metric and one.outdated for one in self.result.metrics)

    def _is_lost(self, metric: str, subject: str | None) -> bool:
        """Whether a score of the subject is missing by accident; of all, that of any: no mean may go without it."""
        lost = self.lost.get(metric, set())
        return bool(lost) if subject is None else subject in lost

    @cached_property
    def lost(self) -> Mapping[str, set[str | None]]:
        """By metric the subjects of which a score is missing by accident; None among them for all together."""
        found: dict[str, set[str | None]] = {}
        for hole in holes(self.result):
            found.setdefault(hole.metric, set()).add(hole.subject)
        return found

    def _copies(self, subject: str | None) -> int | None:
        """How many generations copy a reference; None where the result does not list all generations."""
        images = self.generations(subject)
        subjects = self._subjects.values() if subject is None else [self._subjects[subject]]
        if len(images) < sum(one.generations for one in subjects):
            return None
        return sum(image.copy_of is not None for image in images)

    @cached_property
    def _images(self) -> Mapping[str, list[Image]]:
        return by_subject(self.result.images)
