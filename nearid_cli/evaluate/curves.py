"""Methods that are checkpoints of a training: how their numbers go with the step, and which one to take.

Nothing is computed of pictures here: all of it follows from the finished comparison. docs/explanation/statistics.md
says what each word of the answer rests on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from statistics import fmean
from typing import NamedTuple

import numpy as np

from nearid_cli.evaluate.verdicts import every_judged
from nearid_cli.layouts.steps import Checkpoints, checkpoints
from nearid_cli.metrics.closeness import chance_of_near_copy
from nearid_cli.metrics.onset import Counts, above, risen_from
from nearid_cli.metrics.similarity import RESOLUTION
from nearid_cli.reports.copying import references_of
from nearid_cli.reports.curve_answer import answer
from nearid_cli.results import CompareResult, Curve, CurvePoint, Image, Method, StepDifference
from nearid_cli.results.compare import BETTER, WORSE


def with_curves(result: CompareResult) -> CompareResult:
    """The comparison with a curve for each training whose checkpoints are among its methods.

    What looks like checkpoints and is not taken for a sequence is among its remarks.
    """
    found, doubts = checkpoints(result.methods.names())
    curves = (_curve(result, one) for one in found)
    return replace(
        result,
        curves=tuple(replace(one, answer=answer(result, one)) for one in curves),
        remarks=(*result.remarks, *doubts),
    )


def _curve(result: CompareResult, found: Checkpoints) -> Curve:
    methods = [result.methods[name] for name in found.numbers]
    first = result.metrics[0]
    copied = _Copied.of(methods, [metric.name for metric in result.metrics])
    sets_in, rises = _onset(copied)
    left_out = [
        copied.many[place] or (sets_in is not None and place >= sets_in) for place in range(len(methods))
    ]
    points = tuple(
        CurvePoint(
            method=one.name,
            number=number,
            generations=len(one.result.images),
            copies=one.copies,
            near_copies=None if copied.metric is None else sum(_nearly(one, copied.metric)),
            left_out=left_out[place],
        )
        for place, (one, number) in enumerate(zip(methods, found.numbers.values(), strict=True))
    )
    flagged = [replace(one, copying=out) for one, out in zip(methods, left_out, strict=True)]
    best = _best(flagged, first.name, first.sign)
    curve = Curve(
        name=found.name,
        unit=found.unit,
        points=points,
        best=best.name if best else None,
        copying_from=None if sets_in is None else points[sets_in].method,
        near_copies_from=None if rises is None else points[rises].method,
    )
    if best is None:
        return curve
    curve = replace(curve, differences=tuple(_differences(result, flagged, best)))
    alike = [
        one.method
        for one in points
        if not one.left_out and one.method != best.name and _unshown(curve, one.method, first.name)
    ]
    return replace(
        curve,
        alike=tuple(alike),
        earliest=_earliest(curve, alike, first.name),
        raised_by_copies=tuple(
            one.name
            for one in flagged
            if one.copying and _raised_by_copies(one, best, first.name, first.sign, copied.metric)
        ),
    )


def _best(methods: Sequence[Method], metric: str, sign: float) -> Method | None:
    """The best over the common ground, of those that do not copy; the earliest of equals."""
    scores = {one.name: _score(one, metric) for one in methods if not one.copying}
    known = {name: sign * score for name, score in scores.items() if score is not None}
    if not known:
        return None
    top = max(known.values())
    return next(one for one in methods if one.name in known and known[one.name] >= top - RESOLUTION)


def _score(method: Method, metric: str) -> float | None:
    return method.common[metric].score if metric in method.common else None


def _differences(result: CompareResult, methods: Sequence[Method], best: Method) -> Iterator[StepDifference]:
    """Every other checkpoint minus the best, which was chosen as such; the comparison's own where it asked the same."""
    asked = {one.name: one.copying for one in methods}
    known = asked == {one.name: one.copying for one in result.methods} and best.name == result.baseline
    compared = (
        result.comparisons
        if known and not result.baseline_named
        else every_judged(methods, best, picked=True)
    )
    for one in compared:
        yield StepDifference(
            one.metric, one.method, one.subjects, one.delta, one.ci95, one.p_adjusted, one.verdict
        )


def _unshown(curve: Curve, method: str, metric: str) -> bool:
    """Whether a checkpoint was compared with the best one, and is shown to be neither worse nor better."""
    found = curve.difference(method, metric)
    return found is not None and found.p_adjusted is not None and found.verdict not in (BETTER, WORSE)


def _earliest(curve: Curve, alike: Sequence[str], metric: str) -> str | None:
    """The first of those in a row before the best that are alike; those that copy part no row.

    Where nothing is shown to be worse, the data cannot tell any two apart, and there is nothing to prefer.
    """
    candidates = [one.method for one in curve.points if not one.left_out]
    earliest = curve.best
    shown = [one for one in curve.differences if one.verdict == WORSE and one.metric == metric]
    if shown:
        for name in reversed(candidates[: candidates.index(curve.best or "")]):
            if name not in alike:
                break
            earliest = name
    return earliest


class _Copied(NamedTuple):
    """How many generations copy.

    Attributes:
        many: [steps] whether more of them copy a reference than a few, as for methods.
        metric: the first that can tell near copies; None where none can.
        hits: [steps, subjects] copies and near copies, of the subjects that can have near copies.
        trials: [steps, subjects] generations of these that have a number by the metric.
        exact: [steps, subjects] copies, of all subjects.
        every: [steps, subjects] generations of these.
        chances: [subjects] the largest share of near copies that faithful generations have by chance.
    """

    many: Sequence[bool]
    metric: str | None
    hits: Counts
    trials: Counts
    exact: Counts
    every: Counts
    chances: np.ndarray[tuple[int], np.dtype[np.float64]]

    @staticmethod
    def of(methods: Sequence[Method], metrics: Sequence[str]) -> _Copied:
        known = {
            metric: references for metric in metrics if (references := _with_near_copies(methods, metric))
        }
        metric = next(iter(known), None)
        references = known.get(metric or "", {})
        every = dict.fromkeys(subject.subject for one in methods for subject in one.result.subjects)
        hits, trials = _counts(methods, list(references), metric)
        exact, of_all = _counts(methods, list(every), None)
        return _Copied(
            many=[one.copying for one in methods],
            metric=metric,
            hits=hits,
            trials=trials,
            exact=exact,
            every=of_all,
            chances=np.array([chance_of_near_copy(number) for number in references.values()]),
        )


def _with_near_copies(methods: Sequence[Method], metric: str) -> dict[str, int]:
    """The subjects that can have near copies by a metric, and how many references they have."""
    return {
        one.subject: references_of(one, metric)
        for method in methods
        for one in method.result.subjects
        if one.scores[metric].near_copies is not None
    }


def _counts(methods: Sequence[Method], subjects: Sequence[str], metric: str | None) -> tuple[Counts, Counts]:
    """[steps, subjects] generations that copy, or nearly copy by the metric; and all."""
    places = {subject: place for place, subject in enumerate(subjects)}
    hits, trials = (np.zeros((len(methods), len(subjects)), np.intp) for _ in range(2))
    for step, method in enumerate(methods):
        for image in method.result.images:
            place = places.get(image.subject)
            told = metric is None or image.copy_of is not None or image.scores[metric] is not None
            if place is not None and told:
                trials[step, place] += 1
                hits[step, place] += _is_copy(image, metric)
    return hits, trials


def _is_copy(image: Image, metric: str | None) -> bool:
    return image.copy_of is not None or (metric is not None and metric in image.near_copy_of)


def _nearly(method: Method, metric: str) -> list[bool]:
    return [image.copy_of is None and metric in image.near_copy_of for image in method.result.images]


def _onset(copied: _Copied) -> tuple[int | None, int | None]:
    """Where copying sets in; and where near copies become more, if it does not.

    Copies: the first of the last steps in a row that have more than a few. What is known by its pixels is a copy for
    certain, so that takes a test only where some were there before. Near copies, copies among them: the first step from
    which on each has more of them than those before, and more than faithful generations have by chance.
    """
    steps = len(copied.many)
    run = steps
    while run and copied.many[run - 1]:
        run -= 1
    if 0 < run < steps and copied.exact[:run].any():
        run = risen_from(copied.exact, copied.every, run) or steps
    found = [run] if run < steps else []
    rises = None
    if copied.metric is not None:
        many = [above(copied.hits[step], copied.trials[step], copied.chances) for step in range(steps)]
        least = steps - next((place for place, one in enumerate(reversed(many)) if not one), steps)
        if (near := risen_from(copied.hits, copied.trials, least)) is not None:
            found.append(near)
        rises = risen_from(copied.hits, copied.trials)
    sets_in = min(found, default=None)
    return sets_in, rises if sets_in is None else None


def _raised_by_copies(method: Method, best: Method, metric: str, sign: float, near: str | None) -> bool:
    """Whether one scores better than the best checkpoint with its copies, and no better without them."""
    score, other = _score(method, metric), _score(best, metric)
    if score is None or other is None or sign * score <= sign * other + RESOLUTION:
        return False
    own, beside = (_without_copies(one, metric, near) for one in (method, best))
    both = [subject for subject in own if subject in beside]
    if not both:
        return True
    return sign * fmean(own[one] - beside[one] for one in both) <= RESOLUTION


def _without_copies(method: Method, metric: str, near: str | None) -> Mapping[str, float]:
    """By subject the mean score of the generations that copy nothing."""
    scores: dict[str, list[float]] = {}
    for image in method.result.images:
        if not _is_copy(image, near) and (score := image.scores[metric]) is not None:
            scores.setdefault(image.subject, []).append(score)
    return {subject: fmean(own) for subject, own in scores.items()}
