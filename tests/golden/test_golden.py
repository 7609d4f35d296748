"""Numbers are what they were, on every version of Python and of packages."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.golden.golden import WITHIN, found, stored


def leaves(said: Any, path: str = "") -> dict[str, Any]:
    """Every number and word of a document by its place."""
    if isinstance(said, dict):
        return {place: leaf for key in said for place, leaf in leaves(said[key], f"{path}/{key}").items()}
    if isinstance(said, list):
        return {
            place: leaf for n, one in enumerate(said) for place, leaf in leaves(one, f"{path}/{n}").items()
        }
    return {path: said}


@pytest.mark.parametrize("metric", WITHIN)
def test_numbers_are_as_they_were(metric: str) -> None:
    now, then = leaves(json.loads(json.dumps(found(metric)))), leaves(stored(metric))
    assert now.keys() == then.keys()
    for place, value in then.items():
        if isinstance(value, float):
            assert now[place] == pytest.approx(value, rel=0, abs=WITHIN[metric]), place
        else:
            assert now[place] == value, place
