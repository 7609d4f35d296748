"""Which generations a page shows where it cannot hold all of them: the worst and the best of each subject, and copies.

What stands beside each other is decided over all generations first, so that a row holds what it would hold else.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, zip_longest

from nearid_cli.reports.html.side_by_side import Row, side_by_side
from nearid_cli.results import CompareResult, Image, Metric
from nearid_cli.text import count

PAGE_BYTES = 19_500_000
"""So large a page may become: a browser opens it within seconds."""

GENERATION_BYTES = 5_000_000
"""Of which so much may be generations, without their pictures."""

_LEAST = 4  # of each subject
_SUBJECT_BYTES = 650  # its name and its references' without what these are called
_CELL_BYTES = 250  # of a subject by a method and a metric, in data and in plots


@dataclass(frozen=True)
class Chosen:
    """What a page shows.

    Attributes:
        rows: of the grid.
        note: what it leaves out and where that is, a sentence; empty where it has everything.
    """

    rows: Sequence[Row]
    note: str = ""

    @property
    def images(self) -> set[int]:
        """The generations, by their `id`."""
        return {id(image) for row in self.rows for _, image in row.images}


def chosen(result: CompareResult) -> Chosen:
    """The generations of all methods, or of each subject as many as a page holds."""
    methods, metric = result.methods, result.metrics[0]
    rows = side_by_side(methods)
    size = generation_bytes(result)
    if size <= GENERATION_BYTES:
        return Chosen(rows)
    subjects: dict[str, list[Row]] = {}
    for row in rows:
        subjects.setdefault(row.subject, []).append(row)
    total = sum(len(method.result.images) for method in methods)
    number = max(_LEAST, int(GENERATION_BYTES / size * total / len(subjects)))
    kept = [row for own in subjects.values() for row in _of_subject(own, number, metric)]
    shown = sum(len(row.images) for row in kept)
    return Chosen(
        kept,
        f"Of {count(total, 'generation')} this page has {shown:,}: of each subject the worst and the best by "
        f"{metric.name}, and copies. All are in -o FILE.json and --images FILE.csv.",
    )


def _of_subject(rows: Sequence[Row], number: int, metric: Metric) -> Iterator[Row]:
    """Rows with about so many of a subject's generations, each with what other methods made in the same way."""
    pairs = [(place, *pair) for place, row in enumerate(rows) for pair in row.images]
    pairs.sort(key=lambda one: (one[2].scores[metric.name] is None, worse(one[2], metric)))
    known = [pair for pair in pairs if pair[2].scores[metric.name] is not None]
    copies = [pair for pair in pairs if pair[2].copy_of is not None]
    of_row: dict[tuple[int, int], list[Image]] = {}
    for place, method, image in pairs:
        of_row.setdefault((place, method), []).append(image)
    methods = {method for _, method in of_row}
    taken: dict[int, None] = {}
    for pair in chain.from_iterable(zip_longest(pairs, reversed(known), copies)):
        if len(taken) >= number:
            break
        if pair is not None:
            place, method, image = pair
            taken[id(image)] = None
            for other in methods - {method}:
                own = of_row.get((place, other), ())
                if own and not any(id(one) in taken for one in own):
                    taken |= {id(own[0]): None, id(own[-1]): None}
    for row in rows:
        if images := [pair for pair in row.images if id(pair[1]) in taken]:
            yield replace(row, images=images)


def room_for_pictures(result: CompareResult) -> int:
    """Bytes that a page has left beside its numbers."""
    cells = len(result.methods) * len(result.metrics)
    subjects = {one.subject: one for method in result.methods for one in method.result.subjects}
    used = sum(
        _SUBJECT_BYTES + _CELL_BYTES * cells + 2 * sum(map(_length, one.reference_paths))
        for one in subjects.values()
    )
    return max(PAGE_BYTES - used - min(generation_bytes(result), GENERATION_BYTES), 0)


def generation_bytes(result: CompareResult) -> int:
    """About how much of a page all generations would be."""
    number = 40 + 12 * len(result.metrics)
    return sum(
        number
        + 2 * (_length(one.path) + _length(one.prompt or ""))
        + _length(one.seed or "")
        + _length(one.copy_of or "")
        + (number if one.margins else 0)
        + sum(_length(text) + 8 for both in one.labels.items() for text in both)
        + sum(_length(text) + 8 for text in (*one.reasons.values(), *one.near_copy_of.values()))
        for method in result.methods
        for one in method.result.images
    )


def worse(image: Image, metric: Metric) -> float:
    """The lower, the worse; 0 without a score."""
    return metric.sign * (image.scores[metric.name] or 0.0)


def _length(text: str) -> int:
    return len(text) if text.isascii() else 6 * len(text)  # as JSON writes it between HTML
