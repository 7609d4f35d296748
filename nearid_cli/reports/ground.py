"""A comparison as it may be ranked, over what all ranked methods have, and as each method stands by itself."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from nearid_cli.results import AggregateScores, CompareResult, Method, Methods
from nearid_cli.text import count

_SAME = 1e-9  # scores closer than this are equal: only rounding is below it


def over_common(result: CompareResult) -> CompareResult:
    """The comparison with the numbers over the common ground in place of those of each method by itself.

    Where these are the same, the other numbers stay as they are. A method that lacks some of the common ground has NaN
    for a score. Where there is no common ground the comparison stays as it is, and has no ranks.
    """
    if not result.common_subjects:
        return result
    return replace(result, methods=Methods(map(_ranked if apart(result) else _same, result.methods)))


def apart(result: CompareResult) -> CompareResult | None:
    """The comparison with each method's own numbers and no ranks; None where they are the ranked ones."""
    if not result.common_subjects or all(map(_is_whole, result.methods)):
        return None
    methods = (replace(method, ranks=dict.fromkeys(method.ranks)) for method in result.methods)
    return replace(result, methods=Methods(methods))


def ground(result: CompareResult) -> str:
    """Over what the methods are ranked, for a heading: `8 subjects and 32 prompts that all ranked methods have`."""
    over = count(len(result.common_subjects), "subject")
    if result.common_prompts:
        over += f" and {count(result.common_prompts, 'prompt')}"
    return f"{over} that all ranked methods have"


def _same(method: Method) -> Method:
    """The method with all of its numbers, those over the common ground among them."""
    own = method.result.aggregate
    return _with(method, {name: replace(own[name], **vars(one)) for name, one in method.common.items()})


def _ranked(method: Method) -> Method:
    """The method with its numbers over the common ground alone."""
    names = method.result.aggregate
    if not method.common:
        return _with(method, {name: _scores(score=math.nan) for name in names})
    return _with(method, {name: _scores(**vars(one)) for name, one in method.common.items()})


def _with(method: Method, aggregate: Mapping[str, AggregateScores]) -> Method:
    return replace(method, result=replace(method.result, aggregate=aggregate))


def _scores(**known: Any) -> AggregateScores:
    missing: dict[str, Any] = dict.fromkeys(("ci95", "ceiling", "floor", "retention", "identification"))
    return AggregateScores(**{"pair_mean": math.nan, **missing, **known})


def _is_whole(method: Method) -> bool:
    """Whether a method's own numbers are those over the common ground."""
    own = method.result.aggregate
    return bool(method.common) and all(
        abs(common.score - own[name].score) <= _SAME and (common.floor is None) == (own[name].floor is None)
        for name, common in method.common.items()
    )
