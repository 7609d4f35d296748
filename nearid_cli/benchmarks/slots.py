"""From embeddings to the similarities of a sample: views and distractors in numbered slots, some of them empty."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
import numpy.typing as npt

from nearid_cli.metrics.margins import PAIRS
from nearid_cli.metrics.similarity import unit_vectors

Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]
"""[N, 3], for each sample and slot the row of its embedding; -1 where the slot is empty."""

CROSSED = tuple(product(range(3), range(3)))
"""The pairs of a view and a distractor, by their slots; those of two views are `PAIRS`."""

PROTOCOL = "cosine of two embeddings in float64"
_ROWS_AT_ONCE = 512  # so that memory holds few embeddings in float64


def compacted(places: Places) -> Places:
    """The places moved to the first slots, in their order, as the published code has them.

    >>> compacted(np.array([[-1, 7, 8], [4, -1, -1]])).tolist()
    [[7, 8, -1], [4, -1, -1]]
    """
    order = np.argsort(places < 0, axis=1, kind="stable")
    return np.take_along_axis(places, order, axis=1)


def within(embeddings: npt.NDArray[np.float32], places: Places) -> Floats:
    """Cosines among the pictures of each sample.

    Args:
        embeddings: [M, D], none of them zero.
        places: of the pictures.

    Returns:
        Float64 [N, 3], slots (0, 1), (0, 2), (1, 2); NaN where one is empty.
    """
    return _cosines(embeddings, places, places, PAIRS)


def between(embeddings: npt.NDArray[np.float32], views: Places, distractors: Places) -> Floats:
    """Cosines of each view with each distractor of its sample.

    Args:
        embeddings: [M, D], none of them zero.
        views: places of the views.
        distractors: places of the distractors.

    Returns:
        Float64 [N, 3, 3], at [n, i, j] those of view i and distractor j; NaN where one is empty.
    """
    return _cosines(embeddings, views, distractors, CROSSED).reshape(-1, 3, 3)


def _cosines(
    embeddings: npt.NDArray[np.float32],
    left: Places,
    right: Places,
    pairs: Sequence[tuple[int, int]],
) -> Floats:
    """Cosines in float64. Every pair is computed alone and alike, so equal pictures give equal numbers."""
    found = np.full((len(left), len(pairs)), np.nan)
    for start in range(0, len(left), _ROWS_AT_ONCE):
        chunk = slice(start, start + _ROWS_AT_ONCE)
        # What an empty slot holds does not matter.
        a, b = (unit_vectors(embeddings[places[chunk]]) for places in (left, right))
        for column, (i, j) in enumerate(pairs):
            cosines = np.einsum("nd,nd->n", np.ascontiguousarray(a[:, i]), np.ascontiguousarray(b[:, j]))
            there = (left[chunk, i] >= 0) & (right[chunk, j] >= 0)
            found[chunk, column] = np.where(there, cosines, np.nan)
    return found
