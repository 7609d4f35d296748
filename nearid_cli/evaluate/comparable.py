"""May these results be compared: the same metrics by the same encoders, over the same references."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

from nearid_cli.errors import InputError, UsageError
from nearid_cli.results import Metric, ScoreResult, Subject, Subjects
from nearid_cli.results.images import Images
from nearid_cli.results.score import is_in_memory
from nearid_cli.text import count, few, printable, unknown

logger = logging.getLogger(__name__)

_SHOWN = 24  # characters of a value that differs: enough to tell two apart

_CALLED = {"higher_is_better": "direction", "symmetric": "symmetry"}
_WORDS = {
    "higher_is_better": ("lower is better", "higher is better"),
    "symmetric": ("one-way", "both ways alike"),
}
"""What fields of a metric are called, and the words for False and True."""


def check_methods(names: Sequence[str], baseline: str | None) -> None:
    """Refuse a comparison of fewer than two methods, or with a baseline that is none of them.

    Raises:
        InputError: there is one method, or none.
        UsageError: no method is called `baseline`.
    """
    if len(names) < 2:
        found = f"one: {printable(names[0])}" if names else "none"
        raise InputError(f"a comparison needs two or more methods, found {found}")
    if baseline is not None and baseline not in names:
        raise UsageError(unknown("method", baseline, map(printable, names)))


def check_common_subjects(results: Mapping[str, ScoreResult]) -> None:
    """Raise InputError if no subject is in the results of two methods: nothing could be compared."""
    often = Counter(subject.subject for result in results.values() for subject in result.subjects)
    if max(often.values(), default=0) > 1:
        return
    raise InputError(
        "no two methods have a subject in common; subjects are matched by name, so score all methods with the same "
        "references",
        [
            f"{printable(name)}: {few([subject.subject for subject in result.subjects])}"
            for name, result in results.items()
        ],
    )


def check_names(results: Mapping[str, Sequence[str]], metrics: Sequence[str] | None = None) -> list[str]:
    """The names of the metrics to compare by.

    Args:
        results: method -> the names of its metrics.
        metrics: those to compare by; None for all.

    Raises:
        InputError: a method lacks one of the metrics; every lack is listed.
        UsageError: no method has one of `metrics`.
    """
    every = list(dict.fromkeys(name for names in results.values() for name in names))
    for name in metrics or ():
        if name not in every:
            raise UsageError(unknown("metric", name, map(printable, every)))
    wanted = every if metrics is None else list(dict.fromkeys(metrics))
    lacks = {
        method: lacking
        for method, names in results.items()
        if (lacking := [n for n in wanted if n not in names])
    }
    if lacks:
        shared = [name for name in every if all(name in names for names in results.values())]
        advice = (
            f"compare by those that all have: nearid compare --metric {','.join(shared)}"
            if shared
            else "score all of them with the same --metric"
        )
        raise InputError(
            f"the methods are not scored by the same metrics; {printable(advice)}",
            [
                f"{printable(method)} lacks {', '.join(map(printable, names))}"
                for method, names in lacks.items()
            ],
        )
    return wanted


def comparable(
    results: Mapping[str, ScoreResult], metrics: Sequence[str] | None = None
) -> dict[str, ScoreResult]:
    """The results with the metrics that are compared, and no others, in one order.

    Args:
        results: by method.
        metrics: names of those to compare by; None for all, which every result must then have.

    Raises:
        InputError: a metric is not the same one in all results; everything that differs is listed.
        UsageError: no method has one of `metrics`.
    """
    names = check_names({method: [m.name for m in one.metrics] for method, one in results.items()}, metrics)
    chosen = {method: only_metrics(one, names) for method, one in results.items()}
    (first, reference), *others = chosen.items()
    differences = [
        f"{printable(method)}: {printable(mine.name)} {_unlike(mine, theirs)}"
        for method, one in others
        for mine, theirs in zip(one.metrics, reference.metrics, strict=True)
        if not mine.comparable_with(theirs)
    ]
    if differences:
        raise InputError(
            f"{count(len(differences), 'metric')} not the same as in {printable(first)}; "
            "score all methods with the same checkpoint, dtype, engine, preprocessing, masks and version of nearid-cli",
            differences,
        )
    _warn_of_other_references(chosen)
    return chosen


def _unlike(mine: Metric, theirs: Metric) -> str:
    """How a metric differs from another of its name."""
    if bool(mine.masks) != bool(theirs.masks):
        return f"is {_which(mine)} ({printable(mine.masks or theirs.masks)})"
    if mine.masks != theirs.masks:
        return f"is masked otherwise: {printable(mine.masks)}, not {printable(theirs.masks)}"
    pairs = ((field.name, getattr(mine, field.name), getattr(theirs, field.name)) for field in fields(Metric))
    aged = mine.outdated != theirs.outdated
    differ = [
        f"{_CALLED.get(name, name)} ({_short(name, a, b)}, not {_short(name, b, a)})"
        for name, a, b in pairs
        if a != b and not (aged and name == "protocol")
    ]
    if aged:
        differ.append(f"meaning ({'this' if mine.outdated else 'that'} is of an older nearid)")
    return f"has another {', '.join(differ)}"


def _which(metric: Metric) -> str:
    return "masked, not whole" if metric.masks else "whole, not masked"


def _short(name: str, value: Any, other: Any) -> str:
    """A value of a field of a metric, of which something shows that it is not the other one."""
    if name == "range":
        return " to ".join("no end" if end is None else f"{end:g}" for end in value)
    if name == "engine":
        return printable(value or "torch")
    if name in _WORDS:
        return _WORDS[name][value]
    text, against = (printable(str(one or "none")) for one in (value, other))
    if text[:_SHOWN] == against[:_SHOWN]:
        alike = next(
            (at for at, (a, b) in enumerate(zip(text, against, strict=False)) if a != b), len(against)
        )
        text = f"...{text[text.rfind(' ', 0, alike) + 1 :]}"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def only_metrics(result: ScoreResult, names: Sequence[str]) -> ScoreResult:
    """The result with these metrics alone, in this order."""
    by_name = {metric.name: metric for metric in result.metrics}
    if list(by_name) == list(names):
        return result
    return replace(
        result,
        metrics=tuple(by_name[name] for name in names),
        subjects=Subjects(
            replace(
                subject,
                scores={name: subject.scores[name] for name in names},
                reasons={name: subject.reasons[name] for name in names if name in subject.reasons},
            )
            for subject in result.subjects
        ),
        aggregate={name: result.aggregate[name] for name in names},
        images=Images(
            replace(
                image,
                scores={name: image.scores[name] for name in names},
                margins=image.margins
                and {name: image.margins[name] for name in names if name in image.margins},
                reasons={name: image.reasons[name] for name in names if name in image.reasons},
            )
            for image in result.images
        ),
        context={name: one for name, one in result.context.items() if name in names},
        groups=tuple(
            replace(one, aggregate={name: one.aggregate[name] for name in names}) for one in result.groups
        ),
    )


def _warn_of_other_references(results: Mapping[str, ScoreResult]) -> None:
    """A subject's score depends on its references: say where the methods were not given the same."""
    seen: dict[str, tuple[str, Subject]] = {}
    for method, result in results.items():
        unlike = []
        for subject in result.subjects:
            other, same = seen.setdefault(subject.subject, (method, subject))
            if subject.references != same.references or _differ(
                subject.reference_paths, same.reference_paths
            ):
                unlike.append(f"{subject.subject} ({subject.references}, in {other} {same.references})")
        if unlike:
            logger.warning(
                "%s was scored against other references of %s: %s",
                method,
                count(len(unlike), "subject"),
                ", ".join(unlike),
            )


def _differ(a: Iterable[str], b: Iterable[str]) -> bool:
    """Whether known file names differ; their folders may, since a manifest may lie elsewhere."""
    a, b = list(a), list(b)
    if any(map(is_in_memory, (*a, *b))):
        return False  # these have no file names
    mine, theirs = (sorted(path.rpartition("/")[2] for path in paths) for paths in (a, b))
    return bool(mine and theirs and mine != theirs)
