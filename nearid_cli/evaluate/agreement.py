"""Do the metrics agree: rank correlations, and what two metrics rate very differently."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np
import numpy.typing as npt

from nearid_cli.metrics.agreement import MIN_RANKED, kendall, most_apart, rank_shares, spearman
from nearid_cli.metrics.similarity import RESOLUTION
from nearid_cli.results import Agreement, Disagreement, Image, Method

Floats = npt.NDArray[np.float64]


def agreements(methods: Sequence[Method]) -> tuple[Agreement, ...]:
    """How alike every two metrics rank the methods, the subjects of each method, and the generations."""
    metrics = [metric.name for metric in methods[0].result.metrics]
    return tuple(
        Agreement(level, a, b, len(values[a]), kendall(values[a], values[b]), spearman(values[a], values[b]))
        for level in ("methods", "subjects", "images")
        for values in [{metric: _values(methods, level, metric) for metric in metrics}]
        for a, b in combinations(metrics, 2)
    )


def disagreements(methods: Sequence[Method]) -> tuple[Disagreement, ...]:
    """What each further metric ranks otherwise than the first one: methods, then generations, worst first.

    Methods from 3 on: two are always in the same order or in the opposite one.
    """
    first, *others = [metric.name for metric in methods[0].result.metrics]
    found = [one for metric in others for one in _images_apart(methods, metric, first)]
    if len(_side_by_side(methods)) >= MIN_RANKED:
        found += [one for metric in others for one in _methods_apart(methods, metric, first)]
    return tuple(sorted(found, key=lambda one: (one.level != "methods", -abs(one.difference))))


def _methods_apart(methods: Sequence[Method], metric: str, first: str) -> Iterator[Disagreement]:
    methods = _side_by_side(methods)
    ranks, against = _shares(methods, "methods", metric, first)
    for i in np.flatnonzero(np.abs(ranks - against) > RESOLUTION).tolist():
        yield _disagreement(metric, first, methods[i], None, ranks[i], against[i])


def _images_apart(methods: Sequence[Method], metric: str, first: str) -> Iterator[Disagreement]:
    owned = [(method, image) for method in methods for image in method.result.images]
    ranks, against = _shares(methods, "images", metric, first)
    for i in np.concatenate(most_apart(ranks, against)).tolist():
        method, image = owned[i]
        yield _disagreement(metric, first, method, image, ranks[i], against[i])


def _disagreement(
    metric: str, first: str, method: Method, image: Image | None, rank: float, against: float
) -> Disagreement:
    return Disagreement(
        level="images" if image else "methods",
        metric=metric,
        against=first,
        method=method.name,
        subject=image.subject if image else None,
        path=image.path if image else None,
        rank=float(rank),
        rank_against=float(against),
        difference=float(rank - against),
    )


def _side_by_side(methods: Sequence[Method]) -> list[Method]:
    """The methods whose scores are over the same subjects and prompts."""
    return [method for method in methods if method.common]


def _shares(methods: Sequence[Method], level: str, *metrics: str) -> list[Floats]:
    return [rank_shares(_values(methods, level, metric)) for metric in metrics]


def _values(methods: Sequence[Method], level: str, metric: str) -> Floats:
    """The scores of everything on a level, method by method."""
    if level == "methods":
        return np.array([method.common[metric].score for method in _side_by_side(methods)])
    results = [method.result for method in methods]
    if level == "subjects":
        return np.array([one.scores[metric].score for result in results for one in result.subjects])
    return np.array([image.scores[metric] for result in results for image in result.images])
