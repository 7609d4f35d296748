"""All pictures of one subject: `flat`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from nearid_cli.layouts.layout import Layout, Naming

if TYPE_CHECKING:
    from nearid_cli.layouts.matching import SubjectIndex
    from nearid_cli.layouts.sides import Assigned, NamedFolder, Tree


class _Flat(Layout):
    name = "flat"
    place = 20
    references_are = "all pictures, at any depth, are of one subject"
    generations_are = "the same"

    def read_references(self, tree: Tree, folders: Sequence[NamedFolder]) -> Naming:
        return AllOne(tree.only_subject(folders))

    def read_generations(self, tree: Tree, folders: Sequence[NamedFolder], index: SubjectIndex) -> Assigned:
        (only,) = index.names
        return all_of_one(tree, folders, only)


LAYOUT = _Flat()


class AllOne(Naming):
    """All pictures are of one subject."""

    layout = LAYOUT
    choice = "--layout flat"
    how = "all are of one subject"

    def __init__(self, name: str) -> None:
        self.name = name

    def subject_of(self, folder: NamedFolder, file: str) -> str:
        """That subject."""
        return self.name


def all_of_one(tree: Tree, folders: Sequence[NamedFolder], subject: str) -> Assigned:
    """Every picture as one subject's, whatever the names say."""
    from nearid_cli.layouts.names import natural_key
    from nearid_cli.layouts.sides import Assigned

    own = [one for folder in folders for one in tree.pictures(folder, 0)]
    own.sort(key=lambda one: natural_key(one.name))
    return Assigned(tree.root, LAYOUT, {subject: own}, left_out=tree.left_out, how=AllOne.how)
