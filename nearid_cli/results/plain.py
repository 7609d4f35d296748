"""Result objects as what JSON holds."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import cache
from typing import Any, cast


def plain(value: Any) -> Any:
    """Dataclasses, mappings and tuples as dictionaries and lists; `asdict` takes four times as long.

    A field that has a default is left out where it holds just that: it belongs to a part of the job that was not
    asked for, such as margins without distractors, or says nothing, such as no labels.
    """
    if value is None or isinstance(value, (str, int, float)):
        return value
    if isinstance(value, (tuple, list)):
        return [plain(item) for item in value]
    if isinstance(value, Mapping):
        return {name: plain(item) for name, item in value.items()}
    defaults = _defaults(cast("Any", type(value)))
    return {
        name: plain(item)
        for name, item in vars(value).items()
        if name not in defaults or item != defaults[name]
    }


@cache
def _defaults(kind: Any) -> dict[str, Any]:
    fields = dataclasses.fields(kind)
    made = {
        field.name: field.default_factory()
        for field in fields
        if field.default_factory is not dataclasses.MISSING
    }
    return made | {field.name: field.default for field in fields if field.default is not dataclasses.MISSING}
