"""The numbers that rules are about, looked up in a finished result."""

from __future__ import annotations

import math
from collections.abc import Iterator, KeysView, Mapping
from functools import cached_property

from nearid_cli.gate.rules import COPIES
from nearid_cli.results import CompareResult, Image, Metric, ScoreResult
from nearid_cli.results.pairing import by_subject

Result = ScoreResult | CompareResult


def parts(result: Result) -> dict[str | None, Numbers]:
    """The numbers of each method by its name, in order; those of a score result under None."""
    if isinstance(result, ScoreResult):
        return {None: Numbers(result)}
    return {method.name: Numbers(method.result) for method in result.methods}


def metrics(result: Result) -> Mapping[str, Metric]:
    """The metrics of a result by name, in order."""
    return {metric.name: metric for metric in result.metrics}


def known(number: float | None) -> float | None:
    """A number, or None where there is none, be it a hole in the file or unknown on purpose."""
    return None if number is None or math.isnan(number) else number


class Numbers:
    """The numbers of one method."""

    def __init__(self, result: ScoreResult) -> None:
        self._result = result
        self._subjects = {subject.subject: subject for subject in result.subjects}

    @property
    def subjects(self) -> KeysView[str]:
        """Their names, in the result's order."""
        return self._subjects.keys()

    def generations(self, subject: str | None = None) -> list[Image]:
        """The generations of a subject, or of all."""
        return list(self._result.images) if subject is None else self._images.get(subject, [])

    def number(self, metric: str, statistic: str, subject: str | None = None) -> float | None:
        """A statistic of a subject, or of all of them together; None where it does not exist."""
        if statistic == COPIES:
            return self._copies(subject)
        if subject is None and any(math.isnan(one) for one in self._of_subjects(metric, statistic)):
            return None  # a mean over subjects that lacks one of them
        scores = self._result.aggregate if subject is None else self._subjects[subject].scores
        return known(getattr(scores.get(metric), statistic, None))

    def _of_subjects(self, metric: str, statistic: str) -> Iterator[float]:
        """What the file says of each subject, without what is unknown on purpose; NaN for a hole."""
        for subject in self._subjects.values():
            number = getattr(subject.scores.get(metric), statistic, None)
            if number is not None:
                yield number

    def _copies(self, subject: str | None) -> int | None:
        """How many generations copy a reference; None where the result does not list all generations."""
        images = self.generations(subject)
        subjects = self._subjects.values() if subject is None else [self._subjects[subject]]
        if len(images) < sum(one.generations for one in subjects):
            return None
        return sum(image.copy_of is not None for image in images)

    @cached_property
    def _images(self) -> Mapping[str, list[Image]]:
        return by_subject(self._result.images)
