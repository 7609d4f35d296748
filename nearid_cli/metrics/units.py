"""What counts as one when a subject's generations are resampled: the units of its intervals.

Ten seeds of one prompt are not ten pieces of evidence about other prompts. So where a caller says which generations
belong together, these clusters are the units, and otherwise each generation is one.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from nearid_cli.metrics.arguments import distinct, finite_vector
from nearid_cli.metrics.intervals import MIN_UNITS, mean_intervals
from nearid_cli.metrics.proportions import share_interval

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.intp]


class Units:
    """The units of the generations of S subjects. An interval takes 3 of them.

    Args:
        subjects: [G], the subject of each generation, numbered 0..S-1.
        clusters: [G], which generations of a subject belong together: those with the same number. None for none.
        number: S; None for the highest number and 1. Numbers that no generation has are subjects without any.

    >>> units = Units(np.array([0, 0, 0, 0, 1]), np.array([0, 0, 1, 2, 0]))
    >>> units.counts.tolist(), units.standard_errors(np.array([0.1, 0.3, 0.2, 0.6, 0.5])).round(3).tolist()
    ([3, 1], [0.115, nan])
    """

    def __init__(
        self,
        subjects: npt.NDArray[np.integer],
        clusters: npt.NDArray[np.integer] | None = None,
        number: int | None = None,
    ) -> None:
        self._subjects = subjects.astype(np.intp)
        self._keys = np.arange(len(subjects)) if clusters is None else clusters
        order = np.lexsort((self._keys, subjects))
        ordered = self._subjects[order], self._keys[order]
        new = np.ones(len(subjects), np.bool_)
        new[1:] = (ordered[0][1:] != ordered[0][:-1]) | (ordered[1][1:] != ordered[1][:-1])
        self._unit = np.empty(len(subjects), np.intp)  # of each generation; units are numbered by subject
        self._unit[order] = np.cumsum(new) - 1
        self._sizes = np.bincount(self._unit)  # generations in each unit
        self._generations = np.bincount(self._subjects, minlength=number or 0)  # of each subject
        self.counts: Integers = np.bincount(ordered[0][new], minlength=number or 0)
        """[S], how many units each subject has."""
        self._starts = np.cumsum(self.counts) - self.counts

    def among(self, there: npt.NDArray[np.bool_]) -> Units:
        """The units of the same subjects when only some generations [G] are there."""
        if there.all():
            return self
        return Units(self._subjects[there], self._keys[there], len(self.counts))

    def mean_intervals(self, values: Floats) -> Floats:
        """95 % interval [S, 2] of the mean of each subject's values [G]; NaN below 3 units."""
        added = self.contributions(values)
        intervals = np.full((len(self.counts), 2), np.nan)
        for alike, rows in self._by_count():
            intervals[alike] = mean_intervals(added[rows])
        return intervals

    def standard_errors(self, values: Floats) -> Floats:
        """[S], of the mean of each subject's values [G]; NaN with one unit."""
        added = self.contributions(values)
        subject = np.repeat(np.arange(len(self.counts)), self.counts)
        means = np.bincount(subject, added, len(self.counts)) / np.maximum(self.counts, 1)
        squares = np.bincount(subject, (added - means[subject]) ** 2, len(self.counts))
        pairs = self.counts * (self.counts - 1)
        errors: Floats = np.sqrt(np.divide(squares, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0))
        return errors

    def share_intervals(self, hits: npt.NDArray[np.bool_]) -> Floats:
        """95 % interval [S, 2] of the share of each subject's generations that are hits [G]; NaN below 3 units."""
        won = np.bincount(self._unit, hits).astype(np.intp)
        intervals = np.full((len(self.counts), 2), np.nan)
        for alike, rows in self._by_count():
            # Most subjects have the same few outcomes, and an interval takes a millisecond.
            both = np.sort(won[rows] * (self._sizes.max() + 1) + self._sizes[rows], axis=0)
            kinds, own = np.unique(both, axis=1, return_inverse=True)
            outcomes = [np.divmod(kind, self._sizes.max() + 1) for kind in kinds.T]
            found = np.array([share_interval(*outcome) for outcome in outcomes], np.float64)
            intervals[alike] = found[own.ravel()]
        return intervals

    def contributions(self, values: Floats) -> Floats:
        """What each unit adds to the mean of its subject's values [G], by subject.

        Of C units in n values, a unit adds mean + (C / n) (sum of its values - its number of values x mean).
        The mean of what they add is the mean of all values, and their standard error that of the linearised mean
        (Cochran, *Sampling Techniques*, 1977, section 9A.2). Units of one size add their means.
        """
        generations = np.maximum(self._generations, 1)
        means = np.bincount(self._subjects, values, len(generations)) / generations
        sums = np.bincount(self._unit, values - means[self._subjects])
        share = np.repeat(self.counts / generations, self.counts)
        added: Floats = np.repeat(means, self.counts) + share * sums
        return added

    def _by_count(self) -> Iterator[tuple[Integers, Integers]]:
        """Subjects with as many units, and their units [n, subjects], where these are enough for an interval."""
        for n in distinct(self.counts[self.counts >= MIN_UNITS]):
            alike = np.flatnonzero(self.counts == n)
            yield alike, self._starts[alike] + np.arange(n)[:, None]


def contributions(values: npt.ArrayLike, clusters: npt.ArrayLike) -> Floats:
    """`Units.contributions` of one subject: what each cluster of values adds to their mean.

    Args:
        values: finite values [n].
        clusters: [n], the name or number of the cluster of each.

    Returns:
        Float64 array [C], in the order of the sorted names.

    >>> contributions([0.1, 0.3, 0.5, 0.7, 0.9], ["a", "a", "b", "b", "b"]).round(3).tolist()
    [0.26, 0.74]
    """
    every, names = finite_vector("values", values), np.unique(np.asarray(clusters), return_inverse=True)[1]
    return Units(np.zeros(len(every), np.intp), names).contributions(every)
