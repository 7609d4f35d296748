"""DreamBench++ by what the names of items say: category, subject, prompt and its kind; and by method of generation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import islice

from nearid_cli.benchmarks.differences import adjusted
from nearid_cli.benchmarks.dreambench.ratings import RatingSet, category_of, prompt_of, subject_of
from nearid_cli.benchmarks.dreambench.result import MEAN, Alignment, Difference, DreamBenchGroup
from nearid_cli.benchmarks.labels import SampleLabels, taken_together
from nearid_cli.layouts.kinds.dreambench import labels_of_names
from nearid_cli.metrics.intervals import MIN_UNITS

Rows = Mapping[str, Mapping[str, tuple[float, ...]]]
"""Numbers of pictures by method, then item."""

Compare = Callable[[Rows], list[Difference]]
"""What makes the differences of two metrics, by category and over all, of such rows."""

Align = Callable[[Rows], Alignment]
"""What makes an alignment of such rows."""


def check_by(by: Sequence[str], humans: Sequence[RatingSet]) -> None:
    """Refuse labels that there are not, before anything is embedded.

    Raises:
        UsageError: a label that no rated picture has.
    """
    taken_together(by, [_labels(*key) for one in humans for key in _keys(one.methods)])


def dreambench_groups(
    by: Sequence[str], aligned: Sequence[tuple[Rows, Align]], compared: Sequence[tuple[Rows, Compare]] = ()
) -> tuple[DreamBenchGroup, ...]:
    """The agreement with people by group, and each metric minus another one.

    Args:
        by: what was asked for.
        aligned: the pictures that people rated and what makes the ceiling of them; then of each metric those that it
            scored, too, and what makes its alignment.
        compared: for each metric that is compared with another one the pictures that both scored, and what compares.

    Raises:
        UsageError: a label that no picture has.
    """
    (people, human), *metrics = aligned
    keys = _keys(people)
    found = []
    for taken in taken_together(by, [_labels(*key) for key in keys]):
        own = {key for key, is_in in zip(keys, taken.some.tolist(), strict=True) if is_in}
        found.append(
            DreamBenchGroup(
                by=taken.by,
                labels=taken.labels,
                items=len(own),
                subjects=len({subject_of(item) for _, item in own}),
                human=human(_only(people, own)),
                alignments=tuple(align(_only(rows, own)) for rows, align in metrics),
                differences=tuple(
                    row
                    for rows, compare in compared
                    for row in compare(_only(rows, own))
                    if row.category == MEAN
                ),
            )
        )
    return _adjusted(found)


def _adjusted(groups: Sequence[DreamBenchGroup]) -> tuple[DreamBenchGroup, ...]:
    """With p-values for all metrics and groups of a breakdown together."""
    found: list[DreamBenchGroup] = []
    for by in dict.fromkeys(one.by for one in groups):
        own = [one for one in groups if one.by == by]
        rows = iter(adjusted([row for one in own for row in one.differences], lambda row: row.category))
        found += [replace(one, differences=tuple(islice(rows, len(one.differences)))) for one in own]
    return tuple(found)


def _keys(rows: Mapping[str, Mapping[str, object]]) -> list[tuple[str, str]]:
    return [(method, item) for method, items in rows.items() for item in items]


def _only(rows: Rows, own: set[tuple[str, str]]) -> Rows:
    """The pictures of a group, without those of a method and category that are too few for a correlation to be any."""
    chosen: dict[str, dict[str, tuple[float, ...]]] = {}
    for method, items in rows.items():
        of_category: dict[str | None, dict[str, tuple[float, ...]]] = {}
        for item, numbers in items.items():
            if (method, item) in own:
                of_category.setdefault(category_of(item), {})[item] = numbers
        kept = [some for some in of_category.values() if len(some) >= MIN_UNITS]
        if kept:
            chosen[method] = {item: numbers for some in kept for item, numbers in some.items()}
    return chosen


def _labels(method: str, item: str) -> SampleLabels:
    subject, prompt = subject_of(item), prompt_of(item)
    said = labels_of_names(subject, prompt)
    return SampleLabels.of({**said, "prompt_number": prompt, "subject": subject, "method": method})
