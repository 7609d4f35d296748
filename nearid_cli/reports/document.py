"""The document of any result: the one place that asks what kind of result it is."""

from __future__ import annotations

from dataclasses import replace
from functools import singledispatch
from typing import Any

from nearid_cli.reports.blocks import Document, Draft, Panel, Prose
from nearid_cli.reports.comparison import compare_draft, compare_story
from nearid_cli.reports.gate import gate_draft
from nearid_cli.reports.gauge import Gauge, directions
from nearid_cli.reports.groups import Changes, groups_table
from nearid_cli.reports.scalars import compare_scalars, gate_scalars, score_scalars
from nearid_cli.reports.scores import images_table, score_draft, score_story
from nearid_cli.reports.table import Column, Table, named, score
from nearid_cli.results import CompareResult, GateResult, PairResult, ScoreResult
from nearid_cli.text import printable

_FURTHER = 1  # decimals of the number of one pair, beyond those of a mean


def document(
    result: ScoreResult | CompareResult | GateResult | PairResult,
    *,
    sort: str | None = None,
    worst: int = 0,
    baseline: ScoreResult | None = None,
    changes: Changes | None = None,
    gate: GateResult | None = None,
    thumbnails: int | None = None,
    progress: bool = False,
) -> Document:
    """All that formats make files of, and a terminal shows.

    Args:
        result: of any kind.
        sort: order of subjects as in `sorted_subjects`, of a comparison's methods as in `sorted_methods`; by default
            that of the result, and the best method by the first metric first.
        worst: how many of the worst generations of a score result to show.
        baseline: an earlier run than a score result; what changed since is shown.
        changes: the same in groups, where it is broken down by labels.
        gate: verdicts on this result.
        thumbnails: how many pictures an HTML report holds at most; None for none.
        progress: show how far the pictures are.

    Raises:
        UsageError: `sort` names nothing to sort by, or `worst` is negative.
    """
    made = _made(result, sort, worst, baseline, changes)
    judged = None if gate is None else document(gate)
    return replace(made, judged=judged, thumbnails=thumbnails, progress=progress)


@singledispatch
def _made(
    result: Any, sort: str | None, worst: int, baseline: ScoreResult | None, changes: Changes | None
) -> Document:
    raise TypeError(f"no document of a {type(result).__name__}")


@_made.register
def _(
    result: ScoreResult, sort: str | None, worst: int, baseline: ScoreResult | None, changes: Changes | None
) -> Document:
    return Document(
        "score",
        result,
        lambda: score_draft(result, sort, worst, baseline, changes),
        result.facts,
        lambda: score_story(result),
        lambda: score_scalars(result),
    )


@_made.register
def _(result: CompareResult, sort: str | None, *_: object) -> Document:
    return Document(
        "compare",
        result,
        lambda: compare_draft(result, sort),
        result.facts,
        lambda: compare_story(result),
        lambda: compare_scalars(result),
    )


@_made.register
def _(result: GateResult, *_: object) -> Document:
    return Document(
        "gate", result, lambda: gate_draft(result), result.facts, scalars=lambda: gate_scalars(result)
    )


@_made.register
def _(result: PairResult, *_: object) -> Document:
    return Document("pair", result, lambda: _pair_draft(result))


def _pair_draft(result: PairResult) -> Draft:
    shown = [Gauge(metric, abs(result.similarity[metric.name])) for metric in result.metrics]
    kinds = [score(gauge.decimals + _FURTHER) for gauge in shown]
    title = "similarity" if all(metric.usual for metric in result.metrics) else "score"
    numbers = Column(kinds[0], [result.similarity[one.name] for one in shown], title, kinds=kinds)
    names = named("metric", [one.label for one in shown])
    table = Table((names,), (numbers,), noun="metrics", notes=directions(shown))
    pictures = Prose([f"a: {printable(result.a)}", f"b: {printable(result.b)}"])
    return Draft(blocks=(pictures, Panel(table)))


def images_document(result: ScoreResult | CompareResult) -> Document:
    """The same of every generation, a row each."""
    return Document("images", result, lambda: Draft(table=images_table(result)), result.facts)


def groups_document(result: ScoreResult | CompareResult) -> Document:
    """Every group of a result that is broken down by labels, a row each."""
    return Document("groups", result, lambda: Draft(table=groups_table(result)), result.facts)
