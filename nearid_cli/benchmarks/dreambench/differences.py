"""Does one metric agree better with people than another: differences of correlations over the same pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from nearid_cli.benchmarks.differences import adjusted
from nearid_cli.benchmarks.dreambench.joining import join
from nearid_cli.benchmarks.dreambench.ratings import CATEGORIES, RatingSet
from nearid_cli.benchmarks.dreambench.result import MEAN, Difference
from nearid_cli.metrics.correlations import pearson
from nearid_cli.metrics.human import (
    Category,
    Rated,
    delta_test,
    left_out,
    swap_test,
)

_RATERS, _ONE, _OTHER = (0, 1), 2, 3  # places in the joined rows


def differences(
    humans: tuple[RatingSet, RatingSet], metrics: Sequence[RatingSet], against: str | None
) -> tuple[Difference, ...]:
    """Each metric minus the one that is named `against`, by category and for the mean over categories.

    Only pictures that both score count, and only methods for which both have a correlation.
    """
    if against is None:
        return ()
    (other,) = (one for one in metrics if one.name == against)
    rows = [row for one in metrics if one is not other for row in _compared(humans, one, other)]
    return adjusted(rows, lambda row: row.category)


def _compared(humans: tuple[RatingSet, RatingSet], one: RatingSet, other: RatingSet) -> list[Difference]:
    joined = join([*humans, one, other])
    categories, first, second = [], [], []
    for category in CATEGORIES:
        a, b = _both_defined(*(joined.blocks(category, _RATERS, place)[1] for place in (_ONE, _OTHER)))
        if a.methods:
            categories.append(category)
            first.append(a)
            second.append(b)
    if not categories:
        return []

    def difference(category: str, a: Sequence[Category], b: Sequence[Category]) -> Difference:
        swaps = swap_test(a, b)
        ours, theirs = left_out(a), left_out(b)
        assert ours is not None  # all correlations exist here
        assert theirs is not None
        delta = delta_test(ours, theirs)
        return Difference(
            metric=one.name,
            against=other.name,
            category=category,
            items=sum(len(rated.scores) for block in a for rated in block.methods),
            subjects=sum(block.subjects for block in a),
            delta=delta.delta,
            ci95=delta.ci95,
            p=swaps.p,
            p_studentised=delta.p,
            p_holm=swaps.p,
            p_adjusted=max(swaps.p, delta.p),
            exact=swaps.exact,
        )

    return [
        *(difference(category, [a], [b]) for category, a, b in zip(categories, first, second, strict=True)),
        difference(MEAN, first, second),
    ]


def _both_defined(first: Category, second: Category) -> tuple[Category, Category]:
    """Two blocks without the methods for which one of them has no correlation."""
    pairs = [
        (a, b)
        for a, b in zip(first.methods, second.methods, strict=True)
        if None not in (*_groups(a), *_groups(b))
    ]
    return (
        replace(first, methods=tuple(a for a, _ in pairs)),
        replace(second, methods=tuple(b for _, b in pairs)),
    )


def _groups(rated: Rated) -> list[float | None]:
    return [pearson(ratings, rated.scores) for ratings in rated.ratings]
