"""File names that begin with the subject: `prefix`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from nearid_cli.layouts.kinds.folders import ByFolder
from nearid_cli.layouts.layout import Layout, Naming

if TYPE_CHECKING:
    from nearid_cli.layouts.matching import SubjectIndex
    from nearid_cli.layouts.sides import Assigned, NamedFolder, Tree


class _Prefix(Layout):
    name = "prefix"
    place = 30
    references_are = "one folder per subject, or file names begin with it"
    generations_are = "file names begin with the subject, at any depth"

    def read_references(self, tree: Tree, folders: Sequence[NamedFolder]) -> Naming:
        return ByFolder(0) if any(folder.folders for folder in folders) else ByFileName()

    def read_generations(self, tree: Tree, folders: Sequence[NamedFolder], index: SubjectIndex) -> Assigned:
        from nearid_cli.layouts.sides import Assigned

        loose = [one for folder in folders for one in tree.pictures(folder, None)]
        return Assigned(tree.root, self, loose=loose, left_out=tree.left_out)


LAYOUT = _Prefix()


class ByFileName(Naming):
    """The subject is what a file's name begins with, or with `whole` all of it."""

    layout = LAYOUT
    by_file = True

    def __init__(self, whole: bool = False) -> None:
        self.whole = whole
        self.choice = "--refs-pattern '**/{subject}.*'" if whole else "--layout prefix"
        self.how = (
            "the subject is a file's whole name" if whole else "the subject is what a file's name begins with"
        )

    def subject_of(self, folder: NamedFolder, file: str) -> str | None:
        """The beginning of the name."""
        from nearid_cli.layouts.names import read_file_name

        return file if self.whole else read_file_name(file).head
