"""What all ranked methods have in common: the subjects, and in each the generations, over which alone they are ranked.

A method that lacks hard subjects or hard prompts has a higher mean without being better. So a rank, and whatever else
puts methods side by side, is over subjects that all ranked methods have, and in each over the prompts (or the pairs of
names) that all have. What a pair of methods has in common is found in results/pairing.py; this is the same for several.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

import numpy as np

from nearid_cli.metrics.intervals import FEW_UNITS, MIN_UNITS, mean_interval
from nearid_cli.metrics.retention import retention
from nearid_cli.results import Common, Image, Interval, ScoreResult, SubjectScores
from nearid_cli.results.pairing import Group, by_subject, match_runs
from nearid_cli.text import count

_Groups = Sequence[Sequence[Image]] | None
"""A subject's generations, such as a group a prompt; None for all of them together."""


@dataclass(frozen=True)
class Ground:
    """The common ground of the ranked methods.

    Attributes:
        subjects: those that all ranked methods have, in the order of the first one.
        prompts: how many prompts of these subjects all have; 0 where prompts do not pair generations.
        groups: by method and subject its generations in the groups that all have, such as one a prompt. A method that
            lacks one of them is not there.
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
        name: {one.subject: one for one in match_runs(results[first], result).subjects}
        for name, result in results.items()
        if name != first
    }
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
            name: {_key(group): group for group in found[subject].groups}
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


def common_scores(name: str, result: ScoreResult, ground: Ground) -> dict[str, Common]:
    """A method's numbers by metric over the common ground; none where it lacks some of that, or there is none."""
    if not ground.subjects or name not in ground.groups:
        return {}
    return {
        metric.name: _common(result, metric.name, ground.groups[name], ground) for metric in result.metrics
    }


def remarks(ground: Ground, results: Mapping[str, ScoreResult], ranked: Sequence[str]) -> tuple[str, ...]:
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


def _common(result: ScoreResult, metric: str, groups: Mapping[str, _Groups], ground: Ground) -> Common:
    known = {one.subject: one.scores[metric] for one in result.subjects}
    own = [known[subject] for subject in ground.subjects]
    scores = [_score(groups[subject], metric, known[subject]) for subject in ground.subjects]
    retained, retained_ci95 = None, None
    if not ground.comparable_context:
        own = [replace(one, floor=None, identification=None) for one in own]
    elif len(own) == len(result.subjects) and not result.outdated:
        whole = result.aggregate[metric]  # it knows more of the noise than the numbers of its subjects tell
        retained, retained_ci95 = whole.retention, whole.retention_ci95
    else:
        retained, retained_ci95 = _retention(scores, own)
    return Common(
        score=_mean_of_known(scores),
        ci95=_cosines(mean_interval([score for score in scores if score is not None])),
        ceiling=_mean_of_known([one.ceiling for one in own]),
        floor=_mean_of_known([one.floor for one in own]),
        retention=retained,
        retention_ci95=retained_ci95,
        identification=_mean_of_known([one.identification for one in own]),
    )


def _cosines(ends: Interval | None) -> Interval | None:
    """An interval of similarities, none of which is beyond -1 or 1."""
    return ends and (max(ends[0], -1.0), min(ends[1], 1.0))


def _retention(
    scores: Sequence[float | None], own: Sequence[SubjectScores]
) -> tuple[float | None, Interval | None]:
    """Over the subjects together, and its interval; none where no subject of its own has a room above its noise."""
    score, ceiling, floor = (
        np.array([math.nan if number is None else number for number in numbers])
        for numbers in (scores, [one.ceiling for one in own], [one.floor for one in own])
    )
    if all(one.within_noise for one in own):
        ceiling[:] = math.nan
    found = retention(score, ceiling, floor, np.zeros(len(own)))
    return (
        None if math.isnan(found.of_all) else found.of_all,
        None if np.isnan(found.ci95).any() else tuple(found.ci95.tolist()),
    )


def _score(groups: _Groups, metric: str, whole: SubjectScores) -> float | None:
    """The mean over groups of the mean in each; the subject's own score where all generations count."""
    if groups is None:
        return whole.score
    return _mean_of_known([_mean_of_known([image.scores[metric] for image in group]) for group in groups])


def _mean_of_known(numbers: Sequence[float | None]) -> float | None:
    known = [number for number in numbers if number is not None]
    return fmean(known) if known else None


def _key(group: Group) -> tuple[str, ...]:
    """What tells a group of the first method from its others."""
    return tuple(image.path for image in group.a)


def _is_whole(result: ScoreResult, groups: Mapping[str, _Groups]) -> bool:
    """Whether the groups hold all generations of their subjects."""
    own = by_subject(result.images)
    return all(
        found is None or sum(map(len, found)) == len(own[subject]) for subject, found in groups.items()
    )


def _references(result: ScoreResult) -> frozenset[str]:
    """The subjects whose references are strangers to all others."""
    return frozenset((*result.subjects.names(), *result.inputs.strangers))
