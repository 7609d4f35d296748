"""Where the pictures of a result lie: results name them relative to the roots that were scored."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from nearid_cli.images.reading import Masking
from nearid_cli.layouts.dataset import Masked
from nearid_cli.layouts.tables.manifest import is_manifest
from nearid_cli.mirrors.find import again
from nearid_cli.opening import real_path
from nearid_cli.remote.stores import in_a_store
from nearid_cli.results import PictureMask, ScoreResult, Subjects
from nearid_cli.results.images import Images


def reference_file(result: ScoreResult, name: str) -> Path:
    """The absolute path of a reference, named as in `reference_paths`; nothing says that it is still there."""
    return _file(result.inputs.references, name)


def generation_file(result: ScoreResult, name: str) -> Path:
    """The absolute path of a generation, named as in `images`; nothing says that it is still there."""
    return _file(result.inputs.generations, name)


def map_file(result: ScoreResult, name: str) -> Path:
    """The absolute path of a map, named as in the `maps` of `images`; nothing says that it is still there."""
    return _file(result.inputs.maps or "", name)


def parts_of(result: ScoreResult) -> dict[Path, Masked]:
    """Which part of each picture file was scored, or could have been; a file of several parts has no entry."""
    used = result.inputs.masks
    if used is None:
        return {}
    how = Masking("background" if used.keep == "background" else "foreground", used.fill, used.clean)
    found: dict[Path, set[PictureMask]] = {}
    for subject in result.subjects:
        for name, mask in subject.reference_masks.items():
            found.setdefault(reference_file(result, name), set()).add(mask)
    for image in result.images:
        if image.mask is not None:
            found.setdefault(generation_file(result, image.path), set()).add(image.mask)
    single = {path: own.pop() for path, own in found.items() if len(own) == 1}
    return {
        path: Masked(path, None if one.mask is None else Path(one.mask), one.box, how)
        for path, one in single.items()
    }


def anchored(result: ScoreResult, folder: Path) -> ScoreResult:
    """The same result with its relative roots made findable from where this process runs.

    A root is kept as it was given to `nearid score`, so it counts from the folder in which that ran. Here it
    counts from the current folder; a root that is not there but lies beside the result's file becomes that.
    One that is at neither place stays as it is. Masks likewise.

    Args:
        result: as read from a file.
        folder: the folder of that file.
    """
    inputs = result.inputs
    references, generations = (_root(root, folder) for root in (inputs.references, inputs.generations))
    maps = None if inputs.maps is None else _root(inputs.maps, folder)
    result = replace(
        result, inputs=replace(inputs, references=references, generations=generations, maps=maps)
    )
    if inputs.masks is None:
        return result
    subjects = (
        replace(one, reference_masks={name: _mask(own, folder) for name, own in one.reference_masks.items()})
        for one in result.subjects
    )
    images = (
        one if one.mask is None else replace(one, mask=_mask(one.mask, folder)) for one in result.images
    )
    return replace(result, subjects=Subjects(subjects), images=Images(images))


def _mask(one: PictureMask, folder: Path) -> PictureMask:
    return one if one.mask is None else replace(one, mask=_root(one.mask, folder))


def _root(root: str, folder: Path) -> str:
    beside = folder / root  # `root` itself where it is absolute
    return str(beside) if not os.path.lexists(root) and os.path.lexists(beside) else root


def _file(root: str, name: str) -> Path:
    # The real path, so that one folder given in two ways does not show its pictures twice. Of the root only:
    # a link to a picture is a picture of its own.
    path = again(Path(root))
    if is_manifest(path) and not path.is_dir():
        path = path.parent
    return below(real_path(path), name)


def below(root: Path, name: str) -> Path:
    """The path of a picture, named as results name them, below the absolute path of its root."""
    return again(Path(name)) if in_a_store(name) else root / name
