"""What of two runs is compared with what, with their scores: see results/correspondence.py for what corresponds.

No run is better because a metric has no number of its hard generations: what is compared by a metric is what both
runs have a number of.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean
from typing import NamedTuple

from nearid_cli.results.correspondence import Correspondence, Corresponding, How, calls_of, correspondence
from nearid_cli.results.images import Image, Images
from nearid_cli.results.score import ScoreResult, Subject, SubjectScores


class Group(NamedTuple):
    """Generations of one subject that are compared: `a` of one run with `b` of the other, neither empty.

    `name` is their prompt as it is written, or their name; empty for all generations of the subject.
    """

    name: str
    a: tuple[Image, ...]
    b: tuple[Image, ...]

    def difference(self, metric: str, statistic: str = "score") -> float | None:
        """Mean of `a` minus mean of `b`, over the generations that have a score by the metric.

        None where no generation of `a`, or none of `b`, has one. NaN where one has a score and no such number.
        """
        if statistic == "score" and len(self.a) == len(self.b) == 1:  # nearly always, and there are very many
            one, other = self.a[0].scores[metric], self.b[0].scores[metric]
            return None if one is None or other is None else one - other
        a, b = (_numbers(images, metric, statistic) for images in (self.a, self.b))
        return fmean(a) - fmean(b) if a and b else None

    def counts(self, metric: str) -> bool:
        """Whether generations of both have a score by the metric."""
        if len(self.a) == len(self.b) == 1:
            return self.a[0].scores[metric] is not None and self.b[0].scores[metric] is not None
        return all(any(one.scores[metric] is not None for one in images) for images in (self.a, self.b))

    def unscored(self, metric: str) -> tuple[tuple[Image, ...], tuple[Image, ...]]:
        """The generations of `a` and of `b` without a score by the metric; where those are all of one, all of both."""
        if not self.counts(metric):
            return self.a, self.b
        if len(self.a) == len(self.b) == 1:
            return (), ()
        a, b = (tuple(one for one in images if one.scores[metric] is None) for images in (self.a, self.b))
        return a, b


class Matched(NamedTuple):
    """One subject of two runs.

    Attributes:
        subject: its name.
        how: what its groups are: `prompts` both have, pairs by `names`, or `all` generations as one.
        a, b: the subject as each run scored it.
        groups: in the order of their names; none where prompts are known and not one is in both: the subject takes
            no part.
        lacking_a, lacking_b: prompts that `a` (or `b`) lacks and the other has, as that one writes them.
        alone_a, alone_b: generations in no group.
        takes_part: whether there is anything to compare: where prompts are known, one that both have.
        unheeded_prompts: whether some prompts are known, and decide nothing.
    """

    subject: str
    how: How
    a: Subject
    b: Subject
    groups: tuple[Group, ...]
    lacking_a: tuple[str, ...] = ()
    lacking_b: tuple[str, ...] = ()
    alone_a: tuple[Image, ...] = ()
    alone_b: tuple[Image, ...] = ()
    takes_part: bool = True
    unheeded_prompts: bool = False

    def difference(self, metric: str, statistic: str = "score") -> float | None:
        """`a` minus `b`: the mean of `units`. None where there is none, or a number is missing by accident.

        Args:
            metric: the name of a metric of both.
            statistic: `score` or `margin`.
        """
        return _mean(self.units(metric, statistic))

    def units(self, metric: str, statistic: str = "score") -> list[float]:
        """`a` minus `b` of each group that both have a score of: what varies within the subject.

        NaN where a generation, or the subject, has a score and no such number.
        """
        if self.how != "all":
            differences = [group.difference(metric, statistic) for group in self.groups]
            return [one for one in differences if one is not None]
        a, b = (one.scores[metric] for one in (self.a, self.b))
        if a.score is None or b.score is None:
            return []
        return [_of_subject(a, statistic) - _of_subject(b, statistic)]

    def unscored(self, metric: str) -> tuple[tuple[Image, ...], tuple[Image, ...]]:
        """The generations of `a` and of `b` in its groups that take no part by a metric."""
        found = [group.unscored(metric) for group in self.groups]
        a, b = (tuple(image for sides in found for image in sides[side]) for side in (0, 1))
        return a, b


class Counted(NamedTuple):
    """How many groups both runs have a score of by a metric, by what they are; and the generations without a part."""

    groups: Counter[How]
    unscored_a: int
    unscored_b: int


@dataclass(frozen=True)
class Matching:
    """The subjects that two runs have in common.

    Attributes:
        a, b: the runs.
        found: what of them corresponds.
    """

    a: ScoreResult
    b: ScoreResult
    found: Correspondence

    @cached_property
    def subjects(self) -> tuple[Matched, ...]:
        """In the order of the first run."""
        return tuple(map(self._matched, self.found.subjects))

    @cached_property
    def _scored(self) -> tuple[Mapping[str, Subject], Mapping[str, Subject]]:
        """The subjects as each run scored them, by name."""
        a, b = ({one.subject: one for one in run.subjects} for run in (self.a, self.b))
        return a, b

    @property
    def coinciding(self) -> int:
        """How many generations of a run have one name in both, where prompts do not decide.

        Whether that is enough to pair them shows in the subjects.
        """
        return self.found.coinciding

    @property
    def prompts_differ(self) -> bool:
        """Prompts are known, but no subject has one that is in both runs, so they decide nothing."""
        return self.found.prompts_differ

    @property
    def placeholders(self) -> tuple[str, ...]:
        """Words of prompts that were left out to compare them.

        One run has them in all prompts of a subject, and the other in none.
        """
        return self.found.placeholders

    def differences(self, metric: str) -> dict[str, float]:
        """`a` minus `b` of each subject that has a difference by a metric: `Matched.difference`, without its rows."""
        a, b = self._scores(metric)
        made = {}
        for one in self.found.subjects:
            if one.pairs is None:
                difference = self._matched(one).difference(metric)
            else:
                difference = _mean(
                    [x - y for i, j in one.pairs if (x := a[i]) is not None and (y := b[j]) is not None]
                )
            if difference is not None:
                made[one.subject] = difference
        return made

    def counted(self, metric: str) -> Counted:
        """How many groups and generations take part by a metric."""
        a, b = self._scores(metric)
        everywhere = None not in a and None not in b
        groups = Counter[How]()
        unscored = [0, 0]
        for one in self.found.subjects:
            if one.pairs is None:
                matched = self._matched(one)
                groups[one.how] += sum(group.counts(metric) for group in matched.groups)
                lacking = list(map(len, matched.unscored(metric)))
            else:
                all_of_them = len(one.pairs)
                known = (
                    all_of_them
                    if everywhere
                    else sum(a[i] is not None and b[j] is not None for i, j in one.pairs)
                )
                groups[one.how] += known
                lacking = [all_of_them - known] * 2
            unscored = [so_far + more for so_far, more in zip(unscored, lacking, strict=True)]
        return Counted(groups, *unscored)

    def _scores(self, metric: str) -> tuple[Sequence[float | None], Sequence[float | None]]:
        """Of the generations of both runs."""
        return self.a.images.scores(metric), self.b.images.scores(metric)

    def _matched(self, one: Corresponding) -> Matched:
        (a, b), (mine, theirs) = (self.a.images, self.b.images), self._scored
        return Matched(
            subject=one.subject,
            how=one.how,
            a=mine[one.subject],
            b=theirs[one.subject],
            groups=tuple(Group(name, _at(a, of_a), _at(b, of_b)) for name, of_a, of_b in one.groups),
            lacking_a=one.lacking_a,
            lacking_b=one.lacking_b,
            alone_a=_at(a, one.alone_a),
            alone_b=_at(b, one.alone_b),
            takes_part=one.takes_part,
            unheeded_prompts=one.unheeded_prompts,
        )


def match_runs(a: ScoreResult, b: ScoreResult) -> Matching:
    """What of two runs is compared with what.

    * Prompts: in a subject where both know the prompts of nearly all generations (90 %), each prompt that both have is
      a group, however many generations it has; they may call the subject by other placeholders ("a sks dog"). A subject
      without any takes no part. Where no subject has any, prompts decide nothing: all generations are compared.
    * Names, of the other subjects: a generation corresponds to the one with the same path below the subject's folder
      but for the extension, unless their prompts or seeds are known to differ or the name is ambiguous. Such pairs are
      the groups if 90 % of the generations of the run that has fewer are in one, and half of the other's, and half of
      the subject's own.
    * Otherwise all generations of the subject are compared.

    The order of subjects and generations does not matter, and exchanging the runs exchanges everything found.
    """
    theirs = set(b.subjects.names())
    common = tuple(name for name in a.subjects.names() if name in theirs)
    return Matching(a, b, correspondence(a.images.once(calls_of), b.images.once(calls_of), common))


def _at(images: Images, places: Sequence[int]) -> tuple[Image, ...]:
    return tuple(images[place] for place in places)


def _mean(units: Sequence[float]) -> float | None:
    """None where there are none, or one is not known."""
    mean = fmean(units) if units else math.nan
    return None if math.isnan(mean) else mean


def _numbers(images: Sequence[Image], metric: str, statistic: str) -> list[float]:
    """Of the generations that have a score."""
    if statistic == "score":
        return [score for image in images if (score := image.scores[metric]) is not None]
    scored = (image for image in images if image.scores[metric] is not None)
    return [(image.margins or {}).get(metric, math.nan) for image in scored]


def _of_subject(scores: SubjectScores, statistic: str) -> float:
    number = scores.score if statistic == "score" else scores.margin
    return math.nan if number is None else number
