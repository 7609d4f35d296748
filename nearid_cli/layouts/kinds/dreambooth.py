"""The data set of google/dreambooth: `dreambooth`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from nearid_cli.layouts.layout import Layout, Look

if TYPE_CHECKING:
    from nearid_cli.layouts.sides import Assigned


class _DreamBooth(Layout):
    name = "dreambooth"
    place = 60
    references_are = "the google/dreambooth data set"
    expected = "prompts_and_classes.txt in it or in its dataset/"
    must = ("references",)

    def find_references(self, root: Path, look: Look) -> Assigned | None:
        """The subjects, given the repository or its `dataset` folder."""
        from nearid_cli.layouts.walk import walk

        for below in ("", "dataset"):
            if (root / below / "prompts_and_classes.txt").is_file():
                return walk(root, below).by_folder(self, below)
        return None


LAYOUT = _DreamBooth()
