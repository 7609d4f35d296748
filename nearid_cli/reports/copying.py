"""Near copies and diversity by metric, references that fall out, and how these numbers are to be read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from math import inf
from typing import NamedTuple

from nearid_cli.reports.blocks import Block, Finding, Panel
from nearid_cli.reports.gauge import gauges
from nearid_cli.reports.table import COUNT, SCORE, Column, Table, named
from nearid_cli.results import AggregateScores, CompareResult, Metric, ScoreResult, Subject
from nearid_cli.text import count, printable

_LEVEL = 0.05  # so often at most chance alone makes a finding of near copies, by any of the metrics
_ALIKE = 0.1  # of how far references are from each other on average

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
    counted = _counted(result, metric)
    return sum(one.generations * one.chance for one in counted) if counted else None


def copying_findings(result: ScoreResult) -> Iterator[Finding]:
    """More near copies than chance explains, and references that hide near copies, by metric; and those that fall out.

    The latter by the first metric that knows: each metric takes some for odd that are none, and of several metrics one
    nearly always would.
    """
    leading = next(
        (
            metric
            for metric in result.metrics
            if any(metric.name in subject.reference_scores for subject in result.subjects)
        ),
        None,
    )
    for metric in result.metrics:
        if (one := _more_than_chance(result, metric.name)) is not None:
            yield one
        if metric is leading:
            yield from _odd_references(result, metric)
        yield from _alike_references(result, metric)


def _more_than_chance(result: ScoreResult, metric: str) -> Finding | None:
    """Where chance alone makes so many in few data sets, even if nothing tells generations from further references."""
    found = result.aggregate[metric].near_copies
    counted = _counted(result, metric)
    if not found or sum(one.near for one in counted) <= sum(one.generations * one.chance for one in counted):
        return None
    import numpy as np

    from nearid_cli.metrics.closeness import chance_of_shares

    shares = np.array([one.near / one.generations for one in counted])
    if chance_of_shares(shares, np.array([one.chance for one in counted])) >= _LEVEL / len(result.metrics):
        return None
    closest = {one.subject: one.closest for one in counted}
    sign = next(one.sign for one in result.metrics if one.name == metric)
    near = [image for image in result.images if metric in image.near_copy_of and image.subject in closest]
    near.sort(
        key=lambda image: (
            sign * (closest[image.subject] - image.near_copy_similarity.get(metric, -sign * inf))
        )
    )
    of_all = count(sum(one.generations for one in counted), "generation")
    return Finding(
        f"by {printable(metric)}, {found:,} of {of_all} are nearer to a reference than any two references of their "
        "subject are to each other, more than chance explains; look whether they repeat it, or are merely very like: ",
        tuple(f"{image.path} ({image.near_copy_of[metric]})" for image in near),
    )


def _odd_references(result: ScoreResult, metric: Metric) -> Iterator[Finding]:
    spell = gauges(result)[metric.name].score.spell
    names = []
    for subject in result.subjects:
        rows = subject.reference_scores.get(metric.name, ())
        for odd in (one for one in rows if one.odd):
            others = [one.score for one in rows if one is not odd]
            names.append(
                f"{odd.path} of {subject.subject} ({spell(odd.score)}, the others {spell(min(others))} to "
                f"{spell(max(others))})"
            )
    if names:
        which = "1 reference is" if len(names) == 1 else f"{len(names):,} references are"
        yield Finding(
            f"by {printable(metric.name)}, {which} much less like the other references of the subject than these are "
            "like each other; look whether the same subject is shown: ",
            tuple(names),
        )


def _alike_references(result: ScoreResult, metric: Metric) -> Iterator[Finding]:
    """Subjects with two references so alike that hardly any near copy of another one can be nearer."""
    best = metric.range[1] if metric.higher_is_better else metric.range[0]
    if best is None:
        return
    spell = gauges(result)[metric.name].score.spell
    names = tuple(
        f"{subject.subject} ({spell(one.closest)}, on average {spell(one.ceiling)})"
        for subject in result.subjects
        if (one := subject.scores[metric.name]).closest is not None
        and one.ceiling is not None
        and not any(reference.odd for reference in subject.reference_scores.get(metric.name, ()))
        and abs(best - one.closest) <= _ALIKE * abs(best - one.ceiling)
    )
    if names:
        yield Finding(
            f"by {printable(metric.name)}, two references are nearly alike, which hides near copies of the others, in "
            f"{count(len(names), 'subject')}: ",
            names,
        )


class _Counted(NamedTuple):
    """A subject that can have near copies: how many generations could be some, and are."""

    subject: str
    generations: int
    near: int
    chance: float
    closest: float


def _counted(result: ScoreResult, metric: str) -> list[_Counted]:
    from nearid_cli.metrics.closeness import chance_of_near_copy

    images = result.images
    rows = zip(images.column("subject"), images.column("copy_of"), images.scores(metric), strict=True)
    copied = Counter(subject for subject, reference, score in rows if reference and score is not None)
    found = []
    for one in result.subjects:
        scores = one.scores[metric]
        number = one.generations - scores.missing - copied[one.subject]
        if scores.near_copies is not None and scores.closest is not None and number > 0:
            chance = chance_of_near_copy(references_of(one, metric))
            found.append(_Counted(one.subject, number, scores.near_copies, chance, scores.closest))
    return found


def references_of(subject: Subject, metric: str) -> int:
    """How many references of a subject count for a metric."""
    return subject.references - len(subject.reasons.get(metric, ()))
