"""Making metrics that are classes of `nearid_cli.plugins`, ours and other people's, from what was asked for."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import math
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from nearid_cli.encoders.plugged import FOREIGN
from nearid_cli.encoders.registry import MetricRequest
from nearid_cli.errors import NearIDError, UsageError
from nearid_cli.files import digest_file
from nearid_cli.options import Options
from nearid_cli.owners import why_not_ours
from nearid_cli.plugins import KINDS, AnyMetric
from nearid_cli.text import printable, said

_GUIDE = "see docs/guides/extending.md"
_LINES = ("version", "protocol", "checkpoint", "preprocessing", "dtype")
_SWITCHES = ("higher_is_better", "symmetric", "takes_masks", "keeps_features", "known_by_settings")


def make(
    request: MetricRequest, options: Options, hash_file: Callable[[Path], str] = digest_file
) -> AnyMetric:
    """Import the class of a metric, and make one with its settings; nothing heavy is loaded yet.

    Args:
        request: with a `plugin`.
        options: of which it gets those that it names.
        hash_file: digest of a file, for those that take it.

    Raises:
        UsageError: there is no such class, it is none of `nearid_cli.plugins`, or it does not take the settings.
        NearIDError: whatever of these it raises itself.
    """
    where = _where(request)
    kind = metric_class(request)
    settings = dict(request.settings)
    if request.checkpoint:
        settings["checkpoint"] = request.place
    if request.revision:
        settings["revision"] = request.revision
    given = {name: getattr(options, name) for name in kind.options}
    if kind.hashes_files:
        given["hash_file"] = hash_file
    try:
        inspect.signature(kind).bind(**given, **settings)
    except TypeError as error:
        raise UsageError(f"{where} does not take these settings: {error}") from error
    try:
        metric: AnyMetric = kind(**given, **settings)
        problems = list(_problems(metric))
    except NearIDError:
        raise
    except FOREIGN as error:
        raise UsageError(f"{where} cannot be made: {said(error)}") from error
    if problems:
        raise UsageError(f"{where}: {'; '.join(problems)}; {_GUIDE}")
    # Not by assignment, which a frozen dataclass refuses.
    object.__setattr__(metric, "settings", {name: settings[name] for name in _unsaid(metric, settings)})
    return metric


def _problems(metric: AnyMetric) -> Iterator[str]:
    """What a metric says of itself that cannot be."""
    for name in _LINES:
        found = getattr(metric, name, "")
        if not isinstance(found, str) or not found.isprintable():
            yield f"expected one line of text as its {name}, found {_shown(found)}"
        elif name == "protocol" and not found:
            yield f"it does not say its {name}"
    for name in _SWITCHES:
        found = getattr(metric, name, False)
        if not isinstance(found, bool):
            yield f"expected True or False as {name}, found {_shown(found)}"
    if not _is_range(metric.range):
        yield (
            "expected (lowest, highest) as its range, None where there is no end, found "
            f"{_shown(metric.range)}"
        )


def _is_range(found: object) -> bool:
    if not isinstance(found, (tuple, list)) or len(found) != 2:
        return False
    ends = [end for end in found if end is not None]
    if not all(isinstance(end, (int, float)) and math.isfinite(end) for end in ends):
        return False
    return len(ends) < 2 or ends[0] < ends[1]


def _unsaid(metric: AnyMetric, settings: dict[str, Any]) -> Iterator[str]:
    """The settings but checkpoint and revision, where the metric says these itself."""
    for name, value in settings.items():
        said_by_it = name in vars(metric) or getattr(metric, name, None) == value
        if name not in ("checkpoint", "revision") or not said_by_it:
            yield name


def _shown(found: object) -> str:
    return printable(repr(found))[:80]


def metric_class(request: MetricRequest) -> type[AnyMetric]:
    """Import the class of a metric.

    Args:
        request: with a `plugin`.

    Raises:
        UsageError: there is no such class, or it is none of `nearid_cli.plugins`.
    """
    where = _where(request)
    kind = _imported(request, where)
    if (
        not (isinstance(kind, type) and issubclass(kind, AnyMetric))
        or sum(issubclass(kind, one) for one in KINDS) != 1
        or inspect.isabstract(kind)
    ):
        raise UsageError(
            f"{where}: expected a class that makes a kind of metric of nearid_cli.plugins whole, found "
            f"{_what(kind)}; {_GUIDE}"
        )
    known = [field.name for field in dataclasses.fields(Options)]
    if not isinstance(kind.options, (tuple, list)) or not set(kind.options) <= set(known):
        raise UsageError(
            f"{where}: expected names of fields of nearid_cli.options.Options as its options, found "
            f"{_shown(kind.options)}"
        )
    return kind


def _where(request: MetricRequest) -> str:
    return f'metric "{printable(request.name)}" ({printable(request.plugin)})'


def _imported(request: MetricRequest, where: str) -> Any:
    module, _, name = request.plugin.partition(":")
    if not (module and name):
        raise UsageError(f"{where}: expected module:Class")
    stranger = why_not_ours(request.folder) if request.folder else None
    # It stays there: what is heavy is imported when the metric is loaded. Last, so that it hides nothing installed.
    if request.folder and stranger is None and request.folder not in sys.path:
        sys.path.append(request.folder)
    try:
        found: Any = importlib.import_module(module)
    except FOREIGN as error:
        why = f" (not looked for in {printable(request.folder)}, which {stranger})" if stranger else ""
        raise UsageError(f"{where}: the module cannot be imported: {said(error)}{why}") from error
    place = getattr(found, "__file__", None)
    for part in name.split("."):
        found = getattr(found, part, None)
    if found is None:
        is_at = f" ({printable(place)})" if place else ""
        raise UsageError(f"{where}: the module {printable(module)}{is_at} has no {printable(name)}")
    return found


def _what(found: Any) -> str:
    if isinstance(found, type):
        lacking = ", ".join(sorted(getattr(found, "__abstractmethods__", ())))
        kinds = [one.__name__ for one in KINDS if issubclass(found, one)]
        why = f", which lacks {lacking}" if lacking else f", which is {' and '.join(kinds) or 'none of them'}"
        return f"the class {found.__qualname__}{why}"
    return f"something of type {type(found).__name__}"
