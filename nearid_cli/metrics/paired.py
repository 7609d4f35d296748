"""Is the difference of two methods real: tests of paired differences, one a subject.

A subject is the unit: its pictures show the same object and are no independent evidence. Everything is
deterministic (fixed seeds), and neither the order of the subjects nor which of the two methods comes first
matters: swapping them leaves the p-value as it is.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from nearid_cli.metrics.arguments import finite_vector, table
from nearid_cli.metrics.quantiles import t_quantile
from nearid_cli.metrics.similarity import RESOLUTION

Floats = npt.NDArray[np.float64]

EXACT_UNITS = 12
"""Up to so many subjects the sign-flip test goes over all 2^n sign vectors."""

SIGN_DRAWS = 10_000
"""Random sign vectors above that; the smallest p is then 1 / 10,001."""

_SAME = 1e-12  # means that differ by less, relative to values above 1, are equal: rounding is far below
_SEED = 20260401
_BLOCK = 1 << 18  # signs at a time: bounds memory
_KEPT_UNITS = 400  # of so many the vectors are kept: 32 MB


class SignFlip(NamedTuple):
    """A test by sign vectors: `p`, above 0 and at most 1, and whether it is `exact` (over all of them)."""

    p: float
    exact: bool


class SignVectors:
    """The 2^n sign vectors of n units up to 12; above, 10,000 random ones with a fixed seed. 0 and 1 for the signs.

    The one source of everything that is resampled: differences change their sign, metrics change places.

    >>> SignVectors(2).of(range(2)).tolist()
    [[0, 0], [1, 0], [0, 1], [1, 1]]
    """

    def __init__(self, units: int) -> None:
        self.exact = units <= EXACT_UNITS
        self._units = units
        self._draws = 1 << units if self.exact else SIGN_DRAWS
        self._random = np.random.default_rng(_SEED)

    def of(self, units: range, draws: range | None = None) -> npt.NDArray[np.integer]:
        """The signs of some units in the vectors `draws` (all if None), [draws, units]; draw none of them twice."""
        draws = draws or range(self._draws)
        if self.exact:
            return np.arange(draws.start, draws.stop)[:, None] >> np.arange(units.start, units.stop) & 1
        return self._random.integers(2, size=(len(draws), len(units)), dtype=np.uint8)

    def blocks(self) -> Iterable[Floats]:
        """All vectors, so many at a time [rows, n] as stay in the processor's cache."""
        kept = not self.exact and self._units <= _KEPT_UNITS
        return _drawn(self._units) if kept else self._each_block()

    def _each_block(self) -> Iterator[Floats]:
        step = max(1, _BLOCK // max(self._units, 1))
        for start in range(0, self._draws, step):
            yield self.of(range(self._units), range(start, min(start + step, self._draws))).astype(np.float64)

    def share(self, hits: int | npt.NDArray[np.integer]) -> float | Floats:
        """The p-value of so many hits: their share, random vectors and what was found counted together.

        (1 + hits) / (1 + draws) keeps the test's level (Phipson and Smyth, "Permutation P-values Should Never Be
        Zero", 2010).
        """
        return hits / self._draws if self.exact else (1 + hits) / (1 + self._draws)


@lru_cache(maxsize=1)
def _drawn(units: int) -> tuple[Floats, ...]:
    """The random vectors, which are the same for all differences of as many units: nearly all of a comparison's."""
    return tuple(SignVectors(units)._each_block())


def sign_flip_test(deltas: npt.ArrayLike) -> SignFlip:
    """Two-sided test that differences are as often as far below 0 as above it.

    If nothing but chance decides which of two methods is ahead on a subject, each difference could as well have
    had the other sign. p is the share of sign vectors s for which |mean(s_i d_i)| is at least |mean(d_i)|,
    within 1e-12 (Fisher, *The Design of Experiments*, 1935, section 21). All 2^n sign vectors up to 12
    differences; above, 10,000 random ones, and p = (1 + hits) / (1 + draws), see `SignVectors`.

    Args:
        deltas: finite differences [n], one a subject, n from 1. A difference of 0 stays in.

    Returns:
        p from 2 / 2^n (1 for n = 1) or 1 / 10,001 to 1. All differences 0 give 1.

    Raises:
        ValueError: `deltas` is empty, not one-dimensional or not finite.

    >>> sign_flip_test([0.02, 0.01, 0.03, 0.02, 0.04, 0.01])
    SignFlip(p=0.03125, exact=True)
    """
    values = finite_vector("deltas", deltas)
    n = len(values)
    if n == 0:
        raise ValueError("Expected argument `deltas` to hold at least one difference but got none")
    # Only sizes matter once the signs are flipped. Sorted, the random draws do not depend on the order given.
    sizes = np.sort(np.abs(values))
    total = sizes.sum()
    bar = abs(math.fsum(values)) - n * _SAME * max(1.0, float(sizes[-1]))
    hits, vectors = 0, SignVectors(n)
    for kept in vectors.blocks():
        flipped = 2 * (kept @ sizes) - total
        hits += int(np.count_nonzero(np.abs(flipped) >= bar))
    return SignFlip(float(vectors.share(hits)), vectors.exact)


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values adjusted for how many there are, so that all of them together err with the level of one.

    With m p-values in rising order, the i-th (from 0) becomes the largest of min(1, (m - j) p_j) over j <= i
    (Holm, "A Simple Sequentially Rejective Multiple Test Procedure", 1979). Holds however they depend on each
    other.

    Args:
        p_values: from 0 to 1.

    Returns:
        The adjusted p-values in the order given, each at least its p-value and at most 1. [] for none.

    Raises:
        ValueError: a p-value is not from 0 to 1.

    >>> holm([0.04, 0.01, 0.03])
    [0.06, 0.03, 0.06]
    """
    values = finite_vector("p_values", p_values)
    if ((values < 0) | (values > 1)).any():
        raise ValueError(f"Expected argument `p_values` to be from 0 to 1 but got {list(p_values)}")
    order = np.argsort(values, kind="stable")
    adjusted = np.empty(len(values))
    adjusted[order] = np.maximum.accumulate(np.minimum(1.0, values[order] * np.arange(len(values), 0, -1)))
    return [float(p) for p in adjusted]


def max_sign_flip(differences: npt.ArrayLike) -> list[float]:
    """p-values of several comparisons, adjusted for their number by the largest of them after each sign flip.

    Each comparison has T = |sum s_i d_i| / sqrt(sum d_i^2). p is the share of sign vectors s, one sign a subject for
    all comparisons together, after which the largest T is at least the comparison's own (Westfall and Young,
    *Resampling-Based Multiple Testing*, 1993, section 2.5). Over all pairs of methods it holds for whichever pair is
    looked at afterwards, such as the best and another one.

    Args:
        differences: [n, k], by subject in k comparisons; NaN where a comparison lacks the subject, else finite.

    Returns:
        k p-values, as many sign vectors as in `sign_flip_test`. 1 for a comparison without any difference.

    Raises:
        ValueError: `differences` is not two-dimensional or infinite somewhere.

    >>> max_sign_flip([[0.2, 0.01], [0.1, -0.02], [0.3, 0.01], [0.2, 0.02], [0.4, -0.01], [0.1, 0.01]])
    [0.0625, 0.90625]
    """
    columns = np.nan_to_num(table("differences", differences, "[n, k]"))
    norms = np.sqrt((columns**2).sum(axis=0))
    columns = np.divide(columns, norms, out=np.zeros_like(columns), where=norms > 0)
    # Neither the order of the subjects nor that of the comparisons decides which random signs a subject gets.
    columns = columns[np.argsort((columns**2).sum(axis=1), kind="stable")]
    total, vectors = columns.sum(axis=0), SignVectors(len(columns))
    blocks = [np.abs(2 * (kept @ columns) - total).max(axis=1, initial=0.0) for kept in vectors.blocks()]
    largest = np.sort(np.concatenate(blocks))
    hits = len(largest) - np.searchsorted(largest, np.abs(total) - _SAME)
    p_values = np.where(norms > 0, vectors.share(hits), 1.0)
    return [float(p) for p in p_values]


def wins_ties_losses(deltas: npt.ArrayLike) -> tuple[int, int, int]:
    """How many differences are above 0, equal to it and below it; within 1e-9 they are equal.

    Args:
        deltas: finite differences [n].

    Raises:
        ValueError: `deltas` is not one-dimensional or not finite.

    >>> wins_ties_losses([0.02, 0.0, -0.01, 1e-12])
    (1, 2, 1)
    """
    values = finite_vector("deltas", deltas)
    wins, losses = int((values > RESOLUTION).sum()), int((values < -RESOLUTION).sum())
    return wins, len(values) - wins - losses, losses


def detectable_difference(deltas: npt.ArrayLike, power: float = 0.8, alpha: float = 0.05) -> float | None:
    """The smallest true mean difference that a test over so many subjects would mostly show.

    (t_{1 - alpha / 2} + t_{power}) sd / sqrt(n), with t quantiles of n - 1 degrees of freedom and sd the sample
    standard deviation of the differences (Bland, *An Introduction to Medical Statistics*, 2000, chapter 18, with t
    in place of normal quantiles). An approximation: sd is an estimate, and the formula is that of the t test.

    Args:
        deltas: finite differences [n], one a subject.
        power: how often the difference would be found, from 0.5 and below 1.
        alpha: the level of the two-sided test, above 0 and below 1.

    Returns:
        A difference >= 0; 0 where all differences are the same. None where no difference can reach `alpha`, since
        the smallest p of the sign-flip test, 2 / 2^n, is above it: below 6 subjects at 0.05.

    Raises:
        ValueError: `deltas` is not one-dimensional or not finite, or `power` or `alpha` is out of its range.

    >>> round(detectable_difference([0.02, 0.01, 0.03, 0.02, 0.04, 0.01, 0.02, 0.03]), 4)
    0.0119
    >>> detectable_difference([0.02, 0.01, 0.03]) is None
    True
    """
    values = finite_vector("deltas", deltas)
    if not 0.5 <= power < 1:
        raise ValueError(f"Expected argument `power` to be from 0.5 and below 1 but got {power}")
    if not 0 < alpha < 1:
        raise ValueError(f"Expected argument `alpha` to be above 0 and below 1 but got {alpha}")
    n = len(values)
    if n < 2 or 2.0 ** (1 - n) > alpha:
        return None
    quantiles = t_quantile(1 - alpha / 2, n - 1) + t_quantile(power, n - 1)
    return float(quantiles * values.std(ddof=1) / math.sqrt(n))
