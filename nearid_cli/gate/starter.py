"""A configuration to start from: rules that a given run passes, with bounds from its own spread."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

from nearid_cli.gate.numbers import Result, parts
from nearid_cli.gate.rules import COPIES
from nearid_cli.metrics.intervals import MIN_UNITS
from nearid_cli.results import CompareResult, ScoreResult
from nearid_cli.text import printable

_CONFIDENCE = 0.95
_LEEWAY = 0.005  # a minimum is at least this far below the interval
_NO_INTERVAL = 0.05  # and this far below the score where there is no interval
_SMALLEST_DROP = 0.01

_HEAD = """\
# Rules of `nearid gate`, made from {run}. Bounds are proposals: move them to what you can live with.
# What the keys mean, and how to choose max_drop and confidence: docs/gate.md
#
# min         fail below this number
# max_drop    fail when the number fell by more than this since the baseline, counted subject by subject
# confidence  fail on max_drop only when the drop is larger than that for sure, and not by chance
# on_fail     "error", or "warn" to be told without failing
"""

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
level = "{level}"
# {seen}
min = {minimum}
# {noise}
max_drop = {drop}
{confidence}
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


def starter(run: Result, name: str, baseline: str | None = None) -> str:
    """A commented configuration, as the text of a `nearid.toml`, that `run` passes as its own baseline.

    The minimum of each metric lies a little below the lower end of its interval; with several methods, below that of
    the lowest one. The largest drop allowed is twice the standard error that the difference of two such runs has when
    nothing but the generations' seeds and prompts is drawn anew.

    Args:
        run: the run to make rules for.
        name: what it is called, such as its file.
        baseline: the file that `[gate]` names as the baseline, from where the configuration will be; None for none.
    """
    level = "method" if isinstance(run, CompareResult) else "aggregate"
    results = [method.result for method in run.methods] if isinstance(run, CompareResult) else [run]
    blocks = [_HEAD.format(run=printable(name))]
    if baseline is not None:
        blocks.append(_BASELINE.format(baseline=_text(baseline)))
    copies = [numbers.number("", COPIES) for numbers in parts(run).values()]
    known = [int(number) for number in copies if number is not None]
    if len(known) == len(copies):  # a result that does not list its generations would fail the rule
        found = "  # what this run has; 0 is what it should be" if any(known) else ""
        blocks.append(_COPIES.format(level=level, most=max(known), found=found))
    for metric in (metric.name for metric in run.metrics):
        blocks.append(_metric(metric, level, results))
    first = run.metrics[0].name
    widest = max(_allowed_subject_drop(result, first) for result in results)
    blocks.append(_SUBJECTS.format(metric=_text(first), drop=_figure(widest)))
    return "".join(blocks)


def _metric(metric: str, level: str, results: Sequence[ScoreResult]) -> str:
    lowest = min(results, key=lambda result: _bound(result, metric))
    scores = lowest.aggregate[metric]
    subjects = min(len(result.subjects) for result in results)
    interval = (
        f", 95 % interval {scores.ci95[0]:.3f} to {scores.ci95[1]:.3f}"
        if scores.ci95
        else ", without an interval"
    )
    whose = "the lowest method" if level == "method" else "this run"
    noises = [one for result in results if (one := _noise(result, metric)) is not None]
    if noises:
        noise = f"other seeds and prompts alone move the score by about {max(noises):.3f}"
        drop = max(_SMALLEST_DROP, _up(2 * max(noises)))
    else:
        noise, drop = "how far other seeds move the score is not known from so few pictures", _NO_INTERVAL
    return _METRIC.format(
        metric=_text(metric),
        level=level,
        seen=f"{whose}: {scores.score:.3f}{interval}",
        minimum=_figure(_bound(lowest, metric)),
        noise=noise,
        drop=_figure(drop),
        confidence=(
            f"confidence = {_CONFIDENCE}"
            if subjects >= MIN_UNITS
            else f"# confidence needs {MIN_UNITS} subjects, and there {'is' if subjects == 1 else 'are'} {subjects}"
        ),
    )


def _bound(result: ScoreResult, metric: str) -> float:
    """A minimum with two decimals, a little below what the run has."""
    scores = result.aggregate[metric]
    low = scores.score - _NO_INTERVAL if scores.ci95 is None else min(scores.ci95[0], scores.score) - _LEEWAY
    return math.floor(100 * low) / 100


def _noise(result: ScoreResult, metric: str) -> float | None:
    """Standard error of the difference of two aggregates whose generations were drawn independently.

    The variance of a subject's mean over n generations is std^2 / n, that of a mean over S subjects the sum of theirs
    over S^2, and that of a difference of two such runs twice that.
    """
    variances = [
        scores.std**2 / subject.generations
        for subject in result.subjects
        if (scores := subject.scores[metric]).std is not None and subject.generations
    ]
    if not variances or len(variances) < len(result.subjects):
        return None
    return math.sqrt(2 * math.fsum(variances)) / len(variances)


def _allowed_subject_drop(result: ScoreResult, metric: str) -> float:
    """Twice the standard error of the difference of a subject's scores, of the subject where it is the largest."""
    errors = [
        math.sqrt(2 / subject.generations) * scores.std
        for subject in result.subjects
        if (scores := subject.scores[metric]).std is not None and subject.generations
    ]
    return max(_NO_INTERVAL, _up(2 * max(errors, default=0.0)))


def _up(value: float) -> float:
    return math.ceil(100 * value) / 100


def _figure(value: float) -> str:
    return f"{value + 0.0:.2f}"


def _text(name: str) -> str:
    """A name as a TOML string: JSON's escapes are TOML's, except that TOML wants DEL escaped, too."""
    return json.dumps(name, ensure_ascii=False).replace("\x7f", "\\u007F")
