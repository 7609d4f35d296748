"""How much lower than its baseline a run is, and how sure that is."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from nearid_cli.gate.numbers import Numbers, known
from nearid_cli.gate.rules import RETENTION
from nearid_cli.metrics.intervals import MIN_UNITS, mean_intervals, ratio_contributions
from nearid_cli.results import Image, Interval, Moved
from nearid_cli.results.pairing import paired_images
from nearid_cli.text import count, printable

CONFIDENCE = 0.95
"""Of the interval of a drop where the rule says none."""

TOLERANCE = 1e-9
"""Differences up to this are rounding."""

_MOVED = 5  # so many subjects are named


@dataclass(frozen=True)
class Drop:
    """Baseline minus run.

    Attributes:
        value: None where it cannot be had, because of the problems or because a number is missing.
        ci: its two-sided interval; None where there is none.
        moved: the subjects that fell most, worst first.
        problems: why there is no value.
        no_interval: why there is no interval.
        units: the drops that the value is the mean of, and the interval is over.
        unit: what has one of them.
    """

    value: float | None = None
    ci: Interval | None = None
    moved: tuple[Moved, ...] = ()
    problems: tuple[str, ...] = ()
    no_interval: str = ""
    units: tuple[float, ...] = ()
    unit: str = "subject"


def drop_of_all(
    run: Numbers, baseline: Numbers, metric: str, statistic: str, confidence: float = CONFIDENCE
) -> Drop:
    """The mean drop over subjects, its interval over them, and the subjects that fell most.

    `pair_mean` belongs to no subject: its drop is the difference of the two numbers and has no interval.
    """
    problems = _unmatched(run, baseline)
    if statistic == "pair_mean":
        old, new = baseline.number(metric, statistic), run.number(metric, statistic)
        if problems or old is None or new is None:
            return Drop(problems=tuple(problems))
        return Drop(old - new, no_interval="pair_mean is not paired by subject")
    common = [subject for subject in run.subjects if subject in baseline.subjects]
    before, now = _numbers(baseline, metric, statistic, common), _numbers(run, metric, statistic, common)
    drops = {
        subject: before[subject] - now[subject] for subject in common if subject in before and subject in now
    }
    if without := [subject for subject in common if subject not in drops]:
        lack = count(len(without), "subject") + f" without {statistic} in the run or the baseline"
        problems.append(f"{lack}: {_names(without)}")
    if run.number(metric, statistic) is None or baseline.number(metric, statistic) is None:
        return Drop(problems=tuple(problems))
    moved = _moved(drops)
    if problems or not drops:
        return Drop(moved=moved, problems=tuple(problems) or ("there is no subject to compare",))
    ci = _interval(list(drops.values()), confidence)
    few = f"an interval needs {MIN_UNITS} subjects, and there {_are(len(drops))}" if ci is None else ""
    units = tuple(drops.values())
    return Drop(math.fsum(units) / len(units), ci, moved, no_interval=few, units=units)


def _numbers(side: Numbers, metric: str, statistic: str, subjects: Sequence[str]) -> dict[str, float]:
    """The number of each subject that has it; for retention what it adds to that of all, whose mean this is."""
    if statistic != RETENTION:
        found = {subject: side.number(metric, statistic, subject) for subject in subjects}
        return {subject: number for subject, number in found.items() if number is not None}
    parts = {s: both for s in subjects if (both := side.retention_parts(metric, s)) is not None}
    if not math.fsum(room for _, room in parts.values()):
        return {}
    return dict(zip(parts, ratio_contributions(*zip(*parts.values(), strict=True)).tolist(), strict=True))


def drops_of_subjects(
    run: Numbers, baseline: Numbers, metric: str, statistic: str, confidence: float
) -> dict[str, Drop]:
    """The drop of each subject of either side, and its interval over pairs of generations that correspond."""
    found, alike = {}, defaultdict(list)
    for subject in dict.fromkeys((*run.subjects, *baseline.subjects)):
        found[subject], drops = _drop_of_subject(run, baseline, metric, statistic, subject)
        if drops:
            alike[len(drops)].append((subject, drops))
    for some in alike.values():  # as many intervals at once as there are subjects with so many pairs
        for (subject, _), ci in zip(some, _intervals([drops for _, drops in some], confidence), strict=True):
            found[subject] = replace(found[subject], ci=ci)
    return found


def _drop_of_subject(
    run: Numbers, baseline: Numbers, metric: str, statistic: str, subject: str
) -> tuple[Drop, list[float]]:
    """The drop of a subject without its interval, and the drops of its generations if there is to be one."""
    if subject not in run.subjects:
        return Drop(problems=("the run lacks this subject, which the baseline has",)), []
    if subject not in baseline.subjects:
        return Drop(problems=("the baseline lacks this subject; --update-baseline takes it in",)), []
    before, now = baseline.number(metric, statistic, subject), run.number(metric, statistic, subject)
    if before is None or now is None:
        return Drop(), []
    new, old = run.generations(subject), baseline.generations(subject)
    pairs = paired_images(new, old)
    drops = [
        b - a
        for a, b in ((_of_image(x, metric, statistic), _of_image(y, metric, statistic)) for x, y in pairs)
        if a is not None and b is not None
    ]
    if len(pairs) < max(len(new), len(old)):
        paired = {id(image) for pair in pairs for image in pair}
        alone = [image.path for image in (*new, *old) if id(image) not in paired]
        without = (
            f"{count(len(alone), 'generation')} of run and baseline without a counterpart: {_names(alone)}"
        )
    elif len(drops) < len(pairs):
        without = f"not every generation has a {statistic}"
    elif len(drops) < MIN_UNITS:
        without = f"an interval needs {MIN_UNITS} generations, and there {_are(len(drops))}"
    else:
        return Drop(before - now, units=tuple(drops), unit="generation"), drops
    return Drop(before - now, no_interval=without), []


def _interval(drops: Sequence[float], confidence: float) -> Interval | None:
    """The interval of one mean drop, as `_intervals`; None where there are too few of them."""
    return _intervals([drops], confidence)[0] if len(drops) >= MIN_UNITS else None


def _intervals(drops: Sequence[Sequence[float]], confidence: float) -> list[Interval]:
    """The two-sided intervals of mean drops over equally many units."""
    return [(low, high) for low, high in mean_intervals([*zip(*drops, strict=True)], confidence).tolist()]


def _of_image(image: Image, metric: str, statistic: str) -> float | None:
    values = {"score": image.scores, "margin": image.margins}.get(statistic)
    return None if values is None else known(values.get(metric))


def _unmatched(run: Numbers, baseline: Numbers) -> list[str]:
    """The subjects that only one of the two has, as sentences."""
    lacking = [subject for subject in baseline.subjects if subject not in run.subjects]
    new = [subject for subject in run.subjects if subject not in baseline.subjects]
    problems = []
    if lacking:
        problems.append(f"the run lacks {count(len(lacking), 'subject')} of the baseline: {_names(lacking)}")
    if new:
        problems.append(
            f"the baseline lacks {count(len(new), 'subject')} of the run: {_names(new)}; "
            "--update-baseline takes new subjects in"
        )
    return problems


def _moved(drops: Mapping[str, float]) -> tuple[Moved, ...]:
    fell = sorted((-drop, subject) for subject, drop in drops.items() if drop > TOLERANCE)
    return tuple(Moved(subject, delta) for delta, subject in fell[:_MOVED])


def _names(names: Sequence[str]) -> str:
    return ", ".join(map(printable, names))


def _are(number: int) -> str:
    return "is 1" if number == 1 else f"are {number}"
