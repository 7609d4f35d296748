"""Finding a data set: check what was given, read both sides, match their subjects."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from nearid_cli.errors import InputError, UsageError
from nearid_cli.layouts.dataset import Dataset, Picture
from nearid_cli.layouts.detect import AUTO, MANIFEST, SAMPLES, Layout, empty, layout_named, look_at
from nearid_cli.layouts.dreambench import is_method
from nearid_cli.layouts.folders import find_distractors
from nearid_cli.layouts.found import Found, Side, from_manifest
from nearid_cli.layouts.join import join
from nearid_cli.layouts.left_out import LeftOut
from nearid_cli.layouts.lists import refuse_several
from nearid_cli.layouts.manifest import (
    MANIFESTS,
    Manifest,
    instead_of_a_manifest,
    is_manifest,
    read_manifest,
)
from nearid_cli.layouts.pattern import Pattern
from nearid_cli.layouts.resolve import resolve
from nearid_cli.layouts.roles import by_role, called_otherwise
from nearid_cli.layouts.sides import name_lists, own_copy
from nearid_cli.layouts.tree import Tree
from nearid_cli.layouts.walk import scan, walk
from nearid_cli.options import LayoutOptions
from nearid_cli.text import few, printable, quoted

logger = logging.getLogger(__name__)


LOOK = "nearid layout"
"""The command that shows how names are read."""


def find(
    references: Side,
    generations: Side | None,
    layout: str | LayoutOptions = "auto",
    distractors: Side | None = None,
) -> Dataset:
    """Find the subjects of a data set with their references and generations.

    Args:
        references: a folder, or a manifest (.csv, .jsonl, .parquet), or what `read_side` made of pictures.
        generations: likewise; None when `references` holds both.
        layout: of the folders: one of `LAYOUTS`, or with patterns.
        distractors: as `references`; None for none.

    Raises:
        UsageError: the layout is none of `LAYOUTS`, a pattern is none, or it does not follow whose the pictures of a
            list are.
        InputError: a side is missing or empty, names are ambiguous, or not one subject matches.
    """
    how = layout if isinstance(layout, LayoutOptions) else LayoutOptions(layout)
    chosen = layout_named(how.layout)
    patterns = [None if text is None else Pattern(text) for text in (how.refs_pattern, how.pattern)]
    sides = _sides(references, generations, chosen)
    look_alike = distractor_side(distractors)
    try:
        return join(*resolve(*sides, chosen, *patterns), look_alike)
    except InputError as error:
        if not (isinstance(references, Path) and isinstance(generations, Path)):
            raise
        # Every stop about names says how to look at them.
        hint = f"{LOOK} {quoted(references)} {quoted(generations)} shows how both are read"
        raise type(error)(error.message, (*error.details, hint)) from error


def look_at_side(side: Side, role: str, layout: Layout) -> Found | Tree:
    """One side: as subjects where it says so itself, else as a tree.

    Args:
        side: as for `find`.
        role: `reference` or `generation`.
        layout: as asked for.

    Raises:
        InputError: it is missing, empty or not laid out as asked for.
    """
    if isinstance(side, Found):
        return own_copy(side)
    return _side(side, manifest_at(side, f"{role}s", layout), f"{role}s", layout)


def _sides(references: Side, generations: Side | None, layout: Layout) -> tuple[Found | Tree, Found | Tree]:
    """What was given, each side as subjects where it says so itself, else as a tree."""
    if isinstance(references, Found) or isinstance(generations, Found):
        if generations is None:
            raise UsageError("generations: expected pictures, found None; only a manifest holds both sides")
        given = (
            look_at_side(references, "reference", layout),
            look_at_side(generations, "generation", layout),
        )
        refuse_several(*given)
        name_lists(*given)
        return given
    reference_manifest = manifest_at(references, "references", layout)
    if generations is not None and not (
        os.path.exists(generations) and references.samefile(generations)  # noqa: PTH110
    ):
        generation_manifest = manifest_at(generations, "generations", layout)
        if layout is MANIFEST and reference_manifest is None and generation_manifest is None:
            raise InputError(f"--layout manifest, but {printable(references)} is a folder and no manifest")
        sides = (
            _side(references, reference_manifest, "references", layout),
            _side(generations, generation_manifest, "generations", layout),
        )
        # Rows of a role that the other side provides.
        _count_unused(reference_manifest, "generation", "references", sides[0])
        _count_unused(generation_manifest, "reference", "generations", sides[1])
        return sides
    if reference_manifest is not None:
        # One manifest is both sides: what it left out and its distractors count once.
        both = from_manifest(reference_manifest, "reference"), from_manifest(reference_manifest, "generation")
        both[1].left_out, both[1].distractors = LeftOut(), {}
        return both
    if layout in (AUTO, SAMPLES) and is_method(references):
        return tuple(look_at(references, side, layout) for side in ("references", "generations"))  # type: ignore[return-value]
    return _both_roles(references, same=generations is not None)


def _both_roles(root: Path, same: bool) -> tuple[Tree, Tree]:
    walked = scan(root)
    split = by_role(walked.names)
    if split is None:
        if same:
            raise InputError(
                f"references and generations are the same folder, {printable(root)}: "
                "give the folder of the real pictures and the folder of the generated ones"
            )
        raise InputError(
            f"references {printable(root)} is a folder, so generations are needed too: give their folder, or one "
            "manifest of both (nearid layout shows how folders are read)"
        )
    for name in split["neither"]:
        walked.left_out.add("neither among references nor among generations", name)
    return Tree(root, split["reference"], walked.left_out), Tree(root, split["generation"])


def _side(root: Path, manifest: Manifest | None, side: str, layout: Layout) -> Found | Tree:
    if manifest is not None:
        return from_manifest(manifest, side.removesuffix("s"))
    found = look_at(root, side, layout)
    own, other = side.removesuffix("s"), "generation" if side == "references" else "reference"
    if isinstance(found, Tree):
        if (split := by_role(found.names)) and split[own]:
            # Pictures of the other role among them must not count as this one's.
            for name in split[other]:
                found.left_out.add(f"{other}s among the {side}", name)
            others = set(split[other])
            found.names = [name for name in found.names if name not in others]
        if strange := called_otherwise(found.names, own):
            logger.warning(
                "among the %s %s are pictures that are called like %ss, and count as %s: %s",
                side,
                printable(root),
                other,
                side,
                few(strange),
            )
    return found


def distractor_side(distractors: Side | None) -> Found | None:
    """What a folder or manifest of distractors holds, or what a program gives as these; None for None.

    Raises:
        InputError: it is missing or holds none.
    """
    if distractors is None:
        return None
    if isinstance(distractors, Found):
        return replace(distractors, distractors=distractors.subjects, subjects={})
    manifest = manifest_at(distractors, "distractors", AUTO)
    if manifest is None:
        found = find_distractors(distractors)
        if not found.distractors and not found.loose:
            raise empty(found, "distractors")
        return found
    side = from_manifest(manifest, "distractor")
    return replace(side, distractors=side.subjects, subjects={}, left_out=LeftOut())


def find_images(paths: Sequence[Path]) -> tuple[list[Picture], LeftOut]:
    """All pictures in files and folders, folders at any depth; each path once.

    A file given by name is taken whatever its extension. A picture's name is its path as given.

    Returns:
        The pictures, in the order given and natural order in folders, and what was left out by reason.

    Raises:
        InputError: a path does not exist (lists all that do not), or there is no picture at all.
    """
    if missing := [path for path in paths if not os.path.lexists(path)]:
        raise InputError("no such file or folder", [printable(path) for path in missing])
    pictures: dict[Path, Picture] = {}
    left_out = LeftOut()
    for path in paths:
        found = [path]
        if path.is_dir():
            walked = walk(path)
            for reason, names in walked.left_out.by_reason.items():
                for name in names:
                    left_out.add(reason, f"{path}/{name}")
            found = [Path(f"{path}/{name}") for name in walked.names]
        for one in found:
            pictures.setdefault(one, Picture(one, one.as_posix()))
    if not pictures:
        others = ", ".join(f"{number:,} {reason}" for reason, number in left_out.counts().items())
        raise InputError(
            f"no pictures in {', '.join(map(printable, paths)) or 'no paths'}: found {others or 'nothing'}"
        )
    return list(pictures.values()), left_out


def manifest_at(path: Path, side: str, layout: Layout) -> Manifest | None:
    """The manifest at `path`, or None for a folder."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError as error:
        raise InputError(f"no such folder: {printable(path)} (looked for {side})") from error
    except OSError as error:
        raise InputError(f"cannot read {side} {printable(path)}: {error.strerror}") from error
    if stat.S_ISDIR(mode):
        return None
    if not (is_manifest(path) and stat.S_ISREG(mode)):
        raise InputError(
            f"{side} {printable(path)} is a file: expected a folder or a manifest "
            f"({', '.join(MANIFESTS)}){instead_of_a_manifest(path)}"
        )
    if layout not in (AUTO, MANIFEST):
        raise InputError(f"--layout {layout.name} needs folders, and {side} {printable(path)} is a manifest")
    return read_manifest(path)


def _count_unused(manifest: Manifest | None, role: str, side: str, found: Found | Tree) -> None:
    if manifest and manifest.roles[role]:
        for pictures in manifest.roles[role].values():
            for one in pictures:
                found.left_out.add(f"{role} rows of the {side} manifest", one.name)
