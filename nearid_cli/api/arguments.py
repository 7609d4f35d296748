"""The arguments of the Python API: unknown keywords are answered with the nearest, values with what was expected."""

from __future__ import annotations

import inspect
import os
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from nearid_cli.errors import UnknownParameterError, UsageError
from nearid_cli.evaluate.methods import Method
from nearid_cli.layouts.given import is_path, read_side
from nearid_cli.options import LayoutOptions, Options
from nearid_cli.results import ScoreResult
from nearid_cli.text import printable, unknown

Metrics = str | Iterable[str]

_LONGEST = 60  # so much of a value is quoted


def read_options(function: Callable[..., Any], metrics: Metrics, options: Mapping[str, Any]) -> Options:
    """The options of a call.

    Args:
        function: that was called; its own parameters may be what a misspelled keyword means.
        metrics: as in `--metric`.
        options: its further keywords.

    Raises:
        UnknownParameterError: keywords that neither the function nor `Options` has; all are named.
        UsageError: a value of the wrong type.
    """
    hints = typing.get_type_hints(Options)
    del hints["metrics"]
    own = [
        name
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD
    ]
    strange = [unknown("parameter", name, [*own, *hints]) for name in options if name not in hints]
    if strange:
        raise UnknownParameterError(strange[0], strange[1:])
    for name, value in options.items():
        _check(name, value, hints[name])
    return Options(metrics=read_metrics(metrics), **options)


def read_metrics(metrics: object) -> list[str]:
    """The metrics as a list.

    Raises:
        UsageError: neither a text nor an iterable of texts.
    """
    given = [metrics] if isinstance(metrics, str) or not isinstance(metrics, Iterable) else list(metrics)
    names = [one for one in given if isinstance(one, str)]
    for one in given:
        if not isinstance(one, str):
            raise UsageError(f"metrics: expected a name or a list of names, found {_shown(one)}")
    return names


def read_methods(methods: object) -> tuple[list[Path], dict[str, Method]]:
    """What `compare` is given: paths whose names say which methods they are, and methods by name.

    Raises:
        UsageError: neither paths nor a dict of methods.
    """
    if isinstance(methods, Mapping):
        return [], {_method_name(name): _method(f'methods["{name}"]', one) for name, one in methods.items()}
    given = [methods] if is_path(methods) or not isinstance(methods, Iterable) else list(methods)
    for one in given:
        if not is_path(one):
            raise UsageError(
                f"methods: expected a path, paths, or a dict of methods by name, found {_shown(one)}"
            )
    return [Path(one) for one in given if is_path(one)], {}


def _method_name(name: object) -> str:
    if not isinstance(name, str) or not name.strip():
        raise UsageError(f"methods: expected names of methods as keys, found {_shown(name)}")
    return name


def _method(place: str, value: Any) -> Method:
    return value if isinstance(value, ScoreResult) else read_side(value, "generations", printable(place))


def read_layout(layout: str, pattern: str | None, refs_pattern: str | None) -> LayoutOptions:
    """How a program says that folders are laid out.

    Raises:
        UsageError: one of them is no text.
    """
    check_text("layout", layout)
    for parameter, value in (("pattern", pattern), ("refs_pattern", refs_pattern)):
        if value is not None:
            check_text(parameter, value)
    return LayoutOptions(layout, pattern, refs_pattern)


def check_text(name: str, value: object) -> None:
    """Raise UsageError if the parameter `name` is no text."""
    _check(name, value, str)


def _check(name: str, value: object, hint: Any) -> None:
    union = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    kinds = [typing.get_origin(kind) or kind for kind in union]
    if not isinstance(value, tuple(kinds)) or (isinstance(value, bool) and bool not in kinds):
        expected = " or ".join(_NOUNS[kind] for kind in kinds)
        raise UsageError(f"{name}: expected {expected}, found {_shown(value)}")
    if isinstance(value, int) and not isinstance(value, bool) and value < 1:
        raise UsageError(f"{name}: expected a number of 1 or more, found {value}")


_NOUNS = {
    str: "a text",
    bool: "True or False",
    int: "a whole number",
    os.PathLike: "a path",
    Mapping: "a dict",
    types.NoneType: "None",
}


def _shown(value: object) -> str:
    text = printable(repr(value).replace("\n", " "))
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
