"""How far a score moves when the same method is run again with other seeds, as one run shows it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from nearid_cli.metrics.quantiles import t_quantile
from nearid_cli.results import Image, ScoreResult
from nearid_cli.results.pairing import by_prompt, by_subject

_QUANTILE = 0.975


@dataclass(frozen=True)
class Noise:
    """The noise of the difference of two runs.

    Attributes:
        error: its standard error.
        freedom: how many degrees of freedom this is known with.
    """

    error: float
    freedom: float

    @property
    def bound(self) -> float:
        """So far or farther the second run falls in 2.5 % of cases, without any reason."""
        return t_quantile(_QUANTILE, max(1, math.floor(self.freedom))) * self.error


@dataclass(frozen=True)
class _Variance:
    """The variance of a mean with its degrees of freedom."""

    value: float
    freedom: float


def noise_of_all(result: ScoreResult, metric: str) -> Noise | None:
    """The noise of the aggregate score; None where a subject's is not known."""
    found = list(_variances(result, metric).values())
    if None in found or not found:
        return None
    known = [one for one in found if one is not None]
    return _noise(_sum(known), len(known))


def noise_of_subjects(result: ScoreResult, metric: str) -> dict[str, Noise | None]:
    """The noise of each subject's score; None where it is not known."""
    found = _variances(result, metric)
    return {subject: None if one is None else _noise(one, 1) for subject, one in found.items()}


def _noise(total: _Variance, means: int) -> Noise:
    """Of the difference of two means of so many means, whose variances add up to `total`."""
    return Noise(math.sqrt(2 * total.value) / means, total.freedom)


def _variances(result: ScoreResult, metric: str) -> dict[str, _Variance | None]:
    """The variance of each subject's mean when its generations are drawn anew, the prompts being the same."""
    images = by_subject(result.images)
    found = {}
    for subject in result.subjects:
        name, std, n = subject.subject, subject.scores[metric].std, subject.generations
        own = images.get(name, [])
        prompts = by_prompt(own) if len(own) == n else None
        if prompts is not None:
            found[name] = _within_prompts(prompts, metric)
        else:
            found[name] = None if std is None else _Variance(std**2 / n, n - 1)
    return found


def _within_prompts(prompts: Mapping[str, Sequence[Image]], metric: str) -> _Variance | None:
    """The variance of the mean of prompts' means.

    A prompt's own variance takes two generations of it. Where a prompt has but one, the prompts' means are taken for
    draws: how differently the prompts come out is then counted as noise, which is too much rather than too little.
    """
    groups = [[image.scores[metric] for image in own] for own in prompts.values()]
    if min(map(len, groups)) > 1:
        total = _sum([_of_mean(group) for group in groups])
        return _Variance(total.value / len(groups) ** 2, total.freedom)
    means = [fmean(group) for group in groups]
    return _of_mean(means) if len(means) > 1 else None


def _of_mean(values: Sequence[float]) -> _Variance:
    """The variance of the mean of two or more draws."""
    n = len(values)
    mean = fmean(values)
    return _Variance(math.fsum((value - mean) ** 2 for value in values) / (n - 1) / n, n - 1)


def _sum(variances: Sequence[_Variance]) -> _Variance:
    """The sum of independent estimates, with Satterthwaite's degrees of freedom (1946)."""
    total = math.fsum(one.value for one in variances)
    spread = math.fsum(one.value**2 / one.freedom for one in variances)
    freedom = total**2 / spread if spread else math.fsum(one.freedom for one in variances)
    return _Variance(total, freedom)
