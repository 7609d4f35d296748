"""Columns that benchmarks still make by themselves; `table.py` has the model that takes their place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nearid_cli.reports.table import Column as Cells
from nearid_cli.reports.table import Kind, Table

Cell = str | int | float | None


@dataclass(frozen=True)
class Column:
    """A named column whose cells are all of one type (`str`, `bool`, `int` or `float`) or None."""

    name: str
    type: type[str] | type[bool] | type[int] | type[float]
    cells: Sequence[Cell]


Sheet = tuple[Column, ...]


def as_table(sheet: Sheet) -> Table:
    """The columns as a table of data alone."""
    columns = tuple(Cells(Kind(column.type, str), column.cells, name=column.name) for column in sheet)
    return Table(columns[:1], columns[1:])
