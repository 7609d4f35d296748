"""What one side of a data set, its references or its generations, holds before the two are matched."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path

from nearid_cli.errors import InputError
from nearid_cli.layouts.dataset import Picture
from nearid_cli.layouts.left_out import LeftOut
from nearid_cli.layouts.manifest import Manifest
from nearid_cli.text import count, printable


@dataclass
class Found:
    """The pictures of one side.

    Attributes:
        root: the folder or manifest, as given.
        layout: how they were found.
        subjects: pictures by the subject's name on this side.
        loose: pictures that no folder assigns to a subject.
        left_out: files that were not taken, by reason.
        distractors: distractors by subject; manifests of references or generations may have them.
        keys: what makes two names of its subjects alike, besides the usual.
        unfit: names of pictures that do not fit the pattern that was given.
        how: in words, how the names were read; empty where files say it.
    """

    root: Path
    layout: str
    subjects: dict[str, list[Picture]] = field(default_factory=dict)
    loose: list[Picture] = field(default_factory=list)
    left_out: LeftOut = field(default_factory=LeftOut)
    distractors: dict[str, list[Picture]] = field(default_factory=dict)
    keys: tuple[Callable[[str], str], ...] = ()
    unfit: list[str] = field(default_factory=list)
    how: str = ""

    def pictures(self) -> Iterable[Picture]:
        """All pictures except distractors."""
        yield from self.loose
        for pictures in self.subjects.values():
            yield from pictures


Side = Path | Found
"""A folder or manifest, or pictures that somebody has assigned to subjects already."""


def picture(
    root: Path, name: str, method: str | None = None, prompt: str | None = None, seed: str | None = None
) -> Picture:
    """The picture `name` below `root`."""
    # One string for Path to parse: joining Path objects takes twice as long, and there are thousands.
    return Picture(Path(f"{root}/{name}"), name, method, prompt, seed)


def stem(name: str) -> str:
    r"""The last part of a name with `/`, without its extension.

    >>> stem("a cat/0.5.png"), stem("cat\\0.jpg"), stem("LICENSE")
    ('0.5', '0', 'LICENSE')
    """
    file = archived(name.rpartition("/")[2])[-1]
    return file.rpartition(".")[0] or file


def archived(file: str) -> list[str]:
    r"""A file's name as folders and a name, where an archive from Windows left it in one: `cat\0.jpg`."""
    pieces = file.split("\\") if "\\" in file else [file]
    return pieces if all(pieces) else [file]


def own_name(folder: Path) -> str:
    """The name of a folder even if it was given as `.` or `..`; `subject` for the root of the disk."""
    return os.path.basename(os.path.abspath(folder)) or "subject"  # noqa: PTH100, PTH119


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
    if role == "generation":
        check_one_method(f"manifest {printable(manifest.path)}", subjects)
    return Found(
        manifest.path, "manifest", subjects, [], deepcopy(manifest.left_out), manifest.roles["distractor"]
    )


class SeveralMethodsError(InputError):
    """Generations are of several methods, and a score is of one."""


def check_one_method(what: str, subjects: Mapping[str, Iterable[Picture]]) -> None:
    """Raise InputError if generations are of several methods."""
    methods = sorted({one.method or "" for pictures in subjects.values() for one in pictures})
    if len(methods) > 1:
        named = ", ".join(printable(name) or "(none)" for name in methods)
        raise SeveralMethodsError(
            f"{what} has generations of several methods: {named}; a score is of one method, so give those of one, "
            "or all of them to nearid compare"
        )
