"""How much lower than its baseline a run is, how sure that is, and what a new baseline changes against the old one."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from statistics import fmean

from nearid_cli.gate.numbers import Numbers, Result, metrics, parts
from nearid_cli.gate.rules import RETENTION
from nearid_cli.metrics.intervals import MIN_UNITS, mean_intervals, ratio_contributions
from nearid_cli.results import Image, Interval, Moved
from nearid_cli.results.pairing import Group, Matched, Matching, compared_prompt, match_runs, paired_images
from nearid_cli.text import count, few, printable

CONFIDENCE = 0.95
"""Of the interval of a drop where the rule says none."""

TOLERANCE = 1e-9
"""Differences up to this are rounding."""

_OF_GENERATIONS = ("score", "margin")  # compared where they correspond; other numbers are of whole subjects
_MOVED = 5  # so many subjects are named
_PROMPTS = 5  # so many prompts are named
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


class Both:
    """A method in `run` and `baseline`: what of both corresponds, and what only one of them has."""

    def __init__(self, run: Numbers, baseline: Numbers) -> None:
        self.run, self.baseline = run, baseline

    @property
    def subjects(self) -> list[str]:
        """Those of the run, then those that only the baseline has."""
        return list(dict.fromkeys((*self.run.subjects, *self.baseline.subjects)))

    @cached_property
    def matched(self) -> Mapping[str, Matched]:
        """The subjects that both have; `a` is the baseline and `b` the run, so that differences are drops."""
        return {one.subject: one for one in self._matching.subjects}

    def unlike(self) -> list[str]:
        """What only one of the two has, as sentences: subjects and prompts."""
        run, baseline = self.run.subjects, self.baseline.subjects
        problems = []
        if lacking := [subject for subject in baseline if subject not in run]:
            problems.append(
                f"the run lacks {count(len(lacking), 'subject')} of the baseline: {_all(lacking)}"
            )
        if new := [subject for subject in run if subject not in baseline]:
            problems.append(
                f"the baseline lacks {count(len(new), 'subject')} of the run: {_all(new)}; "
                "--update-baseline takes new subjects in"
            )
        return problems + self._unlike_prompts(self.matched.values(), named=True)

    def unlike_in(self, subject: str) -> list[str]:
        """What only one of the two has of a subject, as sentences."""
        if subject not in self.run.subjects:
            return ["the run lacks this subject, which the baseline has"]
        if subject not in self.baseline.subjects:
            return ["the baseline lacks this subject; --update-baseline takes it in"]
        return self._unlike_prompts([self.matched[subject]], named=False)

    def left_out(self, subjects: Sequence[Matched]) -> list[str]:
        """Which generations of subjects take no part in what is compared, and which prompts say nothing."""
        notes = []
        if placeholders := self._matching.placeholders:
            notes.append(
                f"prompts are compared without {few(list(placeholders))}, which only run or baseline has in all"
            )
        if alone := [image.path for one in subjects for image in (*one.alone_b, *one.alone_a)]:
            notes.append(f"{count(len(alone), 'generation')} without a counterpart left out: {few(alone)}")
        if silent := [one.subject for one in subjects if one.unheeded_prompts]:
            notes.append(
                f"prompts say nothing for {count(len(silent), 'subject')}, since run or baseline does not know them: "
                f"{few(silent)}"
            )
        return notes

    @cached_property
    def _matching(self) -> Matching:
        return match_runs(self.baseline.result, self.run.result)

    def _unlike_prompts(self, subjects: Iterable[Matched], named: bool) -> list[str]:
        subjects = list(subjects)
        if self._matching.prompts_differ:
            run, baseline = (
                few(
                    [*dict.fromkeys(image.prompt for image in side.generations() if image.prompt is not None)]
                )
                for side in (self.run, self.baseline)
            )
            return [
                f"run and baseline have no prompt in common: the run has {run}, the baseline {baseline}; "
                "score the same prompts, or make the run the new baseline with --update-baseline"
            ]
        problems = []
        if lacking := _by_prompt((prompt, one.subject) for one in subjects for prompt in one.lacking_b):
            problems.append(
                f"the run lacks {count(len(lacking), 'prompt')} of the baseline: {_listed(lacking, named)}; "
                "generate them, or let --update-baseline accept the run without them"
            )
        if new := _by_prompt((prompt, one.subject) for one in subjects for prompt in one.lacking_a):
            problems.append(
                f"the baseline lacks {count(len(new), 'prompt')} of the run: {_listed(new, named)}; "
                "--update-baseline takes new prompts in"
            )
        return problems


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
        problems.append(f"{lack}: {_all(without)}")
    if now is None or before is None:
        return Drop(problems=tuple(problems))
    moved = _moved(drops)
    if problems or not drops:
        return Drop(moved=moved, problems=tuple(problems) or ("there is no subject to compare",))
    units = tuple(drops.values())
    value = fmean(units)
    ci = _intervals([units], confidence)[0] if len(units) >= MIN_UNITS else None
    alone = f"an interval needs {MIN_UNITS} subjects, and there {_are(len(drops))}" if ci is None else ""
    notes = _notes(both, list(drops), statistic, value - (before - now))
    return Drop(value, ci, moved, no_interval=alone, units=units, notes=notes)


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
    drops = [group.difference(metric, statistic) for group in groups]
    return [drop for drop in drops if drop is not None], "generation", ""


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


def _intervals(drops: Sequence[Sequence[float]], confidence: float) -> list[Interval]:
    """The two-sided intervals of mean drops over equally many units."""
    return [(low, high) for low, high in mean_intervals([*zip(*drops, strict=True)], confidence).tolist()]


def _moved(drops: Mapping[str, float]) -> tuple[Moved, ...]:
    fell = sorted((-drop, subject) for subject, drop in drops.items() if drop > TOLERANCE)
    return tuple(Moved(subject, delta) for delta, subject in fell[:_MOVED])


def _are(number: int) -> str:
    return "is 1" if number == 1 else f"are {number}"


def _by_prompt(found: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """The subjects of each prompt, by one of the ways in which it is written."""
    spelled: dict[str, str] = {}
    subjects: dict[str, list[str]] = {}
    for prompt, subject in found:
        subjects.setdefault(spelled.setdefault(compared_prompt(prompt), prompt), []).append(subject)
    return subjects


def _listed(prompts: Mapping[str, Sequence[str]], named: bool) -> str:
    """The first prompts, with the first subjects of each where they are named."""
    return few(
        [f"{prompt} ({few(subjects)})" if named else prompt for prompt, subjects in prompts.items()], _PROMPTS
    )


def _all(names: Iterable[str]) -> str:
    """All of some names, since each must be mended."""
    return ", ".join(map(printable, names))
