"""How close single pictures of one subject come to each other: what a mean over references does not show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from nearid_cli.metrics.odd import odd_references
from nearid_cli.metrics.similarity import RESOLUTION

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.intp]

_ROWS = 512  # references at a time, against all of their subject
_STEEPEST, _HALVINGS = 50.0, 60  # of the search for the tilt of Chernoff's bound


class ReferenceCloseness(NamedTuple):
    """The references of all subjects that have generations beside each other.

    Attributes:
        beside: [R], mean similarity to the others of the subject, subject by subject; NaN where there is no other.
        odd: [R], whether it falls out: see `odd_references`.
    """

    beside: Floats
    odd: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Closeness:
    """One metric on one data set, on its own scale. NaN where a number does not exist.

    Attributes:
        nearest: [G], the place of the reference of its subject that each generation is most like; of equals the first.
            -1 where it has a number with none.
        similarity: [G], how alike the two are.
        near: [G], whether that is more than the two references of the subject that are most alike are to each other.
        closest: [S], how alike these two are; NaN with one reference.
        diversity: [S], 1 - mean similarity among the generations; NaN with one.
        prompt_diversity: [S], the same within a prompt, mean over prompts that have two generations; NaN without one.
        references: these beside each other.
    """

    nearest: Integers
    similarity: Floats
    near: npt.NDArray[np.bool_]
    closest: Floats
    diversity: Floats
    prompt_diversity: Floats
    references: ReferenceCloseness


def chance_of_near_copy(references: int) -> float:
    """How often a generation is a near copy if nothing tells it from one more reference.

    Of m + 1 such pictures it is a near copy just if it is one of the two that are most alike, and each is as likely as
    any other to be that: 2 / (m + 1), whatever the similarities are. One that is less like the references than these
    are like each other is a near copy less often.

    Args:
        references: m, from 2.

    >>> chance_of_near_copy(4), chance_of_near_copy(9)
    (0.4, 0.2)
    """
    return 2 / (references + 1)


def chance_of_shares(shares: Floats, chances: Floats) -> float:
    """How often at most chance alone puts the sum of independent shares so high, whatever they are distributed like.

    By Chernoff's bound, the least of exp(-l x) prod(1 - q + q exp(l)) over l from 0, x being the sum. It holds because
    no share from 0 to 1 with mean q has a larger mean of exp(l share) than one that is all or nothing (Hoeffding,
    "Probability Inequalities for Sums of Bounded Random Variables", 1963). So generations of one subject may depend on
    each other in any way, as near copies do, which are all held against the same two references.

    Args:
        shares: [n], from 0 to 1, of subjects.
        chances: [n], the mean of each, or more, where nothing but chance is at work; above 0.

    Returns:
        From 0 to 1; 1 where the sum is not above that of the chances.

    >>> round(chance_of_shares(np.ones(3), np.full(3, 1 / 3)), 4)
    0.037
    """
    total = float(shares.sum())
    if total <= chances.sum():
        return 1.0
    low, high = 0.0, _STEEPEST
    for _ in range(_HALVINGS):  # where the slope of the exponent is 0, or as far as there is any gain
        tilt = (low + high) / 2
        risen = chances * np.exp(tilt)
        low, high = (tilt, high) if (risen / (1 - chances + risen)).sum() < total else (low, tilt)
    exponent = np.log1p(chances * np.expm1(low)).sum() - low * total
    return float(min(1.0, np.exp(exponent)))


def is_near(
    similarity: Floats, closest: Floats, subjects: npt.NDArray[np.integer], sign: float = 1.0
) -> npt.NDArray[np.bool_]:
    """Whether generations [G] are more like a reference than any two references of their subject are alike.

    Args:
        similarity: [G], to the reference that each is most like.
        closest: [S], how alike the two most similar references are.
        subjects: [G], 0..S-1.
        sign: -1 where less is more alike.
    """
    above: npt.NDArray[np.bool_] = sign * (similarity - closest[subjects]) > RESOLUTION
    return above


def closest_references(units: Floats, sizes: npt.NDArray[np.integer]) -> Floats:
    """The largest similarity of two references of each subject.

    Args:
        units: [R, D], unit vectors, by subject.
        sizes: [S], how many references each subject has.

    Returns:
        [S]; NaN with one reference.
    """
    closest = np.full(len(sizes), np.nan)
    stops = np.cumsum(sizes)
    for subject, (stop, size) in enumerate(zip(stops.tolist(), sizes.tolist(), strict=True)):
        if size < 2:
            continue
        own, most = units[stop - size : stop], -1.0
        for start in range(0, size, _ROWS):
            block = own[start : start + _ROWS] @ own[start:].T
            block[np.arange(len(block)), np.arange(len(block))] = -1.0
            most = max(most, float(block.max()))
        closest[subject] = min(most, 1.0)
    return closest


def beside_others(
    sums: Floats,
    counts: npt.NDArray[np.integer],
    subjects: Integers,
    strangers: Floats,
    perfect: float,
    sign: float = 1.0,
) -> ReferenceCloseness:
    """References beside the others of their subject.

    Args:
        sums: [R], of the similarities of each reference to the others of its subject.
        counts: [R], of how many.
        subjects: [R], of each.
        strangers: [R], mean similarity to the references of other subjects; NaN where it is not known.
        perfect: the similarity of equal pictures; NaN where it is not known.
        sign: -1 where less is more alike.
    """
    beside = np.divide(sums, counts, out=np.full(len(sums), np.nan), where=counts > 0)
    odd = odd_references(sign * beside, subjects, sign * strangers, sign * perfect)
    return ReferenceCloseness(beside, odd)
