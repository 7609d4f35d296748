"""A score result as Markdown: the aggregate, what changed since the baseline, and each subject."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from nearid_cli.reports.against import about_trials
from nearid_cli.reports.figures import CONTEXT, change_figure, figure, number_figure, score_figure, some
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
from nearid_cli.results.pairing import Matching, match_runs
from nearid_cli.text import count

_NAMED = 20
"""So many findings of a kind are named; the rest is counted."""


@dataclass(frozen=True)
class _Since:
    """The baseline of a run, and what of both is put side by side."""

    baseline: ScoreResult
    matching: Matching

    def comparable(self, metric: Metric) -> bool:
        """Whether the baseline's numbers of this metric mean the same."""
        return any(
            metric.name == other.name and metric.comparable_with(other) for other in self.baseline.metrics
        )

    def changes(self, metric: Metric) -> dict[str, float]:
        """Run minus baseline by subject, for those that both have; none where the metrics are not comparable."""
        if not self.comparable(metric):
            return {}
        found = {one.subject: one.difference(metric.name) for one in self.matching.subjects}
        return {subject: change for subject, change in found.items() if change is not None}


def score_parts(result: ScoreResult, sort: str | None, baseline: ScoreResult | None) -> Iterator[Part]:
    """The parts of the document, in order.

    Raises:
        UsageError: `sort` names neither `subject` nor a metric.
    """
    since = None if baseline is None else _Since(baseline, match_runs(result, baseline))
    yield Part(0, ("# nearid score", ""))
    yield _aggregate(result, since)
    yield Part(0, (*_explained(result, since), ""))
    yield from _findings(result)
    yield details("Scores by subject", _subjects(result, sort, since))
    made = [] if baseline is None else [f"baseline: {baseline.inputs.generations}, {baseline.created}"]
    yield provenance(result, *made)


def _aggregate(result: ScoreResult, since: _Since | None) -> Part:
    """One row a metric: its aggregate."""
    copied = f"{sum(copies(result).values()):,}"
    context = existing_numbers(result.aggregate.values())
    header = ["metric", "score", *(number.replace("_", " ") for number in context), "copies"]
    rows = []
    for metric in result.metrics:
        scores = result.aggregate[metric.name]
        numbers = [number_figure(scores, number) for number in context]
        row = [escape(metric.name), f"**{score_figure(scores.score, scores.ci95)}**", *numbers, copied]
        if since is not None:
            changes = since.changes(metric).values()
            row.append(change_figure(sum(changes) / len(changes) if changes else None))
        rows.append(row)
    return table(0, [*header, "change"] if since is not None else header, rows, "metrics")


def _explained(result: ScoreResult, since: _Since | None) -> Iterator[str]:
    inputs = result.inputs
    yield (
        f"{count(inputs.subjects, 'subject')}, {count(inputs.reference_images, 'reference')}, "
        f"{count(inputs.generation_images, 'generation')}. Scores are mean cosine similarities, in brackets the "
        "95 % interval. The aggregate is the unweighted mean over subjects; retention is a ratio of such means."
    )
    yield from map(escape, (*missing_scores(result), *rough_intervals(result)))
    yield from map(escape, about_trials(result))
    if since is None:
        return
    matched = since.matching.subjects
    compared = sum(one.takes_part for one in matched)
    yield f"The change is the mean over the {count(compared, 'subject')} that the baseline has, too."
    if prompts := {prompt for one in matched for prompt in (*one.lacking_a, *one.lacking_b)}:
        what = f"{count(len(prompts), 'prompt')} that only one of both has: {some(sorted(prompts))}"
        yield f"It is over the prompts of a subject that both have, and leaves out {escape(what)}."
    if unlike := [metric.name for metric in result.metrics if not since.comparable(metric)]:
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


def _subjects(result: ScoreResult, sort: str | None, since: _Since | None) -> Part:
    """One row a subject, and the aggregate."""
    names = [metric.name for metric in result.metrics]
    first, copied = result.metrics[0], copies(result)
    header = ["subject", "refs", "gens", *names, *(f"{first.name} {number}" for number in CONTEXT)]
    if copied:
        header.append("copies")
    if since is not None:
        header.append(f"{first.name} change")
    changes = {} if since is None else since.changes(first)
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
        if since is not None:
            row.append(change_figure(changes.get(subject.subject)))
        rows.append(row)
    return table(3, header, rows, "subjects")


def _cells(scores: Mapping[str, SubjectScores], names: list[str]) -> list[str]:
    first = scores[names[0]]
    return [
        *(score_figure(scores[name].score, scores[name].ci95) for name in names),
        *(figure(getattr(first, number)) for number in CONTEXT),
    ]
