"""From what is known of each generation to the numbers of subjects and of all: means and their intervals.

Metrics come to their numbers in different ways; what is then made of these is here, once. A number that does not exist
is NaN, and counts for nothing: everything is as it would be if what has no number were not there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nearid_cli.metrics.closeness import Closeness
from nearid_cli.metrics.intervals import mean_intervals
from nearid_cli.metrics.proportions import mean_share_interval
from nearid_cli.metrics.retention import retention, room_errors
from nearid_cli.metrics.units import Units

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.intp]

Limits = tuple[float | None, float | None]
"""The lowest and the highest number that is possible; None where there is no end."""


@dataclass(frozen=True)
class AggregateIdentity:
    """One metric over all subjects. NaN where a number does not exist.

    Attributes:
        score, ceiling, floor, identification: unweighted means over the subjects that have the number.
        ci95: [2], of `score`, over subjects; NaN below 3 subjects.
        retention: mean of score - floor over mean of ceiling - floor, over the subjects that have both; NaN
            where the mean of ceiling - floor is within its noise.
        retention_ci95: [2], over these subjects; NaN where it would have no end.
        identification_ci95: [2], over subjects; NaN below 3.
        pair_mean: mean over all (generation, own reference) pairs of all subjects that have a number.
    """

    score: float
    ci95: Floats
    pair_mean: float
    ceiling: float
    floor: float
    retention: float
    identification: float
    retention_ci95: Floats
    identification_ci95: Floats


@dataclass(frozen=True)
class IdentityScores:
    """One metric on one data set. Float64; NaN where a number does not exist.

    Attributes:
        generations: [G], mean similarity of each generation to its subject's references, in input order.
        score: [S], mean of the subject's values in `generations`.
        std: [S], sample standard deviation of the subject's values in `generations`; NaN with one.
        min, max: [S], the lowest and highest of these.
        ci95: [S, 2], over the units of its generations (see `identity_scores`); NaN below 3.
        ceiling: [S], mean similarity among the subject's references (pairs i<j); NaN with one.
        floor: [S], mean similarity of its generations to all references of all other subjects; NaN with one
            subject.
        retention: [S], (score - floor) / (ceiling - floor); NaN where `within_noise`.
        within_noise: [S], bool: ceiling and floor exist, but ceiling - floor is not above 2 standard errors of itself.
        identification: [S], share of its generations nearer to their own subject (by mean similarity to its
            references) than to any other that they have a number with; a tie is not nearer. NaN with one subject.
        identification_ci95: [S, 2], over the units of its generations; NaN below 3 units, or with one subject.
        aggregate: the same over all subjects.
        pairs: [G], of how many pairs each of `generations` is the mean; NaN or 0 where of none.
        strangers: [G], mean similarity of each generation to all references of all other subjects.
        identified: [G], 1.0 or 0.0, whether it is nearer to its own subject than to any other.
        ceiling_error: [S], standard error of `ceiling`.
        closeness: of single pictures; None of metrics that compare no pictures.
    """

    generations: Floats
    score: Floats
    std: Floats
    min: Floats
    max: Floats
    ci95: Floats
    ceiling: Floats
    floor: Floats
    retention: Floats
    within_noise: npt.NDArray[np.bool_]
    identification: Floats
    identification_ci95: Floats
    aggregate: AggregateIdentity
    pairs: Floats
    strangers: Floats
    identified: Floats
    ceiling_error: Floats
    closeness: Closeness | None = None


def summarise(
    own: Floats,
    subjects: Integers,
    clusters: npt.NDArray[np.integer] | None,
    *,
    pairs: npt.NDArray[np.integer] | Floats,
    strangers: Floats,
    identified: Floats,
    ceiling: Floats,
    ceiling_error: Floats,
    limits: Limits,
    sign: float = 1.0,
) -> IdentityScores:
    """The numbers of subjects and of all, from those of G generations of S subjects. The order of rows does not matter.

    Args:
        own: [G], of each generation, within the limits.
        subjects: [G], 0..S-1, every number at least once.
        clusters: [G], which generations of a subject are one unit of its intervals; None where each is one.
        pairs: [G], of how many pairs `own` is the mean.
        strangers: [G], mean over the references of other subjects.
        identified: [G], 1.0 or 0.0, whether it is nearer to its own subject than to any other.
        ceiling: [S]
        ceiling_error: [S], from `retention.ceiling_errors`; a number where there is a ceiling.
        limits: which numbers are possible.
        sign: -1 where less is better.
    """
    known = ~np.isnan(own)
    strangers, identified = (np.where(known, values, np.nan) for values in (strangers, identified))
    order = np.lexsort((own, subjects))  # by subject, then by value: sums do not depend on input order
    rows = np.bincount(subjects)
    starts = np.cumsum(rows) - rows

    def subject_means(values: Floats) -> Floats:
        there = ~np.isnan(values)
        sums = np.add.reduceat(np.where(there, values, 0.0)[order], starts)
        numbers = np.add.reduceat(there[order], starts, dtype=np.intp)
        means: Floats = np.divide(sums, numbers, out=np.full(len(sums), np.nan), where=numbers > 0)
        return means

    counts = np.add.reduceat(known[order], starts, dtype=np.intp)
    ordered = own[order]  # NaN is last
    low, high = ordered[starts], ordered[starts + np.maximum(counts - 1, 0)]
    score: Floats = np.clip(subject_means(own), low, high)  # rounding must not carry a mean past its values
    squares = subject_means((own - score[subjects]) ** 2)
    weights = subject_means(np.where(known, pairs, np.nan))
    # Generations of as many pairs each add nothing here, to the last bit.
    uneven = subject_means((pairs - weights[subjects]) * (own - score[subjects]))
    pair_means = score + uneven / weights
    floor, identification = subject_means(strangers), subject_means(identified)

    units = Units(subjects, clusters)
    scored, met, decided = units.among(known), ~np.isnan(strangers), ~np.isnan(identified)
    room_error = room_errors(ceiling_error, strangers[met], units.among(met))
    retained = retention(sign * score, sign * ceiling, sign * floor, room_error)
    lowest, highest = (
        (-np.inf if limits[0] is None else limits[0]),
        (np.inf if limits[1] is None else limits[1]),
    )
    some, shares = counts > 0, identification[~np.isnan(identification)]
    return IdentityScores(
        generations=own,
        score=score,
        std=np.sqrt(
            np.divide(squares * counts, counts - 1, out=np.full(len(rows), np.nan), where=counts > 1)
        ),
        min=low,
        max=high,
        ci95=np.clip(scored.mean_intervals(own[known]), lowest, highest),
        ceiling=ceiling,
        floor=floor,
        retention=retained.by_subject,
        within_noise=retained.within_noise,
        identification=identification,
        identification_ci95=units.among(decided).share_intervals(identified[decided] > 0),
        aggregate=AggregateIdentity(
            score=_mean_of_known(score),
            ci95=np.clip(mean_intervals(score[some, None])[0], lowest, highest),
            pair_mean=float(np.average(pair_means[some], weights=(weights * counts)[some]))
            if some.any()
            else np.nan,
            ceiling=_mean_of_known(ceiling),
            floor=_mean_of_known(floor),
            retention=retained.of_all,
            retention_ci95=retained.ci95,
            identification=_mean_of_known(identification),
            identification_ci95=np.array(mean_share_interval(shares, int(decided.sum())) or (np.nan, np.nan)),
        ),
        pairs=pairs.astype(np.float64),
        strangers=strangers,
        identified=identified,
        ceiling_error=ceiling_error,
    )


def of_some(
    scores: IdentityScores,
    subjects: Integers,
    clusters: npt.NDArray[np.integer] | None,
    some: npt.NDArray[np.bool_],
    limits: Limits,
    sign: float = 1.0,
) -> IdentityScores:
    """The numbers of some of the generations, as if there were no others.

    Strangers stay all other subjects. Ceilings are those of all references, and how sure they are was found over all
    generations.

    Args:
        scores: of all G generations.
        subjects: [G], as for `summarise`.
        clusters: [K], of those that are taken; None where each is a unit.
        some: [G], which ones are taken, K of them, at least one.
        limits: as for `summarise`.
        sign: likewise.

    Returns:
        Of the subjects that have one of them, in their order.
    """
    present, own_subject = np.unique(subjects[some], return_inverse=True)
    return summarise(
        scores.generations[some],
        own_subject,
        clusters,
        pairs=scores.pairs[some],
        strangers=scores.strangers[some],
        identified=scores.identified[some],
        ceiling=scores.ceiling[present],
        ceiling_error=scores.ceiling_error[present],
        limits=limits,
        sign=sign,
    )


def _mean_of_known(values: Floats) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")
