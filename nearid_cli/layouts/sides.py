"""Finding a data set whose sides may be folders, manifests, or pictures that a Python program gives."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

from nearid_cli.errors import InputError, UsageError
from nearid_cli.layouts.dataset import Dataset
from nearid_cli.layouts.detect import find_generations, find_references, from_manifest
from nearid_cli.layouts.find import distractor_side, find, manifest_at
from nearid_cli.layouts.found import Found, own_name
from nearid_cli.layouts.given import LAYOUT
from nearid_cli.layouts.join import GENERIC_NAMES, join
from nearid_cli.layouts.matching import SubjectIndex, match_subjects
from nearid_cli.text import count, printable

Side = Path | Found
"""A folder or manifest, or what `read_side` made of pictures."""

_SHOWN = 8  # so many subjects are named


def find_sides(
    references: Side, generations: Side | None, layout: str = "auto", distractors: Side | None = None
) -> Dataset:
    """The data set of two sides, as `find` finds that of two folders.

    Args:
        references: likewise.
        generations: likewise; None when `references` is a manifest of both.
        layout: of the sides that are folders, as for `find`.
        distractors: likewise; None for none.

    Raises:
        UsageError: it does not follow whose the pictures of a list are.
        InputError: as for `find`.
    """
    if not isinstance(references, Found) and not isinstance(generations, Found):
        return find(references, generations, layout, distractors)
    if generations is None:
        raise UsageError("generations: expected pictures, found None; only a manifest holds both sides")
    both = _read(references, "reference", layout), _read(generations, "generation", layout)
    _name_lists(*both)
    if all(side.layout == LAYOUT for side in both):
        _refuse_strangers(*both)
    return join(*both, "auto", distractor_side(distractors))


def _read(side: Side, role: str, layout: str) -> Found:
    """What a side holds, as an object that the join may change."""
    if isinstance(side, Found):
        own = {name: list(pictures) for name, pictures in side.subjects.items()}
        return replace(side, subjects=own, loose=list(side.loose), left_out=deepcopy(side.left_out))
    manifest = manifest_at(side, f"{role}s", layout)
    if manifest is not None:
        return from_manifest(manifest, role)
    find_side = find_references if role == "reference" else find_generations
    return find_side(side, "auto" if layout == "manifest" else layout)


def _name_lists(references: Found, generations: Found) -> None:
    """A list is the pictures of one subject: that of the other side, or one named after the folder of its files."""
    sides = [references, generations]
    if not any(side.layout == LAYOUT and side.loose for side in sides):
        return
    names = list(dict.fromkeys(name for side in sides for name in side.subjects))
    if len(names) > 1:
        shown = ", ".join(map(printable, names[:_SHOWN])) + (", ..." if len(names) > _SHOWN else "")
        which = "generations" if references.subjects else "references"
        raise UsageError(
            f"{which}: a list holds the pictures of one subject, and the other side has "
            f"{count(len(names), 'subject')} ({shown}); give a dict of lists by subject"
        )
    (name,) = names or [_own_name(sides)]
    for side in sides:
        if not side.subjects:
            side.subjects, side.loose = {name: side.loose}, []


def _own_name(sides: Sequence[Found]) -> str:
    """What a subject that nobody named is called: as the folder of its files, if that says anything."""
    roots = [own_name(side.root) for side in sides if any(one.in_memory is None for one in side.loose)]
    return next((name for name in roots if name.lower() not in GENERIC_NAMES), "subject")


def _refuse_strangers(references: Found, generations: Found) -> None:
    """Raise InputError if no subject of one dict is in the other."""
    if not match_subjects(SubjectIndex(references.subjects), generations.subjects):
        raise InputError(
            "not one subject of the references is one of the generations: give both dicts the same keys",
            [
                f"{side}: {', '.join(map(printable, list(found.subjects)[:_SHOWN]))}"
                for side, found in (("references", references), ("generations", generations))
            ],
        )
