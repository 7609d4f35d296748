"""The verdict on every rule, in words. Fails closed: what cannot be judged has failed, and the verdict says why."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from nearid_cli.breakdown.labels import Labels
from nearid_cli.errors import InputError
from nearid_cli.gate.drops import (
    CONFIDENCE,
    TOLERANCE,
    Drop,
    drop_of_all,
    drops_of_subjects,
    judged_together,
)
from nearid_cli.gate.groups import Groups, GroupsError, Judged
from nearid_cli.gate.numbers import NOT_OF_ALL, ON_SCALE, Numbers, Result, metrics, parts
from nearid_cli.gate.rules import DIVERSITIES, EVERY
from nearid_cli.gate.words import Words, bound, counted
from nearid_cli.results import GateResult, Metric, Rule, Verdict
from nearid_cli.results.base import this_tool, timestamp
from nearid_cli.results.gate import COPIES, COUNTS, MISSING
from nearid_cli.results.score import largest_score
from nearid_cli.results.unscored import why_no_score
from nearid_cli.text import count, did_you_mean, few, printable

_SHORT = 12  # characters of a fingerprint
_NAMED = 5  # so many copies are named, and generations without a score


def judge(
    run: Result,
    baseline: Result | None,
    rules: Sequence[Rule],
    *,
    run_name: str,
    baseline_name: str | None,
    allow_mismatch: bool = False,
) -> GateResult:
    """Judge a run by the rules.

    Args:
        run: what to judge.
        baseline: what `max_drop` is counted from; None where there is none.
        rules: as `load_rules` gives them.
        run_name: what the run is called, such as its file.
        baseline_name: what the baseline is called. With `baseline` None, the file that is not there; None if no
            baseline was asked for.
        allow_mismatch: compare numbers of different checkpoints or protocols all the same.

    Raises:
        InputError: one is a score and the other a comparison, or they have no subject in common.
    """
    if baseline is not None and type(run) is not type(baseline):
        raise InputError(
            f"{printable(run_name)} is a result of {run.command} and the baseline "
            f"{printable(baseline_name or '')} one of {baseline.command}; give a baseline of the same kind"
        )
    if baseline is not None and any(rule.max_drop is not None for rule in rules):
        _refuse_strangers(run, baseline)
    sides = _Sides(run, baseline, run_name, baseline_name, allow_mismatch)
    verdicts = tuple(verdict for rule in rules for verdict in sides.verdicts(rule))
    return GateResult(
        tool=this_tool(),
        created=timestamp(),
        run=run_name,
        baseline=baseline_name,
        passed=all(verdict.status != "failed" for verdict in verdicts),
        verdicts=verdicts,
    )


def _refuse_strangers(run: Result, baseline: Result) -> None:
    """Raise InputError if nothing could be compared, which no rule should have to say."""
    now, before = (
        [name for part in parts(one).values() for name in part.subjects] for one in (run, baseline)
    )
    if now and before and not set(now) & set(before):
        raise InputError(
            f"run and baseline have no subject in common: the run has {few(now)}, the baseline {few(before)}; "
            "score both with the same references"
        )


@dataclass(frozen=True)
class _Unit:
    """What one verdict is about: a method or the whole run, or one subject of it; None where a side lacks it.

    `drop` is its drop, if it was asked for and both sides have it. None is asked of a group that is `new`, since the
    baseline lacks it while it has others.
    """

    method: str | None
    subject: str | None
    run: Numbers | None
    baseline: Numbers | None
    drop: Drop = field(default_factory=Drop)
    labels: Labels = field(default_factory=dict)
    new: bool = False


class _Sides:
    """A run and its baseline."""

    def __init__(
        self,
        run: Result,
        baseline: Result | None,
        run_name: str,
        baseline_name: str | None,
        allow_mismatch: bool,
    ) -> None:
        self._compares = None not in run.runs
        self._results = (run,) if baseline is None else (run, baseline)
        self._names_of_sides = run_name, baseline_name
        self._allow_mismatch = allow_mismatch
        self._groups = Groups(run, baseline)
        self._metrics = metrics(run)
        self._baseline_metrics = metrics(baseline) if baseline is not None else {}

    def verdicts(self, rule: Rule) -> Iterator[Verdict]:
        """The verdicts on one rule: at least one."""
        if rule.level not in (("method", "subject") if self._compares else ("aggregate", "subject")):
            yield _failed(
                rule,
                rule.metric,
                self._words(rule, rule.metric),
                f'a comparison has no {rule.level} of its own: write level = "method" or "subject"'
                if self._compares
                else f'a run of one method has no level {rule.level}: write level = "aggregate" or "subject"',
            )
            return
        try:
            judged = self._groups.of(rule)
        except GroupsError as none:
            yield _failed(rule, rule.metric, self._words(rule, rule.metric), str(none))
            return
        found = [verdict for metric in self._names(rule) for verdict in self._of_metric(rule, metric, judged)]
        nothing = "there is nothing to judge: the run has no subject"
        yield from found or [_failed(rule, rule.metric, self._words(rule, rule.metric), nothing)]

    def _names(self, rule: Rule) -> list[str]:
        """The metrics that a rule is about. The run must have those of the baseline, or a drop could hide there."""
        if rule.metric != EVERY or rule.statistic == COPIES:
            return [rule.metric]
        more = self._baseline_metrics if rule.max_drop is not None else {}
        return list(dict.fromkeys((*self._metrics, *more)))

    def _of_metric(self, rule: Rule, metric: str, judged: Sequence[Judged]) -> Iterator[Verdict]:
        words = self._words(rule, metric)
        if rule.statistic != COPIES and metric not in self._metrics:
            yield _failed(rule, metric, words, _no_metric("run", metric, self._metrics))
            return
        if loose := _lets_worse_pass(rule, metric, words):
            yield _failed(rule, metric, words, loose)
            return
        obstacle = self._obstacle(metric) if rule.max_drop is not None else None
        if obstacle and (rule.level != "aggregate" or rule.by is not None):
            # Said once, not for every subject or group.
            yield _failed(replace(rule, min=None, max=None), metric, words, obstacle, rule=rule)
            if rule.min is None and rule.max is None:
                return
            bounds, obstacle = replace(rule, max_drop=None, confidence=None), None
        else:
            bounds = rule
        units = [unit for part in judged for unit in self._units(part, bounds, metric, words)]
        if rule.by is not None:
            units = _together(_with_new(units, bounds), bounds)
        for unit in units:
            yield _verdict(rule, bounds, metric, words, unit, obstacle)

    def _words(self, rule: Rule, metric: str) -> Words:
        """How a statistic of a metric is told; of an unknown metric, as one of cosines."""
        made = self._metrics.get(metric)
        if made is None or rule.statistic not in ON_SCALE:
            return Words(rule.statistic)
        runs = [run for one in self._results if metric in metrics(one) for run in one.runs.values()]
        return Words(rule.statistic, made.sign, made.decimals(largest_score(runs, metric)))

    def _obstacle(self, metric: str) -> str | None:
        """Why the numbers of a metric cannot be compared with the baseline's, or None."""
        if len(self._results) == 1:
            run, baseline = self._names_of_sides
            return _no_baseline(baseline, run)
        if metric not in self._baseline_metrics:
            return _no_metric("baseline", metric, self._baseline_metrics)
        now, before = self._metrics[metric], self._baseline_metrics[metric]
        if not now.comparable_with(before) and not (self._allow_mismatch and now.sign == before.sign):
            return _mismatch(now, before)
        return None

    def _units(self, part: Judged, bounds: Rule, metric: str, words: Words) -> Iterator[_Unit]:
        comparable = bounds.statistic == COPIES or metric in self._baseline_metrics
        baselines = part.baselines if comparable else {}
        falls = bounds.max_drop is not None
        for method in dict.fromkeys((*part.runs, *(baselines if falls else ()))):
            run, baseline = part.runs.get(method), baselines.get(method)
            asked = metric, words, bounds.confidence or CONFIDENCE
            both = part.boths.get(method) if falls and comparable else None
            # What lacks a baseline is said once, but other bounds of a new group are judged for each subject.
            once = falls and both is None and (not part.labels or bounds.min is bounds.max is None)
            if bounds.level != "subject" or run is None or once:
                drop = drop_of_all(both, *asked) if both else Drop()
                yield _Unit(method, None, run, baseline, drop, part.labels)
                continue
            drops = drops_of_subjects(both, *asked) if both else {}
            for subject in drops or run.subjects:
                yield _Unit(method, subject, run, baseline, drops.get(subject, Drop()), part.labels)


def _with_new(units: Sequence[_Unit], bounds: Rule) -> list[_Unit]:
    """The units, of which those are new that the baseline lacks, while it has the same method in other groups.

    To a rule that asks nothing of the baseline none is.
    """
    if bounds.group is not None or bounds.max_drop is None:
        return list(units)
    known = {unit.method for unit in units if unit.run is not None and unit.baseline is not None}
    return [replace(unit, new=unit.baseline is None and unit.method in known) for unit in units]


def _together(units: Sequence[_Unit], bounds: Rule) -> list[_Unit]:
    """The units of a rule that wants to be sure: what it promises of a method or subject it promises of all groups."""
    if bounds.confidence is None or bounds.max_drop is None:
        return list(units)
    families: dict[tuple[str | None, str | None], list[int]] = {}
    for place, unit in enumerate(units):
        families.setdefault((unit.method, unit.subject), []).append(place)
    judged = list(units)
    for places in families.values():
        drops = judged_together([units[i].drop for i in places], bounds.confidence, bounds.max_drop)
        for place, drop in zip(places, drops, strict=True):
            judged[place] = replace(units[place], drop=drop)
    return judged


def _verdict(
    rule: Rule, bounds: Rule, metric: str, words: Words, unit: _Unit, obstacle: str | None
) -> Verdict:
    """The verdict on a rule whose `bounds` can be judged, or cannot because of the obstacle."""
    run, baseline, subject, statistic = unit.run, unit.baseline, unit.subject, rule.statistic
    found = _number(run, metric, statistic, subject)
    before = _number(baseline, metric, statistic, subject)
    drop = Drop() if obstacle else unit.drop
    what = "group" if unit.labels else "method"
    lacks = f"the baseline lacks this {what}; --update-baseline takes it in"
    problems = []
    if run is None:
        problems.append(f"the run lacks this {what}, which the baseline has")
    elif subject is not None and subject not in run.subjects:
        pass  # the drop says so
    elif found is None:
        problems.append(_missing("run", statistic, run.why_none(metric, statistic, subject)))
    elif bounds.max is not None and statistic in COUNTS:
        if found > bounds.max:
            which = few(run.counted(metric, statistic, subject), _NAMED)
            may = f"{counted(statistic, found)} and {bounds.max:.0f} may"
            problems.append(f"{may}: {which}" if which else may)
    elif bounds.min is not None and found < bounds.min - TOLERANCE:
        problems.append(words.below(found, bounds.min))
    elif bounds.max is not None and found > bounds.max + TOLERANCE:
        problems.append(words.above(found, bounds.max))
    if obstacle:
        problems.append(obstacle)
    elif bounds.max_drop is not None and run is not None and baseline is None and not unit.new:
        problems.append(lacks)
    elif bounds.max_drop is not None and run is not None and baseline is not None:
        if drop.problems:
            problems += drop.problems
        elif before is None:
            problems.append(_missing("baseline", statistic, baseline.why_none(metric, statistic, subject)))
        elif found is not None:
            problems += _too_low(bounds, words, drop, before, found)
    fine = "" if found is None else words.kept(bounds, found, drop.value, drop.ci)
    read = {"run": run, "baseline": baseline if bounds.max_drop is not None and not obstacle else None}
    sides = {} if statistic in (COPIES, MISSING) else read
    notes = [lacks] if unit.new else []
    notes += [*drop.notes, *(_unscored(name, side, metric, unit) for name, side in sides.items() if side)]
    if run is not None and found is not None:
        notes.append(_left_out(run, metric, statistic, unit))
    return Verdict(
        rule=rule,
        metric=metric,
        subject=subject,
        method=unit.method,
        status=_status(rule, bool(problems)) if problems or not unit.new else "warned",
        reason="; ".join(filter(None, [*(problems or [fine, _all_fell(bounds, words, drop)]), *notes])),
        expected=words.expected(bounds),
        found=found,
        baseline=before,
        drop=drop.value,
        ci=drop.ci,
        moved=drop.moved,
        higher_is_better=words.sign > 0,
        decimals=words.places,
        group=unit.labels,
    )


def _lets_worse_pass(rule: Rule, metric: str, words: Words) -> str:
    """Why a rule guards nothing: its only bound is on the better side."""
    if rule.statistic in (*COUNTS, *DIVERSITIES) or rule.max_drop is not None:
        return ""  # diversity may be too high: what was generated may be no longer one subject
    better, only, other = ("higher", "max", "min") if words.sign > 0 else ("lower", "min", "max")
    if getattr(rule, other) is not None:
        return ""
    return (
        f"by {printable(metric)} a {better} {rule.statistic} is a better one, so {only} alone lets every worse one "
        f"pass: give {other} or max_drop"
    )


def _unscored(name: str, side: Numbers, metric: str, unit: _Unit) -> str:
    """Of how many generations a side has no score, unless that is none, or all of which the verdict speaks."""
    if unit.drop.problems or (unit.subject is not None and unit.subject not in side.subjects):
        return ""  # what is said already is that there is nothing to compare
    missing, generations = side.missing(metric, unit.subject)
    if not 0 < missing < generations:
        return ""
    why = why_no_score(side.generations(unit.subject), metric)
    have = "has" if missing == 1 else "have"
    return f"{missing:,} of {count(generations, 'generation')} of the {name} {have} no score: {why}"


def _left_out(side: Numbers, metric: str, statistic: str, unit: _Unit) -> str:
    """Which subjects a statistic of all leaves out."""
    if statistic not in NOT_OF_ALL or unit.subject is not None:
        return ""
    lacking = side.lacking(metric, statistic)
    return f"without {count(len(lacking), 'subject')} that cannot have any: {few(lacking)}" if lacking else ""


def _number(side: Numbers | None, metric: str, statistic: str, subject: str | None) -> float | None:
    if side is None or (subject is not None and subject not in side.subjects):
        return None
    return side.number(metric, statistic, subject)


def _too_low(bounds: Rule, words: Words, drop: Drop, before: float, now: float) -> list[str]:
    """What is wrong with a drop: nobody knows how sure it is, or it is too large."""
    limit = bounds.max_drop
    if drop.value is None or limit is None:
        return [f"there is no {words.drop} to judge"]
    certain = drop.value
    if bounds.confidence is not None:
        if drop.ci is None:
            return [f"how sure the {words.drop} is cannot be said: {drop.no_interval}"]
        certain = drop.ci[0]
    if certain <= limit + TOLERANCE:
        return []
    return [words.too_much(bounds, drop.value, certain, before, now, drop.among)]


def _all_fell(bounds: Rule, words: Words, drop: Drop) -> str:
    """That every unit fell by more than a mean may, which a wide interval would keep from being seen."""
    limit = bounds.max_drop
    if limit is None or not drop.units or min(drop.units) <= limit + TOLERANCE:
        return ""
    return f"every one of {count(len(drop.units), drop.unit)} {words.fell} by more than {bound(limit)}"


def _failed(bounds: Rule, metric: str, words: Words, reason: str, rule: Rule | None = None) -> Verdict:
    """A verdict on a rule that cannot be applied to anything."""
    rule = rule or bounds
    expected, status = words.expected(bounds), _status(rule, failed=True)
    scale = words.sign > 0, words.places
    return Verdict(rule, metric, None, None, status, reason, expected, None, None, None, None, (), *scale)


def _status(rule: Rule, failed: bool) -> str:
    if not failed:
        return "passed"
    return "failed" if rule.on_fail == "error" else "warned"


def _missing(side: str, statistic: str, why: str) -> str:
    """A number that the run or the baseline does not have, and why, if that is known."""
    return f"the {side} has no {statistic} here" + (f": {why}" if why else "")


def _no_metric(side: str, metric: str, known: Iterable[str]) -> str:
    """A metric that the run or the baseline does not have."""
    return f"the {side} has no metric {printable(metric)}: {printable(did_you_mean(metric, known))}"


def _no_baseline(name: str | None, run: str) -> str:
    """There is nothing to compare with, and how to come by it: from the run itself, where it is a file.

    >>> _no_baseline("base.json", "run.json").partition("; ")[2]
    'make it from a good run: nearid gate run.json --baseline base.json --update-baseline'
    """
    good = shlex.quote(run) if run.endswith(".json") else "GOOD.json"
    file = shlex.quote(name or "nearid-baseline.json")
    make = printable(f"make it from a good run: nearid gate {good} --baseline {file} --update-baseline")
    if name is None:
        return f"max_drop needs a baseline, and none was given: --baseline FILE; {make}"
    return f"the baseline {printable(name)} does not exist; {make}"


def _mismatch(run: Metric, baseline: Metric) -> str:
    """Two runs whose numbers are not on one scale."""
    differ = []
    if bool(run.masks) != bool(baseline.masks):
        which = "masked, not whole" if run.masks else "whole, not masked"
        differ.append(f"is {which} as in the baseline ({printable(run.masks or baseline.masks)})")
    elif run.masks != baseline.masks:
        differ.append(
            f"is masked otherwise: run {printable(run.masks)}, baseline {printable(baseline.masks)}"
        )
    elif run.engine != baseline.engine:
        ours, theirs = (one.engine or "torch" for one in (run, baseline))
        differ.append(printable(f"is by another engine: run {ours}, baseline {theirs} (--engine {theirs})"))
    elif run.checkpoint == baseline.checkpoint and run.preprocessing != baseline.preprocessing:
        differ.append(
            f"is of pictures prepared otherwise: run {printable(run.preprocessing)}, "
            f"baseline {printable(baseline.preprocessing)}"
        )
    elif run.fingerprint != baseline.fingerprint:
        differ.append(f"is of another checkpoint: run {_checkpoint(run)}, baseline {_checkpoint(baseline)}")
    if run.outdated != baseline.outdated:
        old = "the run" if run.outdated else "the baseline"
        differ.append(f"was scored by an older nearid in {old}, whose numbers mean something else")
    elif run.protocol != baseline.protocol:
        differ.append(
            f"is of another protocol: run {printable(run.protocol)}, baseline {printable(baseline.protocol)}"
        )
    if (facts := _scale(run)) != (others := _scale(baseline)):
        differ.append(f"is another kind of number: run {facts}, baseline {others}")
    anew = (
        "score the run again"
        if run.outdated and not baseline.outdated
        else "make the baseline anew with --update-baseline"
    )
    allow = ", or compare all the same with --allow-mismatch" if run.sign == baseline.sign else ""
    return f"{printable(run.name)} {', and '.join(differ)}; {anew}{allow}"


def _scale(metric: Metric) -> str:
    """What scores of a metric are, in words."""
    low, high = ("no end" if end is None else f"{end:g}" for end in metric.range)
    better = "higher" if metric.higher_is_better else "lower"
    ways = "" if metric.symmetric else ", one-way"
    return printable(
        f"{metric.kind} against {metric.against or 'nothing'}, {low} to {high}, {better} is better{ways}"
    )


def _checkpoint(metric: Metric) -> str:
    """What a metric's embeddings were made with; hog has no checkpoint."""
    fingerprint = f"fingerprint {metric.fingerprint[:_SHORT]}"
    return printable(f"{metric.checkpoint} ({fingerprint})" if metric.checkpoint else fingerprint)
