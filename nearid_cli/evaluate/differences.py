"""One method against another, subject by subject: is the difference real?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nearid_cli.metrics.intervals import mean_intervals, studentised_test
from nearid_cli.metrics.paired import detectable_difference, sign_flip_test, wins_ties_losses
from nearid_cli.results import Comparison, Image, Method, ScoreResult, Subject
from nearid_cli.results.pairing import by_subject, paired_images

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class _Pairs:
    """What two methods have in common.

    Attributes:
        subjects: the subjects of both, as scored in the method and in the baseline.
        images: generations that correspond, likewise.
        owners: [P], the number of the subject of each pair of generations.
    """

    subjects: tuple[tuple[Subject, Subject], ...]
    images: tuple[tuple[Image, Image], ...]
    owners: npt.NDArray[np.intp]

    def deltas(self, metric: str) -> Floats:
        """Method minus baseline by subject, [S].

        The mean over the subject's pairs of generations, so that prompts and seeds which only one of the two has
        say nothing; the difference of the subject's scores where there is no pair.
        """
        whole = np.array([a.scores[metric].score - b.scores[metric].score for a, b in self.subjects])
        pairs = np.array([a.scores[metric] - b.scores[metric] for a, b in self.images], dtype=np.float64)
        sums = np.bincount(self.owners, pairs, minlength=len(whole))
        counts = np.bincount(self.owners, minlength=len(whole))
        np.divide(sums, counts, out=whole, where=counts > 0)
        return whole


def differences(method: ScoreResult, baseline: ScoreResult, metric: str) -> dict[str, float]:
    """Method minus baseline by each subject that both have."""
    pairs = _pair(method, baseline)
    names = [subject.subject for subject, _ in pairs.subjects]
    return dict(zip(names, pairs.deltas(metric).tolist(), strict=True))


def comparisons(methods: Sequence[Method], baseline: Method) -> dict[str, list[Comparison]]:
    """Every other method against the baseline by every metric, not judged yet."""
    names = [metric.name for metric in baseline.result.metrics]
    compared = [_compare(method, baseline, names) for method in methods if method is not baseline]
    return {name: [found[name] for found in compared] for name in names}


def _compare(method: Method, baseline: Method, metrics: Sequence[str]) -> dict[str, Comparison]:
    """One method against the baseline by each metric."""
    pairs = _pair(method.result, baseline.result)
    names = [subject.subject for subject, _ in pairs.subjects]
    deltas = np.array([pairs.deltas(metric) for metric in metrics])
    intervals = mean_intervals(deltas.T)
    found = {}
    for metric, values, interval in zip(metrics, deltas, intervals, strict=True):
        test = sign_flip_test(values) if names else None
        wins, ties, losses = wins_ties_losses(values)
        found[metric] = Comparison(
            metric=metric,
            method=method.name,
            baseline=baseline.name,
            subjects=len(names),
            pairs=len(pairs.images),
            delta=float(values.mean()) if names else None,
            ci95=None if np.isnan(interval).any() else (float(interval[0]), float(interval[1])),
            p=test.p if test else None,
            p_studentised=studentised_test(values) if names else None,
            p_holm=None,
            exact=test.exact if test else False,
            wins=wins,
            ties=ties,
            losses=losses,
            detectable=detectable_difference(values),
            deltas=dict(zip(names, values.tolist(), strict=True)),
        )
    return found


def _pair(method: ScoreResult, baseline: ScoreResult) -> _Pairs:
    theirs = {subject.subject: subject for subject in baseline.subjects}
    subjects = [(one, theirs[one.subject]) for one in method.subjects if one.subject in theirs]
    mine, others = by_subject(method.images), by_subject(baseline.images)
    images = [paired_images(mine.get(one.subject, []), others.get(one.subject, [])) for one, _ in subjects]
    return _Pairs(
        subjects=tuple(subjects),
        images=tuple(pair for pairs in images for pair in pairs),
        owners=np.repeat(np.arange(len(images)), [len(pairs) for pairs in images]),
    )
