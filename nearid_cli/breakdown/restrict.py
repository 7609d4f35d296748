"""A finished result as if only some of its generations existed: what the numbers of these alone tell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from nearid_cli.breakdown.labels import Breakdown, Labels, is_in, same_group
from nearid_cli.breakdown.numbers import aggregate_scores, subject_scores
from nearid_cli.metrics.distractors import Margins, summarise_margins
from nearid_cli.metrics.summary import IdentityScores, summarise
from nearid_cli.results import (
    AggregateScores,
    Image,
    Inputs,
    Metric,
    ScoredGroup,
    ScoreResult,
    Subject,
    Subjects,
    SubjectScores,
)
from nearid_cli.results.correspondence import compared_prompt
from nearid_cli.results.images import Images

Floats = npt.NDArray[np.float64]


def of_group(result: ScoreResult, labels: Labels) -> ScoreResult:
    """The result as if it had only the generations with these values.

    Scores, their intervals, margins and near copies follow from the generations' own; ceilings stay. What needs the
    references of strangers, such as floors, the result knows of groups that it was asked for (`groups`), over all
    subjects; else it is None. Subjects without any of the generations are strangers. A subject that has generations
    which are one picture has no intervals.

    A `pair_mean` weighs a generation with all references of its subject that count, where single pairs lack a number.
    """
    images = [one for one in result.images if is_in(one, labels)]
    return _of_images(
        result, images, next((one for one in result.groups if same_group(one.labels, labels)), None)
    )


def split(result: ScoreResult, breakdown: Breakdown) -> list[tuple[Labels, ScoreResult]]:
    """The result by each group of a breakdown, as `of_group`, in the groups' order."""
    groups = breakdown.groups(result.images)
    members: dict[object, list[Image]] = {key: [] for key in groups}
    for image in result.images:
        members[breakdown.key(image)].append(image)
    known = {
        breakdown.key_of(one.labels): one
        for one in result.groups
        if one.labels.keys() == set(breakdown.labels)
    }
    return [(labels, _of_images(result, members[key], known.get(key))) for key, labels in groups.items()]


def _of_images(result: ScoreResult, images: Sequence[Image], known: ScoredGroup | None) -> ScoreResult:
    """With only these generations; `known` is what the result says of them."""
    present = {one.subject for one in images}
    subjects = [one for one in result.subjects if one.subject in present]
    places = {one.subject: place for place, one in enumerate(subjects)}
    own = np.array([places[one.subject] for one in images], np.intp)
    units = _units(images)
    rows: list[dict[str, SubjectScores]] = [{} for _ in subjects]
    aggregate: dict[str, AggregateScores] = {}
    for metric in result.metrics if images else ():
        numbers = _numbers(metric, subjects, images, own, units)
        margins = _margins(metric.name, images, own, units)
        closest = [one.scores[metric.name].closest for one in subjects]
        near = np.bincount(own, [metric.name in one.near_copy_of for one in images]).astype(int).tolist()
        there = [number for number, found in zip(near, closest, strict=True) if found is not None]
        aggregate[metric.name] = replace(
            aggregate_scores(numbers, margins), near_copies=sum(there) if there else None
        )
        for place, scores in enumerate(subject_scores(numbers, margins, own)):
            copied = None if closest[place] is None else near[place]
            rows[place][metric.name] = replace(scores, closest=closest[place], near_copies=copied)
    if not images:
        aggregate = {metric.name: _NOTHING for metric in result.metrics}
    counts = np.bincount(own, minlength=len(subjects)).tolist()
    several = {one.subject for one in subjects if _has_same(one, result.inputs)}
    kept = [
        replace(
            one,
            generations=number,
            scores={
                name: replace(found, ci95=None, positive_margins_ci95=None)
                if one.subject in several
                else found
                for name, found in scores.items()
            },
        )
        for one, number, scores in zip(subjects, counts, rows, strict=True)
    ]
    return replace(
        result,
        inputs=replace(
            result.inputs,
            subjects=len(kept),
            reference_images=sum(one.references for one in kept),
            generation_images=len(images),
            strangers=(
                *(one for one in result.subjects.names() if one not in present),
                *result.inputs.strangers,
            ),
        ),
        subjects=Subjects(kept),
        aggregate=aggregate if known is None else known.aggregate,
        images=Images(images),
        context={},
        groups=(),
    )


_NOTHING = AggregateScores(None, None, None, None, None, None, None)


def _numbers(
    metric: Metric,
    subjects: Sequence[Subject],
    images: Sequence[Image],
    own: npt.NDArray[np.intp],
    units: npt.NDArray[np.intp] | None,
) -> IdentityScores:
    unknown = np.full(len(images), np.nan)
    pairs = np.array([_pairs(metric, one) for one in subjects], np.intp)
    return summarise(
        _floats(one.scores[metric.name] for one in images),
        own,
        units,
        pairs=pairs[own],
        strangers=unknown,
        identified=unknown,
        ceiling=_floats(one.scores[metric.name].ceiling for one in subjects),
        ceiling_error=np.zeros(len(subjects)),  # of no account without a floor
        limits=metric.range,
        sign=metric.sign,
    )


def _has_same(subject: Subject, inputs: Inputs) -> bool:
    """Whether some of its generations are one picture: which ones, a result does not say, nor so what its units are."""
    return any(line.startswith(f"{subject.subject}: ") for line in inputs.same_generations)


def _pairs(metric: Metric, subject: Subject) -> int:
    """Of how many pairs the number of one of its generations is the mean."""
    if metric.against != "references":
        return 1
    return max(1, subject.references - len(subject.reasons.get(metric.name, ())))


def _margins(
    metric: str, images: Sequence[Image], own: npt.NDArray[np.intp], units: npt.NDArray[np.intp] | None
) -> Margins | None:
    found = _floats((one.margins or {}).get(metric) for one in images)
    return None if np.isnan(found).all() else summarise_margins(found, own, units)


def _units(images: Sequence[Image]) -> npt.NDArray[np.intp] | None:
    """Which generations of a subject are one unit of its intervals: those of one prompt, if it has several."""
    prompts: dict[str, dict[str, int]] = {}
    for image in images:
        if image.prompt is not None:
            own = prompts.setdefault(image.subject, {})
            own.setdefault(compared_prompt(image.prompt), len(own))
    if all(len(own) < 2 for own in prompts.values()):
        return None
    return np.array([_unit(place, image, prompts) for place, image in enumerate(images)], np.intp)


def _unit(place: int, image: Image, prompts: Mapping[str, Mapping[str, int]]) -> int:
    """Those of a prompt are numbered up from 0, and generations that are units by themselves down from -1."""
    own = prompts.get(image.subject, {})
    return own[compared_prompt(image.prompt)] if image.prompt is not None and len(own) > 1 else -1 - place


def _floats(numbers: Iterable[float | None]) -> Floats:
    return np.array(list(numbers), np.float64)  # None becomes NaN
