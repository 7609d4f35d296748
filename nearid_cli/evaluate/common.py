"""What all ranked methods have in common: the subjects, and in each the generations, over which alone they are ranked.

A method that lacks hard subjects or hard prompts has a higher mean without being better. So a rank, and whatever else
puts methods side by side, is over subjects that all ranked methods have, and in each over the prompts (or the pairs of
names) that all have. What a pair of methods has in common is found in results/pairing.py; this is the same for several.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nearid_cli.metrics.intervals import mean_interval, ratio_interval
from nearid_cli.results import Common, Image, ScoreResult, SubjectScores
from nearid_cli.results.pairing import by_subject
from nearid_cli.text import count

_Groups = Sequence[Sequence[Image]]


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
    images = {name: by_subject(one.images) for name, one in results.items()}
    matched = {name: _matched(results[first], one) for name, one in results.items() if name != first}
    groups: dict[str, dict[str, _Groups]] = {name: {} for name in results}
    prompts = 0
    for subject in results[first].subjects.names():
        if not all(subject in matched[name] for name in others):
            continue
        hows = {matched[name][subject].how for name in others}
        if len(hows) != 1 or "all" in hows:
            for name, own in images.items():
                if name == first or subject in matched[name]:
                    groups[name][subject] = [own.get(subject, [])]
            continue
        keyed = {
            name: {_key(a): b for a, b in found[subject].groups}
            for name, found in matched.items()
            if subject in found and found[subject].how in hows
        }
        theirs = {_key(a): a for a, _ in matched[others[0]][subject].groups}
        keys = [key for key in theirs if all(key in keyed[name] for name in others)]
        if not keys:
            continue
        prompts += len(keys) if "prompts" in hows else 0
        groups[first][subject] = [theirs[key] for key in keys]
        for name, by_key in keyed.items():
            if all(key in by_key for key in keys):
                groups[name][subject] = [by_key[key] for key in keys]
    subjects = tuple(groups[first])
    whole = all(
        len(images[name].get(subject, [])) == sum(map(len, groups[name][subject]))
        for name in ranked
        for subject in subjects
    )
    return Ground(
        subjects=subjects,
        prompts=prompts,
        groups={name: own for name, own in groups.items() if len(own) == len(subjects)},
        whole=whole,
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
    return tuple(lines)


def _common(result: ScoreResult, metric: str, groups: Mapping[str, _Groups], ground: Ground) -> Common:
    known = {one.subject: one.scores[metric] for one in result.subjects}
    own = [known[subject] for subject in ground.subjects]
    scores = [_score(groups[subject], metric, known[subject]) for subject in ground.subjects]
    room = [
        (score - one.floor, one.ceiling - one.floor)
        for score, one in zip(scores, own, strict=True)
        if one.ceiling is not None and one.floor is not None
    ]
    above, reach = map(np.array, zip(*room, strict=True)) if room else (np.zeros(0), np.zeros(0))
    retains = ground.comparable_context and reach.sum() > 0
    return Common(
        score=float(np.mean(scores)),
        ci95=mean_interval(scores),
        ceiling=_mean([one.ceiling for one in own]),
        floor=_mean([one.floor for one in own]) if ground.comparable_context else None,
        retention=float(above.mean() / reach.mean()) if retains else None,
        retention_ci95=ratio_interval(above, reach) if retains else None,
        identification=_mean([one.identification for one in own]) if ground.comparable_context else None,
    )


def _score(groups: _Groups, metric: str, whole: SubjectScores) -> float:
    """The mean over groups of the mean in each; the subject's own score where no generation is listed."""
    means = [float(np.mean([image.scores[metric] for image in group])) for group in groups if group]
    return float(np.mean(means)) if means else whole.score


def _mean(numbers: Sequence[float | None]) -> float | None:
    known = [number for number in numbers if number is not None]
    return float(np.mean(known)) if known else None


def _key(images: Sequence[Image]) -> tuple[str, ...]:
    return tuple(image.path for image in images)


def _references(result: ScoreResult) -> frozenset[str]:
    """The subjects whose references are strangers to all others."""
    return frozenset((*result.subjects.names(), *getattr(result.inputs, "strangers", ())))


@dataclass(frozen=True)
class _Matched:
    how: str
    groups: Sequence[tuple[Sequence[Image], Sequence[Image]]]


def _matched(a: ScoreResult, b: ScoreResult) -> dict[str, _Matched]:
    """By subject the prompts that both have, or all generations where prompts are not known."""
    found = {}
    mine, theirs = by_subject(a.images), by_subject(b.images)
    present = set(b.subjects.names())
    for subject in a.subjects.names():
        if subject not in present:
            continue
        own = [_by_prompt(images.get(subject, [])) for images in (mine, theirs)]
        if None in own[0] or None in own[1]:
            found[subject] = _Matched("all", [(mine.get(subject, []), theirs.get(subject, []))])
        elif both := [prompt for prompt in own[0] if prompt in own[1]]:
            found[subject] = _Matched("prompts", [(own[0][prompt], own[1][prompt]) for prompt in both])
    return found


def _by_prompt(images: Sequence[Image]) -> dict[str | None, list[Image]]:
    found: dict[str | None, list[Image]] = {}
    for image in images:
        found.setdefault(image.prompt, []).append(image)
    return found
