"""`nearid compare`: which method keeps identity best, is the difference real, and do the metrics agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
import numpy.typing as npt

from nearid_cli.activity import doing
from nearid_cli.breakdown.labels import read_breakdowns
from nearid_cli.evaluate.common import (
    Ground,
    NumberedGround,
    common_ground,
    common_scores,
    numbered_ground,
    remarks,
)
from nearid_cli.evaluate.comparable import check_common_subjects, check_methods, comparable
from nearid_cli.evaluate.compared_groups import compared_groups
from nearid_cli.evaluate.curves import with_curves
from nearid_cli.evaluate.verdicts import copying, every_judged, rankable
from nearid_cli.metrics.agreement import MIN_RANKED, kendall, most_apart, rank_shares, spearman
from nearid_cli.metrics.similarity import RESOLUTION
from nearid_cli.results import (
    Agreement,
    CompareResult,
    Disagreement,
    Method,
    Methods,
    Metric,
    ScoreResult,
)
from nearid_cli.results.base import this_tool, timestamp
from nearid_cli.text import storable

Floats = npt.NDArray[np.float64]


@doing("comparing the methods")
def compare(
    results: Mapping[str, ScoreResult],
    baseline: str | None = None,
    metrics: Sequence[str] | None = None,
    by: Sequence[str] = (),
) -> CompareResult:
    """Compare methods by their scores, paired by subject. docs/explanation/statistics.md has the formulas.

    Args:
        results: by method, at least two.
        baseline: the method that the others are compared with; None for the best by the first metric.
        metrics: names of the metrics to compare by, the first one leading; None for all.
        by: labels of generations that the comparison is broken down by, as in `--by`; each method may lack some.

    Raises:
        InputError: fewer than two methods, results that are not of the same metrics, or no subject that two methods
            have.
        UsageError: `baseline` is no method, one of `metrics` is no metric of the results, or no generation has one of
            the labels.
    """
    check_methods(list(results), baseline)
    chosen = comparable(results, metrics)
    check_common_subjects(chosen)
    breakdowns = read_breakdowns(by, (image for one in chosen.values() for image in one.images))
    copies = {
        name: sum(copied is not None for copied in one.images.column("copy_of"))
        for name, one in chosen.items()
    }
    ranked = [name for name, one in chosen.items() if not copying(one, copies[name])] or list(chosen)
    ground = common_ground(chosen, ranked)
    first = next(iter(chosen.values())).metrics
    scored = [numbered_ground(metric, ground, chosen, ranked) for metric in first] if ground.subjects else []
    methods = _with_ranks(_methods(chosen, copies, ground, scored))
    leading = (
        _best(methods, first[0].name)
        if baseline is None
        else next(method for method in methods if method.name == storable(baseline))
    )
    picked = baseline is None and leading.ranks[first[0].name] is not None
    result = CompareResult(
        tool=this_tool(),
        created=timestamp(),
        baseline=leading.name,
        baseline_named=baseline is not None,
        metrics=first,
        methods=methods,
        comparisons=every_judged(methods, leading, picked),
        agreements=_agreements(methods),
        disagreements=_disagreements(methods),
        common_subjects=ground.subjects,
        common_prompts=ground.prompts,
        remarks=remarks(ground, scored, chosen, ranked),
        groups=compared_groups(methods, leading, breakdowns, picked),
    )
    return with_curves(result)


def _methods(
    results: Mapping[str, ScoreResult],
    copies: Mapping[str, int],
    ground: Ground,
    scored: Sequence[NumberedGround],
) -> list[Method]:
    """The methods, without ranks yet."""
    known = dict.fromkeys(subject.subject for one in results.values() for subject in one.subjects)
    present = {name: set(one.subjects.names()) for name, one in results.items()}
    return [
        Method(
            name=storable(name),
            result=one,
            copies=copies[name],
            copying=copying(one, copies[name]),
            lacking=tuple(subject for subject in known if subject not in present[name]),
            ranks={metric.name: None for metric in one.metrics},
            common=common_scores(name, one, ground, scored),
        )
        for name, one in results.items()
    ]


def _with_ranks(methods: Sequence[Method]) -> Methods:
    """Ranked by metric over the common ground: 1 for the best score, and equal scores share a rank."""
    placed = [method for method in rankable(methods) if method.common]
    signs = {metric.name: metric.sign for method in methods for metric in method.result.metrics}
    scores = {
        name: {
            method.name: sign * score for method in placed if (score := method.common[name].score) is not None
        }
        for name, sign in signs.items()
    }

    def rank(method: Method, metric: str) -> int | None:
        own = scores[metric].get(method.name)
        return None if own is None else 1 + sum(one > own + RESOLUTION for one in scores[metric].values())

    return Methods(
        replace(method, ranks={name: rank(method, name) for name in method.ranks}) for method in methods
    )


def _best(methods: Sequence[Method], metric: str) -> Method:
    """The best ranked method; where none is ranked, the one that has the most subjects in common with the others."""
    ranked = [method for method in methods if method.ranks[metric] is not None]
    if ranked:
        return min(ranked, key=lambda method: method.ranks[metric] or 0)
    candidates = rankable(methods)
    own = [set(method.result.subjects.names()) for method in candidates]
    shared = [sum(len(mine & theirs) for theirs in own) - len(mine) for mine in own]
    return candidates[shared.index(max(shared))]


def _agreements(methods: Sequence[Method]) -> tuple[Agreement, ...]:
    """How alike every two metrics rank the methods, the subjects of each method, and the generations.

    Of these, what both give a number. The order is from worse to better: a distance may agree with a similarity.
    """
    found = []
    for level in ("methods", "subjects", "images"):
        values = {metric.name: _values(methods, level, metric) for metric in methods[0].result.metrics}
        for a, b in combinations(values, 2):
            known = ~np.isnan(values[a] + values[b])
            x, y = values[a][known], values[b][known]
            found.append(Agreement(level, a, b, len(x), kendall(x, y), spearman(x, y)))
    return tuple(found)


def _disagreements(methods: Sequence[Method]) -> tuple[Disagreement, ...]:
    """What each further metric ranks otherwise than the first one: methods, then generations, worst first.

    Methods from 3 on: two are always in the same order or in the opposite one.
    """
    first, *others = methods[0].result.metrics
    owned = [
        (method, subject, path)
        for method in methods
        for subject, path in zip(*map(method.result.images.column, ("subject", "path")), strict=True)
    ]
    alike = _side_by_side(methods)
    found = []
    for metric in others:
        places, ranks, against = _both_ranks(methods, "images", metric, first)
        for i in np.concatenate(most_apart(ranks, against)).tolist():
            method, *image = owned[places[i]]
            found.append(_disagreement(metric.name, first.name, method, image, ranks[i], against[i]))
        places, ranks, against = _both_ranks(methods, "methods", metric, first)
        if len(places) >= MIN_RANKED:
            for i in np.flatnonzero(np.abs(ranks - against) > RESOLUTION).tolist():
                one = alike[places[i]]
                found.append(_disagreement(metric.name, first.name, one, (), ranks[i], against[i]))
    return tuple(sorted(found, key=lambda one: (one.level != "methods", -abs(one.difference))))


def _both_ranks(
    methods: Sequence[Method], level: str, metric: Metric, first: Metric
) -> tuple[list[int], Floats, Floats]:
    """What both metrics give a number: its places, and its ranks by each from 0 for the worst to 1 for the best."""
    own, other = _values(methods, level, metric), _values(methods, level, first)
    known = np.flatnonzero(~np.isnan(own + other))
    if not len(known):
        return [], np.empty(0), np.empty(0)
    return known.tolist(), rank_shares(own[known]), rank_shares(other[known])


def _disagreement(
    metric: str, first: str, method: Method, image: Sequence[str], rank: float, against: float
) -> Disagreement:
    """Of a generation, told by its subject and path, or of a method."""
    subject, path = image or (None, None)
    return Disagreement(
        level="images" if image else "methods",
        metric=metric,
        against=first,
        method=method.name,
        subject=subject,
        path=path,
        rank=float(rank),
        rank_against=float(against),
        difference=float(rank - against),
    )


def _side_by_side(methods: Sequence[Method]) -> list[Method]:
    """The methods whose scores are over the same subjects and prompts."""
    return [method for method in methods if method.common]


def _values(methods: Sequence[Method], level: str, metric: Metric) -> Floats:
    """The scores of everything on a level, method by method, so that more is better; NaN where there is none."""
    results = [method.result for method in methods]
    found: list[float | None]
    if level == "methods":
        found = [method.common[metric.name].score for method in _side_by_side(methods)]
    elif level == "subjects":
        found = [one.scores[metric.name].score for result in results for one in result.subjects]
    else:
        found = [score for result in results for score in result.images.scores(metric.name)]
    return metric.sign * np.array(found, np.float64)  # None becomes NaN
