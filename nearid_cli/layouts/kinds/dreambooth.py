"""The data set of google/dreambooth: `dreambooth`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nearid_cli.layouts.layout import Layout

if TYPE_CHECKING:
    from nearid_cli.layouts.sides import Assigned
    from nearid_cli.layouts.walk import Look


class _DreamBooth(Layout):
    name = "dreambooth"
    place = 60
    references_are = "the google/dreambooth data set"
    expected = "prompts_and_classes.txt in it or in its dataset/"
    must = ("references",)

    def find_references(self, look: Look) -> Assigned | None:
        """The subjects, given the repository or its `dataset` folder."""
        for below in ("", "dataset"):
            if (look.root / below / "prompts_and_classes.txt").is_file():
                return look.below(below).by_folder(self, below)
        return None


LAYOUT = _DreamBooth()
