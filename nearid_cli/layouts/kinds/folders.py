"""One folder a subject: `folders`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from nearid_cli.errors import InputError
from nearid_cli.layouts.layout import Layout, Naming
from nearid_cli.text import count, printable

if TYPE_CHECKING:
    from nearid_cli.layouts.sides import NamedFolder, Tree

_ORDINALS = ("1st", "2nd", "3rd")


class _Folders(Layout):
    name = "folders"
    place = 10
    references_are = generations_are = "one folder per subject"

    def read_references(self, tree: Tree, folders: Sequence[NamedFolder]) -> Naming:
        if not any(folder.folders for folder in folders):
            raise InputError(
                f"no subject folders in {printable(tree.root)}: {count(len(tree.names), 'picture')} right in it; "
                "leave out --layout folders, or give --layout flat if all are of one subject"
            )
        return ByFolder(0)


LAYOUT = _Folders()


class ByFolder(Naming):
    """The subject is the folder at a level of the meaningful ones, 0 at the top.

    With `qualified`, one name below two parents is two subjects: they are called by their whole path.
    """

    layout = LAYOUT

    def __init__(self, level: int, qualified: bool = False) -> None:
        self.level = level
        self.qualified = qualified
        self.how = f"the subject is the {nth_folder(level)}"
        self.choice = "--refs-pattern '" + "*/" * level + "{subject}/**'" if level else "--layout folders"
        if qualified:
            self.choice = "give each a name of its own, on both sides"  # no pattern joins the parts of a path

    def subject_of(self, folder: NamedFolder, file: str) -> str | None:
        """The name of the folder."""
        return folder.name_at(self.level, self.qualified) if len(folder.folders) > self.level else None


def nth_folder(level: int) -> str:
    """A level of folders in words.

    >>> nth_folder(0), nth_folder(3)
    ('1st folder', '4th folder')
    """
    return f"{_ORDINALS[level] if level < len(_ORDINALS) else f'{level + 1}th'} folder"
