"""Ratings of people and scores of metrics joined by item: what belongs together, and what one of them lacks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nearid_cli.benchmarks.dreambench.ratings import RatingSet, category_of, in_order, subject_of
from nearid_cli.benchmarks.dreambench.result import Unjoined
from nearid_cli.metrics.human import Category, Rated
from nearid_cli.reports.figures import some
from nearid_cli.text import count, printable

_NAMED = 20  # items of one method named in a message

Rows = dict[str, tuple[float, ...]]


@dataclass(frozen=True)
class Joined:
    """Pictures with all numbers that are compared: by method, then item, one number a set."""

    methods: Mapping[str, Rows]

    def blocks(self, category: str, ratings: Sequence[int], scores: int) -> tuple[list[str], Category]:
        """The pictures of a category as methods' names and numbers.

        Args:
            category: which one.
            ratings: places in the rows of the raters.
            scores: place in the rows of the metric.
        """
        own = {
            method: {item: row for item, row in rows.items() if category_of(item) == category}
            for method, rows in self.methods.items()
        }
        own = {method: rows for method, rows in own.items() if rows}
        subjects = sorted({subject_of(item) for rows in own.values() for item in rows})
        number = {subject: index for index, subject in enumerate(subjects)}
        rated = []
        for rows in own.values():
            table = np.array(list(rows.values()), dtype=np.float64).T
            of = np.array([number[subject_of(item)] for item in rows], dtype=np.intp)
            rated.append(Rated(of, table[list(ratings)], table[scores]))
        return list(own), Category(tuple(rated), len(subjects))


def join(sets: Sequence[RatingSet]) -> Joined:
    """What all sets have, items of a method in order of their names."""
    methods = in_order(set.intersection(*(set(one.methods) for one in sets)))
    rows: dict[str, Rows] = {}
    for method in methods:
        items = set.intersection(*(set(one.methods[method]) for one in sets))
        rows[method] = {item: tuple(one.methods[method][item] for one in sets) for item in sorted(items)}
    return Joined(rows)


def unjoined_humans(first: RatingSet, second: RatingSet) -> list[Unjoined]:
    """What one group of people rated and the other did not."""
    return [
        *_lacking(first.name, first.methods, second.methods),
        *_lacking(second.name, second.methods, first.methods),
    ]


def unjoined_metric(
    humans: tuple[RatingSet, RatingSet], metric: RatingSet, excused: Mapping[str, Iterable[str]]
) -> list[Unjoined]:
    """What people rated and the metric did not score, and the other way round.

    Args:
        humans: the two groups.
        metric: the metric.
        excused: by method, items that the metric could not score, which is said elsewhere.
    """
    first, second = (group.methods for group in humans)
    both = {
        method: first[method].keys() & second[method].keys() - set(excused.get(method, ()))
        for method in first.keys() & second.keys()
    }
    either = {
        method: first.get(method, {}).keys() | second.get(method, {}).keys() for method in {*first, *second}
    }
    return [
        *_lacking(metric.name, metric.methods, both),
        *_lacking("the human ratings", either, metric.methods),
    ]


def lines(unjoined: Iterable[Unjoined]) -> list[str]:
    """For each set and method one line with the names of what it lacks."""
    return [_line(one) for one in unjoined]


def _lacking(
    name: str, methods: Mapping[str, Iterable[str]], wanted: Mapping[str, Iterable[str]]
) -> Iterable[Unjoined]:
    for method in in_order(wanted):
        if method not in methods:
            yield Unjoined(name, method, ())
        elif items := sorted(set(wanted[method]) - set(methods[method])):
            yield Unjoined(name, method, tuple(items))


def _line(one: Unjoined) -> str:
    where = f"not in {printable(one.lacking)}: {printable(one.method)}"
    return f"{where}, {count(len(one.items), 'item')}: {some(one.items, _NAMED)}" if one.items else where
