"""Deciding how one side of a data set is laid out: by its marker files first, then by its shape."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

from nearid_cli.errors import InputError
from nearid_cli.layouts.customconcept import find_concepts, find_samples
from nearid_cli.layouts.dreambench import (
    find_dreambench_data,
    find_dreambench_samples,
    find_dreambooth,
)
from nearid_cli.layouts.folders import by_folder, in_one
from nearid_cli.layouts.found import Found
from nearid_cli.layouts.manifest import Manifest
from nearid_cli.layouts.walk import Walk, walk
from nearid_cli.text import count, printable

LAYOUTS = (
    "auto",
    "folders",
    "flat",
    "prefix",
    "dreambooth",
    "dreambench++",
    "dreambench++-samples",
    "customconcept101",
    "manifest",
)

# What a forced layout must find, by the side that it describes.
_EXPECTED = {
    "dreambooth": "prompts_and_classes.txt in it or in its dataset/",
    "dreambench++": "images/<category>/<NN>.jpg and captions/ in it",
    "dreambench++-samples": "src_image/ and tgt_image/ in it",
    "customconcept101": "a dataset.json in the references, or samples/ and prompts.json in the generations",
}


def find_references(root: Path, layout: str) -> Found:
    """The reference side of a folder.

    Raises:
        InputError: the folder is not laid out as `layout` says, or holds no pictures.
    """
    found = None
    if layout in ("auto", "dreambench++-samples"):
        found = find_dreambench_samples(root, "src_image")
    if found is None and layout in ("auto", "dreambench++"):
        found = find_dreambench_data(root)
    if found is None and layout in ("auto", "dreambooth"):
        found = find_dreambooth(root)
    if found is None and layout in ("auto", "customconcept101"):
        found = find_concepts(root)
    if found is None and layout in ("dreambooth", "dreambench++"):
        raise _unlike(root, layout, "references")
    if found is None:
        walked = walk(root)
        _refuse_methods(root, walked, "references")
        found = _by_shape(root, walked, layout)
    return _not_empty(found, "references")


def find_generations(root: Path, layout: str) -> Found:
    """The generation side of a folder.

    Raises:
        InputError: the folder is not laid out as `layout` says, or holds no pictures.
    """
    found = None
    if layout in ("auto", "dreambench++-samples"):
        found = find_dreambench_samples(root, "tgt_image")
    if found is None:
        walked = walk(root)
        _refuse_methods(root, walked, "generations")
        if layout == "dreambench++-samples":
            raise _unlike(root, layout, "generations")
        if layout in ("auto", "customconcept101"):
            found = find_samples(root, walked)
        if found is None:
            found = _by_shape(root, walked, layout)
    return _not_empty(found, "generations")


def find_distractors(root: Path) -> Found:
    """The distractors in a folder: of each subject in a folder of its name, or loose.

    Raises:
        InputError: the folder holds no pictures.
    """
    found = by_folder(root, walk(root))
    found.distractors, found.subjects = found.subjects, {}
    if not found.distractors and not found.loose:
        raise _empty(found, "distractors")
    return found


def check_customconcept(references: Found, generations: Found) -> None:
    """Raise InputError unless one side is a CustomConcept101 folder, which `--layout` asked for."""
    if "customconcept101" not in (references.layout, generations.layout):
        raise _unlike(references.root, "customconcept101", "references or generations")


def from_manifest(manifest: Manifest, role: str) -> Found:
    """The side of a manifest that `role` names, with its distractors.

    Raises:
        InputError: the manifest has no row with this role, or generations of several methods.
    """
    subjects = manifest.roles[role]
    if not subjects:
        held = ", ".join(
            count(sum(map(len, found.values())), name) for name, found in manifest.roles.items() if found
        )
        raise InputError(
            f"no rows with role {role} in manifest {printable(manifest.path)}: found {held or 'no rows'}"
        )
    methods = sorted({one.method or "" for pictures in subjects.values() for one in pictures})
    if role == "generation" and len(methods) > 1:
        named = ", ".join(printable(name) or "(none)" for name in methods)
        raise InputError(
            f"manifest {printable(manifest.path)} has generations of several methods: {named}; "
            "a score is of one method, so give a manifest with only its rows, or all of them to nearid compare"
        )
    return Found(
        manifest.path, "manifest", subjects, [], deepcopy(manifest.left_out), manifest.roles["distractor"]
    )


def _by_shape(root: Path, walked: Walk, layout: str) -> Found:
    if layout == "flat" or (layout != "folders" and not any("/" in name for name in walked.names)):
        return in_one(root, walked)
    found = by_folder(root, walked)
    if layout == "folders" and found.loose and not found.subjects:
        raise InputError(
            f"no subject folders in {printable(root)}: {count(len(found.loose), 'picture')} right in it; "
            "leave out --layout folders, or give --layout flat if all are of one subject"
        )
    return found


def _refuse_methods(root: Path, walked: Walk, side: str) -> None:
    """DreamBench++ writes `samples/<method>/tgt_image/...`: one of the methods must be given."""
    methods = {name.partition("/tgt_image/")[0] for name in walked.names if "/tgt_image/" in name}
    if methods:
        shown = sorted(methods)
        raise InputError(
            f"{side} folder {printable(root)} holds the DreamBench++ samples of "
            f"{count(len(shown), 'method')}: {', '.join(map(printable, shown))}; "
            f"give one of them, for example {printable(root / shown[0])}; for all: nearid compare {printable(root)}"
        )


def _not_empty(found: Found, side: str) -> Found:
    if any(True for _ in found.pictures()):
        return found
    raise _empty(found, side)


def _empty(found: Found, side: str) -> InputError:
    others = ", ".join(f"{number:,} {reason}" for reason, number in found.left_out.counts().items())
    return InputError(
        f"no pictures in {side} folder {printable(found.root)}: found {others or 'nothing'} "
        f"(looked at any depth for jpg, png, webp and other picture files)"
    )


def _unlike(root: Path, layout: str, side: str) -> InputError:
    return InputError(
        f"{side} folder {printable(root)} is not laid out as {layout}: expected {_EXPECTED[layout]}; "
        "leave out --layout to detect it"
    )
