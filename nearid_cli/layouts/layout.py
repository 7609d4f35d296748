"""A layout as an object, and the ways in which names may say whose a picture is.

For `--help` the layouts are loaded and nothing else: what reads folders is imported here for its types only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from nearid_cli.layouts.matching import SubjectIndex
    from nearid_cli.layouts.sides import Assigned, NamedFolder, Tree
    from nearid_cli.layouts.walk import Look


class Layout:
    """One way in which folders may be laid out. All that one does not override is as names say.

    Attributes:
        name: as `--layout` takes it and results give it.
        place: where it stands among the others, in lists and in the order in which they are asked for a folder.
        references_are: in the words of the documentation, what it takes for references.
        generations_are: likewise.
        expected: what a folder must have, for people who asked for the layout by name and lack it.
        must: the sides that must be so laid out, where it is asked for by name.
        either: whether at least one side must be.
        recognises: whether it stands for all layouts, of which each side may have another, and for manifests.
        needs_manifest: whether at least one side must be a manifest.
    """

    name: str
    place: int
    references_are = ""
    generations_are = "recognised"
    expected = ""
    must: tuple[str, ...] = ()
    either = False
    recognises = False
    needs_manifest = False

    def find_references(self, look: Look) -> Assigned | Tree | None:
        """The references of a folder whose marker files say whose they are; None for any other folder."""
        return None

    def find_generations(self, look: Look) -> Assigned | Tree | None:
        """Likewise generations."""
        return None

    def find_methods(self, look: Look) -> Assigned | None:
        """Generations of several methods, where a folder says itself which is whose; None for any other folder."""
        return None

    def holds_both(self, root: Path) -> bool:
        """Whether a folder holds references and generations, of one method or of those of `find_methods`."""
        return False

    def refuse_several(self, tree: Tree, side: str) -> None:
        """Raise SeveralMethodsError if a folder holds several methods, as this layout has them."""

    def read_references(self, tree: Tree, folders: Sequence[NamedFolder]) -> Naming | None:
        """How the references of a tree without marker files are read; None for what both sides say.

        Raises:
            InputError: they cannot be read so.
        """
        return None

    def read_generations(
        self, tree: Tree, folders: Sequence[NamedFolder], index: SubjectIndex
    ) -> Assigned | None:
        """The generations of a tree, whatever their names say; None for what these say."""
        return None


class Naming(NamedTuple):
    """Where in the paths of references the subject stands.

    Attributes:
        layout: the layout that results name.
        how: the reading in words.
        choice: the options that force it, or what else to do.
        subject_of: the subject of a picture in this folder with this stem; None where it has none.
        by_file: whether two pictures of one folder may have two subjects.
        qualified: whether subjects are called by the whole path of their folder.
    """

    layout: Layout
    how: str
    choice: str
    subject_of: Callable[[NamedFolder, str], str | None]
    by_file: bool = False
    qualified: bool = False
