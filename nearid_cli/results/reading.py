"""Finished results back from JSON, checked key by key, so that later jobs can compare, gate and show them."""

from __future__ import annotations

import dataclasses
import logging
import types
import typing
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, cast

from nearid_cli.activity import doing
from nearid_cli.errors import InputError
from nearid_cli.opening import MalformedError, as_json, read_json
from nearid_cli.results.base import LARGEST, Named
from nearid_cli.results.compare import CompareResult, Methods
from nearid_cli.results.holes import holes as found_holes
from nearid_cli.results.images import Images
from nearid_cli.results.score import ScoreResult
from nearid_cli.text import first_few, printable, shown

if TYPE_CHECKING:
    from cattrs import Converter
    from cattrs.dispatch import StructureHook

logger = logging.getLogger(__name__)

_OLD: dict[str, Any] = {"nearid.score/1": ScoreResult, "nearid.compare/1": CompareResult}
_CHANGED = "aggregate retention, the intervals, SSR and PA"
_ALSO_CHANGED = {ScoreResult: "", CompareResult: ", which generations are paired and the p-values"}

RESULT_BYTES = 2**30
"""The largest file that is read as a result; a result of a million generations by one metric has less."""
_MOST = 2**53  # beyond, JSON's numbers are none that count
_SHOWN = 10  # so many problems of one file are told, and so much of a value that is wrong: four times as many letters


def read_score(path: Path) -> ScoreResult:
    """Read what `nearid score -o FILE.json` wrote. Unknown keys, from a newer release, are passed over.

    What an older release wrote is read, too, and said to be old: some of its numbers mean something else.

    Raises:
        InputError: the file cannot be read, is not JSON, is of another schema, or values are missing or of
            the wrong type; the message names their places.
    """
    return cast("ScoreResult", _read(path, (ScoreResult,)))


def read_result(path: Path, *, holes: bool = False) -> ScoreResult | CompareResult:
    """Read what `nearid score` or `nearid compare` wrote with `-o FILE.json`.

    Args:
        path: the file.
        holes: take a result that lacks scores by accident, for the gate, whose verdict says what is missing.

    Raises:
        InputError: as for `read_score`.
    """
    return _read(path, (ScoreResult, CompareResult), holes)


def _read(path: Path, kinds: Sequence[Any], holes: bool = False) -> ScoreResult | CompareResult:
    name = printable(path)
    with doing(f"reading {name}"):
        kind, document = _document(path, kinds)
        try:
            result: ScoreResult | CompareResult = _converter().structure(document, kind)
        except (ExceptionGroup, MisfitError) as error:
            problems = list(_misfits(error))
        else:
            result = _as_old(result) if result.outdated else result
            problems = list(_gaps(result)) or ([] if holes else list(_lost(result)))
        if problems:
            first, *rest = problems
            what = f"{name} is not a valid result of {kind.command}: {first}"
            raise InputError(what, first_few(rest, _SHOWN))
    if result.outdated:
        changed, old = _CHANGED + _ALSO_CHANGED[kind], result.schema
        logger.warning(
            f"{name} is of an older nearid ({old}), in which {changed} meant something else; make it anew"
        )
    return result


def _document(path: Path, kinds: Sequence[Any]) -> tuple[Any, dict[str, Any]]:
    """What a file holds, and of which kind of result it says to be."""
    name, made_by = printable(path), " or ".join(kind.command for kind in kinds)
    known = {kind.schema: kind for kind in kinds} | {old: kind for old, kind in _OLD.items() if kind in kinds}
    try:
        document = read_json(path, RESULT_BYTES, parse_constant=_no_constant)
    except OSError as error:
        raise InputError(f"cannot read {name}: {error.strerror or error}") from error
    except MalformedError as error:
        raise InputError(f"{name} is not a result of {made_by}: {error}") from error
    schema: Any = document.get("schema") if isinstance(document, dict) else None
    if not isinstance(schema, str) or schema not in known:
        found = f"its schema is {printable(str(schema))}" if schema else "it has no schema"
        raise InputError(
            f"{name} is not a result of {made_by}: expected schema {' or '.join(kind.schema for kind in kinds)} "
            f"but {found}; make it with {made_by} ... -o FILE.json"
        )
    return known[schema], document


def _no_constant(constant: str) -> NoReturn:
    raise MalformedError(f"it is not JSON: {constant} is no number of JSON")


def _as_old(result: ScoreResult | CompareResult) -> ScoreResult | CompareResult:
    """An old result without what it must not say any more.

    What a score called SSR and PA is of all pairs of references and distractors. The scores of a comparison are as old
    as it is, and its ranks and its tests did not heed which subjects and prompts a method lacks.
    """
    if isinstance(result, ScoreResult):
        return _old_score(result)
    methods = (
        replace(one, result=_old_score(one.result), ranks=dict.fromkeys(one.ranks)) for one in result.methods
    )
    compared = (replace(one, verdict="of an older nearid: compare anew") for one in result.comparisons)
    return replace(result, methods=Methods(methods), comparisons=tuple(compared))


def _old_score(result: ScoreResult) -> ScoreResult:
    aggregate = {}
    for metric, one in result.aggregate.items():
        trials = ("ssr", "ssr_ci95", "pa", "pa_ci95") if one.pa is not None else ()
        moved: dict[str, Any] = {f"all_pairs_{name}": getattr(one, name) for name in trials}
        aggregate[metric] = replace(one, **moved | dict.fromkeys(trials))
    return replace(result, schema="nearid.score/1", aggregate=aggregate)


def _gaps(result: ScoreResult | CompareResult) -> Iterator[str]:
    """What is named twice or lacks scores: every table reads every metric from every row."""
    if isinstance(result, ScoreResult):
        yield from _gaps_of_run(result, "")
        return
    yield from _twice("method", result.methods.names(), "")
    for i, method in enumerate(result.methods):
        yield from _gaps_of_run(method.result, f"methods[{i}].result.")
    metrics, names = [metric.name for metric in result.metrics], result.methods.names()
    yield from _strangers(result, metrics, names)
    for i, method in enumerate(result.methods):
        for place, has in {"ranks": method.ranks, "common": method.common or metrics}.items():
            if missing := set(metrics) - set(has):
                yield f"methods[{i}].{place} lacks the metric {printable(min(missing))}"
        if missing := set(metrics) - method.result.aggregate.keys():
            yield f"methods[{i}].result has no scores of the metric {printable(min(missing))}"
    for i, group in enumerate(result.groups):
        yield from _unlabelled(group.labels, f"groups[{i}]")
        for name, scored in group.methods.items():
            if name not in names:
                yield f"groups[{i}].methods has {printable(name)}, which is no method"
            if missing := set(metrics) - scored.aggregate.keys():
                yield f"groups[{i}].methods.{printable(name)} has no scores of the metric {printable(min(missing))}"


def _unlabelled(labels: Mapping[str, str | None], place: str) -> Iterator[str]:
    """What keeps a group from having a row: no label, or one without a name."""
    if not labels:
        yield f"{place}.labels is empty"
    elif "" in labels:
        yield f"{place}.labels has a label without a name"


def _strangers(result: CompareResult, metrics: Sequence[str], names: Sequence[str]) -> Iterator[str]:
    """What is said of methods and metrics that the comparison does not have."""
    lists: dict[str, Iterable[object]] = {
        "comparisons": result.comparisons,
        "agreements": result.agreements,
        "disagreements": result.disagreements,
        **{f"groups[{i}].comparisons": group.comparisons for i, group in enumerate(result.groups)},
        **{f"curves[{i}].points": curve.points for i, curve in enumerate(result.curves)},
        **{f"curves[{i}].differences": curve.differences for i, curve in enumerate(result.curves)},
    }
    known = dict.fromkeys(("method", "baseline"), names) | dict.fromkeys(
        ("metric", "against", "a", "b"), metrics
    )
    if result.baseline not in names:
        yield f"baseline is {printable(result.baseline)}, which is no method"
    for place, every in lists.items():
        for i, one in enumerate(every):
            for field, among in known.items():
                name = getattr(one, field, None)
                if name is not None and name not in among:
                    kind = "method" if among is names else "metric"
                    yield f"{place}[{i}].{field} is {printable(name)}, which is no {kind}"


def _gaps_of_run(result: ScoreResult, where: str) -> Iterator[str]:
    metrics = [metric.name for metric in result.metrics]
    known = set(result.subjects.names())
    if not metrics:
        yield f"{where}metrics is empty"
    yield from _twice("metric", metrics, where)
    if not result.subjects:
        yield f"{where}subjects is empty"
    yield from _twice("subject", result.subjects.names(), where)
    for i, image in enumerate(result.images):
        if image.subject not in known:
            yield f"{where}images[{i}].subject is {printable(image.subject)}, which is none of the subjects"
    for i, group in enumerate(result.groups):
        yield from _unlabelled(group.labels, f"{where}groups[{i}]")
    rows: dict[str, list[Mapping[str, Any]]] = {
        "aggregate": [result.aggregate],
        "subjects": [subject.scores for subject in result.subjects],
        "images": [image.scores for image in result.images],
        "groups": [group.aggregate for group in result.groups],
    }
    for place, every in rows.items():
        for i, scores in enumerate(every):
            if missing := set(metrics) - scores.keys():
                yield f"{where}{place}[{i}] has no scores of the metric {printable(min(missing))}"


def _lost(result: ScoreResult | CompareResult) -> Iterator[str]:
    """Scores that are missing by accident."""
    for i, run in enumerate(result.runs.values()):
        where = "" if isinstance(result, ScoreResult) else f"methods[{i}].result."
        for hole in found_holes(run):
            yield f"expected {where}{hole.place} to be a number but got null"


def _twice(noun: str, names: Iterable[str], where: str) -> Iterator[str]:
    for name, times in Counter(names).items():
        if times > 1:
            yield f"{where}{noun}s has the {noun} {printable(name)} twice"


class MisfitError(Exception):
    """A value that is not what the schema says: what is to be said before its place, and after it."""


@cache
def _converter() -> Converter:
    """What makes results of JSON values, as strictly as JSON can say it: no text is taken for a number."""
    from cattrs import Converter

    converter = Converter()
    converter.register_structure_hook_factory(dataclasses.is_dataclass, _object)
    converter.register_structure_hook_factory(_is_tuple, _list)
    converter.register_structure_hook_factory(_is_mapping, _mapping)
    converter.register_structure_hook(float, _number)
    converter.register_structure_hook(int, _whole)
    for kind, wanted in {str: "a text", bool: "true or false"}.items():
        converter.register_structure_hook(kind, partial(_expected, wanted=wanted))
    return converter


def _object(kind: Any, converter: Converter) -> StructureHook:
    build = converter.gen_structure_attrs_fromdict(kind)
    required = [
        field.name
        for field in dataclasses.fields(kind)
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    ]

    def structure(value: Any, kind: Any) -> Any:
        given = _expected(value, dict, "an object")
        if lacking := [key for key in required if key not in given]:
            raise MisfitError("", f" lacks {', '.join(lacking)}")
        return build(value, kind)

    return structure


def _mapping(kind: Any, converter: Converter) -> StructureHook:
    from cattrs.gen import make_mapping_structure_fn

    build: StructureHook = make_mapping_structure_fn(kind, converter)
    return lambda value, kind: build(_expected(value, dict, "an object"), kind)


def _list(kind: Any, converter: Converter) -> StructureHook:
    """Of a tuple: any number of items, or so many as the annotation says, which are all alike."""
    item, *more = typing.get_args(kind) or (kind.item, ...)
    size = None if Ellipsis in more else 1 + len(more)
    items: Any = types.GenericAlias(list, item)
    build = converter.get_structure_hook(items)

    def structure(value: Any, _: Any) -> tuple[Any, ...]:
        if len(_expected(value, list, "a list")) != (len(value) if size is None else size):
            raise _unexpected(f"{size} values", value)
        return tuple(build(value, items))

    return structure


def _is_mapping(kind: Any) -> bool:
    return typing.get_origin(kind) is Mapping


def _is_tuple(kind: Any) -> bool:
    return typing.get_origin(kind) is tuple or (isinstance(kind, type) and issubclass(kind, Named | Images))


def _expected(value: Any, kind: Any, wanted: str) -> Any:
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise _unexpected(wanted, value)
    return value


def _number(value: Any, _: Any) -> float:
    if type(value) is float and abs(value) <= LARGEST:  # nearly always, and there are very many
        return value
    if abs(_expected(value, int | float, "a number")) > LARGEST:
        raise _unexpected(f"a number of no more than {LARGEST:g}", value)
    return float(value)


def _whole(value: Any, _: Any) -> int:
    if abs(_expected(value, int, "a whole number")) > _MOST:
        raise _unexpected(f"a whole number of no more than {_MOST}", value)
    return int(value)


def _unexpected(wanted: str, value: Any) -> MisfitError:
    return MisfitError("expected ", f" to be {wanted} but got {shown(value, 4 * _SHOWN, as_json)}")


def _misfits(error: Exception, place: str = "") -> Iterator[str]:
    """What is wrong in a document and where, each in a line, in the order of the document."""
    if isinstance(error, MisfitError):
        before, after = error.args
        yield f"{before}{place.lstrip('.') or 'the document'}{after}"
        return
    from cattrs.errors import AttributeValidationNote, ClassValidationError, IterableValidationError

    if not isinstance(error, ClassValidationError | IterableValidationError):
        raise error
    inside, others = error.group_exceptions()
    for one, note in inside:
        step = note.name if isinstance(note, AttributeValidationNote) else note.index
        yield from _misfits(one, place + (f"[{step}]" if isinstance(step, int) else f".{printable(step)}"))
    for other in others:
        yield from _misfits(other, place)
