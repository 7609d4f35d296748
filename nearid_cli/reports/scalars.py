"""The single numbers of a result under paths of names, for programs that draw one number over many runs.

A number that does not exist is not there; it is never 0. How many generations have none is `missing`, which always is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from typing import Any, NamedTuple

from nearid_cli.reports.order import copies
from nearid_cli.reports.table import Table, missing
from nearid_cli.results import (
    AggregateScores,
    CompareResult,
    Comparison,
    GateResult,
    ScoredGroup,
    ScoreResult,
    Verdict,
)
from nearid_cli.results.curves import Curve

_COUNTS = "counts"
_STEP = "step"


class Scalar(NamedTuple):
    """A number.

    Attributes:
        path: its name in parts, the most general first.
        value: finite.
        step: of the training that it belongs to; None where that is unknown.
    """

    path: tuple[str, ...]
    value: float
    step: int | None = None


def score_scalars(result: ScoreResult) -> Iterator[Scalar]:
    """Of a score result: `<metric>/<number>` of all, `<metric>/by subject/<subject>/<number>`, groups and counts.

    Groups are `<metric>/by <label>/<value>/<number>`. A step that is a whole number is no part of the path but the
    number's `step`: `<metric>/by step/<number>`.
    """
    yield from _aggregate((), result.aggregate)
    for subject in result.subjects:
        for metric, scores in subject.scores.items():
            yield from _numbers((metric, "by subject", subject.subject), scores, intervals=False)
    for group in result.groups:
        yield from _group(group)
    yield from _counts((_COUNTS,), result)


def compare_scalars(result: CompareResult) -> Iterator[Scalar]:
    """Of a comparison: `<metric>/by method/<method>/<number>`, scores by subject, differences, groups and counts.

    `common_<number>` is over what all ranked methods have, and `rank` goes by it. Differences are
    `<metric>/against <baseline>/<method>/delta` and so on. The checkpoints of a training stand at their steps, too:
    `<metric>/by step/<number>`.
    """
    for method in result.methods:
        own: tuple[str, ...] = ("by method", method.name)
        yield from _aggregate(own, method.result.aggregate)
        for metric, common in method.common.items():
            yield from _numbers((metric, *own), common, prefix="common_")
        for metric, rank in method.ranks.items():
            yield from _known((metric, *own, "rank"), rank)
        for subject in method.result.subjects:
            for metric, scores in subject.scores.items():
                yield from _known((metric, *own, "by subject", subject.subject, "score"), scores.score)
        yield from _counts((_COUNTS, *own), method.result)
    yield from _differences(result.comparisons)
    for curve in result.curves:
        yield from _curve(result, curve)
    for group in result.groups:
        for name, scored in group.methods.items():
            yield from _group(scored, ("by method", name))
        own, step = _place(group.labels)
        yield from (Scalar(one.path, one.value, step) for one in _differences(group.comparisons, own))


def _curve(result: CompareResult, curve: Curve) -> Iterator[Scalar]:
    """The numbers of checkpoints at their steps, over what they have in common where they have anything."""
    own = (f"by {curve.unit}", *([curve.name] if len(result.curves) > 1 else []))
    for point in curve.points:
        if point.number is None:
            continue
        method = result.methods[point.method]
        for metric, scores in (method.common or method.result.aggregate).items():
            for one in _numbers((metric, *own), scores):
                yield Scalar(one.path, one.value, point.number)
        for name in ("generations", "copies", "near_copies"):
            for one in _known((_COUNTS, *own, name), getattr(point, name)):
                yield Scalar(one.path, one.value, point.number)


def gate_scalars(gate: GateResult) -> Iterator[Scalar]:
    """Of a gate: how many verdicts are `gate/passed`, `failed` and `warned`, and the numbers that were judged."""
    for status in ("passed", "failed", "warned"):
        yield Scalar(("gate", status), float(sum(one.status == status for one in gate.verdicts)))
    for one in gate.verdicts:
        for name in ("found", "baseline", "drop"):
            yield from _known(("gate", *_judged(one), name), getattr(one, name))


def table_scalars(whose: str, tables: Iterable[Table]) -> Iterator[Scalar]:
    """Of any tables: `<whose>/<table>/<row>/<column>` for each number. A row is told by the names that people see."""
    for table in tables:
        stored = table.data or table
        names = [one for one in stored.names if one.title] or [one for one in stored.names if one.name]
        numbers = [
            (name, cells) for column in stored.columns if column.kind.type in (int, float)
            for name, _, cells in column.stored()
        ]  # fmt: skip
        for row in range(stored.size):
            path = [
                whose,
                table.label,
                *(f"{one.cells[row]}" for one in names if not missing(one.cells[row])),
            ]
            for name, cells in numbers:
                yield from _known((*path, name), cells[row])


def _aggregate(own: tuple[str, ...], aggregate: Mapping[str, AggregateScores]) -> Iterator[Scalar]:
    for metric, scores in aggregate.items():
        yield from _numbers((metric, *own), scores)


def _group(group: ScoredGroup, own: tuple[str, ...] = ()) -> Iterator[Scalar]:
    """A group's numbers; those by step stand at their steps."""
    path, step = _place(group.labels)
    for one in _aggregate((*own, *path), group.aggregate):
        yield Scalar(one.path, one.value, step)


def _place(labels: Mapping[str, str | None]) -> tuple[tuple[str, ...], int | None]:
    """Where the numbers of a group stand: below its labels, or at its step."""
    step = _whole(labels[_STEP]) if list(labels) == [_STEP] else None
    return (_beside(labels), None) if step is None else ((f"by {_STEP}",), step)


def _beside(labels: Mapping[str, str | None]) -> tuple[str, str]:
    """The labels of a group, and their values."""
    return f"by {', '.join(labels)}", ", ".join(
        "none" if value is None else value for value in labels.values()
    )


def _differences(comparisons: Iterable[Comparison], own: tuple[str, ...] = ()) -> Iterator[Scalar]:
    for one in comparisons:
        path = (one.metric, f"against {one.baseline}", one.method, *own)
        for name in ("delta", "ci95", "p", "p_adjusted", "wins", "ties", "losses", "subjects"):
            yield from _known((*path, f"delta_{name}" if name == "ci95" else name), getattr(one, name))


def _numbers(
    path: tuple[str, ...], scores: Any, intervals: bool = True, prefix: str = ""
) -> Iterator[Scalar]:
    """All numbers of one metric that exist."""
    for field in fields(scores):
        value = getattr(scores, field.name)
        name = "score_ci95" if field.name == "ci95" else field.name
        if intervals or not isinstance(value, tuple):
            yield from _known((*path, f"{prefix}{name}"), value)


def _known(path: tuple[str, ...], value: Any) -> Iterator[Scalar]:
    """A number, or both ends of an interval; nothing of what does not exist, and of what is no number."""
    if isinstance(value, tuple):
        *above, name = path
        for end, word in zip(value, ("low", "high"), strict=True):
            yield Scalar((*above, f"{name}_{word}"), float(end))
    elif isinstance(value, int | float) and not isinstance(value, bool) and not missing(value):
        yield Scalar(path, float(value))


def _counts(path: tuple[str, ...], result: ScoreResult) -> Iterator[Scalar]:
    inputs = result.inputs
    counted = {
        "subjects": inputs.subjects,
        "references": inputs.reference_images,
        "generations": inputs.generation_images,
        "distractors": inputs.distractor_images,
        "copies": sum(copies(result).values()),
        "skipped": len(inputs.skipped),
        "unmatched": len(inputs.unmatched),
    }
    for name, number in counted.items():
        yield Scalar((*path, name), float(number))


def _judged(verdict: Verdict) -> tuple[str, ...]:
    """What a verdict is about."""
    who = (("by subject", verdict.subject), ("by method", verdict.method))
    whose = [part for kind, name in who if name is not None for part in (kind, name)]
    of_group = _beside(verdict.group) if verdict.group else ()
    return (verdict.metric, verdict.rule.statistic, *whose, *of_group)


def common_step(result: ScoreResult) -> int | None:
    """The step that all generations of a result have, where they have one."""
    steps = {image.labels.get(_STEP) for image in result.images}
    return _whole(steps.pop()) if len(steps) == 1 else None


def _whole(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdecimal() and text.isascii() else None
