"""Runs with planted scores for tests of the gate: every number follows from those of the generations."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from statistics import fmean, stdev

from nearid_cli.gate.judge import judge
from nearid_cli.metrics.intervals import mean_interval
from nearid_cli.results import (
    AggregateScores,
    CompareResult,
    GateResult,
    Image,
    Inputs,
    Method,
    Metric,
    Rule,
    ScoreResult,
    Subject,
    SubjectScores,
    Tool,
    Verdict,
)

TOOL = Tool("nearid-cli", "0.1.0")
CREATED = "2026-04-02T10:00:00+00:00"
SPREAD = (-0.02, 0.0, 0.01, 0.01)  # of a subject's generations around its score
FLOOR, CEILING = 0.2, 0.95

SUBJECTS = {f"s{i}": 0.70 + 0.03 * i for i in range(6)}
"""Six subjects and their scores."""


def make_rule(metric="nearid", statistic="score", level="aggregate", on_fail="error", **numbers) -> Rule:
    bounds = dict.fromkeys(("min", "max", "max_drop", "confidence")) | numbers
    return Rule(metric, statistic, level, on_fail=on_fail, **bounds)


def gate(run, baseline, *rules: Rule, **options) -> GateResult:
    """The verdicts of rules on a run, called run.json, and its baseline, called base.json."""
    names = {"run_name": "run.json", "baseline_name": None if baseline is None else "base.json"}
    return judge(run, baseline, rules, **{**names, **options})


def judged(run, baseline, rule: Rule) -> tuple[Verdict, ...]:
    """The verdicts of one rule."""
    return gate(run, baseline, rule).verdicts


def verdict(run, baseline, rule: Rule, **options) -> Verdict:
    """The only verdict of a rule."""
    (found,) = gate(run, baseline, rule, **options).verdicts
    return found


def by_status(result: GateResult) -> dict[str, list[str | None]]:
    """The subjects of the verdicts of each status."""
    return {
        status: [one.subject for one in result.verdicts if one.status == status]
        for status in {one.status for one in result.verdicts}
    }


def make_metric(name: str, fingerprint: str = "f" * 40, protocol: str = "all pairs") -> Metric:
    return Metric(name, f"org/{name}", None, fingerprint, "map", "float32", "384 px", protocol)


def make_run(
    subjects: Mapping[str, float] = SUBJECTS,
    metrics: Sequence[str] = ("nearid",),
    *,
    drops: Mapping[str, float] | None = None,
    copies: Collection[str] = (),
    margins: bool = False,
    spread: Sequence[float] = SPREAD,
) -> ScoreResult:
    """A run: `drops` are taken from subjects' scores, `copies` are paths of generations that copy a reference."""
    drops = drops or {}
    rows, images = [], []
    for name, score in subjects.items():
        values = [score - drops.get(name, 0.0) + shift for shift in spread]
        rows.append(Subject(name, 3, len(values), {m: _subject_scores(values, margins) for m in metrics}))
        for i, value in enumerate(values):
            path = f"{name}/{i}.png"
            copied = "ref.png" if path in copies else None
            scores = dict.fromkeys(metrics, value)
            margin = dict.fromkeys(metrics, value - 0.5) if margins else None
            images.append(Image(path, name, copied, scores, margins=margin))
    return ScoreResult(
        tool=TOOL,
        created=CREATED,
        inputs=Inputs("refs", "gens", "folders", len(rows), 3 * len(rows), len(images), (), ()),
        metrics=tuple(make_metric(name) for name in metrics),
        subjects=tuple(rows),
        aggregate={m: _aggregate([row.scores[m] for row in rows]) for m in metrics},
        images=tuple(images),
    )


def make_prompted(
    subjects: Mapping[str, Mapping[str | None, Sequence[float]]], seeds: bool = False, margins: bool = False
) -> ScoreResult:
    """A run from the scores of the generations of each prompt of each subject, seeds counted in each prompt.

    The interval is the real one; where `seeds` is false none is known.
    """
    run = make_run(dict.fromkeys(subjects, 0.0), spread=(0.0,))
    rows, images = [], []
    for name, prompts in subjects.items():
        values = [value for group in prompts.values() for value in group]
        rows.append(Subject(name, 3, len(values), {"nearid": _subject_scores(values, margins)}))
        images += [
            Image(
                f"{name}/{len(images) + i}.png",
                name,
                None,
                {"nearid": value},
                prompt,
                str(seed) if seeds else None,
                {"nearid": value - 0.5} if margins else None,
            )
            for i, (prompt, seed, value) in enumerate(
                (prompt, seed, value) for prompt, group in prompts.items() for seed, value in enumerate(group)
            )
        ]
    scores = [row.scores["nearid"] for row in rows]
    interval = mean_interval([one.score for one in scores])
    aggregate = replace(_aggregate(scores), ci95=interval)
    return replace(run, subjects=tuple(rows), images=tuple(images), aggregate={"nearid": aggregate})


def _subject_scores(values: Sequence[float], margins: bool) -> SubjectScores:
    score = fmean(values)
    std = stdev(values) if len(values) > 1 else None
    retention = (score - FLOOR) / (CEILING - FLOOR)
    margin = score - 0.5 if margins else None
    ci95 = (min(values), max(values)) if len(values) > 2 else None
    return SubjectScores(score, std, ci95, min(values), max(values), CEILING, FLOOR, retention, 1.0, margin)


def _aggregate(rows: Sequence[SubjectScores]) -> AggregateScores:
    score = fmean(row.score for row in rows)
    margins = [row.margin for row in rows if row.margin is not None]
    return AggregateScores(
        score=score,
        ci95=(score - 0.03, score + 0.03) if len(rows) > 2 else None,
        pair_mean=score,
        ceiling=CEILING,
        floor=FLOOR,
        retention=(score - FLOOR) / (CEILING - FLOOR),
        identification=1.0,
        margin=fmean(margins) if margins else None,
    )


def change_subject(run: ScoreResult, subject: str, metric: str = "nearid", **numbers) -> ScoreResult:
    """The run with other numbers for a subject, which nothing else follows."""
    rows = tuple(
        replace(row, scores={**row.scores, metric: replace(row.scores[metric], **numbers)})
        if row.subject == subject
        else row
        for row in run.subjects
    )
    return replace(run, subjects=rows)


def change_metric(run: ScoreResult, **facts: str) -> ScoreResult:
    """The run as if its first metric had been made another way."""
    return replace(run, metrics=(replace(run.metrics[0], **facts), *run.metrics[1:]))


def make_comparison(**runs: ScoreResult) -> CompareResult:
    """A comparison of methods, as far as the gate reads it."""
    first = next(iter(runs.values()))
    methods = tuple(
        Method(
            name,
            run,
            sum(image.copy_of is not None for image in run.images),
            False,
            (),
            {metric.name: None for metric in run.metrics},
        )
        for name, run in runs.items()
    )
    return CompareResult(TOOL, CREATED, next(iter(runs)), False, first.metrics, methods, (), (), ())
