"""What one side of a data set, its references or its generations, holds before the two are matched."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from nearid_cli.layouts.dataset import Picture
from nearid_cli.layouts.left_out import LeftOut


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
    """

    root: Path
    layout: str
    subjects: dict[str, list[Picture]] = field(default_factory=dict)
    loose: list[Picture] = field(default_factory=list)
    left_out: LeftOut = field(default_factory=LeftOut)
    distractors: dict[str, list[Picture]] = field(default_factory=dict)

    def pictures(self) -> Iterable[Picture]:
        """All pictures except distractors."""
        yield from self.loose
        for pictures in self.subjects.values():
            yield from pictures


def picture(
    root: Path, name: str, method: str | None = None, prompt: str | None = None, seed: str | None = None
) -> Picture:
    """The picture `name` below `root`."""
    # One string for Path to parse: joining Path objects takes twice as long, and there are thousands.
    return Picture(Path(f"{root}/{name}"), name, method, prompt, seed)


def stem(name: str) -> str:
    """The last part of a name with `/`, without its extension.

    >>> stem("a cat/0.5.png")
    '0.5'
    """
    return name.rpartition("/")[2].rpartition(".")[0]


def own_name(folder: Path) -> str:
    """The name of a folder even if it was given as `.` or `..`; `subject` for the root of the disk."""
    return os.path.basename(os.path.abspath(folder)) or "subject"  # noqa: PTH100, PTH119
