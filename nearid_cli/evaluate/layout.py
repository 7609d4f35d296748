"""`nearid layout`: how folders are read, before any picture is opened."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nearid_cli.errors import InputError
from nearid_cli.layouts import Dataset, find
from nearid_cli.layouts.choosing import Alternative, alternatives
from nearid_cli.layouts.detect import layout_named
from nearid_cli.layouts.find import look_at_side
from nearid_cli.layouts.found import Found, SeveralMethodsError
from nearid_cli.layouts.left_out import LeftOut
from nearid_cli.layouts.methods import find_methods
from nearid_cli.layouts.pattern import Pattern
from nearid_cli.layouts.resolve import resolve_references
from nearid_cli.layouts.tree import Tree
from nearid_cli.options import LayoutOptions


@dataclass(frozen=True)
class References:
    """References alone, and the other ways in which they could be read."""

    found: Found
    left_out: LeftOut
    others: tuple[Alternative, ...]


def read_layout(
    references: Path, generations: Path | None, how: LayoutOptions, distractors: Path | None = None
) -> dict[str, Dataset] | References:
    """How references and generations are read.

    Args:
        references: a folder or a manifest; with `generations` None perhaps of both, or of methods and their references.
        generations: a folder or a manifest; of one method or of several.
        how: as asked for.
        distractors: a folder or a manifest; they need generations.

    Returns:
        The data set of each method, of one that has no name under `""`; or what the references hold, alone.

    Raises:
        UsageError: an unknown layout or pattern.
        InputError: names can be read in two ways, or nothing matches.
    """
    if generations is not None:
        try:
            return {"": find(references, generations, how, distractors)}
        except SeveralMethodsError:
            return find_methods([generations], references, {}, how, distractors)
    try:
        return {"": find(references, None, how, distractors)}
    except InputError:
        pass  # it does not hold both sides
    try:
        return find_methods([references], None, {}, how, distractors)
    except InputError:
        return _references(references, how)


def _references(root: Path, how: LayoutOptions) -> References:
    layout = layout_named(how.layout)
    side = look_at_side(root, "reference", layout)
    others = alternatives(side) if isinstance(side, Tree) and how.refs_pattern is None else []
    pattern = None if how.refs_pattern is None else Pattern(how.refs_pattern)
    found = resolve_references(side, layout, pattern)
    return References(found, found.left_out, tuple(one for one in others if one.how != found.how))
