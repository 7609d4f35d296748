"""What must be known to read a table: what each `-` stands for, and what SSR and PA were tried on."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from nearid_cli.reports.numbers import in_detail
from nearid_cli.reports.table import missing
from nearid_cli.results import (
    AggregateScores,
    CompareResult,
    Comparison,
    Image,
    Metric,
    ScoreResult,
    SubjectScores,
)
from nearid_cli.results.unscored import why_no_score
from nearid_cli.text import count, few, printable


def about_metrics(result: ScoreResult | CompareResult) -> list[str]:
    """How the numbers of each metric come about that are not mean cosine similarities to references."""
    return [f"{printable(one.name)}: {printable(one.protocol)}" for one in result.metrics if not one.usual]


def missing_scores(result: ScoreResult) -> list[str]:
    """A line for each reason why a subject lacks a score, or another number by the metric that is told in context."""
    told, lines = in_detail(result), []
    for metric in result.metrics:
        name = metric.name
        without = {one.subject for one in result.subjects if one.scores[name].score is None}
        rest = len(result.subjects) - len(without)
        over = f"; the aggregate is over the other {count(rest, 'subject')}" if rest else ""
        why = without_score(
            (one for one in (result.images if without else ()) if one.subject in without), [name]
        )
        lines += [f"{line}{over}" for line in why]
    known = [one for one in result.subjects if one.scores[told].score is not None]
    scores = {subject.subject: subject.scores[told] for subject in known}
    single = [subject.subject for subject in known if subject.references == 1]
    alone = list(scores) if len(result.subjects) == 1 else []
    paired = any(one.scores[told].floor is not None for one in result.subjects)
    lines += _lines(_metric(result, told), scores, single, alone, paired)
    lines += _unknown(scores, single, alone)
    of_all = result.aggregate[told]
    if of_all.retention is None and any(one.retention is not None for one in scores.values()):
        side = _better_side(_metric(result, told))
        lines.append(f"-: no retention of all, since ceilings are on average not clearly {side} floors")
    return lines


def missing_of_methods(result: CompareResult) -> list[str]:
    """The same for methods; one whose aggregate lacks a number."""
    told, lines = in_detail(result), []
    for metric in result.metrics:
        name = metric.name
        without = [one.result for one in result.methods if one.result.aggregate[name].score is None]
        lines += without_score((image for run in without for image in run.images), [name])
    known = [m for m in result.methods if not missing(m.result.aggregate[told].score)]
    scores = {method.name: method.result.aggregate[told] for method in known}
    subjects = {method.name: method.result.subjects for method in known}
    single = [name for name, own in subjects.items() if all(subject.references == 1 for subject in own)]
    alone = [name for name, own in subjects.items() if len(own) == 1]
    paired = any(
        one.scores[told].floor is not None for method in result.methods for one in method.result.subjects
    )
    return [*lines, *_lines(_metric(result, told), scores, single, alone, paired)]


def without_score(images: Iterable[Image], metrics: Sequence[str]) -> list[str]:
    """A line for each metric by which some generations have no number: why, and how many."""
    images = list(images)
    return [
        f"-: no number by {printable(metric)}: {why}"
        for metric in metrics
        if (why := why_no_score(images, metric))
    ]


def _metric(result: ScoreResult | CompareResult, name: str) -> Metric:
    return next(one for one in result.metrics if one.name == name)


def _better_side(metric: Metric) -> str:
    return "above" if metric.higher_is_better else "below"


def missing_differences(result: CompareResult) -> list[str]:
    """Why a difference does not exist."""
    lacking = [one for one in result.comparisons if one.delta is None]
    unknown = [one for one in lacking if _unscored(result, one)]
    apart = dict.fromkeys(one.method for one in lacking if one not in unknown)
    lines = [f"-: no subject in common with the baseline: {few(list(apart))}"] if apart else []
    for metric in dict.fromkeys(one.metric for one in unknown):
        names = few([one.method for one in unknown if one.metric == metric])
        lines.append(f"-: no subject of which both have a score by {printable(metric)}: {names}")
    return lines


def _unscored(result: CompareResult, comparison: Comparison) -> bool:
    """Whether a method or its baseline has subjects without a score."""
    return any(
        subject.scores[comparison.metric].score is None
        for name in (comparison.method, comparison.baseline)
        for subject in result.methods[name].result.subjects
    )


def missing_agreements(result: CompareResult) -> list[str]:
    """Why a rank correlation does not exist."""
    if all(one.kendall is not None for one in result.agreements):
        return []
    return ["-: a rank correlation needs three of a kind, not all rated alike"]


def without_context(result: ScoreResult) -> list[str]:
    """Why metrics lack what others beside them have: a floor, a ceiling, and what is made of them."""
    lacking = [metric for metric in result.metrics if not metric.usual]
    if len(lacking) == len(result.metrics):
        return []
    bare = [one.name for one in lacking if one.against != Metric.against]
    unpaired = [
        one.name
        for one in lacking
        if one.name not in bare and result.aggregate[one.name].floor is None and len(result.subjects) > 1
    ]
    found = [
        ("no floor, ceiling, retention and identification but by similarity to references", bare),
        (_PAIRS, unpaired),
    ]
    return [f"-: {reason}: {few(names)}" for reason, names in found if names]


_PAIRS = (
    "no floor, retention and identification without every generation against every reference (--pairs all)"
)


def _lines(
    metric: Metric,
    scores: Mapping[str, SubjectScores | AggregateScores],
    single: Sequence[str],
    alone: Sequence[str],
    paired: bool,
) -> list[str]:
    """What lacks in rows of scores, by what it takes; a column that no row has is not shown and has no `-`.

    Of a metric that does not score against references nothing lacks that it cannot have. Whether generations were
    `paired` with other subjects' references, only a metric that is no embedding may leave open.
    """
    if not scores or metric.against != Metric.against:
        return []
    unpaired = [] if metric.usual or paired or len(alone) == len(scores) else [*scores]
    no_room = [
        name
        for name, row in scores.items()
        if row.retention is None and row.ceiling is not None and row.floor is not None
    ]
    margins = [name for name, row in scores.items() if row.margin is None]
    found = [
        (_PAIRS, unpaired, "floor"),
        ("floor, retention and identification need a second subject", [] if unpaired else alone, "floor"),
        ("a ceiling, and with it a retention, needs a second reference", single, "ceiling"),
        (
            f"no retention where the ceiling is not {_better_side(metric)} the floor by 2 standard errors",
            no_room,
            "retention",
        ),
        ("no margin without distractors", margins if len(margins) < len(scores) else [], "margin"),
    ]
    lines = []
    for reason, names, column in (one for one in found if one[1]):
        shown = any(getattr(row, column) is not None for row in scores.values())
        whose = f": {few(names)}" if len(names) < len(scores) else ""
        lines.append(f"-: {reason}{whose}" if shown else f"{reason[0].upper()}{reason[1:]}{whose}.")
    return lines


def _unknown(scores: Mapping[str, SubjectScores], single: Sequence[str], alone: Sequence[str]) -> list[str]:
    """What lacks in rows that have all it takes, because the metric gives some pairs no number."""
    lines = []
    for column, excused in (("floor", alone), ("ceiling", single)):
        names = [name for name, row in scores.items() if getattr(row, column) is None]
        unknown = [name for name in names if name not in excused]
        if unknown and len(names) < len(scores):
            lines.append(
                f"-: no {column}, since the metric has no number for the pairs it takes: {few(unknown)}"
            )
    return lines


_UNPAIRED = "no SSR and PA: they need distractors in the context of a reference (named alike, or a manifest's context)"
_ALL_PAIRS = (
    "all pairs is not the paper's: every distractor against every reference, mostly across contexts, which flatters a "
    "metric that sees the background"
)


def about_trials(result: ScoreResult | CompareResult) -> list[str]:
    """What SSR and PA were tried on, and what the numbers of all pairs are; nothing where neither is there."""
    runs = result.runs.values()
    scores = [one for run in runs for one in run.aggregate.values()]
    if all(one.all_pairs_pa is None for one in scores):
        return []
    if all(one.pa is None for one in scores):
        return [_UNPAIRED, _ALL_PAIRS]
    paired = f"SSR and PA: the paper's, each reference against the distractors in its context{_paired(runs)}"
    return [paired, _ALL_PAIRS]


def _paired(results: Collection[ScoreResult]) -> str:
    """How, and of how many subjects and references where these are not all."""
    how = {f", paired {one.inputs.pairing}" for one in results if one.inputs.pairing}
    partly = {
        f"; {one.inputs.paired_subjects:,} of {count(one.inputs.subjects, 'subject')} and "
        f"{one.inputs.paired_references:,} of {count(one.inputs.reference_images, 'reference')} have such"
        for one in results
        if (one.inputs.paired_subjects, one.inputs.paired_references)
        != (one.inputs.subjects, one.inputs.reference_images)
    }
    return "".join(part.pop() for part in (how, partly) if len(part) == 1)
