"""Do two metrics rank alike: rank correlations, and ranks on one scale."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from nearid_cli.metrics.arguments import finite_vector, finite_vectors
from nearid_cli.metrics.similarity import RESOLUTION

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.intp]

MOST_APART = 20
"""So many things are named that one ranking places higher than the other, and as many that it places lower."""

MIN_RANKED = 3
"""Two things are always in the same order or in the opposite one, so a correlation says nothing."""


def spearman(a: npt.ArrayLike, b: npt.ArrayLike) -> float | None:
    """Spearman's rho: the linear correlation of the ranks, tied values sharing the mean of theirs.

    Spearman, "The Proof and Measurement of Association between Two Things", 1904.

    Args:
        a: finite values [n].
        b: finite values [n] of the same things.

    Returns:
        From -1 (opposite order) to 1 (same order). None when n < 3 or all values of `a` or of `b` are equal.

    Raises:
        ValueError: an argument is not one-dimensional or not finite, or they differ in length.

    >>> round(spearman([0.1, 0.2, 0.3, 0.4], [0.5, 0.7, 0.6, 0.8]), 6)
    0.8
    """
    x, y = finite_vectors("a", a, "b", b)
    if len(x) < MIN_RANKED:
        return None
    x, y = (_average_ranks(values) - (len(values) - 1) / 2 for values in (x, y))
    spread = math.sqrt((x @ x) * (y @ y))
    return min(1.0, max(-1.0, float(x @ y) / spread)) if spread else None


def kendall(a: npt.ArrayLike, b: npt.ArrayLike) -> float | None:
    """Kendall's tau-b: pairs of things in the same order minus pairs in the opposite order, as a share.

    (same - opposite) / sqrt((pairs - ties in a) (pairs - ties in b)) over all pairs of things (Kendall, "The
    Treatment of Ties in Ranking Problems", 1945). Opposite pairs are counted while sorting, in about n log^2 n
    steps (Knight, "A Computer Method for Calculating Kendall's Tau with Ungrouped Data", 1966). Takes, gives and raises
    what `spearman` does.

    >>> round(kendall([0.1, 0.2, 0.3, 0.4], [0.5, 0.7, 0.6, 0.8]), 6)
    0.666667
    """
    first, second = finite_vectors("a", a, "b", b)
    n = len(first)
    if n < MIN_RANKED:
        return None
    x, y = (np.unique(values, return_inverse=True)[1] for values in (first, second))
    pairs = n * (n - 1) // 2
    tied_x, tied_y, tied_both = _tied_pairs(x), _tied_pairs(y), _tied_pairs(x * n + y)
    if pairs in (tied_x, tied_y):
        return None
    opposite = _inversions(y[np.lexsort((y, x))])
    same = pairs - tied_x - tied_y + tied_both - opposite
    return (same - opposite) / math.sqrt((pairs - tied_x) * (pairs - tied_y))


def rank_shares(values: npt.ArrayLike) -> Floats:
    """Where each value stands among all: 0 for the lowest, 1 for the highest.

    (rank - 1) / (n - 1), with ranks from 1 and tied values sharing the mean of theirs. Shares of different metrics
    can be subtracted, which their values cannot.

    Args:
        values: finite values [n].

    Returns:
        Float64 [n], 0 to 1; 0.5 for n = 1 and where all are equal.

    Raises:
        ValueError: `values` is not one-dimensional or not finite.

    >>> rank_shares([0.9, 0.5, 0.7, 0.7, 0.6]).tolist()
    [1.0, 0.0, 0.625, 0.625, 0.25]
    """
    vector = finite_vector("values", values)
    if len(vector) == 1:
        return np.array([0.5])
    return _average_ranks(vector) / (len(vector) - 1)


def most_apart(shares: Floats, against: Floats) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """What two rankings place very differently, worst first, at most 20 in each direction.

    Args:
        shares: [n], from `rank_shares`.
        against: [n], from `rank_shares` of the same things.

    Returns:
        Positions of what `shares` places higher than `against` by more than 1e-9, and of what it places lower. Equal
        gaps stay in their order.

    >>> higher, lower = most_apart(np.array([0.0, 0.5, 1.0]), np.array([0.5, 0.5, 0.0]))
    >>> higher.tolist(), lower.tolist()
    ([2], [0])
    """
    higher, lower = (_largest(sign * (shares - against)) for sign in (1, -1))
    return higher, lower


def _largest(gaps: Floats) -> npt.NDArray[np.intp]:
    worst = np.argsort(-gaps, kind="stable")[:MOST_APART]
    return worst[gaps[worst] > RESOLUTION]


def _average_ranks(values: Floats) -> Floats:
    """Ranks [n] from 0; tied values share the mean of theirs."""
    _, group, sizes = np.unique(values, return_inverse=True, return_counts=True)
    ranks: Floats = (np.cumsum(sizes) - (sizes + 1) / 2)[group]
    return ranks


def _tied_pairs(values: Integers) -> int:
    sizes = np.unique(values, return_counts=True)[1]
    return int((sizes * (sizes - 1) // 2).sum())


def _inversions(values: Integers) -> int:
    """How many pairs i < j have values[i] > values[j], for values [n] from 0 to n - 1.

    Sorted halves are merged, all halves of one width at a time: a value of a right half has as many inversions
    with the left half beside it as there are higher values in that.
    """
    n = len(values)
    padded = np.full(1 << (n - 1).bit_length(), n)  # what is added stands last and is highest: no inversions
    padded[:n] = values
    inversions, width = 0, 1
    while width < len(padded):
        rows = padded.reshape(-1, 2 * width)
        apart = rows + np.arange(len(rows))[:, None] * (
            n + 1
        )  # one search serves all rows: each above the last
        left, right = apart[:, :width].ravel(), apart[:, width:].ravel()
        left_ends = np.repeat(np.arange(1, len(rows) + 1) * width, width)
        inversions += int((left_ends - np.searchsorted(left, right, side="right")).sum())
        padded = np.sort(rows, axis=1).ravel()
        width *= 2
    return inversions
