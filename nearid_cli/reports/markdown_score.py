"""A score result as Markdown: the aggregate, what changed since the baseline, and each subject."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from nearid_cli.reports.against import about_trials
from nearid_cli.reports.figures import CONTEXT, change_figure, figure, number_figure, score_figure
from nearid_cli.reports.markdown_text import (
    Part,
    bullets,
    details,
    escape,
    existing_numbers,
    provenance,
    table,
)
from nearid_cli.reports.missing import missing_scores
from nearid_cli.reports.order import copies, sorted_subjects
from nearid_cli.reports.repeats import repeats
from nearid_cli.reports.rough import rough_intervals
from nearid_cli.results import Metric, ScoreResult, SubjectScores
from nearid_cli.text import count

_NAMED = 20
"""So many findings of a kind are named; the rest is counted."""


def score_parts(result: ScoreResult, sort: str | None, baseline: ScoreResult | None) -> Iterator[Part]:
    """The parts of the document, in order.

    Raises:
        UsageError: `sort` names neither `subject` nor a metric.
    """
    yield Part(0, ("# nearid score", ""))
    yield _aggregate(result, baseline)
    yield Part(0, (*_explained(result, baseline), ""))
    yield from _findings(result)
    yield details("Scores by subject", _subjects(result, sort, baseline))
    since = [] if baseline is None else [f"baseline: {baseline.inputs.generations}, {baseline.created}"]
    yield provenance(result, *since)


def _aggregate(result: ScoreResult, baseline: ScoreResult | None) -> Part:
    """One row a metric: its aggregate."""
    copied = f"{sum(copies(result).values()):,}"
    context = existing_numbers(result.aggregate.values())
    header = ["metric", "score", *(number.replace("_", " ") for number in context), "copies"]
    rows = []
    for metric in result.metrics:
        scores = result.aggregate[metric.name]
        numbers = [number_figure(scores, number) for number in context]
        row = [escape(metric.name), f"**{score_figure(scores.score, scores.ci95)}**", *numbers, copied]
        if baseline is not None:
            changes = _changes(result, baseline, metric).values()
            row.append(change_figure(sum(changes) / len(changes) if changes else None))
        rows.append(row)
    return table(0, [*header, "change"] if baseline is not None else header, rows, "metrics")


def _explained(result: ScoreResult, baseline: ScoreResult | None) -> Iterator[str]:
    inputs = result.inputs
    yield (
        f"{count(inputs.subjects, 'subject')}, {count(inputs.reference_images, 'reference')}, "
        f"{count(inputs.generation_images, 'generation')}. Scores are mean cosine similarities, in brackets the "
        "95 % interval. The aggregate is the unweighted mean over subjects; retention is a ratio of such means."
    )
    yield from map(escape, (*missing_scores(result), *rough_intervals(result)))
    yield from map(escape, about_trials(result))
    if baseline is None:
        return
    common = len({s.subject for s in result.subjects} & {s.subject for s in baseline.subjects})
    yield f"The change is the mean over the {count(common, 'subject')} that the baseline has, too."
    if unlike := [metric.name for metric in result.metrics if not _comparable(metric, baseline)]:
        names = ", ".join(map(escape, unlike))
        yield f"No change for {names}: the baseline lacks it, or has another fingerprint or protocol."


def _findings(result: ScoreResult) -> Iterator[Part]:
    """Copies, skipped pictures and unmatched subjects, each as a list under its heading."""
    inputs = result.inputs
    copied = [
        f"{escape(image.path)} = {escape(image.copy_of)}"
        for image in result.images
        if image.copy_of is not None
    ]
    skipped = [f"{escape(picture.path)}: {escape(picture.reason)}" for picture in inputs.skipped]
    unmatched = [escape(name) for name in inputs.unmatched]
    yield bullets(2, f"{count(len(copied), 'generation')} copying a reference", copied, most=_NAMED)
    yield bullets(2, f"{count(len(skipped), 'picture')} skipped", skipped, most=_NAMED)
    yield bullets(2, f"{len(unmatched):,} unmatched", unmatched, most=_NAMED)
    yield bullets(2, "Pictures that are there more than once", map(escape, repeats(inputs)))


def _subjects(result: ScoreResult, sort: str | None, baseline: ScoreResult | None) -> Part:
    """One row a subject, and the aggregate."""
    names = [metric.name for metric in result.metrics]
    first, copied = result.metrics[0], copies(result)
    header = ["subject", "refs", "gens", *names, *(f"{first.name} {number}" for number in CONTEXT)]
    if copied:
        header.append("copies")
    if baseline is not None:
        header.append(f"{first.name} change")
    changes = _changes(result, baseline, first) if baseline is not None else {}
    rows = []
    for subject in sorted_subjects(result, sort):
        row = [
            escape(subject.subject),
            f"{subject.references}",
            f"{subject.generations}",
            *_cells(subject.scores, names),
        ]
        if copied:
            row.append(f"{copied.get(subject.subject, 0):,}")
        if baseline is not None:
            row.append(change_figure(changes.get(subject.subject)))
        rows.append(row)
    return table(3, header, rows, "subjects")


def _cells(scores: Mapping[str, SubjectScores], names: list[str]) -> list[str]:
    first = scores[names[0]]
    return [
        *(score_figure(scores[name].score, scores[name].ci95) for name in names),
        *(figure(getattr(first, number)) for number in CONTEXT),
    ]


def _changes(result: ScoreResult, baseline: ScoreResult, metric: Metric) -> dict[str, float]:
    """Run minus baseline by subject, for those that both have; none where the metrics are not comparable."""
    if not _comparable(metric, baseline):
        return {}
    scores = {subject.subject: subject.scores[metric.name].score for subject in baseline.subjects}
    before = {
        name: score for name, score in scores.items() if not math.isnan(score)
    }  # a null, which the gate reports
    return {
        subject.subject: subject.scores[metric.name].score - before[subject.subject]
        for subject in result.subjects
        if subject.subject in before
    }


def _comparable(metric: Metric, baseline: ScoreResult) -> bool:
    """Whether the baseline's numbers of this metric mean the same."""
    return any(metric.name == other.name and metric.comparable_with(other) for other in baseline.metrics)
