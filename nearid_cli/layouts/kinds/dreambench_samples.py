"""The samples of one method as DreamBench++ (yuangpeng/dreambench_plus) writes them: `dreambench++-samples`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from nearid_cli.layouts.layout import Layout
from nearid_cli.text import count, printable, quoted

if TYPE_CHECKING:
    from nearid_cli.layouts.layout import Look
    from nearid_cli.layouts.sides import Assigned, Tree

_REFERENCES, _GENERATIONS = "src_image", "tgt_image"


class _Samples(Layout):
    name = "dreambench++-samples"
    place = 40
    references_are = "`src_image/`, or plain folders"
    generations_are = "`tgt_image/`"
    expected = "src_image/ and tgt_image/ in it"
    must = ("generations",)

    def find_references(self, root: Path, look: Look) -> Assigned | None:
        return self._find(root, _REFERENCES)

    def find_generations(self, root: Path, look: Look) -> Assigned | None:
        return self._find(root, _GENERATIONS)

    def holds_both(self, root: Path) -> bool:
        return (root / _REFERENCES).is_dir() and (root / _GENERATIONS).is_dir()

    def refuse_several(self, tree: Tree, side: str) -> None:
        from nearid_cli.layouts.sides import SeveralMethodsError

        within = f"/{_GENERATIONS}/"
        methods = sorted({name.partition(within)[0] for name in tree.names if within in name})
        if methods:
            raise SeveralMethodsError(
                f"{side} folder {printable(tree.root)} holds the DreamBench++ samples of "
                f"{count(len(methods), 'method')}: {', '.join(map(printable, methods))}; "
                f"give one of them, for example {printable(tree.root / methods[0])}; for all: nearid compare "
                f"{quoted(tree.root)}"
            )

    def _find(self, root: Path, side: str) -> Assigned | None:
        """One side, given the method's folder or that of the side in it."""
        from nearid_cli.layouts.dataset import Picture
        from nearid_cli.layouts.names import own_name, stem
        from nearid_cli.layouts.walk import walk

        if self.holds_both(root):
            below, method = side, own_name(root)
        elif own_name(root) == side:
            below, method = "", own_name(root / os.pardir)
        else:
            return None
        found = walk(root, below).by_folder(self, below)
        if not found.subjects and not below:
            return None  # a flat folder that only shares the name
        for subject, pictures in found.subjects.items():
            found.subjects[subject] = [
                Picture.at(root, one.name, method, *_prompt_and_image(stem(one.name))) for one in pictures
            ]
        return found


LAYOUT = _Samples()


def _prompt_and_image(file_stem: str) -> tuple[str | None, str | None]:
    prompt, _, image = file_stem.partition("_")
    return (prompt, image) if prompt.isdecimal() and image.isdecimal() else (None, None)
