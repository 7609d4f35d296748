"""Results as columns, one row a subject or a generation: what CSV and Parquet write."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from nearid_cli.reports.order import copies, sorted_subjects
from nearid_cli.results import ScoreResult

Cell = str | int | float | None


@dataclass(frozen=True)
class Column:
    """A named column whose cells are all of one type (`str`, `int` or `float`) or None."""

    name: str
    type: type[str] | type[int] | type[float]
    cells: Sequence[Cell]


Sheet = tuple[Column, ...]


def subject_sheet(result: ScoreResult, sort: str | None = None) -> Sheet:
    """One row a subject: name, counts, then `<metric>_<number>` for every number of every metric.

    There is no aggregate row: it would be taken for a subject by whoever averages the column. `ci95` becomes
    `ci95_low` and `ci95_high`.
    """
    subjects = sorted_subjects(result, sort)
    copied = copies(result)
    columns = [
        Column("subject", str, [subject.subject for subject in subjects]),
        Column("references", int, [subject.references for subject in subjects]),
        Column("generations", int, [subject.generations for subject in subjects]),
        Column("copies", int, [copied.get(subject.subject, 0) for subject in subjects]),
    ]
    for metric in result.metrics:
        rows = [_flat(asdict(subject.scores[metric.name])) for subject in subjects]
        columns += [
            Column(f"{metric.name}_{number}", float, [row[number] for row in rows])
            for number in (rows[0] if rows else ())
        ]
    return tuple(columns)


def image_sheet(result: ScoreResult) -> Sheet:
    """One row a generation: `path`, `subject`, `copy_of`, then one column a metric."""
    return (
        Column("path", str, [image.path for image in result.images]),
        Column("subject", str, [image.subject for image in result.images]),
        Column("copy_of", str, [image.copy_of for image in result.images]),
        *(
            Column(metric.name, float, [image.scores[metric.name] for image in result.images])
            for metric in result.metrics
        ),
    )


def _flat(scores: dict[str, Any]) -> dict[str, float | None]:
    """The numbers of one metric on one subject, the interval as two."""
    flat: dict[str, float | None] = {}
    for number, value in scores.items():
        if number == "ci95":
            flat["ci95_low"], flat["ci95_high"] = value or (None, None)
        else:
            flat[number] = value
    return flat
