"""Reading defaults from `nearid.toml` or `[tool.nearid]` in pyproject.toml.

    metric = ["nearid", "clip-i"]      # any option of `nearid score`, by its long name
    device = "cuda"

    [metrics.ours]                     # a metric of your own
    checkpoint = "checkpoints/step-9000"
    readout = "pooled"

    [metrics.theirs]                   # one that a program of yours computes
    plugin = "my_module:MyMetric"      # beside this file, or wherever Python finds it; further keys are its settings

    [metrics.nearid]                   # in the place of a built-in metric, which must be said
    override = true
    checkpoint = "checkpoints/nearid"

    [metrics.lpips]                    # numbers that something else computed; --scores lpips=FILE says where, too
    scores = "results/lpips.csv"
    higher_is_better = false
    range = [0, 1]

    [gate]
    baseline = "nearid-baseline.json"  # what the rules with max_drop compare with

    [[gate.rules]]                     # rules of `nearid gate`; checked by the gate when it reads them
    metric = "nearid"
    min = 0.6

The nearest file counts, looking in the current folder and then in its parents, unless it may be another user's doing:
in a folder above everybody may be free to write. `NEARID_CONFIG` names one that counts whoever made it. Flags and other
`NEARID_*` environment variables win over it.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, get_args, get_origin

from nearid_cli.errors import UsageError
from nearid_cli.flags import Given, all_given
from nearid_cli.opening import MalformedError, expanded, parse_toml, read_regular
from nearid_cli.options import SHARED
from nearid_cli.owners import why_not_ours
from nearid_cli.remote.stores import url_of
from nearid_cli.text import count, printable, quoted, shown, unknown

_TOML: dict[Any, tuple[type, ...]] = {
    bool: (bool,),
    int: (int,),
    float: (float, int),
    str: (str,),
    Path: (str,),
    list: (str, list),
}


@functools.cache
def known_options() -> dict[str, tuple[type, ...]]:
    """What a project may fix once, with the types that it has in TOML: what belongs to a single call is not shared."""
    return {one.name: _types(one) for group in SHARED for one in all_given(group) if one.flag.shared}


def _types(one: Given) -> tuple[type, ...]:
    kinds = [kind for whole in (one.type, one.flag.kind) for kind in (whole, *get_args(whole))]
    return tuple(dict.fromkeys(name for kind in kinds for name in _TOML.get(get_origin(kind) or kind, ())))


_PATHS = {"cache", "judge-template", "judge-log"}
"""Options that count from the configuration's folder."""

TABLES = ("metrics", "gate")
VARIABLE = "NEARID_CONFIG"
OVERRIDE = "override"
"""The key by which a metric takes the place of a built-in one."""
METRIC_KEYS = ("checkpoint", "readout", "revision")
GIVEN_KEYS = ("scores", "column", "higher_is_better", "range", "version")
"""Of metrics whose numbers something else computed."""
_PREFIXES: dict[str, tuple[str, ...]] = {"nearid.toml": (), "pyproject.toml": ("tool", "nearid")}


@dataclass(frozen=True)
class Configuration:
    """Defaults for options, and the user's own metrics.

    Attributes:
        options: by the option's long name without dashes in front, as in `known_options`.
        metrics: name -> {checkpoint, readout, revision}, {scores, column, ...} or {plugin, folder} and settings; paths
            are absolute.
        gate: the table of the gate as it stands in the file.
        path: the file; None where there is none.
        ignored: of each file that would have counted but for its owner, why it does not.
    """

    options: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    gate: Mapping[str, Any] = field(default_factory=dict)
    path: Path | None = None
    ignored: tuple[str, ...] = ()


def load_configuration(folder: Path) -> Configuration:
    """The configuration that is in force in `folder`: the one that `NEARID_CONFIG` names, or the nearest.

    Raises:
        UsageError: the file cannot be read, is not TOML, or has unknown keys or values of a wrong type; all are listed.
    """
    if named := os.environ.get(VARIABLE):
        return read_configuration(expanded(named))
    ignored: list[str] = []
    for place in (folder, *folder.parents):
        for path in (place / name for name in _PREFIXES):
            try:
                stranger = why_not_ours(path)
            except (FileNotFoundError, NotADirectoryError, PermissionError):
                continue
            except OSError as error:
                raise _unreadable(path, error) from error
            if stranger is None:
                if (table := _read(path)) is not None:
                    return replace(_checked(path, table), ignored=tuple(ignored))
            elif _is_of_nearid(path):
                ignored.append(
                    f"the configuration {printable(path)} {stranger}, so it is not obeyed; {VARIABLE}={quoted(path)} "
                    "makes it count"
                )
    return Configuration(ignored=tuple(ignored))


def read_configuration(path: Path) -> Configuration:
    """The configuration in one file: `[tool.nearid]` of a `pyproject.toml`, the whole of any other.

    Raises:
        UsageError: as for `load_configuration`, or there is no such file, or it has no `[tool.nearid]`.
    """
    table = _read(path)
    if table is None:
        lack = f"has no table [{'.'.join(_prefix(path))}]" if path.exists() else "does not exist"
        raise UsageError(f"the configuration {printable(path)} {lack}")
    return _checked(path, table)


def _prefix(path: Path) -> tuple[str, ...]:
    return _PREFIXES.get(path.name, ())


def _is_of_nearid(path: Path) -> bool:
    """Whether somebody else's file seems to be meant for us. It is not parsed, which may take as long as they like."""
    try:
        return not _prefix(path) or f"[{'.'.join(_prefix(path))}".encode() in read_regular(path)
    except OSError:
        return False


def _read(path: Path) -> dict[str, Any] | None:
    """What a file configures; None where it is not there, or does not speak of us."""
    try:
        content = read_regular(path)
        # Most pyproject.toml files are other people's: parse only those that speak of us.
        table: Any = None if _prefix(path) and b"nearid" not in content else parse_toml(content)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise _unreadable(path, error) from error
    except MalformedError as error:
        raise UsageError(f"cannot read the configuration {printable(path)}: {error}") from error
    for key in _prefix(path):
        table = table.get(key) if isinstance(table, dict) else None
    return table if isinstance(table, dict) else None


def _unreadable(path: Path, error: OSError) -> UsageError:
    return UsageError(f"cannot read the configuration {printable(path)}: {error.strerror}")


def _checked(path: Path, table: dict[str, Any]) -> Configuration:
    problems = []
    options: dict[str, Any] = {}
    known = known_options()
    for key, value in table.items():
        if key in TABLES:
            continue
        name = key.replace("_", "-")
        if name not in known:
            problems.append(unknown("key", name, [*known, *TABLES]))
        elif not isinstance(value, known[name]) or (isinstance(value, bool) and bool not in known[name]):
            problems.append(
                f"{key} must be {' or '.join(kind.__name__ for kind in known[name])}, found {shown(value)}"
            )
        elif value == "":  # which, as a path, would be the folder of the configuration
            problems.append(f"{key} must be a value, found an empty text")
        else:
            options[name] = value
    for name in _PATHS & options.keys():
        if url_of(options[name]) is None:
            options[name] = str(path.parent / expanded(options[name]))
    metrics = table.get("metrics", {})
    if not isinstance(metrics, dict):
        problems.append(f"metrics must be tables such as [metrics.ours], found {shown(metrics)}")
        metrics = {}
    for name, entry in metrics.items():
        if isinstance(entry, dict) and not isinstance(entry.get(OVERRIDE, True), bool):
            problems.append(
                f"metrics.{name}.{OVERRIDE} must be true or false, found {shown(entry[OVERRIDE])}"
            )
        if isinstance(entry, dict) and isinstance(entry.get("plugin"), str):
            continue
        if is_given(entry):
            problems += [
                f"metrics.{name}: {unknown('key', key, GIVEN_KEYS)}"
                for key in entry
                if key not in (*GIVEN_KEYS, OVERRIDE)
            ]
            continue
        if not isinstance(entry, dict) or not isinstance(entry.get("checkpoint"), str):
            problems.append(
                f'metrics.{name} must be a table with checkpoint = "PATH or Hub id", plugin = "module:Class" or '
                f'scores = "FILE", found {shown(entry)}'
            )
            continue
        for key, value in entry.items():
            if key not in (*METRIC_KEYS, OVERRIDE):
                problems.append(f"metrics.{name}: {unknown('key', key, METRIC_KEYS)}")
            elif key != OVERRIDE and not isinstance(value, str):
                problems.append(f"metrics.{name}.{key} must be str, found {shown(value)}")
    gate = table.get("gate", {})
    if not isinstance(gate, dict):
        problems.append(f"gate must be a table with rules such as [[gate.rules]], found {shown(gate)}")
    if problems:
        raise UsageError(
            f"{printable(path)}: {count(len(problems), 'wrong entry', 'wrong entries')}", problems
        )
    return Configuration(
        options=options,
        metrics={
            name: _plugged(path.parent, entry)
            if "plugin" in entry
            else _given(path.parent, entry)
            if is_given(entry)
            else {**entry, "checkpoint": _absolute(path.parent, entry["checkpoint"])}
            for name, entry in metrics.items()
        },
        gate=gate,
        path=path,
    )


def _plugged(folder: Path, entry: Mapping[str, Any]) -> dict[str, Any]:
    """A plug-in whose module may lie in the configuration's folder, from where settings like `./weights.pt` count."""
    settings = {
        key: str(folder / value) if isinstance(value, str) and value.startswith(("./", "../")) else value
        for key, value in entry.items()
    }
    return {"folder": str(folder), **settings}


def is_given(table: object) -> bool:
    """Whether a table is of a metric whose numbers something else computed.

    >>> is_given({"scores": "lpips.csv"}), is_given({"checkpoint": "org/model"}), is_given({})
    (True, False, False)
    """
    return (
        isinstance(table, Mapping)
        and not {"plugin", "checkpoint"}.intersection(table)
        and bool(set(GIVEN_KEYS).intersection(table))
    )


def _given(folder: Path, entry: Mapping[str, Any]) -> dict[str, Any]:
    """Files of numbers count from the configuration's folder."""

    def there(scores: Any) -> Any:
        if isinstance(scores, list):
            return [there(one) for one in scores]
        return str(folder / expanded(scores)) if isinstance(scores, str) else scores

    return {key: there(value) if key == "scores" else value for key, value in entry.items()}


def _absolute(folder: Path, checkpoint: str) -> str:
    """A local checkpoint counts from the configuration's folder; anything else is a Hub id."""
    local = folder / expanded(checkpoint)
    return str(local) if os.path.exists(local) else checkpoint  # noqa: PTH110 - of a text too long for a name
