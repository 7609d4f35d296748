"""JSON values as the annotated types of the result objects, checked key by key."""

from __future__ import annotations

import dataclasses
import json
import math
import sys
import types
import typing
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from nearid_cli.results.named import Named
from nearid_cli.text import printable

Builder = Callable[[Any], Any]

_NOUNS = {str: "a text", bool: "true or false"}


class MisfitError(Exception):
    """A value that is not what the schema says. Its place is put together as the error leaves what it is in."""

    def __init__(self, before: str, after: str) -> None:
        self._before, self._after, self._place = before, after, ""

    def within(self, step: str) -> MisfitError:
        """The same error, seen from the value around it."""
        self._place = step + self._place
        return self

    def __str__(self) -> str:
        return f"{self._before}{self._place.lstrip('.') or 'the document'}{self._after}"


@cache
def builder(kind: Any, holes: bool = False) -> Builder:
    """What makes a dataclass, mapping, tuple, optional or plain value of a JSON value, or raises `MisfitError`.

    Made once a type: a result has tens of thousands of values.

    Args:
        kind: an annotation.
        holes: make NaN of null where there must be a number.
    """
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if dataclasses.is_dataclass(kind):
        return _dataclass(kind, holes)
    if origin is Mapping:
        return _mapping(builder(arguments[1], holes))
    if origin is tuple:
        if arguments[-1] is Ellipsis:
            return _list(builder(arguments[0], holes))
        return _tuple([builder(argument, holes) for argument in arguments])
    if isinstance(kind, type) and issubclass(kind, Named):
        item: Any = kind.item
        return _list(builder(item, holes))
    if origin is types.UnionType or origin is typing.Union:
        (some,) = (argument for argument in arguments if argument is not type(None))
        known = builder(some)
        return lambda value: None if value is None else known(value)
    if kind is float:
        return _number_or_hole if holes else _number
    return _whole_number if kind is int else _plain(kind)


def _dataclass(kind: Any, holes: bool) -> Builder:
    parts = {key: builder(hint, holes) for key, hint in typing.get_type_hints(kind).items()}
    required = {
        field.name
        for field in dataclasses.fields(kind)
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    }

    def build(value: Any) -> Any:
        if not isinstance(value, dict):
            raise _unexpected("an object", value)
        if not required <= value.keys():
            raise MisfitError(
                "", f" lacks {', '.join(key for key in parts if key in required - value.keys())}"
            )
        made, key = {}, ""
        try:
            for key, part in parts.items():
                if key in value:
                    made[key] = part(value[key])
        except MisfitError as misfit:
            raise misfit.within(f".{key}") from None
        return kind(**made)

    return build


def _mapping(part: Builder) -> Builder:
    def build(value: Any) -> Any:
        if not isinstance(value, dict):
            raise _unexpected("an object", value)
        made, key = {}, ""
        try:
            for key, item in value.items():
                made[key] = part(item)
        except MisfitError as misfit:
            raise misfit.within(f".{printable(key)}") from None
        return made

    return build


def _list(part: Builder) -> Builder:
    def build(value: Any) -> Any:
        if not isinstance(value, list):
            raise _unexpected("a list", value)
        made: list[Any] = []
        try:
            for item in value:
                made.append(part(item))
        except MisfitError as misfit:
            raise misfit.within(f"[{len(made)}]") from None
        return tuple(made)

    return build


def _tuple(parts: list[Builder]) -> Builder:
    def build(value: Any) -> Any:
        if not isinstance(value, list):
            raise _unexpected("a list", value)
        if len(value) != len(parts):
            raise _unexpected(f"{len(parts)} values", value)
        made: list[Any] = []
        try:
            for part, item in zip(parts, value, strict=True):
                made.append(part(item))
        except MisfitError as misfit:
            raise misfit.within(f"[{len(made)}]") from None
        return tuple(made)

    return build


def _number(value: Any) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise _unexpected("a number", value)
    if abs(value) > sys.float_info.max:
        raise _unexpected("a finite number", value)
    return float(value)


def _number_or_hole(value: Any) -> float:
    return math.nan if value is None else _number(value)


def _whole_number(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise _unexpected("a whole number", value)
    return value


def _plain(kind: type) -> Builder:
    def build(value: Any) -> Any:
        if not isinstance(value, kind):
            raise _unexpected(_NOUNS[kind], value)
        return value

    return build


def _unexpected(wanted: str, value: Any) -> MisfitError:
    shown = printable(json.dumps(value, ensure_ascii=False))
    return MisfitError(
        "expected ", f" to be {wanted} but got {shown if len(shown) < 40 else shown[:40] + '...'}"
    )
