"""Folders whose names, or those of files in them, say whose the pictures are: `folders`, `flat` and `prefix`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from nearid_cli.errors import InputError
from nearid_cli.layouts.layout import Layout, Naming
from nearid_cli.text import count, natural_key, printable

if TYPE_CHECKING:
    from nearid_cli.layouts.matching import SubjectIndex
    from nearid_cli.layouts.sides import Assigned, NamedFolder, Tree

_ORDINALS = ("1st", "2nd", "3rd")
_ALL_OF_ONE = "all are of one subject"


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
        return by_folder(0)


class _Flat(Layout):
    name = "flat"
    place = 20
    references_are = "all pictures, at any depth, are of one subject"
    generations_are = "the same"

    def read_references(self, tree: Tree, folders: Sequence[NamedFolder]) -> Naming:
        return of_one(tree.only_subject(folders))

    def read_generations(self, tree: Tree, folders: Sequence[NamedFolder], index: SubjectIndex) -> Assigned:
        (only,) = index.names
        return read_as_one(tree, folders, only)


class _Prefix(Layout):
    name = "prefix"
    place = 30
    references_are = "one folder per subject, or file names begin with it"
    generations_are = "file names begin with the subject, at any depth"

    def read_references(self, tree: Tree, folders: Sequence[NamedFolder]) -> Naming:
        return by_folder(0) if any(folder.folders for folder in folders) else by_file_name()

    def read_generations(self, tree: Tree, folders: Sequence[NamedFolder], index: SubjectIndex) -> Assigned:
        from nearid_cli.layouts.sides import Assigned

        loose = [one for folder in folders for one in tree.pictures(folder, None)]
        return Assigned(tree.root, self, loose=loose, left_out=tree.left_out)


FOLDERS, FLAT, PREFIX = _Folders(), _Flat(), _Prefix()


def by_folder(level: int, qualified: bool = False) -> Naming:
    """The subject is the folder at a level of the meaningful ones, 0 at the top.

    With `qualified`, one name below two parents is two subjects: they are called by their whole path.

    >>> by_folder(0).how, by_folder(3).how
    ('the subject is the 1st folder', 'the subject is the 4th folder')
    """
    nth = _ORDINALS[level] if level < len(_ORDINALS) else f"{level + 1}th"
    choice = "--refs-pattern '" + "*/" * level + "{subject}/**'" if level else "--layout folders"
    if qualified:
        choice = "give each a name of its own, on both sides"  # no pattern joins the parts of a path
    return Naming(
        FOLDERS,
        f"the subject is the {nth} folder",
        choice,
        lambda folder, _: folder.name_at(level, qualified) if len(folder.folders) > level else None,
        qualified=qualified,
    )


def of_one(subject: str) -> Naming:
    """All pictures are of one subject."""
    return Naming(FLAT, _ALL_OF_ONE, "--layout flat", lambda _, __: subject)


def read_as_one(tree: Tree, folders: Sequence[NamedFolder], subject: str) -> Assigned:
    """Every picture of a tree as one subject's, whatever the names say."""
    from nearid_cli.layouts.sides import Assigned

    own = [one for folder in folders for one in tree.pictures(folder, 0)]
    own.sort(key=lambda one: natural_key(one.name))
    return Assigned(tree.root, FLAT, {subject: own}, left_out=tree.left_out, how=_ALL_OF_ONE)


def by_file_name(whole: bool = False) -> Naming:
    """The subject is what a file's name begins with, or with `whole` all of it."""
    from nearid_cli.layouts.names import read_file_name

    if whole:
        how, choice = "the subject is a file's whole name", "--refs-pattern '**/{subject}.*'"
        return Naming(PREFIX, how, choice, lambda _, file: file, by_file=True)
    how = "the subject is what a file's name begins with"
    return Naming(PREFIX, how, "--layout prefix", lambda _, file: read_file_name(file).head, by_file=True)
