"""Where the pictures of a result lie: results name them relative to the roots that were scored."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from nearid_cli.layouts.tables.manifest import is_manifest
from nearid_cli.results import ScoreResult


def reference_file(result: ScoreResult, name: str) -> Path:
    """The absolute path of a reference, named as in `reference_paths`; nothing says that it is still there."""
    return _file(result.inputs.references, name)


def generation_file(result: ScoreResult, name: str) -> Path:
    """The absolute path of a generation, named as in `images`; nothing says that it is still there."""
    return _file(result.inputs.generations, name)


def map_file(result: ScoreResult, name: str) -> Path:
    """The absolute path of a map, named as in the `maps` of `images`; nothing says that it is still there."""
    return _file(result.inputs.maps or "", name)


def anchored(result: ScoreResult, folder: Path) -> ScoreResult:
    """The same result with its relative roots made findable from where this process runs.

    A root is kept as it was given to `nearid score`, so it counts from the folder in which that ran. Here it
    counts from the current folder; a root that is not there but lies beside the result's file becomes that.
    One that is at neither place stays as it is.

    Args:
        result: as read from a file.
        folder: the folder of that file.
    """
    inputs = result.inputs
    references, generations = (_root(root, folder) for root in (inputs.references, inputs.generations))
    maps = None if inputs.maps is None else _root(inputs.maps, folder)
    return replace(result, inputs=replace(inputs, references=references, generations=generations, maps=maps))


def _root(root: str, folder: Path) -> str:
    beside = folder / root  # `root` itself where it is absolute
    return str(beside) if not os.path.lexists(root) and os.path.lexists(beside) else root


def _file(root: str, name: str) -> Path:
    # The real path, so that one folder given in two ways does not show its pictures twice. Of the root only:
    # a link to a picture is a picture of its own.
    path = Path(root)
    if is_manifest(path) and not path.is_dir():
        path = path.parent
    return Path(os.path.realpath(path)) / name
