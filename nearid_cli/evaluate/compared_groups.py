"""Methods side by side in groups of their generations: `--by` of `nearid compare`, and of `nearid score --baseline`.

A group is compared as if there were nothing else: its subjects are paired, tested and judged as those of a whole
comparison. Among many groups some look different by chance, so all of a breakdown are adjusted together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain

from nearid_cli.breakdown.labels import Breakdown, Labels, read_breakdowns
from nearid_cli.breakdown.restrict import of_group, split
from nearid_cli.breakdown.spelling import spelled_as
from nearid_cli.evaluate.comparable import only_metrics
from nearid_cli.evaluate.verdicts import Field, copying, judged_together
from nearid_cli.results import ComparedGroup, Method, ScoredGroup, ScoreResult

RUN, BASELINE = "run", "baseline"


def compared_groups(
    methods: Sequence[Method],
    baseline: Method,
    breakdowns: Sequence[Breakdown],
    picked: bool,
) -> tuple[ComparedGroup, ...]:
    """The groups of each breakdown, in the order of their values.

    Args:
        methods: all of them.
        baseline: one of them.
        breakdowns: what was asked for.
        picked: whether it is the baseline because it ranks first.
    """
    if not breakdowns:
        return ()
    alike = [
        method if method is baseline else replace(method, result=spelled_as(method.result, baseline.result))
        for method in methods
    ]
    leading = next(one for one, method in zip(alike, methods, strict=True) if method is baseline)
    return tuple(
        group for breakdown in breakdowns for group in _of_breakdown(alike, leading, breakdown, picked)
    )


def changed_groups(
    result: ScoreResult, baseline: ScoreResult, by: Sequence[str]
) -> tuple[ComparedGroup, ...]:
    """A run against an earlier one in groups, by the metrics whose numbers mean the same in both.

    The two are called `RUN` and `BASELINE`. There is no group without such a metric.

    Raises:
        UsageError: neither has one of the labels.
    """
    names = [
        one.name
        for one in result.metrics
        if any(one.name == other.name and one.comparable_with(other) for other in baseline.metrics)
    ]
    breakdowns = read_breakdowns(by, chain(result.images, baseline.images))
    if not names:
        return ()
    before, after = (
        _part(Method(name, run, 0, False, (), {}), only_metrics(run, names))
        for name, run in ((BASELINE, baseline), (RUN, result))
    )
    return compared_groups([before, after], before, breakdowns, picked=False)


def _of_breakdown(
    methods: Sequence[Method],
    baseline: Method,
    breakdown: Breakdown,
    picked: bool,
) -> list[ComparedGroup]:
    groups = breakdown.groups(chain.from_iterable(method.result.images for method in methods))
    parts = [
        {breakdown.key_of(labels): part for labels, part in split(method.result, breakdown)}
        for method in methods
    ]
    fields = []
    for key, labels in groups.items():
        own = [_part(method, part[key]) for method, part in zip(methods, parts, strict=True) if key in part]
        lead = next((one for one in own if one.name == baseline.name), None)
        fields.append(Field(own, lead or _part(baseline, of_group(baseline.result, labels))))
    found = judged_together(fields, methods, picked)
    return [
        ComparedGroup(labels, {one.name: _scored(labels, one.result) for one in field.methods}, own)
        for labels, field, own in zip(groups.values(), fields, found, strict=True)
    ]


def _part(method: Method, result: ScoreResult) -> Method:
    """A method with some of its generations: where it copies too much, here or as a whole, nothing is judged."""
    copies = sum(image.copy_of is not None for image in result.images)
    return replace(
        method, result=result, copies=copies, copying=method.copying or copying(result, copies), common={}
    )


def _scored(labels: Labels, result: ScoreResult) -> ScoredGroup:
    return ScoredGroup(labels, len(result.subjects), len(result.images), result.aggregate)
