"""A configuration to start from: rules that a given run passes, with bounds from its own spread.

A run shows how far its score moves when the same method is run again with other seeds; that is its noise.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from nearid_cli.breakdown.labels import Breakdown
from nearid_cli.breakdown.restrict import split
from nearid_cli.gate.numbers import Result, most_missing, parts
from nearid_cli.metrics.intervals import FEW_UNITS, MIN_UNITS
from nearid_cli.metrics.quantiles import t_quantile
from nearid_cli.results import Image, Metric, ScoreResult
from nearid_cli.results.correspondence import by_prompt, by_subject
from nearid_cli.results.gate import COPIES
from nearid_cli.results.score import largest_score
from nearid_cli.text import printable

_CONFIDENCE = 0.95
_LEEWAY = 0.005  # a bound is at least this far on the worse side of what the run shows
_NO_INTERVAL = 0.05  # what a score may get worse by where the run does not show its noise
_SMALLEST_DROP = 0.01
_DECIMALS = 2  # of bounds: these four are for numbers that are told with three

_HEAD = """\
# Rules of `nearid gate`, made from {run}. Bounds are proposals: move them to what you can live with.
# What the keys mean, and how to choose max_drop and confidence: docs/guides/gate.md
#
# min         fail below this number{above}
# max_drop    fail when the number fell by more than this since the baseline, counted subject by subject
# confidence  fail on max_drop only when the drop is larger than that with this confidence, and not by chance
# on_fail     "error", or "warn" to be told without failing
"""

_ABOVE = "\n# max         fail above this number: where lower is better, a drop is a rise"

_BASELINE = """
[gate]
baseline = {baseline}
"""

_COPIES = """
# Generations that copy a reference score high without skill.
[[gate.rules]]
statistic = "copies"
level = "{level}"
max = {most}{found}
"""

_METRIC = """
[[gate.rules]]
metric = {metric}
statistic = "score"
level = "{level}"{by}
# {seen}
{bound} = {worst}
# {noise}
max_drop = {drop}
{confidence}
"""

_MISSING = """
# A metric without a number of a generation says nothing of it.
[[gate.rules]]
metric = {metric}
statistic = "missing"
level = "{level}"
max = {most}  # this run has {found}; drawing the generations anew may make it so many
"""

_SILENT = """
# {metric} has no number of any generation{where}, so there is no rule for it.
"""

_NEAR_COPIES = """
# Generations nearer to one reference than the references are to each other may be crops or mirrors of it.
# [[gate.rules]]
# metric = {metric}
# statistic = "near_copies"
# level = "{level}"
# max = {most}  # this run has none; drawing the generations anew may make it so many
# on_fail = "warn"
"""

_SUBJECTS = """
# A mean hides a subject that is lost altogether.
# [[gate.rules]]
# metric = {metric}
# statistic = "score"
# level = "subject"
# max_drop = {drop}
# on_fail = "warn"
"""


@dataclass(frozen=True)
class _Scale:
    """The numbers of a metric, and with how many decimals its bounds are written.

    Attributes:
        metric: which one.
        places: decimals of its bounds, one less than of its numbers; below 0 these are whole tens.
    """

    metric: Metric
    places: int

    @property
    def unit(self) -> float:
        """How large its numbers are, beside those that bounds with two decimals are for."""
        return 10.0 ** (_DECIMALS - self.places)

    def bound(self, worst: float) -> float:
        """A bound a little on the worse side of a number."""
        steps = 10.0**self.places
        if self.metric.higher_is_better:
            return math.floor(steps * (worst - _LEEWAY * self.unit)) / steps
        return math.ceil(steps * (worst + _LEEWAY * self.unit)) / steps

    def allowed(self, noise: _Noise | None, least: float = _SMALLEST_DROP, among: int = 1) -> float:
        """A drop that other seeds alone hardly make; `least` at least, for numbers told with three decimals."""
        least, steps = least * self.unit, 10.0**self.places
        return least if noise is None else max(least, math.ceil(steps * noise.bound(among)) / steps)

    def figure(self, bound: float) -> str:
        """A bound as it is written."""
        return f"{bound + 0.0:.{max(self.places, 0)}f}"

    def number(self, score: float) -> str:
        """A number beside it."""
        return f"{score:.{self.places + 1}f}"


@dataclass(frozen=True)
class _Noise:
    """The noise of the difference of two runs.

    Attributes:
        error: its standard error.
        freedom: how many degrees of freedom this is known with.
    """

    error: float
    freedom: float

    def bound(self, among: int = 1) -> float:
        """So far or farther the second run falls in 2.5 % of cases, without any reason; that any of so many does."""
        return t_quantile(1 - 0.025 / among, max(1, math.floor(self.freedom))) * self.error


@dataclass(frozen=True)
class _Variance:
    """The variance of a mean with its degrees of freedom."""

    value: float
    freedom: float


def starter(run: Result, name: str, baseline: str | None = None, by: Sequence[Breakdown] = ()) -> str:
    """A commented configuration, as the text of a `nearid.toml`, that `run` passes as its own baseline.

    The minimum of each metric lies a little below the lower end of its interval; with several methods, below that of
    the lowest one. The largest drop allowed is one that the same method with other seeds makes in 2.5 % of runs. The
    minimum lies below what such a drop leaves, too, so that another run of the method passes. Of a distance it is a
    maximum, above all that. Where generations have no score, hardly more of them may lack one.

    Args:
        run: the run to make rules for.
        name: what it is called, such as its file.
        baseline: the file that `[gate]` names as the baseline, from where the configuration will be; None for none.
        by: groups to make rules for, too: a rule for all groups of a breakdown together, with the bounds of the lowest
            score and the noisiest one.
    """
    level = "aggregate" if None in run.runs else "method"
    results = list(run.runs.values())
    lower = any(not metric.higher_is_better for metric in run.metrics)
    blocks = [_HEAD.format(run=printable(name), above=_ABOVE if lower else "")]
    if baseline is not None:
        blocks.append(_BASELINE.format(baseline=_text(baseline)))
    copies = [numbers.number("", COPIES) for numbers in parts(run).values()]
    known = [int(number) for number in copies if number is not None]
    if len(known) == len(copies):  # a result that does not list its generations would fail the rule
        found = "  # what this run has; 0 is what it should be" if any(known) else ""
        blocks.append(_COPIES.format(level=level, most=max(known), found=found))
    scales = [_Scale(one, one.decimals(largest_score(results, one.name)) - 1) for one in run.metrics]
    for scale in scales:
        blocks += _rules(scale, level, results)
    for breakdown in by:
        groups = [own for result in results for _, own in split(result, breakdown)]
        for scale in scales:
            blocks += _rules_by(breakdown.name, scale, level, groups)
    first = next((one for one in scales if _scored(results, one.metric.name)), None)
    if first is not None:
        name = first.metric.name
        widest = max(
            first.allowed(None if one is None else _noise(one, 1), _NO_INTERVAL)
            for result in results
            for one in _variances(result, name).values()
        )
        if all(result.aggregate[name].near_copies == 0 for result in results):
            blocks.append(_NEAR_COPIES.format(metric=_text(name), level=level, most=most_missing(0)))
        blocks.append(_SUBJECTS.format(metric=_text(name), drop=first.figure(widest)))
    return "".join(blocks)


def _scored(results: Sequence[ScoreResult], metric: str) -> list[ScoreResult]:
    """The results that have a score by a metric."""
    return [result for result in results if result.aggregate[metric].score is not None]


def _rules(scale: _Scale, level: str, results: Sequence[ScoreResult]) -> Iterator[str]:
    """What there is to say by one metric."""
    metric = scale.metric.name
    scored = _scored(results, metric)
    if len(scored) < len(results):
        where = "" if not scored else " of one of the methods"
        yield _SILENT.format(metric=printable(metric), where=where)
        return
    yield _metric(scale, level, scored)
    if found := max(result.aggregate[metric].missing for result in results):
        yield _MISSING.format(metric=_text(metric), level=level, most=most_missing(found), found=found)


def _rules_by(by: str, scale: _Scale, level: str, groups: Sequence[ScoreResult]) -> Iterator[str]:
    """The same by group; of a metric that has a number of some."""
    metric = scale.metric.name
    scored = _scored(groups, metric)
    if scored and len(scored) < len(groups):
        yield _SILENT.format(metric=printable(metric), where=f" of one of the groups by {printable(by)}")
    elif scored:
        yield _metric(scale, level, scored, by)


def _metric(scale: _Scale, level: str, results: Sequence[ScoreResult], by: str | None = None) -> str:
    """A rule that all of some results pass: methods, or where it is `by` label groups."""
    metric, sign = scale.metric.name, scale.metric.sign
    among = 1 if by is None else len(results)
    noises = [_noise_of_all(result, metric) for result in results]
    bounds = [_bound(result, scale, noise, among) for result, noise in zip(results, noises, strict=True)]
    worst = min(bounds, key=lambda bound: sign * bound)
    scores = results[bounds.index(worst)].aggregate[metric]
    subjects = min(len(_variances(result, metric)) for result in results)
    interval = (
        f", 95 % interval {scale.number(scores.ci95[0])} to {scale.number(scores.ci95[1])}"
        if scores.ci95
        else ", without an interval"
    )
    rough = f"; rough, since {subjects} say little of others" if MIN_UNITS <= subjects < FEW_UNITS else ""
    end = "lowest" if sign > 0 else "highest"
    one = f"the {end} method" if level == "method" else "this run"
    whose = f"the group that may be {end}" if by is not None else one
    if known := [noise for noise in noises if noise is not None]:
        widest = max(known, key=lambda noise: noise.bound(among))
        of = "that of the noisiest group" if by is not None else "the score"
        noise, drop = (
            f"drawing the generations anew moves {of} by about {scale.number(widest.error)}",
            scale.allowed(widest, among=among),
        )
    else:
        noise, drop = (
            "how far it moves when the generations are drawn anew is not known from so few",
            scale.allowed(None, _NO_INTERVAL),
        )
    return _METRIC.format(
        metric=_text(metric),
        level=level,
        seen=f"{whose}: {scale.number(scores.score or 0.0)}{interval}{rough}",
        bound="min" if sign > 0 else "max",
        worst=scale.figure(worst),
        noise=noise,
        drop=scale.figure(drop),
        confidence=(
            f"confidence = {_CONFIDENCE}"
            if subjects >= MIN_UNITS
            else f"# confidence needs {MIN_UNITS} subjects{' a group' if by is not None else ''}, "
            f"and there {'is' if subjects == 1 else 'are'} {subjects}"
        ),
        by="" if by is None else f"\nby = {_text(by)}",
    )


def _bound(result: ScoreResult, scale: _Scale, noise: _Noise | None, among: int) -> float:
    """A bound a little on the worse side of what the run has, and of what it would have with other seeds."""
    scores, sign = result.aggregate[scale.metric.name], scale.metric.sign
    worst = (scores.score or 0.0) - sign * (
        _NO_INTERVAL * scale.unit if noise is None else noise.bound(among)
    )
    if scores.ci95 is not None:
        worst = min(scores.ci95[0], worst) if sign > 0 else max(scores.ci95[1], worst)
    return scale.bound(worst)


def _text(name: str) -> str:
    """A name as a TOML string: JSON's escapes are TOML's, except that TOML wants DEL escaped, too."""
    return json.dumps(name, ensure_ascii=False).replace("\x7f", "\\u007F")


def _noise_of_all(result: ScoreResult, metric: str) -> _Noise | None:
    """The noise of the aggregate score; None where a subject's is not known."""
    found = list(_variances(result, metric).values())
    known = [one for one in found if one is not None]
    return _noise(_sum(known), len(known)) if known and len(known) == len(found) else None


def _noise(total: _Variance, means: int) -> _Noise:
    """Of the difference of two means of so many means, whose variances add up to `total`."""
    return _Noise(math.sqrt(2 * total.value) / means, total.freedom)


def _variances(result: ScoreResult, metric: str) -> dict[str, _Variance | None]:
    """The variance of each subject's mean when its generations are drawn anew, the prompts being the same.

    Of the subjects that have a score; None where it is not known.
    """
    images = by_subject(result.images)
    found = {}
    for subject in result.subjects:
        name, scores = subject.subject, subject.scores[metric]
        if scores.score is None:
            continue
        own, n = images.get(name, []), subject.generations - scores.missing
        if len(own) == subject.generations and (prompts := by_prompt(own)) is not None:
            found[name] = _within_prompts(prompts, metric)
        else:
            found[name] = None if scores.std is None or n < 2 else _Variance(scores.std**2 / n, n - 1)
    return found


def _within_prompts(prompts: Mapping[str, Sequence[Image]], metric: str) -> _Variance | None:
    """The variance of the mean of prompts' means.

    A prompt's own variance takes two generations of it with a score. Where a prompt has but one, the prompts' means are
    taken for draws: how differently the prompts come out is then counted as noise, which is too much rather than too
    little.
    """
    groups = [
        [score for image in own if (score := image.scores[metric]) is not None] for own in prompts.values()
    ]
    groups = [group for group in groups if group]
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
