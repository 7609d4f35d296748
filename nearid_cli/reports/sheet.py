"""Results as columns, one row a subject, method or generation: what CSV and Parquet write."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nearid_cli.reports.ground import apart, over_common
from nearid_cli.reports.order import copies, sorted_methods, sorted_subjects
from nearid_cli.results import CompareResult, Comparison, Image, ScoreResult
from nearid_cli.results.base import plain

Cell = str | int | float | None

_OWN_COLUMNS = ("method", "path", "subject", "copy_of", "prompt", "seed")


@dataclass(frozen=True)
class Column:
    """A named column whose cells are all of one type (`str`, `bool`, `int` or `float`) or None."""

    name: str
    type: type[str] | type[bool] | type[int] | type[float]
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
        columns += _numbers(metric.name, [plain(subject.scores[metric.name]) for subject in subjects])
    return tuple(columns)


def method_sheet(result: CompareResult, sort: str | None = None) -> Sheet:
    """One row a method: name, counts, then for every metric `<metric>_rank` and the numbers that are ranked.

    Where these are over less than what a method has, its own aggregate numbers follow as `<metric>_own_<number>`, and
    `common_subjects` and `common_prompts` say how much it is. Then comes what the method differs from the baseline,
    empty for the baseline itself: `delta`, `delta_low`, `delta_high`, `p`, `p_studentised`, `p_holm`, `p_adjusted`,
    `verdict`, `wins`, `ties`, `losses`, `prompts`, `pairs`, `unpaired`.
    """
    methods, own = sorted_methods(result, sort), apart(result)
    ranked = over_common(result).methods
    compared = {(comparison.metric, comparison.method): comparison for comparison in result.comparisons}
    columns = [
        Column("method", str, [method.name for method in methods]),
        Column("subjects", int, [method.result.inputs.subjects for method in methods]),
        Column("generations", int, [len(method.result.images) for method in methods]),
        *(
            Column(name, int, [number] * len(methods))
            for name, number in (
                ("common_subjects", len(result.common_subjects)),
                ("common_prompts", result.common_prompts),
            )
            if own
        ),
        Column("copies", int, [method.copies for method in methods]),
        Column("copying", bool, [method.copying for method in methods]),
    ]
    for metric in result.metrics:
        name = metric.name
        columns.append(Column(f"{name}_rank", int, [method.ranks[name] for method in methods]))
        numbers = [plain(ranked[one.name].result.aggregate[name]) for one in methods]
        columns += _numbers(name, [_without_pairs(row) for row in numbers] if own else numbers)
        if own:
            columns += _numbers(f"{name}_own", [plain(one.result.aggregate[name]) for one in methods])
        columns += _differences(name, [compared.get((name, method.name)) for method in methods])
    return tuple(columns)


def image_sheet(result: ScoreResult | CompareResult) -> Sheet:
    """One row a generation: `path`, `subject`, `copy_of`, `prompt` and `seed` where known, labels, then the metrics.

    Each label is a column of its name, each metric as well. With distractors `<metric>_margin` follows. A comparison
    has `method` as its first column.
    """
    images = method_images(result)
    known = [
        name for name in ("prompt", "seed") if any(getattr(image, name) is not None for _, image in images)
    ]
    margins = any(image.margins for _, image in images)
    methods = (
        [Column("method", str, [method for method, _ in images])] if isinstance(result, CompareResult) else []
    )
    return (
        *methods,
        Column("path", str, [image.path for _, image in images]),
        Column("subject", str, [image.subject for _, image in images]),
        Column("copy_of", str, [image.copy_of for _, image in images]),
        *(Column(name, str, [getattr(image, name) for _, image in images]) for name in known),
        *_labels([image for _, image in images], [metric.name for metric in result.metrics]),
        *(
            Column(metric.name, float, [image.scores[metric.name] for _, image in images])
            for metric in result.metrics
        ),
        *(
            Column(
                f"{metric.name}_margin",
                float,
                [(image.margins or {}).get(metric.name) for _, image in images],
            )
            for metric in result.metrics
            if margins
        ),
    )


def _labels(images: Sequence[Image], metrics: Sequence[str]) -> list[Column]:
    """A column for every label that some generation has; one that is called like another column is `label_<name>`.

    Names that differ in case only are alike to many readers of tables, and so here.
    """
    taken = {*_OWN_COLUMNS, *(name.casefold() for metric in metrics for name in (metric, f"{metric}_margin"))}
    columns = []
    for label in {name: None for image in images for name in image.labels}:
        name = label
        while name.casefold() in taken:
            name = f"label_{name}"
        taken.add(name.casefold())
        columns.append(Column(name, str, [image.labels.get(label) for image in images]))
    return columns


def method_images(result: ScoreResult | CompareResult) -> list[tuple[str | None, Image]]:
    """Every generation with its method, which a score result does not have."""
    if isinstance(result, ScoreResult):
        return [(None, image) for image in result.images]
    return [(method.name, image) for method in result.methods for image in method.result.images]


def _numbers(metric: str, rows: Sequence[dict[str, Any]]) -> list[Column]:
    """A column for every number of a metric that some row has; some may have no distractors.

    A mark, which only rows have that it is true of, is false in the others.
    """
    flat = [_flat(row) for row in rows]
    flat = [{number: None if value != value else value for number, value in row.items()} for row in flat]
    columns = []
    for number in {number: None for row in flat for number in row}:
        cells = [row.get(number) for row in flat]
        if any(cell is True for cell in cells):
            columns.append(Column(f"{metric}_{number}", bool, [cell is True for cell in cells]))
        else:
            columns.append(Column(f"{metric}_{number}", float, cells))
    return columns


def _without_pairs(row: dict[str, Any]) -> dict[str, Any]:
    """The numbers over the common ground, which is of subjects and prompts; over pairs there is no such number."""
    return {number: value for number, value in row.items() if number != "pair_mean"}


def _differences(metric: str, comparisons: Sequence[Comparison | None]) -> list[Column]:
    intervals = [(comparison and comparison.ci95) or (None, None) for comparison in comparisons]

    def column(number: str, kind: type[str] | type[int] | type[float] = float) -> Column:
        return Column(
            f"{metric}_{number}", kind, [None if c is None else getattr(c, number) for c in comparisons]
        )

    return [
        column("delta"),
        Column(f"{metric}_delta_low", float, [low for low, _ in intervals]),
        Column(f"{metric}_delta_high", float, [high for _, high in intervals]),
        *(column(number) for number in ("p", "p_studentised", "p_holm", "p_adjusted")),
        column("verdict", str),
        *(column(number, int) for number in ("wins", "ties", "losses", "prompts", "pairs", "unpaired")),
    ]


def _flat(scores: dict[str, Any]) -> dict[str, float | None]:
    """The numbers of one metric, each interval as two: `ci95` as `ci95_low` and `ci95_high`."""
    flat: dict[str, float | None] = {}
    for number, value in scores.items():
        if number.endswith("ci95"):
            flat[f"{number}_low"], flat[f"{number}_high"] = value or (None, None)
        else:
            flat[number] = value
    return flat
