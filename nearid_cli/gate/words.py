"""What the gate demanded and what it found, in words."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence

from nearid_cli.results import Interval, Metric, Rule
from nearid_cli.text import count, did_you_mean, few, printable

_SHORT = 12  # characters of a fingerprint
_NAMED = 5  # so many copies are named


def expected(rule: Rule) -> str:
    """The bounds of a rule.

    >>> expected(Rule("nearid", "score", "aggregate", 0.6, None, 0.02, 0.95, "error"))
    'score >= 0.600, drop <= 0.020 with 95 % confidence'
    """
    bounds = []
    if rule.min is not None:
        bounds.append(f"{rule.statistic} >= {bound(rule.min)}")
    if rule.max is not None:
        bounds.append(f"{rule.statistic} <= {rule.max:.0f}")
    if rule.max_drop is not None:
        sure = f" with {percent(rule.confidence)} confidence" if rule.confidence else ""
        bounds.append(f"drop <= {bound(rule.max_drop)}{sure}")
    return ", ".join(bounds)


def bound(value: float) -> str:
    """A bound with three decimals, or all that it was given with.

    >>> bound(0.6), bound(0.0125)
    ('0.600', '0.0125')
    """
    text = f"{value:.3f}"
    return text if float(text) == value else repr(value)


def percent(share: float) -> str:
    """A share in percent.

    >>> percent(0.95), percent(0.995)
    ('95 %', '99.5 %')
    """
    return f"{100 * share:g} %"


def beside(value: float, limit: float) -> str:
    """A value with three decimals, or as many as tell it from a limit that it is beyond.

    >>> beside(0.58, 0.6), beside(0.599999, 0.6)
    ('0.580', '0.599999')
    """
    for decimals in range(3, 12):
        text = f"{value:.{decimals}f}"
        if float(text) != limit:
            return text
    return repr(value)


def listed(names: Iterable[str]) -> str:
    """All of some names, since each must be mended.

    >>> listed(["cat", "dog"])
    'cat, dog'
    """
    return ", ".join(map(printable, names))


def below(statistic: str, found: float, minimum: float) -> str:
    """A number that is lower than it may be."""
    return f"{statistic} is {beside(found, minimum)}, below the minimum of {bound(minimum)}"


def fallen(rule: Rule, drop: float, before: float, now: float, ci: Interval | None) -> str:
    """A drop that is larger than the rule allows."""
    limit = rule.max_drop or 0.0
    fell = f"{rule.statistic} fell by {beside(drop, limit)}, from {before:.3f} to {now:.3f}"
    if rule.confidence is None or ci is None:
        return f"{fell}; {bound(limit)} is allowed"
    sure = f"with {percent(rule.confidence)} confidence by {beside(ci[0], limit)} or more"
    return f"{fell}, and {sure}; {bound(limit)} is allowed"


def kept(rule: Rule, found: float, drop: float | None, ci: Interval | None) -> str:
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
        f"{is_so}, down by {drop:.3f}, but not by more than {bound(rule.max_drop)} with "
        f"{percent(rule.confidence)} confidence"
    )


def all_fell(number: int, unit: str, limit: float) -> str:
    """Nothing fell by less than the mean may.

    >>> all_fell(6, "subject", 0.02)
    'every one of 6 subjects fell by more than 0.020'
    """
    return f"every one of {count(number, unit)} fell by more than {bound(limit)}"


def copied(found: float, maximum: float, paths: Sequence[str]) -> str:
    """Too many copies."""
    return f"{_copies(found)} a reference and {maximum:.0f} may: {few(paths, _NAMED)}"


def _copies(number: float) -> str:
    return f"{number:.0f} generation{' copies' if number == 1 else 's copy'}"


def missing(side: str, statistic: str, why: str) -> str:
    """A number that the run or the baseline does not have, and why, if that is known."""
    return f"the {side} has no {statistic} here" + (f": {why}" if why else "")


def no_metric(side: str, metric: str, known: Iterable[str]) -> str:
    """A metric that the run or the baseline does not have."""
    return f"the {side} has no metric {printable(metric)}: {printable(did_you_mean(metric, known))}"


def no_baseline(name: str | None, run: str) -> str:
    """There is nothing to compare with, and how to come by it: from the run itself, where it is a file.

    >>> no_baseline("base.json", "run.json").partition("; ")[2]
    'make it from a good run: nearid gate run.json --baseline base.json --update-baseline'
    """
    good = shlex.quote(run) if run.endswith(".json") else "GOOD.json"
    file = shlex.quote(name or "nearid-baseline.json")
    make = printable(f"make it from a good run: nearid gate {good} --baseline {file} --update-baseline")
    if name is None:
        return f"max_drop needs a baseline, and none was given: --baseline FILE; {make}"
    return f"the baseline {printable(name)} does not exist; {make}"


def mismatch(run: Metric, baseline: Metric) -> str:
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


def wrong_level(level: str, compares: bool) -> str:
    """A level that this kind of run has not."""
    if compares:
        return f'a comparison has no {level} of its own: write level = "method" or "subject"'
    return f'a run of one method has no level {level}: write level = "aggregate" or "subject"'
