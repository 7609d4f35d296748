"""Finished results back from JSON, checked key by key, so that later jobs can compare, gate and show them."""

from __future__ import annotations

import dataclasses
import json
import sys
import types
import typing
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NoReturn, cast

from nearid_cli.errors import InputError
from nearid_cli.results import CompareResult, ScoreResult
from nearid_cli.text import printable

_COMMANDS = {"nearid.score/1": "nearid score", "nearid.compare/1": "nearid compare"}
_KINDS: dict[str, Any] = {"nearid.score/1": ScoreResult, "nearid.compare/1": CompareResult}


def read_score(path: Path) -> ScoreResult:
    """Read what `nearid score -o FILE.json` wrote. Unknown keys, from a newer release, are passed over.

    Raises:
        InputError: the file cannot be read, is not JSON, is of another schema, or a value is missing or of
            the wrong type; the message names the value's place.
    """
    return cast("ScoreResult", _read(path, ["nearid.score/1"]))


def read_result(path: Path) -> ScoreResult | CompareResult:
    """Read what `nearid score` or `nearid compare` wrote with `-o FILE.json`.

    Raises:
        InputError: as for `read_score`.
    """
    return _read(path, list(_KINDS))


def _read(path: Path, schemas: Sequence[str]) -> ScoreResult | CompareResult:
    name = printable(path)
    made_by = " or ".join(_COMMANDS[schema] for schema in schemas)
    try:
        document = json.loads(path.read_bytes(), parse_constant=_no_constant)
    except OSError as error:
        raise InputError(f"cannot read {name}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{name} is not a result of {made_by}: not valid JSON ({error})") from error
    schema: Any = document.get("schema") if isinstance(document, dict) else None
    if schema not in schemas:
        found = f"its schema is {printable(str(schema))}" if schema else "it has no schema"
        raise InputError(
            f"{name} is not a result of {made_by}: expected schema {' or '.join(schemas)} but {found}; "
            f"make it with {made_by} ... -o FILE.json"
        )
    try:
        result: ScoreResult | CompareResult = _build(_KINDS[schema], document, "")
        for place, one in _scores(result):
            _check_metrics(one, place)
    except _MisfitError as misfit:
        raise InputError(f"{name} is not a valid result of {_COMMANDS[schema]}: {misfit}") from misfit
    return result


_NOUNS = {str: "a text", bool: "true or false"}


class _MisfitError(Exception):
    """A value that is not what the schema says."""


def _no_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a JSON number")


def _build(kind: Any, value: Any, place: str) -> Any:
    """A JSON value as the annotated type `kind`: a dataclass, mapping, tuple, optional or plain value."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if dataclasses.is_dataclass(kind):
        _expect(isinstance(value, dict), "an object", value, place)
        hints = _hints(cast("Any", kind))
        missing = [key for key in hints if key not in value and not hasattr(kind, key)]  # a default is there
        if missing:
            raise _MisfitError(f"{place or 'the document'} lacks {', '.join(missing)}")
        return cast("Any", kind)(
            **{
                key: _build(hint, value[key], f"{place}.{key}".lstrip("."))
                for key, hint in hints.items()
                if key in value
            }
        )
    if origin is Mapping:
        _expect(isinstance(value, dict), "an object", value, place)
        return {key: _build(arguments[1], item, f"{place}.{printable(key)}") for key, item in value.items()}
    if origin is tuple:
        _expect(isinstance(value, list), "a list", value, place)
        if arguments[-1] is Ellipsis:
            arguments = (arguments[0],) * len(value)
        _expect(len(value) == len(arguments), f"{len(arguments)} values", value, place)
        pairs = zip(arguments, value, strict=True)
        return tuple(_build(item, element, f"{place}[{i}]") for i, (item, element) in enumerate(pairs))
    if origin is types.UnionType or origin is typing.Union:
        (some,) = (argument for argument in arguments if argument is not type(None))
        return None if value is None else _build(some, value, place)
    if kind is float:
        _expect(isinstance(value, int | float) and not isinstance(value, bool), "a number", value, place)
        _expect(abs(value) <= sys.float_info.max, "a finite number", value, place)
        return float(value)
    if kind is int:
        _expect(isinstance(value, int) and not isinstance(value, bool), "a whole number", value, place)
        return value
    _expect(isinstance(value, kind), _NOUNS[kind], value, place)
    return value


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return typing.get_type_hints(kind)  # slow, and there is a generation a call


def _expect(fits: bool, wanted: str, value: Any, place: str) -> None:
    if not fits:
        shown = printable(json.dumps(value, ensure_ascii=False))
        raise _MisfitError(
            f"expected {place} to be {wanted} but got {shown if len(shown) < 40 else shown[:40] + '...'}"
        )


def _expect_once(names: Sequence[str], place: str, noun: str) -> None:
    if twice := [name for name, times in Counter(names).items() if times > 1]:
        raise _MisfitError(f"{place} has the {noun} {printable(twice[0])} twice")


def _scores(result: ScoreResult | CompareResult) -> list[tuple[str, ScoreResult]]:
    """The score results in a result, with their places."""
    if isinstance(result, ScoreResult):
        return [("", result)]
    return [(f"methods[{i}].result.", method.result) for i, method in enumerate(result.methods)]


def _check_metrics(result: ScoreResult, where: str) -> None:
    """Every table reads every metric from every row, so a hole is found here rather than there."""
    names = {metric.name for metric in result.metrics}
    if not names:
        raise _MisfitError(f"{where}metrics is empty")
    _expect_once([metric.name for metric in result.metrics], f"{where}metrics", "metric")
    _expect_once([subject.subject for subject in result.subjects], f"{where}subjects", "subject")
    rows: dict[str, list[Mapping[str, Any]]] = {
        "aggregate": [result.aggregate],
        "subjects": [subject.scores for subject in result.subjects],
        "images": [image.scores for image in result.images],
    }
    for place, every in rows.items():
        for i, scores in enumerate(every):
            if missing := names - scores.keys():
                raise _MisfitError(
                    f"{where}{place}[{i}] has no scores of the metric {printable(min(missing))}"
                )
