"""Imagefolders of Hugging Face datasets: pictures, and a `metadata` table in their folder or above that describes them.

Where no column says whose a picture is, folders or file names must. A caption never does.
"""

from __future__ import annotations

import logging
import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from nearid_cli.errors import InputError
from nearid_cli.layouts.dataset import LeftOutFiles, Picture
from nearid_cli.layouts.layout import Layout
from nearid_cli.layouts.names import composed
from nearid_cli.layouts.prompts import said
from nearid_cli.layouts.reach import OUTSIDE, Reach
from nearid_cli.layouts.sides import Assigned, Tree
from nearid_cli.layouts.tables.locate import NoPictureError
from nearid_cli.layouts.tables.spelling import Spellings, look_alike
from nearid_cli.layouts.tables.table import SHOWN, PictureTable, is_utf8, read_table
from nearid_cli.layouts.walk import Look
from nearid_cli.text import count, first_few, printable

logger = logging.getLogger(__name__)

_FILE_NAME = "file_name"
_FILES = ("metadata.csv", "metadata.jsonl", "metadata.parquet")

# By meaning the names of its column: those that say it plainly, then likely ones.
_MEANINGS = {
    "subject": (
        ("subject", "subject_name", "subject_id", "identity", "instance", "concept"),
        ("label", "class", "class_name", "name", "object"),
    ),
    "prompt": (("prompt",), ("text", "caption")),
    "seed": (("seed",),),
    "method": (("method",), ("model",)),
}


def find_described(look: Look, layout: Layout) -> Assigned | Tree | None:
    """The pictures of an imagefolder: by subject where a column says it, else as a tree whose pictures have captions.

    None for a folder without metadata that names files.

    Raises:
        InputError: the metadata and the pictures do not fit.
    """
    tree = look.tree
    others = tree.left_out.by_reason.get("other files", ())
    named = [one for one in others if posixpath.basename(one) in _FILES]
    look.check(*(tree.root / one for one in named))
    files = [one for one in named if _names_files(tree.root / one)]
    if not files or not tree.names:
        return None
    tree.leave_out_byproducts()
    unread = {
        reason: [name for name in names if name not in files]
        for reason, names in tree.left_out.by_reason.items()
    }
    left_out = LeftOutFiles({reason: names for reason, names in unread.items() if names})
    rows = read_metadata(look, tree.names, files)
    meaning = meanings(rows)
    subjects = subjects_of(rows, meaning)
    if subjects is None:
        logger.info(
            "no column of %s says whose a picture is: that is read from folders and names",
            printable(tree.root / files[0]),
        )
        return replace(tree, left_out=left_out, described=lambda one: meaning.described(one, rows[one.name]))
    found = Assigned(tree.root, layout, left_out=left_out)
    for name in tree.names:
        one = meaning.described(Picture.at(tree.root, name), rows[name])
        found.subjects.setdefault(composed(subjects[name]), []).append(one)
    return found


def find_methods_described(look: Look, layout: Layout) -> Assigned | None:
    """The pictures of several methods, where metadata right in the folder says whose and by which method each is.

    Raises:
        InputError: the metadata and the pictures do not fit.
    """
    if not any((look.root / name).is_file() for name in _FILES):
        return None
    found = find_described(look, layout)
    if isinstance(found, Assigned) and any(one.method for one in found.pictures()):
        return found
    return None


def read_metadata(look: Look, names: Sequence[str], files: Sequence[str]) -> dict[str, dict[str, str]]:
    """What the metadata of a folder says of its pictures.

    Args:
        look: the folder.
        names: of its pictures, relative to it.
        files: its metadata, in any of its folders. Paths in one count from its own folder.

    Returns:
        For every picture its cells by column without `file_name`, trimmed, without the empty ones.

    Raises:
        InputError: a file cannot be read, a row names a file that is not there, rows of one picture differ, or
            pictures have no row; all of them are listed.
    """
    root = look.root
    by_folder: dict[str, list[str]] = {}
    for file in files:
        by_folder.setdefault(str(PurePosixPath(file).parent), []).append(file)
    if several := [" and ".join(map(printable, own)) for own in by_folder.values() if len(own) > 1]:
        raise InputError(
            f"imagefolder {printable(root)} has several metadata files in one folder: {'; '.join(several)}; keep one"
        )
    rows: dict[str, dict[str, str]] = {}
    said: dict[str, str] = {}
    problems: list[str] = []
    outside = False
    wanted = set(names)
    for file in files:
        table = _read_described(root / file, look.reach)
        for row in table.rows:
            where = f"{printable(file)} {row.where}"
            try:
                place = table.picture(row, _FILE_NAME)
            except NoPictureError as error:
                problems.append(f"{where}: {error}")
                continue
            name = posixpath.normpath(posixpath.join(posixpath.dirname(file), place.name))
            if name.startswith("/"):
                name = posixpath.relpath(name, root.absolute().as_posix())
            cells = row.besides(_FILE_NAME)
            if strange := next((cell for cell in cells.values() if not is_utf8(cell)), None):
                raise table.not_utf8(row.where, strange)
            if name not in wanted:
                continue  # no picture, or one that the walk left out and named
            if rows.setdefault(name, cells) != cells:
                problems.append(f"{where}: says of {printable(name)} something else than {said[name]}")
            said.setdefault(name, where)
        problems += [f"{printable(file)} {problem}" for problem in table.problems]
        outside = outside or table.leads_outside
    for name in (name for name in names if name not in rows):
        # The metadata of its folder or of the nearest above should.
        above = map(str, PurePosixPath(name).parents)
        (nearest, *_) = next((by_folder[own] for own in above if own in by_folder), files)
        problems.append(f"{printable(name)}: no row of {printable(nearest)} names it")
    if problems:
        raise InputError(
            f"the metadata of imagefolder {printable(root)} and its pictures do not fit: "
            f"{count(len(problems), 'problem')}; mend the rows, or move pictures that are none of it elsewhere"
            + (f"; {OUTSIDE} takes paths that lie elsewhere" if outside else ""),
            first_few(problems, SHOWN),
        )
    return rows


class Meaning(NamedTuple):
    """Which column of an imagefolder's metadata says what; None for what no column says.

    All other columns are labels.
    """

    subject: str | None = None
    prompt: str | None = None
    seed: str | None = None
    method: str | None = None

    def described(self, picture: Picture, row: Mapping[str, str]) -> Picture:
        """The picture with what its row says of it."""
        prompt, seed, method = (
            column and row.get(column) for column in (self.prompt, self.seed, self.method)
        )
        used = {self.subject, self.prompt, self.seed, self.method}
        return replace(
            said(picture, prompt or None, "metadata"),
            seed=seed or picture.seed,
            method=method or picture.method,
            labels={**picture.labels, **{name: cell for name, cell in row.items() if name not in used}},
        )


def meanings(rows: Mapping[str, Mapping[str, str]]) -> Meaning:
    """What the columns mean, by their names alone; in any case.

    Args:
        rows: as `read_metadata` gives them.

    Raises:
        InputError: several columns may be the subject, or the prompt, and none is called so.

    >>> meanings({"0.png": {"Label": "cat", "text": "a cat", "source": "web"}})
    Meaning(subject='Label', prompt='text', seed=None, method=None)
    """
    columns = {look_alike(column): column for row in rows.values() for column in row}
    return Meaning(**{meaning: _column(meaning, columns) for meaning in _MEANINGS})


def subjects_of(rows: Mapping[str, Mapping[str, str]], meaning: Meaning) -> dict[str, str] | None:
    """Whose each picture is; None where no column says so.

    Raises:
        InputError: some rows do not say, or two subjects differ in case only; lists all of them.
    """
    column = meaning.subject
    if column is None:
        return None
    spellings = Spellings("subject")
    problems = []
    for name, row in rows.items():
        if column in row:
            spellings.add(row[column], printable(name))
        else:
            problems.append(f"{printable(name)}: its {printable(column)} is empty")
    problems = [*spellings.clashes(), *problems]
    if problems:
        raise InputError(
            f"the metadata does not say whose each picture is (column {printable(column)}); fill in, and write "
            "each name in one way",
            first_few(problems, SHOWN),
        )
    return {name: spellings.chosen(row[column]) for name, row in rows.items()}


def _column(meaning: str, columns: Mapping[str, str]) -> str | None:
    if meaning in columns:
        return columns[meaning]
    for names in _MEANINGS[meaning]:
        found = [columns[name] for name in names if name in columns]
        if len(found) > 1:
            raise InputError(
                f"the metadata has several columns that may be the {meaning}: "
                f"{', '.join(map(printable, found))}; rename the one that is to {meaning}"
            )
        if found:
            return found[0]
    return None


def _names_files(path: Path) -> bool:
    """Whether a table has a column `file_name`, or one for several files: others are called metadata, too.

    A table that cannot be read is taken for one that has, so that reading it says what is wrong.
    """
    try:
        table = read_table(path, "metadata", (), (_FILE_NAME,))
    except InputError:
        return True
    return any(
        column.lower().endswith(_FILE_NAME) or column.lower().endswith("file_names")
        for column in table.columns.values()
    )


def _read_described(path: Path, reach: Reach) -> PictureTable:
    try:
        return read_table(path, "metadata", [_FILE_NAME], [_FILE_NAME], reach=reach)
    except InputError as error:
        if "missing file_name" in error.message and "_file_name" in error.message:
            raise InputError(
                f"{error.message}; rows of several pictures are not read: give one picture a row, or a manifest"
            ) from error
        raise
