"""The rules of the gate, read from the configuration and checked before anything is judged."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from nearid_cli.configuration import Configuration, load_configuration, read_configuration
from nearid_cli.errors import UsageError
from nearid_cli.opening import expanded
from nearid_cli.remote.stores import url_of
from nearid_cli.results import Rule
from nearid_cli.results.gate import COPIES, COUNTS, MISSING, NEAR_COPIES
from nearid_cli.text import count, printable, shown, unknown

EVERY = "*"
"""The metric of a rule that is for all metrics of the run."""

RETENTION = "retention"
DIVERSITIES = ("diversity", "prompt_diversity")
STATISTICS = (
    "score", RETENTION, "identification", "pair_mean", COPIES, "margin", MISSING, NEAR_COPIES, *DIVERSITIES
)  # fmt: skip
OF_WHOLE_SUBJECTS = (RETENTION, "identification", *DIVERSITIES)
"""Statistics that a single generation has not."""
LEVELS = ("aggregate", "subject", "method")
_CHOICES = {"statistic": STATISTICS, "level": LEVELS, "on_fail": ("error", "warn")}
_NUMBERS = ("min", "max", "max_drop", "confidence")
_TABLE = ("rules", "baseline")
_KEYS = ("metric", "statistic", "level", "by", "group", *_NUMBERS, "on_fail")
_DEFAULTS = {"metric": EVERY, "statistic": "score", "level": "aggregate", "on_fail": "error"}


def load_rules(path: Path | None, folder: Path) -> tuple[Rule, ...]:
    """The rules of a configuration file, or of the configuration that is in force in a folder.

    Args:
        path: a `nearid.toml` or `pyproject.toml`, or None for the nearest one.
        folder: where the search for the nearest one begins.

    Raises:
        UsageError: there is no rule, or something is wrong; every problem of every rule is listed.
    """
    return _checked(_configuration(path, folder))


def named_baseline(path: Path | None, folder: Path) -> Path | None:
    """The baseline that a configuration names, which counts from the configuration's own folder; None for none.

    Args:
        path: as for `load_rules`.
        folder: likewise. A configuration that was found from here names its baseline as seen from here.

    Raises:
        UsageError: as for `load_rules`.
    """
    configuration = _configuration(path, folder)
    _checked(configuration)
    name = configuration.gate.get("baseline")
    if name is None or configuration.path is None:
        return None
    if url_of(name):
        return Path(name)
    baseline = configuration.path.parent / expanded(name)
    return baseline.relative_to(folder) if baseline.is_relative_to(folder) else baseline


def _configuration(path: Path | None, folder: Path) -> Configuration:
    return load_configuration(folder) if path is None else read_configuration(path)


def _checked(configuration: Configuration) -> tuple[Rule, ...]:
    file = "no configuration" if configuration.path is None else printable(configuration.path)
    gate = configuration.gate
    problems = [f"gate: {unknown('key', key, _TABLE)}" for key in gate if key not in _TABLE]
    baseline = gate.get("baseline", "FILE")
    if not (isinstance(baseline, str) and baseline):
        problems.append(f"gate.baseline must be the path of a result (.json), found {_shown(baseline)}")
    entries = gate.get("rules", [])
    if not isinstance(entries, list):
        problems.append(f"gate.rules must be tables such as [[gate.rules]], found {shown(entries)}")
        entries = []
    for number, entry in enumerate(entries, 1):
        problems += [f"rule {number}: {problem}" for problem in _problems(entry)]
    if problems:
        raise UsageError(
            f"{file}: {count(len(problems), 'problem')} in the rules of the gate; see docs/guides/gate.md",
            problems,
        )
    if not entries:
        where = "here or in a parent folder" if configuration.path is None else f"in {file}"
        raise UsageError(
            f"no rules for the gate {where}; make some from a run: nearid gate init RUN.json -o nearid.toml"
        )
    return tuple(_rule(entry) for entry in entries)


def _rule(entry: Mapping[str, Any]) -> Rule:
    values: dict[str, Any] = {**_DEFAULTS, **dict.fromkeys(_NUMBERS), **entry}
    values |= {key: float(entry[key]) for key in _NUMBERS if key in entry}
    return Rule(**values)


def _problems(entry: Any) -> list[str]:
    """What is wrong with one rule. What its keys mean together is looked at once each of them is right."""
    if not isinstance(entry, dict):
        return [f"must be a table, found {shown(entry)}"]
    problems = [unknown("key", key, _KEYS) for key in entry if key not in _KEYS]
    for key, value in entry.items():
        if key in _NUMBERS:
            if not _is_number(value):
                problems.append(f"{key} must be a number, found {_shown(value)}")
        elif key in _KEYS and not isinstance(value, str):
            problems.append(f"{key} must be a text, found {_shown(value)}")
        elif key in _CHOICES and value not in _CHOICES[key]:
            problems.append(unknown(key, value, _CHOICES[key]))
    if not problems:
        problems += _contradictions(_rule(entry))
    if entry.get("statistic") != COPIES and "metric" not in entry:
        problems.append(f'metric is missing: name a metric of the run, or "{EVERY}" for all of them')
    return problems


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return abs(value) <= sys.float_info.max  # not infinite, not nan, and no whole number beyond all floats


def _shown(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else shown(value)


def _contradictions(rule: Rule) -> Iterator[str]:
    """What is wrong with keys that are right each for itself."""
    counts, sure = rule.statistic in COUNTS, rule.confidence is not None
    if rule.metric == "":
        yield f'metric is empty: name a metric of the run, or "{EVERY}" for all of them'
    if rule.by is not None and not rule.by.strip():
        yield 'by is empty: name a label of the generations, such as "category"'
    if rule.group is not None and rule.by is None:
        yield 'group needs by: it says of which label it is a value, such as by = "category"'
    if rule.min is None and rule.max is None and rule.max_drop is None:
        yield "it has no bound: give min, max or max_drop (for copies, near_copies and missing: max)"
    if rule.min is not None and rule.max is not None and rule.min > rule.max:
        yield "min is above max, so nothing would pass"
    if rule.statistic == COPIES and rule.metric != EVERY:
        yield "copies are counted once for all metrics: leave metric out"
    if counts and (rule.min is not None or rule.max_drop is not None):
        yield f"{rule.statistic} take{'s' * (rule.statistic == MISSING)} max, neither min nor max_drop"
    if counts and rule.max is not None and not (rule.max >= 0 and rule.max.is_integer()):
        what = "generations" if rule.statistic == MISSING else "copies"
        yield f"max must be a number of {what}: 0, 1, 2 ..."
    if rule.max_drop is not None and rule.max_drop < 0:
        yield "max_drop must be 0 or more: it says how much worse than the baseline is allowed"
    if rule.confidence is not None and not 0.5 < rule.confidence < 1:
        yield "confidence must lie above 0.5 and below 1, such as 0.95"
    if sure and rule.max_drop is None:
        yield "confidence needs max_drop: it says how sure a drop must be"
    if rule.statistic == "pair_mean" and rule.level == "subject":
        yield 'pair_mean is over all subjects: write level "aggregate" or "method", or statistic "score"'
    if rule.statistic == "pair_mean" and sure:
        yield "pair_mean is not paired by subject, so its drop has no confidence: write score"
    if rule.statistic in OF_WHOLE_SUBJECTS and rule.level == "subject" and sure:
        yield (
            f"a single generation has no {rule.statistic}, so there is no confidence at level subject: "
            'write level "aggregate" or "method", or statistic "score"'
        )
