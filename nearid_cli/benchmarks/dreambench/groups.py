"""DreamBench++ by what the names of items say: category, subject, prompt and its kind; and by method of generation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from nearid_cli.benchmarks.dreambench.ratings import RatingSet, category_of, prompt_of, subject_of
from nearid_cli.benchmarks.dreambench.result import Alignment, DreamBenchGroup
from nearid_cli.benchmarks.labels import SampleLabels, taken_together
from nearid_cli.layouts.kinds.dreambench import labels_of_names
from nearid_cli.metrics.intervals import MIN_UNITS

Rows = Mapping[str, Mapping[str, tuple[float, ...]]]
"""Numbers of pictures by method, then item."""

Align = Callable[[Rows], Alignment]
"""What makes an alignment of such rows."""


def check_by(by: Sequence[str], humans: Sequence[RatingSet]) -> None:
    """Refuse labels that there are not, before anything is embedded.

    Raises:
        UsageError: a label that no rated picture has.
    """
    taken_together(by, [_labels(*key) for one in humans for key in _keys(one.methods)])


def dreambench_groups(
    by: Sequence[str], aligned: Sequence[tuple[Rows, Align]]
) -> tuple[DreamBenchGroup, ...]:
    """The agreement with people by group.

    Args:
        by: what was asked for.
        aligned: the pictures that people rated and what makes the ceiling of them; then of each metric those that it
            scored, too, and what makes its alignment.

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
            )
        )
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
