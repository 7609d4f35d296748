"""What one side is: a manifest, a folder whose marker files say whose its pictures are, or a tree of names.

A tree may hold both sides, told by names of folders: `cat/reference` and `cat/generated`, `references/cat` and
`generated/cat`.
"""

from __future__ import annotations

import logging
import stat
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from nearid_cli.errors import InputError
from nearid_cli.layouts.dataset import LeftOutFiles
from nearid_cli.layouts.layout import Layout
from nearid_cli.layouts.names import word_of
from nearid_cli.layouts.reach import Reach
from nearid_cli.layouts.registry import LAYOUTS
from nearid_cli.layouts.sides import Assigned, Side, Tree
from nearid_cli.layouts.tables.manifest import (
    MANIFESTS,
    Manifest,
    instead_of_a_manifest,
    is_manifest,
    read_manifest,
)
from nearid_cli.layouts.walk import Look
from nearid_cli.text import few, printable

logger = logging.getLogger(__name__)

_REFERENCES = frozenset(
    {"reference", "references", "ref", "refs", "real", "source", "sources", "original", "originals", "gt"}
    | {"reference_images", "instance_images", "instance", "ground_truth", "input", "inputs"}
)
_GENERATIONS = frozenset(
    {"generated", "generation", "generations", "gen", "gens", "fake", "synthetic", "sample", "samples"}
    | {"generated_images", "output", "outputs", "result", "results", "edited", "tgt_image"}
)


def look_at_side(side: Side, which: str, layout: Layout, reach: Reach) -> Assigned | Tree:
    """One side: as subjects where it says so itself, else as a tree.

    Args:
        side: as for `find`.
        which: `references` or `generations`.
        layout: as asked for.
        reach: where links and paths may lead.

    Raises:
        InputError: it is missing, empty or not laid out as asked for.
    """
    if isinstance(side, Assigned):
        return side.copy()
    return of_path(side, manifest_at(side, which, layout, reach), which, layout, reach)


@dataclass(frozen=True)
class Shared:
    """References that several data sets have in common: looked at once, when they are first asked for.

    Attributes:
        place: the folder or manifest.
        layout: as asked for.
        reach: where links and paths may lead.
    """

    place: Path
    layout: Layout
    reach: Reach

    @cached_property
    def manifest(self) -> Manifest | None:
        """See `manifest_at`."""
        return manifest_at(self.place, "references", self.layout, self.reach)

    @cached_property
    def _found(self) -> Assigned | Tree:
        return of_path(self.place, self.manifest, "references", self.layout, self.reach)

    def copy(self) -> Assigned | Tree:
        """What it holds, see `of_path`, as an object that a join may change."""
        return self._found.copy()


def manifest_at(path: Path, which: str, layout: Layout, reach: Reach) -> Manifest | None:
    """The manifest at `path`, or None for a folder."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError as error:
        raise InputError(f"no such folder: {printable(path)} (looked for {which})") from error
    except OSError as error:
        raise InputError(f"cannot read {which} {printable(path)}: {error.strerror}") from error
    if stat.S_ISDIR(mode):
        return None
    if not (is_manifest(path) and stat.S_ISREG(mode)):
        raise InputError(
            f"{which} {printable(path)} is a file: expected a folder or a manifest "
            f"({', '.join(MANIFESTS)}){instead_of_a_manifest(path)}"
        )
    if not layout.recognises:
        raise InputError(f"--layout {layout.name} needs folders, and {which} {printable(path)} is a manifest")
    return read_manifest(path, reach)


def of_path(
    root: Path, manifest: Manifest | None, which: str, layout: Layout, reach: Reach
) -> Assigned | Tree:
    """What a folder holds, or its manifest where there is one."""
    own, other = ("reference", "generation") if which == "references" else ("generation", "reference")
    if manifest is not None:
        return manifest.side(own)
    found = look_at(root, which, layout, reach)
    if isinstance(found, Tree):
        if (split := by_role(found.names)) and split[own]:
            # Pictures of the other role among them must not count as this one's.
            found.leave_out(f"{other}s among the {which}", split[other])
        if strange := called_otherwise(found.names, own):
            logger.warning(
                "among the %s %s are pictures that are called like %ss, and count as %s: %s",
                which,
                printable(root),
                other,
                which,
                few(strange),
            )
    return found


def look_at(root: Path, which: str, layout: Layout, reach: Reach) -> Assigned | Tree:
    """What lies in a folder: assigned to subjects where marker files say how, else as a tree.

    Raises:
        InputError: the folder is not laid out as `layout` says, or holds no pictures.
    """
    look = Look(root, reach)
    for one in LAYOUTS if layout.recognises else (layout,):
        found = (one.find_references if which == "references" else one.find_generations)(look)
        if isinstance(found, Assigned) and not any(True for _ in found.pictures()):
            raise empty(root, found.left_out, which)
        if found is not None:
            return found
    tree = look.tree
    for one in LAYOUTS:
        one.refuse_several(tree, which)
    if which in layout.must:
        raise unlike(root, layout, which)
    if not tree.names:
        raise empty(root, tree.left_out, which)
    return tree


def empty(root: Path, left_out: LeftOutFiles, which: str) -> InputError:
    """There is no picture."""
    return InputError(
        f"no pictures in {which} folder {printable(root)}: found {left_out.told()} "
        f"(looked at any depth for jpg, png, webp and other picture files){left_out.hint()}"
    )


def unlike(root: Path, layout: Layout, which: str) -> InputError:
    """A layout was asked for by name, and is not there."""
    return InputError(
        f"{which} folder {printable(root)} is not laid out as {layout.name}: expected {layout.expected}; "
        "leave out --layout to detect it"
    )


def by_role(names: Sequence[str]) -> dict[str, list[str]] | None:
    """References and generations of one tree, told by folders side by side that are called so.

    Args:
        names: of pictures, with `/`.

    Returns:
        `reference`, `generation` and `neither`, each with names in order; None where no folder holds both roles.

    >>> by_role(["cat/reference/0.jpg", "cat/generated/0.png", "cat/notes.png"])
    {'reference': ['cat/reference/0.jpg'], 'generation': ['cat/generated/0.png'], 'neither': ['cat/notes.png']}
    >>> by_role(["reference/cat/0.jpg", "dog/0.jpg"]) is None
    True
    """
    roles: dict[tuple[str, ...], set[str]] = defaultdict(set)
    said: dict[str, list[tuple[tuple[str, ...], str]]] = {}
    for folder in dict.fromkeys(name.rpartition("/")[0] for name in names):
        parts = tuple(folder.split("/"))
        said[folder] = [(parts[:at], role) for at, part in enumerate(parts) if (role := _role(part))]
        for parent, role in said[folder]:
            roles[parent].add(role)
    both = {parent for parent, found in roles.items() if len(found) == 2}
    if not both:
        return None
    split: dict[str, list[str]] = {"reference": [], "generation": [], "neither": []}
    for name in names:
        own = said[name.rpartition("/")[0]]
        split[next((role for parent, role in own if parent in both), "neither")].append(name)
    return split


def called_otherwise(names: Sequence[str], role: str) -> list[str]:
    """Those pictures of a side whose folders or whose own names say the other role, where not all do.

    >>> called_otherwise(["cat/0.png", "cat/reference.png", "cat/samples/1.png"], "generation")
    ['cat/reference.png']
    >>> called_otherwise(["outputs/cat/0.png", "refs/cat/0.png"], "reference")
    ['outputs/cat/0.png']
    """
    of_folders: dict[str, set[str | None]] = {}
    found = []
    for name in names:
        folder, _, file = name.rpartition("/")
        if folder not in of_folders:
            of_folders[folder] = set(map(_role, folder.split("/")))
        roles = {*of_folders[folder], _role(file.rpartition(".")[0])} - {None}
        if roles and role not in roles:
            found.append(name)
    return found if len(found) < len(names) else []


@cache
def _role(folder: str) -> str | None:
    word = word_of(folder)
    return "reference" if word in _REFERENCES else "generation" if word in _GENERATIONS else None
