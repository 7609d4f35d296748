"""The similarities of a sample: views and distractors in numbered slots, some of them empty."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
import numpy.typing as npt

from nearid_cli.evaluate.kinds.measured import Likeness
from nearid_cli.metrics.margins import PAIRS

Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]
"""[N, 3], for each sample and slot the place of its picture; -1 where the slot is empty."""

CROSSED = tuple(product(range(3), range(3)))
"""The pairs of a view and a distractor, by their slots; those of two views are `PAIRS`."""

PROTOCOL = "cosine of two embeddings in float64"


def compacted(places: Places) -> Places:
    """The places moved to the first slots, in their order, as the published code has them.

    >>> compacted(np.array([[-1, 7, 8], [4, -1, -1]])).tolist()
    [[7, 8, -1], [4, -1, -1]]
    """
    order = np.argsort(places < 0, axis=1, kind="stable")
    return np.take_along_axis(places, order, axis=1)


def within(likeness: Likeness, places: Places) -> Floats:
    """How alike the pictures of each sample are.

    Args:
        likeness: of pictures by their places.
        places: of the pictures.

    Returns:
        Float64 [N, 3], slots (0, 1), (0, 2), (1, 2); NaN where one is empty.
    """
    return _numbers(likeness, places, places, PAIRS)


def between(likeness: Likeness, views: Places, distractors: Places) -> Floats:
    """How alike each view is to each distractor of its sample.

    Args:
        likeness: of pictures by their places.
        views: places of the views.
        distractors: places of the distractors.

    Returns:
        Float64 [N, 3, 3], at [n, i, j] those of view i and distractor j; NaN where one is empty.
    """
    return _numbers(likeness, views, distractors, CROSSED).reshape(-1, 3, 3)


def _numbers(likeness: Likeness, left: Places, right: Places, pairs: Sequence[tuple[int, int]]) -> Floats:
    """Those of all pairs of slots at once, so that a metric that goes pair by pair sees them all."""
    first, second = (
        np.concatenate([places[:, slot] for slot in slots])
        for places, slots in zip((left, right), zip(*pairs, strict=True), strict=True)
    )
    there = (first >= 0) & (second >= 0)
    found = np.full(len(first), np.nan)
    found[there] = likeness(first[there], second[there])
    return found.reshape(len(pairs), -1).T
