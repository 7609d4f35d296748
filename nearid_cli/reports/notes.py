"""What must be known to read a table: what each `-` stands for, and what SSR and PA were tried on."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from nearid_cli.reports.table import missing
from nearid_cli.results import AggregateScores, CompareResult, ScoreResult, SubjectScores
from nearid_cli.text import count, few


def missing_scores(result: ScoreResult) -> list[str]:
    """A line for each reason why a subject lacks a number by the first metric."""
    first = result.metrics[0].name
    scores = {subject.subject: subject.scores[first] for subject in result.subjects}
    single = [subject.subject for subject in result.subjects if subject.references == 1]
    lines = _lines(scores, single, list(scores) if len(scores) == 1 else [])
    of_all = result.aggregate[first]
    if of_all.retention is None and any(one.retention is not None for one in scores.values()):
        lines.append("-: no retention of all, since ceilings are on average not clearly above floors")
    return lines


def missing_of_methods(result: CompareResult) -> list[str]:
    """The same for methods; one whose aggregate lacks a number."""
    first = result.metrics[0].name
    known = [m for m in result.methods if not missing(m.result.aggregate[first].score)]
    scores = {method.name: method.result.aggregate[first] for method in known}
    subjects = {method.name: method.result.subjects for method in known}
    return _lines(
        scores,
        [name for name, own in subjects.items() if all(subject.references == 1 for subject in own)],
        [name for name, own in subjects.items() if len(own) == 1],
    )


def missing_differences(result: CompareResult) -> list[str]:
    """Why a difference does not exist."""
    apart = dict.fromkeys(one.method for one in result.comparisons if one.delta is None)
    return [f"-: no subject in common with the baseline: {few(list(apart))}"] if apart else []


def missing_agreements(result: CompareResult) -> list[str]:
    """Why a rank correlation does not exist."""
    if all(one.kendall is not None for one in result.agreements):
        return []
    return ["-: a rank correlation needs three of a kind, not all rated alike"]


def _lines(
    scores: Mapping[str, SubjectScores | AggregateScores], single: Sequence[str], alone: Sequence[str]
) -> list[str]:
    """What lacks in rows of scores, by what it takes; a column that no row has is not shown and has no `-`."""
    no_room = [
        name
        for name, row in scores.items()
        if row.retention is None and row.ceiling is not None and row.floor is not None
    ]
    margins = [name for name, row in scores.items() if row.margin is None]
    found = [
        ("floor, retention and identification need a second subject", alone, "floor"),
        ("a ceiling, and with it a retention, needs a second reference", single, "ceiling"),
        ("no retention where the ceiling is not above the floor by 2 standard errors", no_room, "retention"),
        ("no margin without distractors", margins if len(margins) < len(scores) else [], "margin"),
    ]
    lines = []
    for reason, names, column in (one for one in found if one[1]):
        shown = any(getattr(row, column) is not None for row in scores.values())
        whose = f": {few(names)}" if len(names) < len(scores) else ""
        lines.append(f"-: {reason}{whose}" if shown else f"{reason[0].upper()}{reason[1:]}{whose}.")
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
