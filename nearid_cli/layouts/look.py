"""How folders are read, for `nearid layout`: a data set, one of each method, or references alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nearid_cli.errors import InputError
from nearid_cli.layouts.dataset import Dataset
from nearid_cli.layouts.detect import look_at_side
from nearid_cli.layouts.find import find
from nearid_cli.layouts.layout import Naming
from nearid_cli.layouts.methods import find_methods
from nearid_cli.layouts.references import alternatives
from nearid_cli.layouts.resolve import How, resolve_references
from nearid_cli.layouts.sides import Assigned, SeveralMethodsError, Tree
from nearid_cli.options import LayoutOptions


@dataclass(frozen=True)
class ReferencesAlone:
    """References, and the other ways in which they could be read, each with its subjects."""

    found: Assigned
    others: Sequence[tuple[Naming, list[str]]]


def read_layout(
    references: Path, generations: Path | None, asked: LayoutOptions, distractors: Path | None = None
) -> dict[str, Dataset] | ReferencesAlone:
    """How references and generations are read.

    Args:
        references: a folder or a manifest; with `generations` None perhaps of both, or of methods and their references.
        generations: a folder or a manifest; of one method or of several.
        asked: how they are laid out.
        distractors: a folder or a manifest; they need generations.

    Returns:
        The data set of each method, of one that has no name under `""`; or what the references hold, alone.

    Raises:
        UsageError: an unknown layout or pattern.
        InputError: names can be read in two ways, or nothing matches.
    """
    how = How.of(asked)
    try:
        return {"": find(references, generations, how, distractors)}
    except SeveralMethodsError:
        if generations is not None:
            return find_methods([generations], references, {}, asked, distractors)
    except InputError:
        if generations is not None:
            raise
    try:  # it does not hold both sides of one method
        return find_methods([references], None, {}, asked, distractors)
    except InputError:
        pass
    side = look_at_side(references, "references", how.layout)
    others = alternatives(side) if isinstance(side, Tree) and how.references is None else []
    found = resolve_references(side, how)
    return ReferencesAlone(found, [one for one in others if one[0].how != found.how])
