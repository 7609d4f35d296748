"""How much worse than its baseline a run is, how sure that is, and what a new baseline changes against the old one."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from statistics import fmean

from nearid_cli.gate.numbers import ON_SCALE, Numbers, Result, metrics, most_missing, parts
from nearid_cli.gate.rules import RETENTION
from nearid_cli.gate.words import Words
from nearid_cli.metrics.intervals import MIN_UNITS, mean_intervals, ratio_contributions
from nearid_cli.results import Image, Interval, Moved
from nearid_cli.results.correspondence import compared_prompt, paired_images
from nearid_cli.results.pairing import Group, Matched, Matching, match_runs
from nearid_cli.results.score import largest_score
from nearid_cli.results.unscored import why_no_score
from nearid_cli.text import count, few, printable

CONFIDENCE = 0.95
"""Of the interval of a drop where the rule says none."""

TOLERANCE = 1e-9
"""Differences up to this are rounding."""

_OF_GENERATIONS = ("score", "margin")  # compared where they correspond; other numbers are of whole subjects
_MOVED = 5  # so many subjects are named
_PROMPTS = 5  # so many prompts are named
_SEEN = 0.5  # of the last decimal: a difference that shows


@dataclass(frozen=True)
class Drop:
    """How much worse the run is than the baseline: baseline minus run, or of a distance run minus baseline.

    Attributes:
        value: None where it cannot be had, because of the problems or because a number is missing.
        ci: its two-sided interval; None where there is none.
        moved: the subjects that got worse most, worst first.
        problems: why there is no value.
        no_interval: why there is no interval.
        units: the drops that the value is the mean of, and the interval is over.
        unit: what has one of them.
        notes: what is to be said of the value.
        among: the interval holds for so many groups together.
    """

    value: float | None = None
    ci: Interval | None = None
    moved: tuple[Moved, ...] = ()
    problems: tuple[str, ...] = ()
    no_interval: str = ""
    units: tuple[float, ...] = ()
    unit: str = "subject"
    notes: tuple[str, ...] = ()
    among: int = 1


class Both:
    """A method in `run` and `baseline`: what of both corresponds, and what only one of them has."""

    def __init__(self, run: Numbers, baseline: Numbers) -> None:
        self.run, self.baseline = run, baseline

    def silent(self, metric: str, subject: str) -> bool:
        """Whether the metric has no number of a subject, neither in the run nor in the baseline."""
        return self.run.silent(metric, subject) and self.baseline.silent(metric, subject)

    @property
    def subjects(self) -> list[str]:
        """Those of the run, then those that only the baseline has."""
        return list(dict.fromkeys((*self.run.subjects, *self.baseline.subjects)))

    @cached_property
    def matched(self) -> Mapping[str, Matched]:
        """The subjects that both have; `a` is the baseline and `b` the run."""
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


def drop_of_all(both: Both, metric: str, words: Words, confidence: float = CONFIDENCE) -> Drop:
    """The mean drop over subjects, its interval over them, and the subjects that got worse most.

    `pair_mean` belongs to no subject: its drop is the difference of the two numbers and has no interval.
    """
    run, baseline, statistic = both.run, both.baseline, words.statistic
    problems = [*both.unlike(), *_gone(both, metric, both.matched)]
    now, before = run.number(metric, statistic), baseline.number(metric, statistic)
    if statistic == "pair_mean":
        if problems or now is None or before is None:
            return Drop(problems=tuple(problems))
        return Drop(words.sign * (before - now), no_interval="pair_mean is not paired by subject")
    drops = _drops(both, metric, words)
    if drops or statistic in ON_SCALE or None not in (now, before):
        problems += _lost(both, metric, statistic, drops)
    if now is None or before is None:
        return Drop(problems=tuple(problems))
    moved = _moved(drops, words.sign)
    if problems or not drops:
        return Drop(moved=moved, problems=tuple(problems) or ("there is no subject to compare",))
    units = tuple(drops.values())
    value = fmean(units)
    ci = _intervals([units], confidence)[0] if len(units) >= MIN_UNITS else None
    alone = f"an interval needs {MIN_UNITS} subjects, and there {_are(len(drops))}" if ci is None else ""
    notes = [*_notes(both, list(drops), metric, words, value - words.sign * (before - now))]
    if silent := [name for name in both.matched if both.silent(metric, name)]:
        notes.append(
            f"{count(len(silent), 'subject')} without a score on either side left out: {few(silent)}"
        )
    return Drop(value, ci, moved, no_interval=alone, units=units, notes=tuple(notes))


def judged_together(drops: Sequence[Drop], confidence: float, limit: float) -> list[Drop]:
    """Drops with intervals by which hardly ever any of them is found above a limit by chance, in their order.

    Of k drops each has an interval with coverage 1 - (1 - confidence) / k. Those that lie above the limit are found,
    and the rest is judged anew as if there were no others, until none is (Holm, "A Simple Sequentially Rejective
    Multiple Test Procedure", 1979).
    """
    found = list(drops)
    left = [place for place, one in enumerate(found) if one.ci is not None]
    while left:
        coverage = 1 - (1 - confidence) / len(left)
        for place in left:
            (ci,) = _intervals([found[place].units], coverage)
            found[place] = replace(found[place], ci=ci, among=len(left))
        still = [place for place in left if not _is_above(found[place], limit)]
        if len(still) == len(left):
            break
        left = still
    return found


def _is_above(drop: Drop, limit: float) -> bool:
    return drop.ci is not None and drop.ci[0] > limit + TOLERANCE


def _lost(both: Both, metric: str, statistic: str, drops: Collection[str]) -> Iterator[str]:
    """Subjects that cannot be compared, but for those of which the metric has no number on either side."""
    without = [
        name
        for name, one in both.matched.items()
        if name not in drops and one.takes_part and not both.silent(metric, name)
    ]
    sides = both.run, both.baseline
    apart = [s for s in without if None not in [side.number(metric, statistic, s) for side in sides]]
    if lost := [name for name in without if name not in apart]:
        lack = count(len(lost), "subject") + f" without {statistic} in the run or the baseline"
        silent = [
            image for side in sides for s in lost if side.silent(metric, s) for image in side.generations(s)
        ]
        why = why_no_score(silent, metric)
        yield f"{lack}: {_all(lost)}{f'; why there is none: {why}' if why else ''}"
    if apart:
        yield f"{count(len(apart), 'subject')} of which nothing has a {statistic} on both sides: {_all(apart)}"


def _gone(both: Both, metric: str, subjects: Iterable[str]) -> Iterator[str]:
    """That the run lacks more scores than the baseline, and than chance would do: what got worse could hide there."""
    subjects = list(subjects)
    (lost, of_run), (had, of_baseline) = (
        [sum(own) for own in zip((0, 0), *(side.missing(metric, one) for one in subjects), strict=True)]
        for side in (both.run, both.baseline)
    )
    if lost > most_missing(had * of_run / max(of_baseline, 1)):
        why = why_no_score([image for one in subjects for image in both.run.generations(one)], metric)
        yield (
            f"the run has no score of {lost:,} of {count(of_run, 'generation')}, the baseline of {had:,} of "
            f"{of_baseline:,}, which is more than chance, and what got worse could hide there: {why}"
        )


def _drops(both: Both, metric: str, words: Words) -> dict[str, float]:
    """The drop of each subject that has one; for retention that of its part in the retention of all."""
    statistic, subjects = words.statistic, list(both.matched)
    before, now = (_numbers(side, metric, statistic, subjects) for side in (both.baseline, both.run))
    found = {name: before[name] - now[name] for name in subjects if name in before and name in now}
    if statistic in _OF_GENERATIONS:
        matched = {name: both.matched[name].difference(metric, statistic) for name in found}
        found = {name: difference for name, difference in matched.items() if difference is not None}
    return {name: words.sign * difference for name, difference in found.items()}


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
    """One line for each metric and method: the score before and now, and the subjects that got worse most."""
    before, known = parts(old), metrics(old)
    lines = []
    for metric, made in metrics(run).items():
        places = (
            made.decimals(largest_score([*run.runs.values(), *old.runs.values()], metric))
            if metric in known
            else 3
        )
        words = Words("score", made.sign, places)
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
            drop = drop_of_all(Both(numbers, past), metric, words)
            fell = ", ".join(f"{printable(one.subject)} {words.moved(one.delta)}" for one in drop.moved)
            about = "; ".join([*drop.problems, *([f"{words.fell} most: {fell}"] if fell else [])])
            scores = f"{words.number(then)} -> {words.number(now)}"
            lines.append(f"{name}: score {scores}{other}" + (f"; {about}" if about else ""))
    return lines


def drops_of_subjects(both: Both, metric: str, words: Words, confidence: float) -> dict[str, Drop]:
    """The drop of each subject of either side, and its interval over prompts, or over pairs of generations."""
    found = {subject: _drop_of_subject(both, metric, words, subject) for subject in both.subjects}
    alike = defaultdict(list)
    for subject, drop in found.items():
        if len(drop.units) >= MIN_UNITS:
            alike[len(drop.units)].append(subject)
    for subjects in alike.values():  # as many intervals at once as there are subjects with so many units
        intervals = _intervals([found[subject].units for subject in subjects], confidence)
        for subject, ci in zip(subjects, intervals, strict=True):
            found[subject] = replace(found[subject], ci=ci)
    return found


def _drop_of_subject(both: Both, metric: str, words: Words, subject: str) -> Drop:
    """The drop of a subject without its interval, and the drops of what the interval is over if there is to be one."""
    statistic, sign = words.statistic, words.sign
    if problems := both.unlike_in(subject) or list(_gone(both, metric, [subject])):
        return Drop(problems=tuple(problems))
    before, now = (
        both.baseline.number(metric, statistic, subject),
        both.run.number(metric, statistic, subject),
    )
    if before is None or now is None:
        return Drop()
    if statistic not in _OF_GENERATIONS:
        return Drop(sign * (before - now), no_interval=f"a single generation has no {statistic}")
    matched = both.matched[subject]
    difference = matched.difference(metric, statistic)
    if difference is None:
        lack = f"not every generation has a {statistic}"
        if not matched.units(metric, statistic):
            lack = f"nothing of it has a {statistic} on both sides"
        return Drop(problems=(lack,))
    units, unit, without = _units(matched, metric, statistic)
    if not without and len(units) < MIN_UNITS:
        without = f"an interval needs {MIN_UNITS} {unit}s, and there {_are(len(units))}"
    value = sign * difference
    notes = _notes(both, [subject], metric, words, value - sign * (before - now))
    if without:
        return Drop(value, no_interval=without, notes=notes)
    return Drop(value, units=tuple(sign * one for one in units), unit=unit, notes=notes)


def _units(matched: Matched, metric: str, statistic: str) -> tuple[list[float], str, str]:
    """The differences that a subject's interval is over, what has one of them, and why there are none.

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
    differences = [group.difference(metric, statistic) for group in groups]
    return [one for one in differences if one is not None], "generation", ""


def _pairs(prompt: Group) -> list[tuple[Image, Image]]:
    """The generations of one prompt with equal seeds; with equal names where seeds are not known."""
    if any(image.seed is None for image in (*prompt.a, *prompt.b)):
        return paired_images(prompt.a, prompt.b)
    seeds = Counter(image.seed for image in prompt.a), Counter(image.seed for image in prompt.b)
    theirs = {image.seed: image for image in prompt.b}
    return [(one, theirs[one.seed]) for one in prompt.a if seeds[0][one.seed] == seeds[1][one.seed] == 1]


def _notes(both: Both, subjects: Sequence[str], metric: str, words: Words, apart: float) -> tuple[str, ...]:
    """What is to be said of a drop: what it leaves out, and why it is no difference of the two numbers."""
    if words.statistic not in _OF_GENERATIONS:
        return ()
    matched = [both.matched[subject] for subject in subjects]
    notes = both.left_out(matched)
    unscored = [one.unscored(metric) for one in matched]
    if left := sum(len(a) + len(b) for a, b in unscored):
        notes.append(
            f"compared without {count(left, 'generation')} that have no score, or nothing with a score beside them"
        )
    elif abs(apart) >= _SEEN * 10.0**-words.places and not notes:
        notes.append(f"the {words.drop} is the mean over prompts, each counting the same")
    return tuple(notes)


def _intervals(drops: Sequence[Sequence[float]], confidence: float) -> list[Interval]:
    """The two-sided intervals of mean drops over equally many units."""
    return [(low, high) for low, high in mean_intervals([*zip(*drops, strict=True)], confidence).tolist()]


def _moved(drops: Mapping[str, float], sign: float) -> tuple[Moved, ...]:
    fell = sorted((-drop, subject) for subject, drop in drops.items() if drop > TOLERANCE)
    return tuple(Moved(subject, sign * down) for down, subject in fell[:_MOVED])


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
