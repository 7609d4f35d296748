"""Numbers that are missing by accident: null where `missing` does not say that a metric gave none.

A subject without a score is one whose generations all have none; anything else is a file that lost a number.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from nearid_cli.results.score import ScoreResult
from nearid_cli.text import printable


class Hole(NamedTuple):
    """A null where there must be a number.

    Attributes:
        metric: whose.
        subject: of what; None for the aggregate.
        place: in the JSON of the result.
    """

    metric: str
    subject: str | None
    place: str


def holes(result: ScoreResult) -> Iterator[Hole]:
    """The holes of a result whose rows all have all metrics, in the order of its JSON.

    * A subject's `score`, `min` and `max` may be null where `missing` is all of its generations.
    * The aggregate's `score` and `pair_mean` may be null where that is so for every subject.
    * As many generations of a subject may have no score as it says are `missing`.
    """
    names = [metric.name for metric in result.metrics]
    for i, subject in enumerate(result.subjects):
        for name in names:
            scores = subject.scores[name]
            for number in ("score", "min", "max") if scores.missing < subject.generations else ():
                if getattr(scores, number) is None:
                    yield Hole(name, subject.subject, f"subjects[{i}].scores.{printable(name)}.{number}")
    for name in names:
        unscored = [one.scores[name].missing >= one.generations for one in result.subjects]
        for number in () if unscored and all(unscored) else ("score", "pair_mean"):
            if getattr(result.aggregate[name], number) is None:
                yield Hole(name, None, f"aggregate.{printable(name)}.{number}")
    said = {(one.subject, name): one.scores[name].missing for one in result.subjects for name in names}
    found: Counter[tuple[str, str]] = Counter()
    for i, image in enumerate(result.images):
        for name in names:
            if image.scores[name] is None:
                found[image.subject, name] += 1
                if found[image.subject, name] > said.get((image.subject, name), 0):
                    yield Hole(name, image.subject, f"images[{i}].scores.{printable(name)}")
