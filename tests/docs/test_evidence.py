"""What the pages on security and reliability name as evidence is there."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = ("security.md", "reliability.md")
_TEST = re.compile(r"tests/[\w/]+\.py(?:::\w+)*")


@cache
def names(file: Path) -> frozenset[str]:
    """Functions and classes in a file of tests."""
    kinds = (ast.FunctionDef, ast.ClassDef)
    return frozenset(
        node.name for node in ast.walk(ast.parse(file.read_text("utf-8"))) if isinstance(node, kinds)
    )


@pytest.mark.parametrize("page", PAGES)
def test_every_test_that_is_named_exists(page: str) -> None:
    named = _TEST.findall((ROOT / "docs/explanation" / page).read_text("utf-8"))
    assert len(named) > 20
    missing = []
    for one in named:
        file, *inner = one.split("::")
        if not (ROOT / file).is_file() or not set(inner) <= names(ROOT / file):
            missing.append(one)
    assert missing == []


def test_every_row_of_promises_has_a_test() -> None:
    rows = [
        line
        for line in (ROOT / "docs/explanation/security.md").read_text("utf-8").splitlines()
        if line[:2] == "| "
    ]
    promises = [row for row in rows if row != "| promise | test |"]
    assert len(promises) > 30
    assert [row for row in promises if not _TEST.search(row)] == []
