"""Every method against the baseline, judged: over all generations, or over several groups of them together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from nearid_cli.evaluate.differences import Unjudged, among_all_pairs, comparisons, judged
from nearid_cli.results import Comparison, Method, ScoreResult
from nearid_cli.results.score import largest_score

COPYING_SHARE = 0.05
"""A method with a larger share of copied references among its generations is not ranked."""


class Field(NamedTuple):
    """Methods that are compared over the same generations.

    Attributes:
        methods: all of them.
        baseline: one of them, or the same method without any of these generations.
    """

    methods: Sequence[Method]
    baseline: Method


def copying(result: ScoreResult, copies: int) -> bool:
    """Whether so many generations are copies that their scores say nothing."""
    return copies > COPYING_SHARE * len(result.images)


def rankable(methods: Sequence[Method]) -> list[Method]:
    """Those that do not copy references; all, where all do."""
    return [method for method in methods if not method.copying] or list(methods)


def every_judged(methods: Sequence[Method], baseline: Method, picked: bool) -> tuple[Comparison, ...]:
    """Every other method against the baseline by every metric, with its verdict.

    Args:
        methods: the baseline among them.
        baseline: which.
        picked: whether it is the baseline because it ranks first.
    """
    (found,) = judged_together([Field(methods, baseline)], methods, picked)
    return found


def judged_together(
    fields: Sequence[Field], methods: Sequence[Method], picked: bool
) -> list[tuple[Comparison, ...]]:
    """Every other method against the baseline, adjusted for how many comparisons by a metric there are in all fields.

    Args:
        fields: one for all generations, or one for each group of them.
        methods: with all of their generations.
        picked: whether the baseline is it because it ranks first.

    Returns:
        The comparisons of each field, metric by metric.
    """
    results = [method.result for method in methods]
    places = {
        metric.name: metric.decimals(largest_score(results, metric.name)) for metric in results[0].metrics
    }
    several = picked and len(rankable(methods)) > 2  # of two methods there is one pair to pick
    ranked = [rankable(field.methods) for field in fields]
    rivals = among_all_pairs(ranked, list(places)) if several else {}
    found = [comparisons(field.methods, field.baseline) for field in fields]
    made: list[list[Comparison]] = [[] for _ in fields]
    for metric in places:
        cases, owners = [], []
        for place, (field, able) in enumerate(zip(fields, ranked, strict=True)):
            ruled_out = {method.name for method in field.methods} - {method.name for method in able}
            for one in found[place][metric]:
                pair = frozenset((one.method, one.baseline))
                cases.append(
                    Unjudged(one, ruled_out, rivals[metric][place].get(pair, 1.0) if several else 0.0)
                )
                owners.append(place)
        for place, one in zip(owners, judged(cases, places[metric]), strict=True):
            made[place].append(one)
    return [tuple(own) for own in made]
