"""How varied a subject's generations are: 1 - mean similarity of two of them.

A sum of unit vectors is all that it takes: over all pairs of n of them the similarities add up to (|sum|^2 - n) / 2,
so no matrix of pairs is made. Within a prompt it is what the DreamBooth paper calls DIV (Ruiz et al., 2023, arXiv
2208.12242), with 1 - cosine for LPIPS.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nearid_cli.metrics.intervals import mean_intervals
from nearid_cli.metrics.similarity import Embeddings, unit_vectors

Floats = npt.NDArray[np.float64]

_ROWS = 512  # vectors at a time in float64


def diversity_of_sums(sums: Floats, counts: npt.NDArray[np.integer]) -> Floats:
    """1 - mean similarity among the vectors of each group, 0 to 2.

    Args:
        sums: [K, D], sum of the unit vectors of each group.
        counts: [K], how many these are.

    Returns:
        [K]; NaN with fewer than two.

    >>> diversity_of_sums(np.array([[1.0, 1.0], [2.0, 0.0], [1.0, 0.0]]), np.array([2, 2, 1])).tolist()
    [1.0, 0.0, nan]
    """
    return _diversity(np.einsum("kd,kd->k", sums, sums), counts)


def diversity_of_groups(vectors: Embeddings, groups: npt.NDArray[np.integer]) -> Floats:
    """1 - mean similarity among the vectors of each group, without a sum for each in memory.

    Args:
        vectors: embeddings [N, D].
        groups: [N], the group of each, from 0; -1 for none.

    Returns:
        [K], for every number up to the highest; NaN with fewer than two vectors.

    Raises:
        ValueError: a vector that counts is zero or not finite.

    >>> diversity_of_groups(np.array([[1.0, 0.0], [0.0, 2.0], [1.0, 0.0], [3.0, 0.0]]), np.array([0, 0, 1, 1])).tolist()
    [1.0, 0.0]
    """
    order = np.argsort(groups, kind="stable")
    order = order[np.searchsorted(groups[order], 0) :]
    counts = np.bincount(groups[order])
    squares = np.zeros(len(counts))
    carried, of_carried = np.zeros(vectors.shape[1]), -1  # of a group that goes on in the next block
    for start in range(0, len(order), _ROWS):
        rows = order[start : start + _ROWS]
        block = groups[rows]
        firsts = np.flatnonzero(np.diff(block, prepend=-1))
        sums = np.add.reduceat(unit_vectors(vectors[rows], "generations"), firsts, axis=0)
        if block[0] == of_carried:
            sums[0] += carried
        squares[block[firsts]] = np.einsum("kd,kd->k", sums, sums)  # once more where the group goes on
        carried, of_carried = sums[-1], int(block[-1])
    return _diversity(squares, counts)


def mean_over(owners: npt.NDArray[np.integer], values: Floats, number: int) -> Floats:
    """Mean of the values that are not NaN of each of so many owners; NaN where there is none.

    >>> mean_over(np.array([0, 0, 1]), np.array([0.2, 0.4, np.nan]), 2).round(3).tolist()
    [0.3, nan]
    """
    there = ~np.isnan(values)
    counts = np.bincount(owners[there], minlength=number)
    sums = np.bincount(owners[there], values[there], number)
    means: Floats = np.divide(sums, counts, out=np.full(number, np.nan), where=counts > 0)
    return means


def diversity_of_all(values: Floats) -> tuple[float, Floats]:
    """Mean over the subjects that have a number, and its 95 % interval [2]; NaN where there is none."""
    known = values[~np.isnan(values)]
    if not known.size:
        return np.nan, np.full(2, np.nan)
    return float(known.mean()), np.clip(mean_intervals(known[:, None])[0], 0.0, 2.0)


def _diversity(squares: Floats, counts: npt.NDArray[np.integer]) -> Floats:
    pairs = counts * (counts - 1)
    similar = np.divide(squares - counts, pairs, out=np.full(len(counts), np.nan), where=pairs > 0)
    varied: Floats = 1.0 - np.clip(similar, -1.0, 1.0)
    return varied
