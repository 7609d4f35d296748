"""Finding a data set: check what was given, look at both sides, read their names together, join them by subject."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from nearid_cli.elsewhere import shown
from nearid_cli.errors import InputError, UsageError
from nearid_cli.layouts.dataset import Dataset, LeftOutFiles, Picture
from nearid_cli.layouts.detect import Shared, by_role, empty, look_at, look_at_side, manifest_at, of_path
from nearid_cli.layouts.given import is_list, several_subjects, shown_subjects
from nearid_cli.layouts.join import join
from nearid_cli.layouts.kinds.plain import FOLDERS
from nearid_cli.layouts.kinds.tables import IMAGEFOLDER
from nearid_cli.layouts.names import is_generic, own_name
from nearid_cli.layouts.reach import WITHIN, Reach
from nearid_cli.layouts.registry import AUTO
from nearid_cli.layouts.resolve import How, resolve
from nearid_cli.layouts.sides import Assigned, Side, Tree
from nearid_cli.layouts.tables.manifest import Manifest
from nearid_cli.layouts.walk import Look, scan, walk
from nearid_cli.mirrors import here
from nearid_cli.options import LayoutOptions
from nearid_cli.text import printable, quoted

LOOK = "nearid layout"
"""The command that shows how names are read."""


def find(
    references: Side | Shared,
    generations: Side | None,
    layout: str | LayoutOptions | How = AUTO.name,
    distractors: Side | None = None,
) -> Dataset:
    """Find the subjects of a data set with their references and generations.

    Args:
        references: a folder, or a manifest (.csv, .jsonl, .parquet), or what `read_side` made of pictures; or one of
            the first two that several searches share.
        generations: as `references`, not shared; None when `references` holds both.
        layout: of the folders: the name of one, or options with patterns, or what became of these.
        distractors: as `references`; None for none.

    Raises:
        UsageError: there is no such layout, a pattern is none, or it does not follow whose the pictures of a list are.
        InputError: a side is missing or empty, names are ambiguous, or not one subject matches.
    """
    references, generations, distractors = here(references), here(generations), here(distractors)
    place = references.place if isinstance(references, Shared) else references
    how = How.of(layout).among(place, generations, distractors)
    if isinstance(references, Path):
        references = Shared(references, how.layout, how.reach)
    sides = _sides(references, generations, how)
    look_alike = distractor_side(distractors, how.reach)
    try:
        return join(*resolve(*sides, how), look_alike, how.reach)
    except InputError as error:
        if not (isinstance(place, Path) and isinstance(generations, Path)):
            raise
        # Every stop about names says how to look at them.
        hint = f"{LOOK} {quoted(place)} {quoted(generations)} shows how both are read"
        raise type(error)(error.message, (*error.details, hint)) from error


def _sides(
    references: Assigned | Shared, generations: Side | None, how: How
) -> tuple[Assigned | Tree, Assigned | Tree]:
    """What was given, each side as subjects where it says so itself, else as a tree."""
    layout, reach = how.layout, how.reach
    if isinstance(references, Assigned) or isinstance(generations, Assigned):
        if generations is None:
            raise UsageError("generations: expected pictures, found None; only a manifest holds both sides")
        given = references.copy(), look_at_side(generations, "generations", layout, reach)
        _refuse_lists_of_several(*given)
        _name_lists(*given)
        return given
    place, manifest = references.place, references.manifest
    if generations is not None and not (
        os.path.exists(generations) and place.samefile(generations)  # noqa: PTH110
    ):
        generation_manifest = manifest_at(generations, "generations", layout, reach)
        if layout.needs_manifest and manifest is None and generation_manifest is None:
            raise InputError(f"--layout {layout.name}, but {printable(place)} is a folder and no manifest")
        sides = (
            references.copy(),
            of_path(generations, generation_manifest, "generations", layout, reach),
        )
        # Rows of a role that the other side provides.
        _count_unused(manifest, "generation", "references", sides[0])
        _count_unused(generation_manifest, "reference", "generations", sides[1])
        return sides
    if manifest is not None:
        # One manifest is both sides: what it left out and its distractors count once.
        both = manifest.side("reference"), manifest.side("generation")
        both[1].left_out, both[1].distractors = LeftOutFiles(), {}
        return both
    if layout.holds_both(place):
        return look_at(place, "references", layout, reach), look_at(place, "generations", layout, reach)
    return _both_roles(place, generations is not None, reach)


def _both_roles(root: Path, same: bool, reach: Reach) -> tuple[Tree, Tree]:
    tree = scan(root, reach=reach)
    split = by_role(tree.names)
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
    tree.left_out.add("neither among references nor among generations", *split["neither"])
    return Tree(root, split["reference"], tree.left_out), Tree(root, split["generation"])


def _count_unused(manifest: Manifest | None, role: str, which: str, side: Assigned | Tree) -> None:
    for pictures in manifest.roles[role].values() if manifest else ():
        side.left_out.add(f"{role} rows of the {which} manifest", *(one.name for one in pictures))


def _refuse_lists_of_several(references: Assigned | Tree, generations: Assigned | Tree) -> None:
    """Read two lists of files as the folders they may have come from, and stop where these have several subjects.

    A list is the pictures of one subject. Anything else passes.

    Raises:
        UsageError: the names say several subjects.
    """
    trees = [
        Tree(side.root, names)
        for side in (references, generations)
        if is_list(side)
        if (names := [one.name for one in side.loose if one.in_memory is None])
    ]
    if len(trees) < 2:
        return
    try:
        subjects = [one.name for one in join(*resolve(trees[0], trees[1], How())).subjects]
    except InputError:
        return  # the names say nothing
    if len(subjects) > 1:
        raise UsageError(
            "references and generations: lists hold the pictures of one subject, and by their names these are of "
            f"{shown_subjects(subjects)}; give dicts of lists by subject, or the folders; "
            'if all are of one, a dict with one name: {"NAME": [...]}'
        )


def _name_lists(references: Assigned | Tree, generations: Assigned | Tree) -> None:
    """A list is the pictures of one subject: that of the other side, or one named after the folder of its files.

    Raises:
        UsageError: the other side has several subjects.
    """
    sides = [side for side in (references, generations) if isinstance(side, Assigned)]
    if len(sides) < 2 or not any(map(is_list, sides)):
        return  # a tree says by itself what its subjects are
    names = list(dict.fromkeys(name for side in sides for name in side.subjects))
    if len(names) > 1:
        raise several_subjects("generations" if sides[0].subjects else "references", names)
    if not names:
        roots = [own_name(side.root) for side in sides if any(one.in_memory is None for one in side.loose)]
        names = [next((name for name in roots if not is_generic(name)), "subject")]
    for side in sides:
        if not side.subjects:
            side.subjects, side.loose = {names[0]: side.loose}, []


def distractor_side(distractors: Side | None, reach: Reach) -> Assigned | None:
    """What a folder or manifest of distractors holds, or what a program gives as these; None for None.

    Raises:
        InputError: it is missing or holds none, or metadata of an imagefolder does not fit the pictures.
    """
    if distractors is None:
        return None
    if isinstance(distractors, Assigned):
        return replace(distractors, distractors=distractors.subjects, subjects={})
    manifest = manifest_at(distractors, "distractors", AUTO, reach)
    if manifest is not None:
        side = manifest.side("distractor")
        return replace(side, distractors=side.subjects, subjects={}, left_out=LeftOutFiles())
    look = Look(distractors, reach)
    tree = look.tree
    described = IMAGEFOLDER.find_references(look)
    if described is None:
        tree.leave_out_byproducts()
    found = described if isinstance(described, Assigned) else (described or tree).by_folder(FOLDERS)
    if not any(True for _ in found.pictures()):
        raise empty(distractors, found.left_out, "distractors")
    return replace(found, distractors=found.subjects, subjects={})


def find_images(paths: Sequence[Path], reach: Reach = WITHIN) -> tuple[list[Picture], LeftOutFiles]:
    """All pictures in files and folders, folders at any depth; each path once.

    A file given by name is taken whatever its extension. A picture's name is its path as given.

    Args:
        paths: files and folders.
        reach: where links may lead besides.

    Returns:
        The pictures, in the order given and natural order in folders, and what was left out by reason.

    Raises:
        InputError: a path does not exist (lists all that do not), or there is no picture at all.
    """
    paths = [here(path) for path in paths]
    if missing := [path for path in paths if not os.path.lexists(path)]:
        raise InputError("no such file or folder", [printable(path) for path in missing])
    reach = reach.including(*paths)
    pictures: dict[Path, Picture] = {}
    left_out = LeftOutFiles()
    for path in paths:
        found = [path]
        if path.is_dir():
            tree = walk(path, reach=reach)
            for reason, names in tree.left_out.by_reason.items():
                left_out.add(reason, *(f"{path}/{name}" for name in names))
            found = [Path(f"{path}/{name}") for name in tree.names]
        for one in found:
            pictures.setdefault(one, Picture(one, shown(one.as_posix())))
    if not pictures:
        where = ", ".join(map(printable, paths)) or "no paths"
        raise InputError(f"no pictures in {where}: found {left_out.told()}{left_out.hint()}")
    return list(pictures.values()), left_out
