"""Holds docs/reference/troubleshooting.md to the messages of the program: `python scripts/troubleshooting.py`.

A message is named there in a heading, or in the first column of a table, with `...` for what differs from run to run.
Each must still be part of a message in the source, or of a text that one is made of: the script prints those that are
not, and a test fails. With `--list` it prints what all errors say that are worded where they are raised, to write the
page from.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from nearid_cli import errors

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "reference" / "troubleshooting.md"
_NAMED = re.compile(r"^(?:### |\| )`([^`]+)`", re.MULTILINE)
_GAP = "..."


def unknown_messages(page: str) -> list[str]:
    """The messages that a page names and the program does not have."""
    texts = {text for tree in _modules() for node in ast.walk(tree) for text in _texts(node)}
    known = "\n".join(texts)
    return [message for message in _NAMED.findall(page) if not re.search(_pattern(message), known)]


def raised_messages() -> list[str]:
    """The messages of errors, in the order of the source, without those that are worded elsewhere."""
    kinds = {name for name in vars(errors) if name.endswith("Error")}
    calls = [
        node
        for tree in _modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in kinds
        and node.args
    ]
    return [text for call in calls for text in _texts(call.args[0])]


def _modules() -> list[ast.Module]:
    paths = sorted((ROOT / "nearid_cli").rglob("*.py"))
    return [_Undocumented().visit(ast.parse(path.read_text(encoding="utf-8"))) for path in paths]


class _Undocumented(ast.NodeTransformer):
    """Takes docstrings out."""

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        return ast.Pass() if isinstance(node.value, ast.Constant) else self.generic_visit(node)


def _texts(node: ast.AST) -> Iterator[str]:
    """A text of the source, `...` for what is put into it."""
    if isinstance(node, ast.JoinedStr):
        yield "".join(part.value if isinstance(part, ast.Constant) else _GAP for part in node.values)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value


def _pattern(message: str) -> str:
    return ".*".join(re.escape(piece) for piece in message.split(_GAP))


if __name__ == "__main__":
    listing = sys.argv[1:] == ["--list"]
    lines = raised_messages() if listing else unknown_messages(PAGE.read_text(encoding="utf-8"))
    print(*lines, sep="\n")
    sys.exit(bool(lines) and not listing)
