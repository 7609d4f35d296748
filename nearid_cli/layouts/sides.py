"""Lists of pictures that a Python program gives, without a name for their subject."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace

from nearid_cli.errors import UsageError
from nearid_cli.layouts.found import Found, own_name
from nearid_cli.layouts.given import LAYOUT
from nearid_cli.layouts.names import is_generic
from nearid_cli.layouts.tree import Tree
from nearid_cli.text import count, printable

_SHOWN = 8  # so many subjects are named


def own_copy(side: Found) -> Found:
    """What a side holds, as an object that a join may change."""
    own = {name: list(pictures) for name, pictures in side.subjects.items()}
    return replace(side, subjects=own, loose=list(side.loose), left_out=deepcopy(side.left_out))


def name_lists(references: Found | Tree, generations: Found | Tree) -> None:
    """A list is the pictures of one subject: that of the other side, or one named after the folder of its files.

    Raises:
        UsageError: the other side has several subjects.
    """
    sides = [side for side in (references, generations) if isinstance(side, Found)]
    if len(sides) < 2 or not any(map(is_list, sides)):
        return  # a tree says by itself what its subjects are
    names = list(dict.fromkeys(name for side in sides for name in side.subjects))
    if len(names) > 1:
        raise several_subjects("generations" if sides[0].subjects else "references", names)
    (name,) = names or [_own_name(sides)]
    for side in sides:
        if not side.subjects:
            side.subjects, side.loose = {name: side.loose}, []


def is_given(side: Found | Tree) -> bool:
    """Whether a program gave the pictures of a side one by one; its root is then no folder that anybody named."""
    return isinstance(side, Found) and side.layout == LAYOUT


def is_list(side: Found | Tree) -> bool:
    """Whether a side is a list of pictures, whose subject has no name yet."""
    return isinstance(side, Found) and is_given(side) and not side.subjects


def several_subjects(which: str, names: Sequence[str]) -> UsageError:
    """A list cannot say whose of several subjects its pictures are."""
    return UsageError(
        f"{which}: a list holds the pictures of one subject, and the other side has "
        f"{shown_subjects(names)}; give a dict of lists by subject"
    )


def shown_subjects(names: Sequence[str]) -> str:
    """How many subjects, and which.

    >>> shown_subjects(["cat", "dog"])
    '2 subjects (cat, dog)'
    """
    shown = ", ".join(map(printable, names[:_SHOWN])) + (", ..." if len(names) > _SHOWN else "")
    return f"{count(len(names), 'subject')} ({shown})"


def _own_name(sides: Sequence[Found]) -> str:
    """What a subject that nobody named is called: as the folder of its files, if that says anything."""
    roots = [own_name(side.root) for side in sides if any(one.in_memory is None for one in side.loose)]
    return next((name for name in roots if not is_generic(name)), "subject")
