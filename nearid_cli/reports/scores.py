"""A score result as a document: subjects by metrics, what puts the scores into context, and what must be known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from nearid_cli.reports.blocks import Block, Draft, Finding, FindingList, Panel, Prose, Story, Topic, origin
from nearid_cli.reports.copying import copying_and_diversity, near_copies_line
from nearid_cli.reports.findings import highly, score_findings
from nearid_cli.reports.gauge import directions, gauges
from nearid_cli.reports.groups import Changes, about_styles, groups_findings, score_groups
from nearid_cli.reports.masked import about_masks, context_shares
from nearid_cli.reports.notes import (
    about_metrics,
    about_trials,
    missing_scores,
    without_context,
    without_score,
)
from nearid_cli.reports.numbers import (
    CONTEXT,
    DISTRACTORS,
    SCORE_ITSELF,
    in_context,
    in_detail,
    metric_columns,
)
from nearid_cli.reports.order import copies, sorted_subjects, worst_images
from nearid_cli.reports.provenance import about_inputs, made_by
from nearid_cli.reports.table import COUNT, SCORE, TEXT, Column, Table, label_columns, named
from nearid_cli.results import (
    CompareResult,
    Disagreement,
    Method,
    Methods,
    Metric,
    ScoreResult,
    SubjectScores,
)
from nearid_cli.results.pairing import Matching, match_runs
from nearid_cli.text import count, few, printable

_OWN_COLUMNS = ("method", "path", "subject", "copy_of", "prompt", "seed")


class Since(NamedTuple):
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

    def mean_change(self, metric: Metric) -> float | None:
        """Of all subjects that both have."""
        changes = self.changes(metric).values()
        return sum(changes) / len(changes) if changes else None


def score_draft(
    result: ScoreResult,
    sort: str | None = None,
    worst: int = 0,
    baseline: ScoreResult | None = None,
    changes: Changes | None = None,
) -> Draft:
    """What the document of a score result says.

    Args:
        result: what to show.
        sort: order of subjects as in `sorted_subjects`.
        worst: how many of the worst generations to show; 0 for none.
        baseline: an earlier run; what changed since is shown.
        changes: the same in groups.

    Raises:
        UsageError: `sort` names neither `subject` nor a metric, or `worst` is negative.
    """
    since = None if baseline is None else Since(baseline, match_runs(result, baseline))
    table = subjects_table(result, sort, since)
    made = [f"baseline: {baseline.inputs.generations}, {baseline.created}"] if baseline else []
    facts = tuple(made_by(result, about_inputs(result.inputs)))
    return Draft(
        "nearid score",
        (
            Panel(metrics_table(result, since), where="page"),
            Prose(_counted(result), where="page"),
            Panel(table, topic=Topic.SUBJECTS, folded="Scores by subject", rank=3),
            Prose(list(_intervals_of_all(result)), where="terminal"),
            Prose(about_masks(result)),
            Prose(about_metrics(result)),
            Prose(about_styles(result)),
            Prose(missing_scores(result)),
            Prose(list(_about_changes(result, since)) if since else []),
            *context_shares(result),
            *copying_and_diversity(result),
            Prose(near_copies_line(result), where="terminal"),
            *_against_distractors(result),
            *score_groups(result, changes),
            *([_worst(worst_table(result, worst))] if worst else []),
            FindingList([*score_findings(result), *_changed_groups(result, changes)], rank=2),
            origin([*facts, *made]),
        ),
        table,
        facts,
    )


def _changed_groups(result: ScoreResult, changes: Changes | None) -> list[Finding]:
    if changes is None:
        return []
    return groups_findings(changes.groups, list(gauges(result).values()), changes.run)


def subjects_table(result: ScoreResult, sort: str | None = None, since: Since | None = None) -> Table:
    """Subjects by metrics, the aggregate as the foot; the numbers of one metric in context, mostly the first.

    Raises:
        UsageError: `sort` names neither `subject` nor a metric.
    """
    subjects, total, copied = sorted_subjects(result, sort), result.inputs, copies(result)
    names = [subject.subject for subject in subjects]
    shown = gauges(result)
    first, told = result.metrics[0].name, in_detail(result)
    by = told if len(result.metrics) > 1 else ""
    columns = [
        Column(COUNT, [*(s.references for s in subjects), total.reference_images], "refs", "references"),
        Column(COUNT, [*(s.generations for s in subjects), total.generation_images], "gens", "generations"),
        Column(
            COUNT,
            [*(copied.get(name, 0) for name in names), sum(copied.values())],
            "copies" if copied else "",
            "copies",
        ),
    ]
    columns = [replace(column, group="counts") for column in columns]
    for name, gauge in shown.items():
        columns += metric_columns(
            gauge,
            SubjectScores,
            [*(subject.scores[name] for subject in subjects), result.aggregate[name]],
            group="counts" if name == first else "",
            context=name == told,
            by=by,
        )
    if since is not None:
        changes = since.changes(result.metrics[0])
        cells = [*map(changes.get, names), since.mean_change(result.metrics[0])]
        columns.append(Column(shown[first].change, cells, "change", by=by and first))
    usual = all(metric.usual for metric in result.metrics)
    return Table(
        (named("subject", [*names, "aggregate"], "subject"),),
        tuple(columns),
        foot=True,
        caption="Mean cosine similarity of the generations of each subject to its references."
        if usual
        else "Mean score of the generations of each subject.",
        label="nearid-score",
        noun="subjects",
    )


def metrics_table(result: ScoreResult, since: Since | None = None) -> Table:
    """The aggregate by each metric."""
    shown = list(gauges(result).values())
    scores = [result.aggregate[metric.name] for metric in result.metrics]
    columns = [one for number in (SCORE_ITSELF, *CONTEXT) if (one := number.column(scores, shown)).known]
    columns.append(Column(COUNT, [sum(copies(result).values())] * len(scores), "copies"))
    if since is not None:
        kinds = [one.change for one in shown]
        changes = [since.mean_change(metric) for metric in result.metrics]
        columns.append(Column(kinds[0], changes, "change", kinds=kinds))
    return Table(
        (named("metric", [one.label for one in shown]),),
        tuple(columns),
        caption="Aggregate scores with 95 % intervals",
        noun="metrics",
        notes=(*directions(shown), *without_context(result)),
    )


def _against_distractors(result: ScoreResult) -> Iterator[Block]:
    """How far each metric tells the subjects from their look-alikes; nothing without distractors."""
    shown = [one for name, one in gauges(result).items() if in_context([result.aggregate[name]])]
    scores = [result.aggregate[one.name] for one in shown]
    columns = [number.column(scores, shown) for number in DISTRACTORS if shown]
    if known := tuple(column for column in columns if column.known):
        names = named("against distractors", [one.label for one in shown])
        yield Panel(Table((names,), known, noun="metrics", notes=directions(shown)))
        yield Prose(about_trials(result))


def worst_table(result: ScoreResult, n: int) -> Table:
    """The n worst generations by the first metric, worst first, with the scores of all metrics.

    Those that have none are left out, and counted.

    Raises:
        UsageError: n is below 1.
    """
    images = worst_images(result, n)
    scores = (
        Column(one.score, [image.scores[name] for image in images], name, lower=one.lower)
        for name, one in gauges(result).items()
    )
    first = result.metrics[0].name
    names = named(f"worst by {first}", [image.path for image in images])
    unknown = sum(image.scores[first] is None for image in result.images)
    left_out = (
        [f"{count(unknown, 'generation')} without a score by {printable(first)} left out"] if unknown else []
    )
    notes = (*left_out, *without_score(images, [metric.name for metric in result.metrics]))
    return Table((names,), tuple(scores), noun="generations", whole=True, notes=notes)


def _worst(table: Table) -> Block:
    """The table, or why there is none: no generation may have a score."""
    return Panel(table) if table.size else Prose(table.notes)


def _counted(result: ScoreResult) -> list[str]:
    inputs = result.inputs
    usual = all(metric.usual for metric in result.metrics)
    what = "mean cosine similarities" if usual else "means over generations"
    return [
        f"{count(inputs.subjects, 'subject')}, {count(inputs.reference_images, 'reference')}, "
        f"{count(inputs.generation_images, 'generation')}. Scores are {what}, in brackets the "
        "95 % interval. The aggregate is the unweighted mean over subjects; retention is a ratio of such means.",
    ]


def _intervals_of_all(result: ScoreResult) -> Iterator[str]:
    """The intervals for which a terminal has no room: of the aggregate's further numbers, by the metric in context."""
    told = in_detail(result)
    scores = result.aggregate[told]
    found = [
        f"{number} {SCORE.say(getattr(scores, number), ends)}"
        for number in ("retention", "identification")
        if (ends := getattr(scores, f"{number}_ci95")) is not None
    ]
    if found:
        yield f"Aggregate by {printable(told)}, 95 % intervals over subjects: {', '.join(found)}."


def _about_changes(result: ScoreResult, since: Since) -> Iterator[str]:
    """Over what the changes are, and of which metrics there is none."""
    matched = since.matching.subjects
    compared = sum(one.takes_part for one in matched)
    yield f"The change is the mean over the {count(compared, 'subject')} that the baseline has, too."
    if prompts := {prompt for one in matched for prompt in (*one.lacking_a, *one.lacking_b)}:
        what = f"{count(len(prompts), 'prompt')} that only one of both has: {few(sorted(prompts))}"
        yield f"It is over the prompts of a subject that both have, and leaves out {what}."
    if unlike := [printable(metric.name) for metric in result.metrics if not since.comparable(metric)]:
        yield (
            f"No change for {', '.join(unlike)}: the baseline lacks it, or has another fingerprint or protocol."
        )


def images_table(result: ScoreResult | CompareResult) -> Table:
    """Every generation of a result: `path`, `subject`, `copy_of`, `prompt` and `seed` where known, labels, scores.

    Each label is a column of its name, each metric as well. With distractors `<metric>_margin` follows, and
    `<metric>_reason` where a generation has no score, and `<metric>_near_copy_of` where one is a near copy. A
    comparison has `method` as its first column.
    """
    runs = result.runs
    rows = [(method, image) for method, run in runs.items() for image in run.images]
    images = [image for _, image in rows]
    metrics = [metric.name for metric in result.metrics]
    known = [name for name in ("prompt", "seed") if any(getattr(one, name) is not None for one in images)]
    margins = any(image.margins for image in images)
    of_metrics = [
        f"{metric}{end}" for metric in metrics for end in ("", "_margin", "_reason", "_near_copy_of")
    ]
    columns = (
        *([Column(TEXT, [method for method, _ in rows], name="method")] if None not in runs else []),
        *(
            Column(TEXT, [getattr(image, name) for image in images], name=name)
            for name in ("path", "subject", "copy_of", *known)
        ),
        *label_columns([image.labels for image in images], [*_OWN_COLUMNS, *of_metrics]),
        *(Column(SCORE, [image.scores[metric] for image in images], name=metric) for metric in metrics),
        *(
            Column(SCORE, [(one.margins or {}).get(metric) for one in images], name=f"{metric}_margin")
            for metric in metrics
            if margins
        ),
        *(
            Column(TEXT, [one.reasons.get(metric) for one in images], name=f"{metric}_reason")
            for metric in metrics
            if any(metric in one.reasons for one in images)
        ),
        *(
            Column(TEXT, [one.near_copy_of.get(metric) for one in images], name=f"{metric}_near_copy_of")
            for metric in metrics
            if any(metric in one.near_copy_of for one in images)
        ),
    )
    return Table(columns[:1], columns[1:])


def score_story(result: ScoreResult) -> Story:
    """What the HTML report tells first."""
    gauge, *_ = gauges(result).values()
    metric, figure = gauge.name, gauge.score.say
    scores = result.aggregate[metric]
    copied = sum(copies(result).values())
    name = Path(result.inputs.generations).name or "generations"
    lead = about_masks(result)
    if scores.ci95 is not None:
        lead.append(f"The 95 % interval is {figure(scores.ci95[0])} to {figure(scores.ci95[1])}.")
    if scores.ceiling is not None and scores.floor is not None:
        among = f"References of one subject reach {figure(scores.ceiling)} among themselves"
        lead.append(f"{among}, strangers {figure(scores.floor)}.")
    if scores.identification is not None:
        between = scores.identification_ci95 and " to ".join(map(_percent, scores.identification_ci95))
        sure = f" (95 % interval: {between})" if between else ""
        lead.append(
            f"{_percent(scores.identification)} of the generations are nearest to their own subject{sure}."
        )
    if copied:
        whose = f"{copied:,} of {count(len(result.images), 'generation')}"
        lead.append(
            f"{whose} {'copies' if copied == 1 else 'copy'} a reference and are scored too {highly(result)}."
        )
    alone = CompareResult(
        result.tool,
        result.created,
        name,
        False,
        result.metrics,
        Methods([Method(name, result, copied, False, (), {metric: None})]),
        comparisons=(),
        agreements=(),
        disagreements=tuple(_disagreements(result, name)),
    )
    heading = (
        f"{name} has no score by {metric}"
        if scores.score is None
        else f"{name} scores {figure(scores.score)} by {metric}{gauge.better}"
    )
    return Story(heading, lead, alone)


def _disagreements(result: ScoreResult, method: str) -> Iterator[Disagreement]:
    """What metrics rate very differently, by difference of ranks, as `nearid compare` does it."""
    from nearid_cli.metrics.agreement import most_apart, rank_shares

    first, *further = result.metrics
    for metric in further:
        images = [
            one for one in result.images if None not in (one.scores[metric.name], one.scores[first.name])
        ]
        if not images:
            continue
        shares, others = (
            rank_shares([by.sign * (one.scores[by.name] or 0.0) for one in images]) for by in (metric, first)
        )
        for places in most_apart(shares, others):
            for place in places.tolist():
                image = images[place]
                rank, against = float(shares[place]), float(others[place])
                yield Disagreement(
                    "images",
                    metric.name,
                    first.name,
                    method,
                    image.subject,
                    image.path,
                    rank,
                    against,
                    rank - against,
                )


def _percent(share: float) -> str:
    return f"{share * 100:.0f} %"
