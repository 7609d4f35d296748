"""What all ranked methods have in common: the subjects, and in each the generations, over which alone they are ranked.

A method that lacks hard subjects or hard prompts has a higher mean without being better. So a rank, and whatever else
puts methods side by side, is over subjects that all ranked methods have, and in each over the prompts (or the pairs of
names) that all have; and by each metric over those of which it has a number in all of them. What a pair of methods has
in common is found in results/pairing.py; this is the same for several.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from statistics import fmean
from typing import NamedTuple

import numpy as np

from nearid_cli.metrics.intervals import FEW_UNITS, MIN_UNITS, mean_interval
from nearid_cli.metrics.retention import retention
from nearid_cli.results import Common, Interval, Metric, ScoreResult, SubjectScores
from nearid_cli.results.pairing import match_runs
from nearid_cli.results.unscored import why_no_score
from nearid_cli.text import count, printable

_Groups = Sequence[Sequence[int]] | None
"""A subject's generations by their places, such as a group a prompt; None for all of them together."""


class Ground(NamedTuple):
    """The common ground of the ranked methods.

    Attributes:
        subjects: those that all ranked methods have, in the order of the first one.
        prompts: how many prompts of these subjects all have; 0 where prompts do not pair generations.
        groups: by method and subject the places of its generations in the groups that all have, such as one a prompt. A
            method that lacks one of them is not there.
        whole: no generation of these subjects is left out.
        one_set_of_strangers: the references of the same subjects stood for strangers in all methods.
    """

    subjects: tuple[str, ...]
    prompts: int
    groups: Mapping[str, Mapping[str, _Groups]]
    whole: bool
    one_set_of_strangers: bool

    @property
    def comparable_context(self) -> bool:
        """Whether floors and shares of identified generations may be put side by side."""
        return self.whole and self.one_set_of_strangers


def common_ground(results: Mapping[str, ScoreResult], ranked: Sequence[str]) -> Ground:
    """Find what the ranked methods have in common.

    Args:
        results: by method.
        ranked: the methods that must have it, at least one. Another one is in `groups` if it has all of it, too.
    """
    first, *others = ranked
    matched = {
        name: {one.subject: one for one in match_runs(results[first], result).found.subjects}
        for name, result in results.items()
        if name != first
    }
    paths = results[first].images.column("path")
    groups: dict[str, dict[str, _Groups]] = {name: {} for name in results}
    prompts = 0
    for subject in results[first].subjects.names():
        if not all(subject in matched[name] for name in others):
            continue
        how = {matched[name][subject].how for name in others}
        if how not in ({"prompts"}, {"names"}):
            for name in results:
                if name == first or subject in matched[name]:
                    groups[name][subject] = None
            continue
        keyed = {
            name: {tuple(paths[place] for place in group.a): group for group in found[subject].groups}
            for name, found in matched.items()
            if subject in found and found[subject].how in how
        }
        shared = {
            key: group
            for key, group in keyed[others[0]].items()
            if all(key in keyed[name] for name in others)
        }
        if not shared:
            continue
        prompts += len(shared) if "prompts" in how else 0
        groups[first][subject] = [group.a for group in shared.values()]
        for name, by_key in keyed.items():
            if shared.keys() <= by_key.keys():
                groups[name][subject] = [by_key[key].b for key in shared]
    subjects = tuple(groups[first])
    return Ground(
        subjects=subjects,
        prompts=prompts,
        groups={name: own for name, own in groups.items() if len(own) == len(subjects)},
        whole=all(_is_whole(results[name], groups[name]) for name in ranked),
        one_set_of_strangers=len({_references(results[name]) for name in ranked}) == 1,
    )


class NumberedGround(NamedTuple):
    """What of the common ground all ranked methods have a number of, by one metric.

    Attributes:
        metric: by which.
        means: by method and subject the mean of each of its groups, of what has a number; None where nothing has.
        places: of each subject that counts, those of its groups that count.
        silent: ranked methods without any number in the common ground, which narrow nothing; they have no rank.
        whole: whether every number in the common ground counts.
    """

    metric: Metric
    means: Mapping[str, Mapping[str, Sequence[float | None]]]
    places: Mapping[str, Sequence[int]]
    silent: tuple[str, ...]
    whole: bool


def numbered_ground(
    metric: Metric, ground: Ground, results: Mapping[str, ScoreResult], ranked: Sequence[str]
) -> NumberedGround:
    """Find what of the common ground all ranked methods have a number of.

    Args:
        metric: by which.
        ground: of these results and methods.
        results: by method.
        ranked: the methods that must have a number.
    """
    found = {name: _means(results[name], groups, metric.name) for name, groups in ground.groups.items()}
    counted = {name: found[name] for name in ranked if any(map(_known, found[name].values()))}
    places = {}
    for subject in ground.subjects if counted else ():
        beside = zip(*(own[subject] for own in counted.values()), strict=True)
        if known := [place for place, means in enumerate(beside) if None not in means]:
            places[subject] = known
    numbers = sum(len(_known(means)) for own in counted.values() for means in own.values())
    return NumberedGround(
        metric=metric,
        means=found,
        places=places,
        silent=tuple(name for name in ranked if name not in counted),
        whole=numbers == len(counted) * sum(map(len, places.values())),
    )


def common_scores(
    name: str, result: ScoreResult, ground: Ground, scored: Sequence[NumberedGround]
) -> dict[str, Common]:
    """A method's numbers by metric over the common ground; none where it lacks some of that, or there is none."""
    if not ground.subjects or name not in ground.groups:
        return {}
    return {one.metric.name: _common(name, result, one, ground) for one in scored}


def remarks(
    ground: Ground,
    scored: Sequence[NumberedGround],
    results: Mapping[str, ScoreResult],
    ranked: Sequence[str],
) -> tuple[str, ...]:
    """What must be known of the ranking: over what it is, where that is not all, and what it therefore lacks."""
    if not ground.subjects:
        return (
            "no subject is common to all ranked methods, so none is ranked: each score is over the subjects that the "
            "method has",
        )
    every = {subject for name in ranked for subject in results[name].subjects.names()}
    lines = []
    over = count(len(ground.subjects), "subject")
    if len(ground.subjects) < len(every):
        over = f"{len(ground.subjects):,} of {count(len(every), 'subject')}"
    if not ground.whole and ground.prompts:
        over += f" and {count(ground.prompts, 'prompt')}"
    if not ground.whole or len(ground.subjects) < len(every):
        lines.append(f"ranked over what all ranked methods have: {over}")
    for one in scored:
        lines += _remarks_on_numbers(one, ground, results, ranked)
    if not ground.one_set_of_strangers:
        lines.append(
            "no floor, retention or identification side by side: the methods were scored against other strangers"
        )
    elif not ground.whole:
        lines.append(
            "no floor, retention or identification side by side: they are known over all generations of a subject only"
        )
    if MIN_UNITS <= len(ground.subjects) < FEW_UNITS:
        lines.append(
            f"intervals over {count(len(ground.subjects), 'subject')} are rough: they rest on an assumed shape more "
            "than on the scores"
        )
    return tuple(lines)


def _remarks_on_numbers(
    scored: NumberedGround, ground: Ground, results: Mapping[str, ScoreResult], ranked: Sequence[str]
) -> Iterator[str]:
    """Which methods a metric has no number of, and over how much less than the common ground it ranks the others."""
    metric = printable(scored.metric.name)
    for name in scored.silent:
        why = why_no_score(results[name].images, scored.metric.name)
        yield f"{printable(name)} is not ranked by {metric}, which has no number of it: {why}"
    if len(scored.silent) == len(ranked):
        return
    if not scored.places:
        yield f"none is ranked by {metric}: there is nothing of which it has a number in all ranked methods"
        return
    sizes = {subject: len(groups) for subject, groups in ground.groups[ranked[0]].items() if groups}
    kept, groups = sum(len(scored.places.get(subject, ())) for subject in sizes), sum(sizes.values())
    over = []
    if len(scored.places) < len(ground.subjects):
        over.append(f"{len(scored.places):,} of {count(len(ground.subjects), 'subject')}")
    if kept < groups:
        over.append(f"{kept:,} of {count(groups, 'prompt' if ground.prompts else 'generation')}")
    if over:
        yield f"by {metric}, ranked over what it has a number of in all ranked methods: {' and '.join(over)}"
    has_floor = any(results[name].aggregate[scored.metric.name].floor is not None for name in ranked)
    if has_floor and not scored.whole and ground.comparable_context:
        yield f"no floor, retention or identification side by side by {metric}, since not all of its numbers count"


def _common(name: str, result: ScoreResult, scored: NumberedGround, ground: Ground) -> Common:
    metric, means = scored.metric, scored.means[name]
    counting = [
        _known([means[subject][place] for place in places]) for subject, places in scored.places.items()
    ]
    if not counting or list(map(len, counting)) != list(map(len, scored.places.values())):
        return Common(None, None, None, None, None, None, None)
    scores = [fmean(own) for own in counting]
    rows = {one.subject: one.scores[metric.name] for one in result.subjects}
    own = [rows[subject] for subject in scored.places]
    retained, retained_ci95 = None, None
    if not (ground.comparable_context and scored.whole):
        own = [replace(one, floor=None, identification=None) for one in own]
    elif len(own) == len(result.subjects) and not result.outdated:
        whole = result.aggregate[
            metric.name
        ]  # it knows more of the noise than the numbers of its subjects tell
        retained, retained_ci95 = whole.retention, whole.retention_ci95
    else:
        retained, retained_ci95 = _retention(metric.sign, scores, own)
    return Common(
        score=fmean(scores),
        ci95=metric.within(mean_interval(scores)),
        ceiling=_mean_of_known([one.ceiling for one in own]),
        floor=_mean_of_known([one.floor for one in own]),
        retention=retained,
        retention_ci95=retained_ci95,
        identification=_mean_of_known([one.identification for one in own]),
    )


def _retention(
    sign: float, scores: Sequence[float], own: Sequence[SubjectScores]
) -> tuple[float | None, Interval | None]:
    """Over the subjects together, and its interval; none where no subject of its own has a room above its noise."""
    score, ceiling, floor = (
        sign * np.array([math.nan if number is None else number for number in numbers])
        for numbers in (scores, [one.ceiling for one in own], [one.floor for one in own])
    )
    if all(one.within_noise for one in own):
        ceiling[:] = math.nan
    found = retention(score, ceiling, floor, np.zeros(len(own)))
    return (
        None if math.isnan(found.of_all) else found.of_all,
        None if np.isnan(found.ci95).any() else tuple(found.ci95.tolist()),
    )


def _means(result: ScoreResult, groups: Mapping[str, _Groups], metric: str) -> dict[str, list[float | None]]:
    """By subject the mean of each of its groups; its own score where all of its generations count."""
    rows = {one.subject: one.scores[metric] for one in result.subjects}
    scores = result.images.scores(metric)

    def mean(group: Sequence[int]) -> float | None:
        if len(group) == 1:  # nearly always, and there are very many
            return scores[group[0]]
        return _mean_of_known([scores[place] for place in group])

    return {
        subject: [rows[subject].score] if own is None else list(map(mean, own))
        for subject, own in groups.items()
    }


def _mean_of_known(numbers: Iterable[float | None]) -> float | None:
    known = _known(numbers)
    return fmean(known) if known else None


def _known(numbers: Iterable[float | None]) -> list[float]:
    return [number for number in numbers if number is not None]


def _is_whole(result: ScoreResult, groups: Mapping[str, _Groups]) -> bool:
    """Whether the groups hold all generations of their subjects."""
    own = Counter(result.images.column("subject"))
    return all(found is None or sum(map(len, found)) == own[subject] for subject, found in groups.items())


def _references(result: ScoreResult) -> frozenset[str]:
    """The subjects whose references are strangers to all others."""
    return frozenset((*result.subjects.names(), *result.inputs.strangers))
