"""The verdict on every rule, in words. Fails closed: what cannot be judged has failed, and the verdict says why."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from nearid_cli.errors import InputError
from nearid_cli.gate.drops import CONFIDENCE, TOLERANCE, Both, Drop, drop_of_all, drops_of_subjects
from nearid_cli.gate.numbers import Numbers, Result, metrics, parts
from nearid_cli.gate.rules import COPIES, EVERY
from nearid_cli.results import GateResult, Interval, Metric, Rule, Verdict
from nearid_cli.results.base import this_tool, timestamp
from nearid_cli.text import count, did_you_mean, few, printable

_SHORT = 12  # characters of a fingerprint
_NAMED = 5  # so many copies are named


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

    `drop` is its drop, if it was asked for and both sides have it.
    """

    method: str | None
    subject: str | None
    run: Numbers | None
    baseline: Numbers | None
    drop: Drop = field(default_factory=Drop)


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
        self._names_of_sides = run_name, baseline_name
        self._allow_mismatch = allow_mismatch
        self._runs = parts(run)
        self._baselines = parts(baseline) if baseline is not None else None
        self._metrics = metrics(run)
        self._baseline_metrics = metrics(baseline) if baseline is not None else {}
        self._boths = {
            method: Both(run, self._baselines[method])
            for method, run in self._runs.items()
            if self._baselines is not None and method in self._baselines
        }

    def verdicts(self, rule: Rule) -> Iterator[Verdict]:
        """The verdicts on one rule: at least one."""
        if rule.level not in (("method", "subject") if self._compares else ("aggregate", "subject")):
            yield _failed(
                rule,
                rule.metric,
                f'a comparison has no {rule.level} of its own: write level = "method" or "subject"'
                if self._compares
                else f'a run of one method has no level {rule.level}: write level = "aggregate" or "subject"',
            )
            return
        found = [verdict for metric in self._names(rule) for verdict in self._of_metric(rule, metric)]
        yield from found or [_failed(rule, rule.metric, "there is nothing to judge: the run has no subject")]

    def _names(self, rule: Rule) -> list[str]:
        """The metrics that a rule is about. The run must have those of the baseline, or a drop could hide there."""
        if rule.metric != EVERY or rule.statistic == COPIES:
            return [rule.metric]
        more = self._baseline_metrics if rule.max_drop is not None else {}
        return list(dict.fromkeys((*self._metrics, *more)))

    def _of_metric(self, rule: Rule, metric: str) -> Iterator[Verdict]:
        if rule.statistic != COPIES and metric not in self._metrics:
            yield _failed(rule, metric, _no_metric("run", metric, self._metrics))
            return
        obstacle = self._obstacle(metric) if rule.max_drop is not None else None
        if obstacle and rule.level != "aggregate":
            # Said once, not for every subject.
            yield _failed(replace(rule, min=None), metric, obstacle, rule=rule)
            if rule.min is None:
                return
            bounds, obstacle = replace(rule, max_drop=None, confidence=None), None
        else:
            bounds = rule
        for unit in self._units(bounds, metric):
            yield _verdict(rule, bounds, metric, unit, obstacle)

    def _obstacle(self, metric: str) -> str | None:
        """Why the numbers of a metric cannot be compared with the baseline's, or None."""
        if self._baselines is None:
            run, baseline = self._names_of_sides
            return _no_baseline(baseline, run)
        if metric not in self._baseline_metrics:
            return _no_metric("baseline", metric, self._baseline_metrics)
        now, before = self._metrics[metric], self._baseline_metrics[metric]
        if not (now.comparable_with(before) or self._allow_mismatch):
            return _mismatch(now, before)
        return None

    def _units(self, bounds: Rule, metric: str) -> Iterator[_Unit]:
        comparable = bounds.statistic == COPIES or metric in self._baseline_metrics
        baselines = self._baselines if self._baselines is not None and comparable else {}
        falls = bounds.max_drop is not None
        for method in dict.fromkeys((*self._runs, *(baselines if falls else ()))):
            run, baseline = self._runs.get(method), baselines.get(method)
            asked = metric, bounds.statistic, bounds.confidence or CONFIDENCE
            both = self._boths.get(method) if falls and comparable else None
            if bounds.level != "subject" or run is None or (falls and both is None):
                yield _Unit(method, None, run, baseline, drop_of_all(both, *asked) if both else Drop())
                continue
            drops = drops_of_subjects(both, *asked) if both else {}
            for subject in drops or run.subjects:
                yield _Unit(method, subject, run, baseline, drops.get(subject, Drop()))


def _verdict(rule: Rule, bounds: Rule, metric: str, unit: _Unit, obstacle: str | None) -> Verdict:
    """The verdict on a rule whose `bounds` can be judged, or cannot because of the obstacle."""
    run, baseline, subject, statistic = unit.run, unit.baseline, unit.subject, rule.statistic
    found = _number(run, metric, statistic, subject)
    before = _number(baseline, metric, statistic, subject)
    drop = Drop() if obstacle else unit.drop
    problems = []
    if run is None:
        problems.append("the run lacks this method, which the baseline has")
    elif subject is not None and subject not in run.subjects:
        pass  # the drop says so
    elif found is None:
        problems.append(_missing("run", statistic, run.why_none(metric, statistic, subject)))
    elif bounds.min is not None and found < bounds.min - TOLERANCE:
        so = f"{statistic} is {_beside(found, bounds.min)}"
        problems.append(f"{so}, below the minimum of {_bound(bounds.min)}")
    elif bounds.max is not None and found > bounds.max:
        paths = [image.path for image in run.generations(subject) if image.copy_of is not None]
        problems.append(f"{_copies(found)} a reference and {bounds.max:.0f} may: {few(paths, _NAMED)}")
    if obstacle:
        problems.append(obstacle)
    elif bounds.max_drop is not None and run is not None and baseline is None:
        problems.append("the baseline lacks this method; --update-baseline takes it in")
    elif bounds.max_drop is not None and run is not None and baseline is not None:
        if drop.problems:
            problems += drop.problems
        elif before is None:
            problems.append(_missing("baseline", statistic, baseline.why_none(metric, statistic, subject)))
        elif found is not None:
            problems += _too_low(bounds, drop, before, found)
    fine = "" if found is None else _kept(bounds, found, drop.value, drop.ci)
    return Verdict(
        rule=rule,
        metric=metric,
        subject=subject,
        method=unit.method,
        status=_status(rule, bool(problems)),
        reason="; ".join([*(problems or filter(None, [fine, _all_fell(bounds, drop)])), *drop.notes]),
        expected=_expected(bounds),
        found=found,
        baseline=before,
        drop=drop.value,
        ci=drop.ci,
        moved=drop.moved,
    )


def _number(side: Numbers | None, metric: str, statistic: str, subject: str | None) -> float | None:
    if side is None or (subject is not None and subject not in side.subjects):
        return None
    return side.number(metric, statistic, subject)


def _too_low(bounds: Rule, drop: Drop, before: float, now: float) -> list[str]:
    """What is wrong with a drop: nobody knows how sure it is, or it is too large."""
    limit = bounds.max_drop
    if drop.value is None or limit is None:
        return ["there is no drop to judge"]
    certain, sure = drop.value, ""
    if bounds.confidence is not None:
        if drop.ci is None:
            return [f"how sure the drop is cannot be said: {drop.no_interval}"]
        certain = drop.ci[0]
        sure = f", and with {_percent(bounds.confidence)} confidence by {_beside(certain, limit)} or more"
    if certain <= limit + TOLERANCE:
        return []
    fell = f"{bounds.statistic} fell by {_beside(drop.value, limit)}, from {before:.3f} to {now:.3f}"
    return [f"{fell}{sure}; {_bound(limit)} is allowed"]


def _all_fell(bounds: Rule, drop: Drop) -> str:
    """That every unit fell by more than a mean may, which a wide interval would keep from being seen."""
    limit = bounds.max_drop
    if limit is None or not drop.units or min(drop.units) <= limit + TOLERANCE:
        return ""
    return f"every one of {count(len(drop.units), drop.unit)} fell by more than {_bound(limit)}"


def _failed(bounds: Rule, metric: str, reason: str, rule: Rule | None = None) -> Verdict:
    """A verdict on a rule that cannot be applied to anything."""
    rule = rule or bounds
    expected, status = _expected(bounds), _status(rule, failed=True)
    return Verdict(rule, metric, None, None, status, reason, expected, None, None, None, None, ())


def _status(rule: Rule, failed: bool) -> str:
    if not failed:
        return "passed"
    return "failed" if rule.on_fail == "error" else "warned"


def _expected(rule: Rule) -> str:
    """The bounds of a rule.

    >>> _expected(Rule("nearid", "score", "aggregate", 0.6, None, 0.02, 0.95, "error"))
    'score >= 0.600, drop <= 0.020 with 95 % confidence'
    """
    bounds = []
    if rule.min is not None:
        bounds.append(f"{rule.statistic} >= {_bound(rule.min)}")
    if rule.max is not None:
        bounds.append(f"{rule.statistic} <= {rule.max:.0f}")
    if rule.max_drop is not None:
        sure = f" with {_percent(rule.confidence)} confidence" if rule.confidence else ""
        bounds.append(f"drop <= {_bound(rule.max_drop)}{sure}")
    return ", ".join(bounds)


def _bound(value: float) -> str:
    """A bound with three decimals, or all that it was given with.

    >>> _bound(0.6), _bound(0.0125)
    ('0.600', '0.0125')
    """
    text = f"{value:.3f}"
    return text if float(text) == value else repr(value)


def _percent(share: float) -> str:
    """A share in percent.

    >>> _percent(0.95), _percent(0.995)
    ('95 %', '99.5 %')
    """
    return f"{100 * share:g} %"


def _beside(value: float, limit: float) -> str:
    """A value with three decimals, or as many as tell it from a limit that it is beyond.

    >>> _beside(0.58, 0.6), _beside(0.599999, 0.6)
    ('0.580', '0.599999')
    """
    for decimals in range(3, 12):
        text = f"{value:.{decimals}f}"
        if float(text) != limit:
            return text
    return repr(value)


def _kept(rule: Rule, found: float, drop: float | None, ci: Interval | None) -> str:
    """A number that is as it must be."""
    if rule.max is not None:
        return f"{_copies(found)} a reference"
    is_so = f"{rule.statistic} is {found:.3f}"
    if drop is None or rule.max_drop is None:
        return is_so
    if abs(drop) < 0.0005:
        return f"{is_so}, as before"
    if drop <= rule.max_drop or rule.confidence is None or ci is None:
        return f"{is_so}, {'down' if drop > 0 else 'up'} by {abs(drop):.3f}"
    return (
        f"{is_so}, down by {drop:.3f}, but not by more than {_bound(rule.max_drop)} with "
        f"{_percent(rule.confidence)} confidence"
    )


def _copies(number: float) -> str:
    return f"{number:.0f} generation{' copies' if number == 1 else 's copy'}"


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
    if run.fingerprint != baseline.fingerprint:
        differ.append(f"is of another checkpoint: run {_checkpoint(run)}, baseline {_checkpoint(baseline)}")
    if run.outdated != baseline.outdated:
        old = "the run" if run.outdated else "the baseline"
        differ.append(f"was scored by an older nearid in {old}, whose numbers mean something else")
    elif run.protocol != baseline.protocol:
        differ.append(
            f"is of another protocol: run {printable(run.protocol)}, baseline {printable(baseline.protocol)}"
        )
    anew = (
        "score the run again"
        if run.outdated and not baseline.outdated
        else "make the baseline anew with --update-baseline"
    )
    return f"{printable(run.name)} {', and '.join(differ)}; {anew}, or compare all the same with --allow-mismatch"


def _checkpoint(metric: Metric) -> str:
    """What a metric's embeddings were made with; hog has no checkpoint."""
    fingerprint = f"fingerprint {metric.fingerprint[:_SHORT]}"
    return printable(f"{metric.checkpoint} ({fingerprint})" if metric.checkpoint else fingerprint)
