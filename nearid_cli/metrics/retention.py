"""Retention: where a score lies between its floor and its ceiling, and whether there is room between these at all.

A ratio says nothing where its denominator may as well be 0. So the room, ceiling - floor, is held against its own
standard error, that of ceiling and floor with other pictures of the same subject.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from nearid_cli.metrics.intervals import ratio_interval
from nearid_cli.metrics.similarity import RESOLUTION
from nearid_cli.metrics.units import Units

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.intp]

ERRORS = 2.0
"""A room of so many standard errors is one: a subject without any is taken for one in 3 to 6 % of data sets."""


class Retention(NamedTuple):
    """NaN where there is none.

    Attributes:
        by_subject: [S], (score - floor) / (ceiling - floor).
        within_noise: [S], whether ceiling and floor exist but the room between them is within its noise.
        of_all: mean of score - floor over mean of ceiling - floor, over the subjects with ceiling and floor.
        ci95: [2], its interval over these subjects.
    """

    by_subject: Floats
    within_noise: npt.NDArray[np.bool_]
    of_all: float
    ci95: Floats


def retention(score: Floats, ceiling: Floats, floor: Floats, room_error: Floats) -> Retention:
    """Retention of each subject and of all.

    Over all subjects it is a ratio of means, so that a subject without room does not decide it. It does not exist where
    the mean room is not above its noise, that of the subjects taken together, or not above its standard error over
    subjects.

    Args:
        score: [S]
        ceiling: [S], NaN where there is none.
        floor: [S], likewise.
        room_error: [S], standard error of ceiling - floor, from `room_errors`.

    >>> found = retention(np.array([0.6, 0.3]), np.array([0.7, 0.201]), np.full(2, 0.2), np.array([0.05, 0.05]))
    >>> found.by_subject.round(2).tolist(), found.within_noise.tolist(), round(found.of_all, 3)
    ([0.8, nan], [False, True], 0.998)
    """
    room, gain = ceiling - floor, score - floor
    known = ~np.isnan(room)
    clear = known & (room > np.maximum(ERRORS * room_error, RESOLUTION))
    by_subject = np.divide(gain, room, out=np.full(len(room), np.nan), where=clear)
    of_all, ci95 = np.nan, np.full(2, np.nan)
    if known.any():
        rooms, gains, n = room[known], gain[known], int(known.sum())
        noise = ERRORS * float(np.sqrt((room_error[known] ** 2).sum())) / n
        spread = float(rooms.std(ddof=1)) / np.sqrt(n) if n > 1 else 0.0
        if rooms.mean() > max(noise, spread, RESOLUTION):
            of_all = float(gains.mean() / rooms.mean())
            ci95[:] = ratio_interval(gains, rooms) or np.nan
    return Retention(by_subject, known & ~clear, of_all, ci95)


def ceiling_errors(
    closeness: Floats,
    partners: npt.NDArray[np.integer],
    subjects: Integers,
    *,
    squares: Floats,
    pairs: npt.NDArray[np.integer],
    single: npt.NDArray[np.bool_],
) -> Floats:
    """Standard error [S] of each ceiling; NaN where there is none, without end where nothing shows what it is.

    By the jackknife over references (Tukey, 1958; Arvesen, "Jackknifing U-Statistics", 1969): the ceiling without each
    of them in turn. Two make a single pair, which shows no spread, and so it is wherever one reference is in all pairs
    that have a number. The ceiling is then taken to vary as the pairs of a generation with a reference of the same
    subject do: by their standard deviation, with one generation not less than that of all such subjects.

    Args:
        closeness: [R], sum of the similarities of each reference to the others of its subject.
        partners: [R], of how many numbers it is the sum.
        subjects: [R], the subject of each reference, 0..S-1.
        squares: [S], sum of squares, from their mean, of the pairs of a generation with a reference; it need be known
            only where the jackknife says nothing.
        pairs: [S], how many these are.
        single: [S], whether they are of one generation.
    """
    there = partners > 0
    subject, sums, numbers = subjects[there], closeness[there], partners[there]
    m = np.bincount(subject, minlength=len(squares))
    left = (np.bincount(subject, numbers, len(squares)) / 2)[subject] - numbers
    without = np.divide(
        (np.bincount(subject, sums, len(squares)) / 2)[subject] - sums,
        left,
        out=np.zeros(len(sums)),
        where=left > 0,
    )
    means = np.bincount(subject, without, len(squares)) / np.maximum(m, 1)
    spread = np.bincount(subject, (without - means[subject]) ** 2, len(squares))
    errors = np.where(m > 0, np.sqrt(spread * (m - 1) / np.maximum(m, 1)), np.nan)

    alone = np.bincount(subject, left == 0, len(squares)) > 0
    shown = alone & (pairs > 1)
    pooled = squares[shown].sum() / (pairs - 1)[shown].sum() if shown.any() else np.inf
    variances = np.divide(squares, pairs - 1, out=np.full(len(squares), np.nan), where=pairs > 1)
    errors[alone] = np.sqrt(np.where(single, np.fmax(variances, pooled), variances)[alone])
    return errors


def room_errors(ceiling_error: Floats, strangers: Floats, units: Units) -> Floats:
    """Standard error [S] of ceiling - floor, that of both together.

    The floor is a mean over the units of a subject's generations. With one unit its spread is taken to be what it is
    within the other subjects, or where no subject has two, what it is between subjects.

    Args:
        ceiling_error: [S], from `ceiling_errors`.
        strangers: [G], mean similarity of each generation to the references of all other subjects.
        units: of the generations.
    """
    floor_error = units.standard_errors(strangers)
    single = np.isnan(floor_error)
    if single.any():
        several = ~single
        if several.any():
            spread = np.sqrt((floor_error[several] ** 2 * units.counts[several]).mean())
        else:
            spread = strangers.std(ddof=1) if len(strangers) > 1 else 0.0
        floor_error = np.where(single, spread, floor_error)
    return np.hypot(ceiling_error, floor_error)
