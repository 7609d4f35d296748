"""Finished results back from JSON, checked key by key, so that later jobs can compare, gate and show them."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn, cast

from nearid_cli.activity import doing
from nearid_cli.errors import InputError
from nearid_cli.reports.building import MisfitError, builder
from nearid_cli.results import CompareResult, Methods, ScoreResult
from nearid_cli.results.compare import COMPARE_SCHEMA
from nearid_cli.results.score import SCORE_SCHEMA
from nearid_cli.text import printable

logger = logging.getLogger(__name__)

_OLD_SCORE, _OLD_COMPARE = "nearid.score/1", "nearid.compare/1"
_OF_SCORE, _OF_COMPARE = (SCORE_SCHEMA, _OLD_SCORE), (COMPARE_SCHEMA, _OLD_COMPARE)  # the present one first
_CHANGED = "aggregate retention, the intervals, SSR and PA"
_KINDS: dict[str, Any] = {
    **dict.fromkeys(_OF_SCORE, ScoreResult),
    **dict.fromkeys(_OF_COMPARE, CompareResult),
}
_COMMANDS = {
    **dict.fromkeys(_OF_SCORE, "nearid score"),
    **dict.fromkeys(_OF_COMPARE, "nearid compare"),
}


def read_score(path: Path) -> ScoreResult:
    """Read what `nearid score -o FILE.json` wrote. Unknown keys, from a newer release, are passed over.

    What an older release wrote is read, too, and said to be old: some of its numbers mean something else.

    Raises:
        InputError: the file cannot be read, is not JSON, is of another schema, or a value is missing or of
            the wrong type; the message names the value's place.
    """
    return cast("ScoreResult", _read(path, _OF_SCORE))


def read_result(path: Path, *, holes: bool = False) -> ScoreResult | CompareResult:
    """Read what `nearid score` or `nearid compare` wrote with `-o FILE.json`.

    Args:
        path: the file.
        holes: read a null as NaN where there must be a number, for the gate, whose verdict says what is missing.

    Raises:
        InputError: as for `read_score`.
    """
    return _read(path, (*_OF_SCORE, *_OF_COMPARE), holes)


def _read(path: Path, schemas: Sequence[str], holes: bool = False) -> ScoreResult | CompareResult:
    with doing(f"reading {printable(path)}"):
        return _checked(path, schemas, holes)


def _checked(path: Path, schemas: Sequence[str], holes: bool) -> ScoreResult | CompareResult:
    name = printable(path)
    made_by = " or ".join(dict.fromkeys(_COMMANDS[schema] for schema in schemas))
    try:
        document = json.loads(path.read_bytes(), parse_constant=_no_constant)
    except OSError as error:
        raise InputError(f"cannot read {name}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{name} is not a result of {made_by}: not valid JSON ({error})") from error
    schema: Any = document.get("schema") if isinstance(document, dict) else None
    if schema not in schemas:
        found = f"its schema is {printable(str(schema))}" if schema else "it has no schema"
        present = [one for one in schemas if one in (SCORE_SCHEMA, COMPARE_SCHEMA)]
        raise InputError(
            f"{name} is not a result of {made_by}: expected schema {' or '.join(present)} but {found}; "
            f"make it with {made_by} ... -o FILE.json"
        )
    try:
        result: ScoreResult | CompareResult = builder(_KINDS[schema], holes)(document)
        if schema == _OLD_SCORE:
            result = _old_score(cast("ScoreResult", result))
        elif schema == _OLD_COMPARE:
            result = _as_old(cast("CompareResult", result))
        for place, one in _scores(result):
            _check_metrics(one, place)
    except MisfitError as misfit:
        raise InputError(f"{name} is not a valid result of {_COMMANDS[schema]}: {misfit}") from misfit
    if schema in (_OLD_SCORE, _OLD_COMPARE):
        logger.warning(
            "%s is of an older nearid (%s), in which %s meant something else; make it anew",
            name,
            schema,
            _CHANGED
            if schema == _OLD_SCORE
            else f"{_CHANGED}, which generations are paired and the p-values",
        )
    return result


def _as_old(result: CompareResult) -> CompareResult:
    """An old comparison without what it must not say any more.

    Its scores are as old as it is. Its ranks and its tests did not heed which subjects and prompts a method lacks.
    """
    methods = (
        replace(one, result=_old_score(one.result), ranks=dict.fromkeys(one.ranks)) for one in result.methods
    )
    compared = (replace(one, verdict="of an older nearid: compare anew") for one in result.comparisons)
    return replace(result, methods=Methods(methods), comparisons=tuple(compared))


def _old_score(result: ScoreResult) -> ScoreResult:
    """What was called SSR and PA then is of all pairs of references and distractors."""
    aggregate = {
        metric: replace(
            one,
            ssr=None,
            ssr_ci95=None,
            pa=None,
            pa_ci95=None,
            all_pairs_ssr=one.ssr,
            all_pairs_ssr_ci95=one.ssr_ci95,
            all_pairs_pa=one.pa,
            all_pairs_pa_ci95=one.pa_ci95,
        )
        if one.pa is not None
        else one
        for metric, one in result.aggregate.items()
    }
    return replace(result, schema=_OLD_SCORE, aggregate=aggregate)


def _no_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a JSON number")


def _expect_once(names: Sequence[str], place: str, noun: str) -> None:
    if twice := [name for name, times in Counter(names).items() if times > 1]:
        raise MisfitError("", f" has the {noun} {printable(twice[0])} twice").within(place)


def _scores(result: ScoreResult | CompareResult) -> list[tuple[str, ScoreResult]]:
    """The score results in a result, with their places."""
    if isinstance(result, ScoreResult):
        return [("", result)]
    return [(f"methods[{i}].result.", method.result) for i, method in enumerate(result.methods)]


def _check_metrics(result: ScoreResult, where: str) -> None:
    """Every table reads every metric from every row, so a hole is found here rather than there."""
    names = {metric.name for metric in result.metrics}
    if not names:
        raise MisfitError("", " is empty").within(f"{where}metrics")
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
                lack = f" has no scores of the metric {printable(min(missing))}"
                raise MisfitError("", lack).within(f"{where}{place}[{i}]")
