"""One side's folder in the other's: its pictures must not count twice."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from nearid_cli.errors import InputError
from nearid_cli.layouts.found import Side
from nearid_cli.layouts.tree import Tree
from nearid_cli.text import printable


def leave_out_inside(tree: Tree, other: Path, kind: str) -> None:
    """The other side's folder, where it lies in this one's (`nearid score . outputs`), is no part of this side.

    Args:
        tree: of one side; changed.
        other: the folder of the other side.
        kind: what its pictures are called among those that are left out.

    Raises:
        InputError: nothing else is there.
    """
    below = _lies_in(other, tree.root)
    if below is None:
        return
    kept = [name for name in tree.names if not name.startswith(below)]
    if not kept:
        raise InputError(
            f"all pictures of {printable(tree.root)} lie in {printable(other)}, which is the other side: give the "
            "folder of the real pictures and the folder of the generated ones"
        )
    for name in tree.names:
        if name.startswith(below):
            tree.left_out.add(kind, name)
    tree.names = kept


def refuse_inside(references: Side | None, methods: Iterable[Side]) -> None:
    """Raise InputError if methods' folders lie in that of the references, where all would count as real pictures."""
    if isinstance(references, Path) and references.is_dir():
        folders = [one for one in methods if isinstance(one, Path) and one.is_dir()]
        if inside := [printable(one) for one in folders if _lies_in(one, references)]:
            raise InputError(
                f"the references' folder {printable(references)} holds folders of methods, whose pictures would count "
                "as real ones: give the folder of the real pictures",
                inside,
            )


def _lies_in(inner: Path, outer: Path) -> str | None:
    """The path of a folder below another that it lies in, with `/` and ending in one; None where it does not."""
    own, below = (os.path.join(os.path.realpath(folder), "") for folder in (outer, inner))  # noqa: PTH118
    return below[len(own) :].replace(os.sep, "/") if below.startswith(own) and below != own else None
