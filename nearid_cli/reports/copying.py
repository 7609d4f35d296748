"""Near copies and diversity by metric, references that fall out, and how these numbers are to be read."""

from __future__ import annotations

from collections.abc import Iterator

from nearid_cli.reports.blocks import Block, Panel
from nearid_cli.reports.gauge import gauges
from nearid_cli.reports.table import COUNT, SCORE, Column, Table, named
from nearid_cli.results import AggregateScores, CompareResult, ScoreResult, Subject
from nearid_cli.text import count, printable

_NEAR = (
    "near copies: nearer to one reference than any two references of the subject are to each other, such as crops and "
    "mirrors, or what is merely very like; copies aside"
)
_CHANCE = (
    "by chance: so many of as many other pictures would be, if nothing told these from further references, and fewer "
    "where they are less like the references"
)
_DIVERSE = (
    "diversity: 1 - mean similarity of two generations of a subject; low where one picture comes again and again, or "
    "where the identity is kept well, so look at it beside that of the references"
)
_WITHIN = "within a prompt: the same of two generations of one prompt"


def copying_and_diversity(result: ScoreResult | CompareResult) -> Iterator[Block]:
    """Near copies and diversity by method and metric; nothing where there are none of these numbers."""
    rows = [
        (method, run, metric.name, run.aggregate[metric.name])
        for method, run in result.runs.items()
        for metric in result.metrics
        if _known(run.aggregate[metric.name])
    ]
    if not rows:
        return
    shown = gauges(result)
    scores = [scores for *_, scores in rows]
    columns = [
        Column(COUNT, [one.near_copies for one in scores], "near copies"),
        Column(COUNT, [_by_chance(run, metric) for _, run, metric, _ in rows], "by chance"),
        Column(
            SCORE,
            [one.diversity for one in scores],
            "diversity",
            intervals=[one.diversity_ci95 for one in scores],
        ),
        Column(
            SCORE,
            [one.prompt_diversity for one in scores],
            "within a prompt",
            intervals=[one.prompt_diversity_ci95 for one in scores],
        ),
        Column(
            SCORE,
            [None if one.diversity is None or one.ceiling is None else 1 - one.ceiling for one in scores],
            "of references",
        ),
    ]
    names = [named("metric", [shown[metric].label for _, _, metric, _ in rows])]
    if None not in result.runs:
        names.insert(0, named("method", [method or "" for method, *_ in rows]))
    told = [column for column in columns if column.known]
    notes = {"near copies": _NEAR, "by chance": _CHANCE, "diversity": _DIVERSE, "within a prompt": _WITHIN}
    yield Panel(
        Table(
            tuple(names),
            tuple(told),
            caption="Near copies of references, and how varied the generations are.",
            label="nearid-copying",
            noun="metrics",
            notes=tuple(notes[column.title] for column in told if column.title in notes),
            brackets="95 % intervals over subjects",
        ),
        where="page",
    )


def near_copies_line(result: ScoreResult) -> list[str]:
    """How many near copies there are by each metric, and how many chance makes; nothing without any."""
    found = [
        f"{scores.near_copies:,} by {printable(name)} ({_by_chance(result, name):,} by chance)"
        for name, scores in result.aggregate.items()
        if scores.near_copies
    ]
    return (
        [f"near copies among {count(len(result.images), 'generation')}: {', '.join(found)}"] if found else []
    )


def _known(scores: AggregateScores) -> bool:
    return scores.near_copies is not None or scores.diversity is not None


def _by_chance(result: ScoreResult, metric: str) -> int | None:
    """How many near copies further pictures like the references would make, at most."""
    expected = expected_near_copies(result, metric)
    return None if expected is None else round(expected)


def expected_near_copies(result: ScoreResult, metric: str) -> float | None:
    """The expectation of that; None where no subject can have near copies."""
    from nearid_cli.metrics.closeness import chance_of_near_copy

    trials: dict[str, int] = {}
    for image in result.images:
        if image.copy_of is None and image.scores[metric] is not None:
            trials[image.subject] = trials.get(image.subject, 0) + 1
    able = [one for one in result.subjects if one.scores[metric].near_copies is not None]
    if not able:
        return None
    return sum(trials.get(one.subject, 0) * chance_of_near_copy(references_of(one, metric)) for one in able)


def references_of(subject: Subject, metric: str) -> int:
    """How many references of a subject count for a metric."""
    return subject.references - len(subject.reasons.get(metric, ()))
