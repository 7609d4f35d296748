"""How much lower than its baseline a run is, how sure that is, and what a new baseline changes against the old one."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from nearid_cli.gate import words
from nearid_cli.gate.both import Both
from nearid_cli.gate.numbers import Numbers, Result, metrics, parts
from nearid_cli.gate.rules import RETENTION
from nearid_cli.metrics.intervals import MIN_UNITS, mean_intervals, ratio_contributions
from nearid_cli.results import Image, Interval, Moved
from nearid_cli.results.pairing import Group, Matched, paired_images
from nearid_cli.text import count, printable

CONFIDENCE = 0.95
"""Of the interval of a drop where the rule says none."""

TOLERANCE = 1e-9
"""Differences up to this are rounding."""

_OF_GENERATIONS = ("score", "margin")  # compared where they correspond; other numbers are of whole subjects
_MOVED = 5  # so many subjects are named
_SEEN = 0.0005  # a difference that shows in three decimals


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
        notes: what is to be said of the value.
    """

    value: float | None = None
    ci: Interval | None = None
    moved: tuple[Moved, ...] = ()
    problems: tuple[str, ...] = ()
    no_interval: str = ""
    units: tuple[float, ...] = ()
    unit: str = "subject"
    notes: tuple[str, ...] = ()


def drop_of_all(both: Both, metric: str, statistic: str, confidence: float = CONFIDENCE) -> Drop:
    """The mean drop over subjects, its interval over them, and the subjects that fell most.

    `pair_mean` belongs to no subject: its drop is the difference of the two numbers and has no interval.
    """
    run, baseline = both.run, both.baseline
    problems = both.unlike()
    now, before = run.number(metric, statistic), baseline.number(metric, statistic)
    if statistic == "pair_mean":
        if problems or now is None or before is None:
            return Drop(problems=tuple(problems))
        return Drop(before - now, no_interval="pair_mean is not paired by subject")
    drops = _drops(both, metric, statistic)
    if without := [name for name, one in both.matched.items() if name not in drops and one.takes_part]:
        lack = count(len(without), "subject") + f" without {statistic} in the run or the baseline"
        problems.append(f"{lack}: {words.listed(without)}")
    if now is None or before is None:
        return Drop(problems=tuple(problems))
    moved = _moved(drops)
    if problems or not drops:
        return Drop(moved=moved, problems=tuple(problems) or ("there is no subject to compare",))
    units = tuple(drops.values())
    value = fmean(units)
    ci = _interval(units, confidence)
    few = f"an interval needs {MIN_UNITS} subjects, and there {_are(len(drops))}" if ci is None else ""
    notes = _notes(both, list(drops), statistic, value - (before - now))
    return Drop(value, ci, moved, no_interval=few, units=units, notes=notes)


def _drops(both: Both, metric: str, statistic: str) -> dict[str, float]:
    """The drop of each subject that has one; for retention that of its part in the retention of all."""
    before, now = (
        _numbers(side, metric, statistic, list(both.matched)) for side in (both.baseline, both.run)
    )
    found = {name: before[name] - now[name] for name in both.matched if name in before and name in now}
    if statistic not in _OF_GENERATIONS:
        return found
    matched = {name: both.matched[name].difference(metric, statistic) for name in found}
    return {name: drop for name, drop in matched.items() if drop is not None}


def _numbers(side: Numbers, metric: str, statistic: str, subjects: Sequence[str]) -> dict[str, float]:
    """The number of each subject that has it; for retention its part in that of all, which is their mean."""
    if statistic != RETENTION:
        found = {subject: side.number(metric, statistic, subject) for subject in subjects}
        return {subject: number for subject, number in found.items() if number is not None}
    parts = {s: both for s in subjects if (both := side.retention_parts(metric, s)) is not None}
    if not math.fsum(room for _, room in parts.values()):
        return {}
    return dict(zip(parts, ratio_contributions(*zip(*parts.values(), strict=True)).tolist(), strict=True))


def changes(run: Result, old: Result) -> list[str]:
    """One line for each metric and method: the score before and now, and the subjects that fell most."""
    before, known = parts(old), metrics(old)
    lines = []
    for metric, made in metrics(run).items():
        for method, numbers in parts(run).items():
            name = printable(metric if method is None else f"{metric}, method {method}")
            now = numbers.number(metric, "score")
            past = before.get(method)
            then = past.number(metric, "score") if past and metric in known else None
            if now is None or then is None or past is None:
                lines.append(f"{name}: new")
                continue
            other = " (another checkpoint)" if known[metric].fingerprint != made.fingerprint else ""
            if known[metric].outdated and not made.outdated:
                other += " (before by an older nearid, whose numbers meant something else)"
            drop = drop_of_all(Both(numbers, past), metric, "score")
            fell = ", ".join(f"{printable(one.subject)} {one.delta:+.3f}" for one in drop.moved)
            about = "; ".join([*drop.problems, *([f"fell most: {fell}"] if fell else [])])
            lines.append(f"{name}: score {then:.3f} -> {now:.3f}{other}" + (f"; {about}" if about else ""))
    return lines


def drops_of_subjects(both: Both, metric: str, statistic: str, confidence: float) -> dict[str, Drop]:
    """The drop of each subject of either side, and its interval over prompts, or over pairs of generations."""
    found = {subject: _drop_of_subject(both, metric, statistic, subject) for subject in both.subjects}
    alike = defaultdict(list)
    for subject, drop in found.items():
        if len(drop.units) >= MIN_UNITS:
            alike[len(drop.units)].append(subject)
    for subjects in alike.values():  # as many intervals at once as there are subjects with so many units
        intervals = _intervals([found[subject].units for subject in subjects], confidence)
        for subject, ci in zip(subjects, intervals, strict=True):
            found[subject] = replace(found[subject], ci=ci)
    return found


def _drop_of_subject(both: Both, metric: str, statistic: str, subject: str) -> Drop:
    """The drop of a subject without its interval, and the drops of what the interval is over if there is to be one."""
    if problems := both.unlike_in(subject):
        return Drop(problems=tuple(problems))
    before, now = (
        both.baseline.number(metric, statistic, subject),
        both.run.number(metric, statistic, subject),
    )
    if before is None or now is None:
        return Drop()
    if statistic not in _OF_GENERATIONS:
        return Drop(before - now, no_interval=f"a single generation has no {statistic}")
    matched = both.matched[subject]
    value = matched.difference(metric, statistic)
    if value is None:
        return Drop(problems=(f"not every generation has a {statistic}",))
    units, unit, without = _units(matched, metric, statistic)
    if not without and len(units) < MIN_UNITS:
        without = f"an interval needs {MIN_UNITS} {unit}s, and there {_are(len(units))}"
    notes = _notes(both, [subject], statistic, value - (before - now))
    if without:
        return Drop(value, no_interval=without, notes=notes)
    return Drop(value, units=tuple(units), unit=unit, notes=notes)


def _units(matched: Matched, metric: str, statistic: str) -> tuple[list[float], str, str]:
    """The drops that a subject's interval is over, what has one of them, and why there are none.

    Generations of one prompt have more in common than those of several, so prompts are the units where there are
    more than one.
    """
    if matched.how == "all":
        return [], "", "its generations correspond neither by prompt nor by name"
    groups = matched.groups
    if matched.how == "prompts" and len(groups) > 1:
        return matched.units(metric, statistic), "prompt", ""
    if matched.how == "prompts":
        (whole,) = groups
        groups = tuple(Group("", (a,), (b,)) for a, b in _pairs(whole))
        if 2 * len(groups) < len(whole.a) + len(whole.b):
            return (
                [],
                "",
                "there is one prompt, and not every generation of it has a counterpart by seed or name",
            )
    elif matched.alone_a or matched.alone_b:
        return [], "", "not every generation has a counterpart"
    return [group.difference(metric, statistic) for group in groups], "generation", ""


def _pairs(prompt: Group) -> list[tuple[Image, Image]]:
    """The generations of one prompt with equal seeds; with equal names where seeds are not known."""
    if any(image.seed is None for image in (*prompt.a, *prompt.b)):
        return paired_images(prompt.a, prompt.b)
    seeds = Counter(image.seed for image in prompt.a), Counter(image.seed for image in prompt.b)
    theirs = {image.seed: image for image in prompt.b}
    return [(one, theirs[one.seed]) for one in prompt.a if seeds[0][one.seed] == seeds[1][one.seed] == 1]


def _notes(both: Both, subjects: Sequence[str], statistic: str, apart: float) -> tuple[str, ...]:
    """What is to be said of a drop: what it leaves out, and why it is no difference of the two numbers."""
    if statistic not in _OF_GENERATIONS:
        return ()
    matched = [both.matched[subject] for subject in subjects]
    notes = both.left_out(matched)
    if abs(apart) >= _SEEN and not notes:
        notes.append("the drop is the mean over prompts, each counting the same")
    return tuple(notes)


def _interval(drops: Sequence[float], confidence: float) -> Interval | None:
    """The interval of one mean drop, as `_intervals`; None where there are too few of them."""
    return _intervals([drops], confidence)[0] if len(drops) >= MIN_UNITS else None


def _intervals(drops: Sequence[Sequence[float]], confidence: float) -> list[Interval]:
    """The two-sided intervals of mean drops over equally many units."""
    return [(low, high) for low, high in mean_intervals([*zip(*drops, strict=True)], confidence).tolist()]


def _moved(drops: Mapping[str, float]) -> tuple[Moved, ...]:
    fell = sorted((-drop, subject) for subject, drop in drops.items() if drop > TOLERANCE)
    return tuple(Moved(subject, delta) for delta, subject in fell[:_MOVED])


def _are(number: int) -> str:
    return "is 1" if number == 1 else f"are {number}"
