"""Making metrics that are classes of `nearid_cli.plugins`, ours and other people's, from what was asked for."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from nearid_cli.encoders.registry import MetricRequest
from nearid_cli.errors import NearIDError, UsageError
from nearid_cli.options import Options
from nearid_cli.plugins import AnyMetric
from nearid_cli.text import printable, said


def make(request: MetricRequest, options: Options) -> AnyMetric:
    """Import the class of a metric, and make one with its settings; nothing heavy is loaded yet.

    Args:
        request: with a `plugin`.
        options: of which it gets those that it names.

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
    try:
        inspect.signature(kind).bind(**given, **settings)
    except TypeError as error:
        raise UsageError(f"{where} does not take these settings: {error}") from error
    try:
        metric: AnyMetric = kind(**given, **settings)
    except NearIDError:
        raise
    except Exception as error:
        raise UsageError(f"{where} cannot be made: {said(error)}") from error
    lacking = [name for name in ("version", "protocol") if not isinstance(getattr(metric, name, None), str)]
    if lacking:
        raise UsageError(
            f"{where} does not say its {' and its '.join(lacking)}; see docs/guides/extending.md"
        )
    metric.settings = {
        name: value for name, value in settings.items() if name not in ("checkpoint", "revision")
    }
    return metric


def metric_class(request: MetricRequest) -> type[AnyMetric]:
    """Import the class of a metric.

    Args:
        request: with a `plugin`.

    Raises:
        UsageError: there is no such class, or it is none of `nearid_cli.plugins`.
    """
    where = _where(request)
    kind = _imported(request, where)
    if not (isinstance(kind, type) and issubclass(kind, AnyMetric)) or inspect.isabstract(kind):
        raise UsageError(
            f"{where}: expected a class that makes a kind of metric of nearid_cli.plugins whole, found "
            f"{_what(kind)}; see docs/guides/extending.md"
        )
    return kind


def _where(request: MetricRequest) -> str:
    return f'metric "{printable(request.name)}" ({printable(request.plugin)})'


def _imported(request: MetricRequest, where: str) -> Any:
    module, _, name = request.plugin.partition(":")
    if not (module and name):
        raise UsageError(f"{where}: expected module:Class")
    with _beside(request.folder):
        try:
            found: Any = importlib.import_module(module)
        except Exception as error:
            raise UsageError(f"{where}: the module cannot be imported: {said(error)}") from error
    for part in name.split("."):
        found = getattr(found, part, None)
    if found is None:
        raise UsageError(f"{where}: the module {printable(module)} has no {printable(name)}")
    return found


@contextmanager
def _beside(folder: str) -> Iterator[None]:
    """Let modules be found in a folder, too."""
    if folder:
        sys.path.append(folder)
    try:
        yield
    finally:
        if folder:
            sys.path.remove(folder)


def _what(found: Any) -> str:
    if isinstance(found, type):
        lacking = ", ".join(sorted(getattr(found, "__abstractmethods__", ())))
        return f"the class {found.__qualname__}" + (f", which lacks {lacking}" if lacking else "")
    return f"something of type {type(found).__name__}"
