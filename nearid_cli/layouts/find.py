"""Finding a data set: check what was given, read both sides, match their subjects."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from nearid_cli.errors import InputError, UsageError
from nearid_cli.layouts.dataset import Dataset, Picture
from nearid_cli.layouts.detect import (
    LAYOUTS,
    check_customconcept,
    find_distractors,
    find_generations,
    find_references,
    from_manifest,
)
from nearid_cli.layouts.dreambench import is_method
from nearid_cli.layouts.found import Found
from nearid_cli.layouts.join import join
from nearid_cli.layouts.left_out import LeftOut
from nearid_cli.layouts.manifest import (
    MANIFESTS,
    Manifest,
    instead_of_a_manifest,
    is_manifest,
    read_manifest,
)
from nearid_cli.layouts.walk import walk
from nearid_cli.text import printable, unknown


def find(
    references: Path,
    generations: Path | None,
    layout: str = "auto",
    distractors: Path | Found | None = None,
) -> Dataset:
    """Find the subjects of a data set with their references and generations.

    Args:
        references: a folder, or a manifest (.csv, .jsonl, .parquet).
        generations: a folder or a manifest; None when `references` is a manifest of both.
        layout: one of `LAYOUTS`; `auto` detects each side by itself.
        distractors: a folder or a manifest of distractors, or what `read_side` made of pictures.

    Raises:
        UsageError: `layout` is none of `LAYOUTS`.
        InputError: a side is missing or empty, names are ambiguous, or not one subject matches.
    """
    if layout not in LAYOUTS:
        raise UsageError(unknown("layout", layout, LAYOUTS))
    reference_manifest = manifest_at(references, "references", layout)
    generation_manifest = (
        manifest_at(generations, "generations", layout) if generations else reference_manifest
    )
    if generations is None:
        if reference_manifest is None:
            raise InputError(
                f"references {printable(references)} is a folder, so generations are needed too: "
                "give their folder, or one manifest of both"
            )
        generations = references
    elif references.samefile(generations):
        if reference_manifest is None and not (
            layout in ("auto", "dreambench++-samples") and is_method(references)
        ):
            raise InputError(
                f"references and generations are the same folder, {printable(references)}: "
                "give the folder of the real pictures and the folder of the generated ones"
            )
        generation_manifest = reference_manifest
    if layout == "manifest" and reference_manifest is None and generation_manifest is None:
        raise InputError(f"--layout manifest, but {printable(references)} is a folder and no manifest")
    side = "auto" if layout == "manifest" else layout

    reference_side = (
        from_manifest(reference_manifest, "reference")
        if reference_manifest
        else find_references(references, side)
    )
    generation_side = (
        from_manifest(generation_manifest, "generation")
        if generation_manifest
        else find_generations(generations, side)
    )
    if reference_manifest and reference_manifest is generation_manifest:
        # One manifest is both sides: what it left out and its distractors count once.
        generation_side.left_out, generation_side.distractors = LeftOut(), {}
    else:
        # Rows of a role that the other side provides.
        _count_unused(reference_manifest, "generation", "references", reference_side)
        _count_unused(generation_manifest, "reference", "generations", generation_side)
    if layout == "customconcept101":
        check_customconcept(reference_side, generation_side)
    return join(reference_side, generation_side, layout, distractor_side(distractors))


def distractor_side(distractors: Path | Found | None) -> Found | None:
    """What a folder or manifest of distractors holds, or what a program gives as these; None for None.

    Raises:
        InputError: it is missing or holds none.
    """
    if distractors is None:
        return None
    if isinstance(distractors, Found):
        return replace(distractors, distractors=distractors.subjects, subjects={})
    manifest = manifest_at(distractors, "distractors", "auto")
    if manifest is None:
        return find_distractors(distractors)
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


def manifest_at(path: Path, side: str, layout: str) -> Manifest | None:
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
    if layout not in ("auto", "manifest"):
        raise InputError(f"--layout {layout} needs folders, and {side} {printable(path)} is a manifest")
    return read_manifest(path)


def _count_unused(manifest: Manifest | None, role: str, side: str, found: Found) -> None:
    if manifest and manifest.roles[role]:
        for pictures in manifest.roles[role].values():
            for one in pictures:
                found.left_out.add(f"{role} rows of the {side} manifest", one.name)
