"""What is shown of a comparison that ranks over common ground, and in which order subjects, methods and generations."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

from nearid_cli.errors import UsageError
from nearid_cli.results import (
    AggregateScores,
    CompareResult,
    Image,
    Method,
    Methods,
    Metric,
    ScoreResult,
    Subject,
)
from nearid_cli.text import count, did_you_mean, printable


def sorted_subjects(result: ScoreResult, sort: str | None = None) -> tuple[Subject, ...]:
    """The subjects in the order that `--sort` asks for; those without a score come last, whichever it is.

    Args:
        result: a score result.
        sort: `subject` or None for the result's own (natural) order, or a metric's name for the worst first;
            a leading `-` reverses. Equal scores keep the natural order.

    Raises:
        UsageError: `sort` names neither.
    """
    key, reverse = check_sort(sort, [metric.name for metric in result.metrics])
    if key == "subject":
        return result.subjects[::-1] if reverse else result.subjects
    sign = _sign(result, key)
    known = [one for one in result.subjects if one.scores[key].score is not None]
    known.sort(key=lambda subject: sign * (subject.scores[key].score or 0.0), reverse=reverse)
    return (*known, *(one for one in result.subjects if one.scores[key].score is None))


def _sign(result: ScoreResult | CompareResult, name: str) -> float:
    """What scores by a metric are multiplied by so that more is better."""
    return next(metric.sign for metric in result.metrics if metric.name == name)


def sorted_methods(result: CompareResult, sort: str | None = None) -> tuple[Method, ...]:
    """The methods in the order that `--sort` asks for.

    Args:
        result: a comparison.
        sort: `method` or None for the order given, or a metric's name for the best first over what all ranked methods
            have, methods that copy references last; a leading `-` reverses. Equal scores keep the order given, and so
            do methods that have nothing in common. Those without a score come last, whichever it is.

    Raises:
        UsageError: `sort` names neither.
    """
    key, reverse = check_sort(sort, [metric.name for metric in result.metrics], "method")
    if key == "method":
        return result.methods[::-1] if reverse else result.methods

    sign = _sign(result, key)

    def place(method: Method) -> tuple[bool, bool, float]:
        common = method.common.get(key)
        return (
            method.ranks[key] is None,
            common is None,
            -sign * (common.score or 0.0) if common else method.ranks[key] or 0,
        )

    def unknown(method: Method) -> bool:
        return (method.common or method.result.aggregate)[key].score is None

    return tuple(sorted(sorted(result.methods, key=place, reverse=reverse), key=unknown))


def best_first(result: CompareResult) -> CompareResult:
    """The comparison with its methods best first, and what was compared with the baseline in the same order.

    By the first metric, as `sorted_methods` does it: methods that copy references last, equal ones in the order given.
    """
    methods = sorted_methods(result, result.metrics[0].name)
    places = {method.name: place for place, method in enumerate(methods)}
    comparisons = sorted(result.comparisons, key=lambda one: places[one.method])
    return replace(result, methods=Methods(methods), comparisons=tuple(comparisons))


def best_subjects_first(methods: Sequence[Method], subjects: Sequence[str], metric: Metric) -> list[str]:
    """Subjects by their mean score over the methods that have them, best first.

    Methods that copy references do not count, unless all do; a subject that only these have comes last, and so does one
    without a score. Equal subjects keep their order.
    """
    trusted = [method for method in methods if not method.copying] or methods
    scores: dict[str, list[float]] = {}
    for method in trusted:
        for subject in method.result.subjects:
            if (score := subject.scores[metric.name].score) is not None:
                scores.setdefault(subject.subject, []).append(metric.sign * score)
    means = {subject: sum(values) / len(values) for subject, values in scores.items()}
    return sorted(subjects, key=lambda subject: -means.get(subject, -math.inf))


def check_sort(sort: str | None, metrics: Sequence[str], rows: str = "subject") -> tuple[str, bool]:
    """What to sort by, and whether to reverse; checked before the job runs, too.

    Args:
        sort: what was asked for; None for the rows' own order.
        metrics: the metrics that may be named.
        rows: what the rows are: `subject`, or `method` of a comparison.

    Raises:
        UsageError: `sort` names neither `rows` nor one of the metrics.
    """
    key = sort or rows
    reverse = key.startswith("-") and key not in metrics
    key = key[1:] if reverse else key
    if key != rows and key not in metrics:
        raise UsageError(f"cannot sort by {printable(key)!r}: {did_you_mean(key, [rows, *metrics])}")
    return key, reverse


def worst_images(result: ScoreResult, n: int) -> tuple[Image, ...]:
    """The n generations with the worst scores by the first metric, worst first; ties in the result's order.

    A generation without a score is not among them.

    Raises:
        UsageError: n is below 1.
    """
    if n < 1:
        raise UsageError(f"expected a number of worst generations of 1 or more but got {n}")
    return tuple(worst_first(result.images, result.metrics[0])[:n])


def worst_first(images: Iterable[Image], metric: Metric) -> list[Image]:
    """The generations that have a score, the worst first; ties in the order given."""
    known = [image for image in images if image.scores[metric.name] is not None]
    return sorted(known, key=lambda image: metric.sign * (image.scores[metric.name] or 0.0))


def copies(result: ScoreResult) -> dict[str, int]:
    """How many generations of each subject copy a reference; only subjects with any."""
    number: dict[str, int] = {}
    for subject, copied in zip(*map(result.images.column, ("subject", "copy_of")), strict=True):
        if copied is not None:
            number[subject] = number.get(subject, 0) + 1
    return number


_SAME = 1e-9  # scores closer than this are equal: only rounding is below it
_UNKNOWN = AggregateScores(math.nan, None, math.nan, None, None, None, None)


def over_common(result: CompareResult) -> CompareResult:
    """The comparison with the numbers over the common ground in place of those of each method by itself.

    Where these are the same, the other numbers stay as they are. A method that lacks some of the common ground has NaN
    for a score. Where there is no common ground the comparison stays as it is, and has no ranks.
    """
    if not result.common_subjects:
        return result
    same = apart(result) is None
    return replace(result, methods=Methods(_over_common(one, same) for one in result.methods))


def apart(result: CompareResult) -> CompareResult | None:
    """The comparison with each method's own numbers and no ranks; None where they are the ranked ones."""
    if not result.common_subjects or all(map(_is_whole, result.methods)):
        return None
    methods = (replace(method, ranks=dict.fromkeys(method.ranks)) for method in result.methods)
    return replace(result, methods=Methods(methods))


def ground(result: CompareResult) -> str:
    """Over what the methods are ranked, for a heading: `8 subjects and 32 prompts that all ranked methods have`."""
    over = count(len(result.common_subjects), "subject")
    if result.common_prompts:
        over += f" and {count(result.common_prompts, 'prompt')}"
    return f"{over} that all ranked methods have"


def _over_common(method: Method, keep: bool) -> Method:
    """The method with its numbers over the common ground, beside its other ones or alone."""
    own = method.result.aggregate
    common = {
        name: replace(own[name] if keep else _UNKNOWN, **vars(one)) for name, one in method.common.items()
    }
    return replace(method, result=replace(method.result, aggregate=common or dict.fromkeys(own, _UNKNOWN)))


def _is_whole(method: Method) -> bool:
    """Whether a method's own numbers are those over the common ground."""
    own = method.result.aggregate
    return bool(method.common) and all(
        _alike(common.score, own[name].score) and (common.floor is None) == (own[name].floor is None)
        for name, common in method.common.items()
    )


def _alike(one: float | None, other: float | None) -> bool:
    return one is other or (one is not None and other is not None and abs(one - other) <= _SAME)
