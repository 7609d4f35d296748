"""`nearid compare`: which method keeps identity best, is the difference real, and do the metrics agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nearid_cli.activity import doing
from nearid_cli.evaluate.agreement import agreements, disagreements
from nearid_cli.evaluate.comparable import check_common_subjects, check_methods, comparable
from nearid_cli.evaluate.differences import comparisons
from nearid_cli.metrics.identity import RESOLUTION
from nearid_cli.results import CompareResult, Method, Methods, ScoreResult
from nearid_cli.results.stamp import this_tool, timestamp
from nearid_cli.text import storable

COPYING_SHARE = 0.05
"""A method with a larger share of copied references among its generations is not ranked."""


@doing("comparing the methods")
def compare(
    results: Mapping[str, ScoreResult], baseline: str | None = None, metrics: Sequence[str] | None = None
) -> CompareResult:
    """Compare methods by their scores, paired by subject. docs/statistics.md has the formulas.

    Args:
        results: by method, at least two.
        baseline: the method that the others are compared with; None for the best by the first metric that
            has all subjects.
        metrics: names of the metrics to compare by, the first one leading; None for all.

    Raises:
        InputError: fewer than two methods, results that are not of the same metrics, or no subject that two methods
            have.
        UsageError: `baseline` is no method, or one of `metrics` is no metric of the results.
    """
    check_methods(list(results), baseline)
    chosen = comparable(results, metrics)
    check_common_subjects(chosen)
    methods = _methods(chosen)
    first = next(iter(chosen.values())).metrics
    leading = (
        _best(methods, first[0].name)
        if baseline is None
        else next(method for method in methods if method.name == storable(baseline))
    )
    return CompareResult(
        tool=this_tool(),
        created=timestamp(),
        baseline=leading.name,
        baseline_named=baseline is not None,
        metrics=first,
        methods=methods,
        comparisons=comparisons(methods, leading),
        agreements=agreements(methods),
        disagreements=disagreements(methods),
    )


def _best(methods: Sequence[Method], metric: str) -> Method:
    """The best ranked method; one that lacks subjects only if all do, because every comparison would lack them."""
    ranked = [method for method in methods if method.ranks[metric] is not None]
    whole = [method for method in ranked if not method.lacking]
    return min(whole or ranked, key=lambda method: method.ranks[metric] or 0)


def _methods(results: Mapping[str, ScoreResult]) -> Methods:
    copies = {name: sum(image.copy_of is not None for image in one.images) for name, one in results.items()}
    copying = {name for name, one in results.items() if copies[name] > COPYING_SHARE * len(one.images)}
    ranked = {name: one for name, one in results.items() if name not in copying} or results
    known = dict.fromkeys(subject.subject for one in results.values() for subject in one.subjects)
    present = {name: {subject.subject for subject in one.subjects} for name, one in results.items()}
    return Methods(
        Method(
            name=storable(name),
            result=one,
            copies=copies[name],
            copying=name in copying,
            lacking=tuple(subject for subject in known if subject not in present[name]),
            ranks={m.name: _rank(m.name, one, ranked) if name in ranked else None for m in one.metrics},
        )
        for name, one in results.items()
    )


def _rank(metric: str, result: ScoreResult, ranked: Mapping[str, ScoreResult]) -> int:
    """1 for the highest aggregate score; equal scores share a rank."""
    own = result.aggregate[metric].score
    return 1 + sum(other.aggregate[metric].score > own + RESOLUTION for other in ranked.values())
