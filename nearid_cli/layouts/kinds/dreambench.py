"""The data of DreamBench++ (yuangpeng/dreambench_plus), one subject a picture: `dreambench++`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from nearid_cli.layouts.layout import Layout

if TYPE_CHECKING:
    from nearid_cli.layouts.layout import Look
    from nearid_cli.layouts.sides import Assigned

_ENTRY = re.compile(r"(.*?[_-][0-9]+)(?:[_-].*)?", re.DOTALL)


class _DreamBench(Layout):
    name = "dreambench++"
    place = 50
    references_are = "the DreamBench++ data"
    expected = "images/<category>/<NN>.jpg and captions/ in it"
    must = ("references",)

    def find_references(self, root: Path, look: Look) -> Assigned | None:
        """The subjects, given the `data` folder or the `images` in it.

        A subject is named as in the benchmark's samples: `<category>_<NN>_<subject>`, where the subject
        is the first line of its caption file. Without a caption file the name ends after the number.
        """
        from nearid_cli.layouts.dataset import Picture
        from nearid_cli.layouts.matching import loose_key
        from nearid_cli.layouts.names import own_name, stem
        from nearid_cli.layouts.sides import Assigned
        from nearid_cli.layouts.walk import walk

        if (root / "images").is_dir() and (root / "captions").is_dir():
            below, captions = "images", root / "captions"
        elif own_name(root) == "images" and (root / ".." / "captions").is_dir():
            below, captions = "", root / ".." / "captions"
        else:
            return None
        walked = walk(root, below)
        found = Assigned(root, self, left_out=walked.left_out, keys=(loose_key, entry_key))
        for name in walked.names:
            inner = name[len(below) + 1 :] if below else name
            categories, number = inner.split("/")[:-1], stem(inner)
            if not (categories and number.isdecimal()):
                return None
            subject = _entry_name(categories, number, captions)
            found.subjects.setdefault(subject, []).append(Picture.at(root, name))
        return found


LAYOUT = _DreamBench()


def _entry_name(categories: list[str], number: str, captions: Path) -> str:
    names = list(categories)
    if names in (["animal"], ["human"]):  # the benchmark says live_subject in samples however data is nested
        names.insert(0, "live_subject")
    caption = captions.joinpath(*categories, f"{number}.txt")
    if caption.is_file():
        lines = caption.read_text("utf-8", "replace").splitlines()
        if lines and lines[0].strip():
            return "_".join([*names, number, *lines[0].lower().split()])
    return "_".join([*names, number])


def entry_key(name: str) -> str:
    """What names one picture of DreamBench++: category and number, without the subject.

    >>> entry_key("object_00_red_bag") == entry_key("object_00")
    True
    """
    from nearid_cli.layouts.matching import loose_key

    match = _ENTRY.fullmatch(name)
    return loose_key(match[1] if match else name)
