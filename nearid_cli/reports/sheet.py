"""Results as columns, one row a subject or a generation: what CSV and Parquet write."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nearid_cli.reports.order import copies, sorted_subjects
from nearid_cli.results import ScoreResult
from nearid_cli.results.plain import plain

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
        rows = [_flat(plain(subject.scores[metric.name])) for subject in subjects]
        numbers = {number: None for row in rows for number in row}  # some subjects may have no distractors
        columns += [
            Column(f"{metric.name}_{number}", float, [row.get(number) for row in rows]) for number in numbers
        ]
    return tuple(columns)


def image_sheet(result: ScoreResult) -> Sheet:
    """One row a generation: `path`, `subject`, `copy_of`, `prompt` and `seed` where known, then one column a metric.

    With distractors `<metric>_margin` follows.
    """
    images = result.images
    known = [name for name in ("prompt", "seed") if any(getattr(image, name) is not None for image in images)]
    margins = any(image.margins for image in images)
    return (
        Column("path", str, [image.path for image in images]),
        Column("subject", str, [image.subject for image in images]),
        Column("copy_of", str, [image.copy_of for image in images]),
        *(Column(name, str, [getattr(image, name) for image in images]) for name in known),
        *(
            Column(metric.name, float, [image.scores[metric.name] for image in images])
            for metric in result.metrics
        ),
        *(
            Column(
                f"{metric.name}_margin", float, [(image.margins or {}).get(metric.name) for image in images]
            )
            for metric in result.metrics
            if margins
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
