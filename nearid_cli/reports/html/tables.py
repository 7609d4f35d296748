"""Tables of the report for its templates: what of them stands beside each other, and which names must be shortened."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from nearid_cli.reports.labels import Label, labelled
from nearid_cli.reports.table import Column, Mark, Table

COLUMNS = 8
"""So many columns of numbers a table has beside its names; more go into further tables below, which fit on paper."""

NAME = 32
"""So many characters of its name a row or a column shows."""

LEGEND: dict[Mark, str] = {"best": "Best in bold, second underlined", "better": "▲ better, ▼ worse"}


def labels(names: Iterable[str], most: int = NAME) -> list[Label]:
    """Names at most so many characters long, each as often as it is given."""
    names = list(names)
    known = labelled(list(dict.fromkeys(names)), most)
    return [known[name] for name in names]


def is_wordy(table: Table) -> bool:
    """Whether a table is mostly words, which fold, so that it need not be divided."""
    return 2 * sum(column.kind.text for column in table.shown) > len(table.shown)


def parts(table: Table) -> Iterator[tuple[str, list[Column]]]:
    """The tables below each other that a table is divided into: which part each is, in words, and its columns."""
    columns = table.shown
    if len(columns) <= COLUMNS or is_wordy(table):
        yield "", columns
        return
    tables = math.ceil(len(columns) / COLUMNS)
    number = math.ceil(len(columns) / tables)  # of columns in each, about alike
    for start in range(0, len(columns), number):
        some = columns[start : start + number]
        yield f", columns {start + 1} to {start + len(some)}", some
