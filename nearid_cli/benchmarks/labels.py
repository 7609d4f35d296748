"""What data say of the samples of a benchmark, and which samples `--by` takes together.

Parsing, groups and their order are those of generations (`breakdown/labels.py`); a sample has no prompt and no seed but
what is said of it under such names.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from nearid_cli.breakdown.labels import PROMPT, SEED, Labels, read_breakdowns, told
from nearid_cli.nearid_data.rows import column_values, label_columns
from nearid_cli.reports.table import TEXT, Column, Table, named
from nearid_cli.text import storable

if TYPE_CHECKING:
    from datasets import Dataset

LABEL = "breakdown"
"""The label of the table of groups, which is the name of its files."""

_SHOWN = 60  # rows that a terminal has room for


@dataclass(frozen=True)
class SampleLabels:
    """What is known of a sample.

    Attributes:
        prompt, seed: None where it is not known.
        labels: everything else, by name.
    """

    prompt: str | None
    seed: str | None
    labels: Mapping[str, str]

    @classmethod
    def of(cls, said: Mapping[str, str | None]) -> SampleLabels:
        """Of values by name; None for what is not said of this sample."""
        known = {name: value for name, value in said.items() if value is not None}
        return cls(known.pop(PROMPT, None), known.pop(SEED, None), known)


@dataclass(frozen=True)
class TakenTogether:
    """A group of N samples.

    Attributes:
        by: the breakdown that it is of, such as `category+source`.
        labels: what its samples have in common.
        some: bool [N], which samples are in it.
    """

    by: str
    labels: Labels
    some: npt.NDArray[np.bool_]


def taken_together(by: Sequence[str], samples: Sequence[SampleLabels]) -> list[TakenTogether]:
    """The groups of samples, breakdown by breakdown, each in the order of its values.

    Args:
        by: what was asked for, see `read_breakdowns`.
        samples: all of them.

    Raises:
        UsageError: a label that no sample has; it lists those that there are.
    """
    found = []
    for breakdown in read_breakdowns(by, samples, "samples"):
        keys = [breakdown.key(one) for one in samples]
        for key, labels in breakdown.groups(samples).items():
            found.append(TakenTogether(breakdown.name, labels, np.array([own == key for own in keys])))
    return found


def asks_for_more(by: Iterable[str], known: Collection[str]) -> bool:
    """Whether `--by` has other labels than some that are known."""
    return any(name.strip().casefold() not in known for one in by for name in re.split("[,+]", one))


def row_labels(dataset: Dataset, source: str, rows: Sequence[int]) -> list[dict[str, str | None]]:
    """What the columns of a data set say of rows, as text: those of words, whole numbers and truth values."""
    columns = {name: column_values(name, source, dataset) for name in label_columns(dataset)}
    return [
        {
            storable(name): None if values[row] is None else storable(values[row] or "")
            for name, values in columns.items()
        }
        for row in rows
    ]


def group_columns(
    rows: Sequence[tuple[str, Labels, str]],
) -> tuple[Column, ...]:
    """The names of a table of groups: one row a breakdown, group and metric."""
    return (
        named("", [by for by, _, _ in rows], "by"),
        Column(TEXT, [told(labels) for _, labels, _ in rows], "group"),
        named("", ["+".join(value or "" for value in labels.values()) for _, labels, _ in rows], "group"),
        named("metric", [metric for _, _, metric in rows], "metric"),
    )


def few_groups(tables: Iterable[Table]) -> dict[str, Sequence[int]]:
    """What a terminal shows of tables by group, as `Report.few`: all, or where that is too long nothing."""
    return {table.label: [] for table in tables if _rows(table) > _SHOWN}


def too_many(tables: Iterable[Table]) -> list[str]:
    """Which of the tables are not shown, a line each."""
    return [
        f"--by: {_rows(table):,} rows, which are in {table.label}.csv of -o DIR, and in files of -o"
        for table in tables
        if _rows(table) > _SHOWN
    ]


def _rows(table: Table) -> int:
    return len(table.names[0].cells)
