"""The layouts by name, and which of them a folder has: by its marker files first, then by its shape."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from nearid_cli.errors import InputError, UsageError
from nearid_cli.layouts import customconcept, dreambench, imagefolder
from nearid_cli.layouts.choosing import choose, subject_name
from nearid_cli.layouts.found import Found
from nearid_cli.layouts.reading import AllOne, ByFileName, ByFolder, Reading
from nearid_cli.layouts.tree import Directory, Tree
from nearid_cli.layouts.walk import Walk, scan
from nearid_cli.text import count, printable, unknown

Look = Callable[[], Walk]
Recognise = Callable[[Path, Look], Found | Tree | None]
Read = Callable[[Tree, Sequence[Directory], Sequence[Directory]], Reading]


@dataclass(frozen=True)
class Layout:
    """How folders may be laid out.

    Attributes:
        name: as `--layout` takes it.
        references: recognises folders of references by their marker files.
        generations: likewise of generations.
        expected: what a folder must have, where the layout is asked for by name.
        needs_both: whether both sides that it can recognise must be so laid out, or one is enough.
        read: how references without marker files are read.
        by_file_name: whether generations go by the names of their files and never by their folders.
        one_subject: whether everything is of one subject, whatever names say.
    """

    name: str
    references: Recognise | None = None
    generations: Recognise | None = None
    expected: str = ""
    needs_both: bool = True
    read: Read = choose
    by_file_name: bool = False
    one_subject: bool = False


def _by_top_folder(tree: Tree, references: Sequence[Directory], _: Sequence[Directory]) -> Reading:
    if not any(directory.folders for directory in references):
        raise InputError(
            f"no subject folders in {printable(tree.root)}: {count(len(tree.names), 'picture')} right in it; "
            "leave out --layout folders, or give --layout flat if all are of one subject"
        )
    return ByFolder(0)


def _by_file_name(_: Tree, references: Sequence[Directory], __: Sequence[Directory]) -> Reading:
    return ByFolder(0) if any(directory.folders for directory in references) else ByFileName()


def _all_one(tree: Tree, references: Sequence[Directory], _: Sequence[Directory]) -> Reading:
    return AllOne(subject_name(tree, references))


AUTO = Layout("auto")
SAMPLES = Layout(
    "dreambench++-samples",
    references=dreambench.find_sources,
    generations=dreambench.find_targets,
    expected="src_image/ and tgt_image/ in it",
)
CUSTOMCONCEPT = Layout(
    "customconcept101",
    references=customconcept.find_concepts,
    generations=customconcept.find_samples,
    expected="a dataset.json in the references, or samples/ and prompts.json in the generations",
    needs_both=False,
)
IMAGEFOLDER = Layout(
    "imagefolder",
    references=imagefolder.find_described,
    generations=imagefolder.find_described,
    expected="a metadata.csv, .jsonl or .parquet with a column file_name",
    needs_both=False,
)
# Those with marker files, in the order in which they are looked for.
_MARKED = (
    SAMPLES,
    Layout(
        "dreambench++",
        references=dreambench.find_dreambench_data,
        expected="images/<category>/<NN>.jpg and captions/ in it",
    ),
    Layout(
        "dreambooth",
        references=dreambench.find_dreambooth,
        expected="prompts_and_classes.txt in it or in its dataset/",
    ),
    CUSTOMCONCEPT,
    IMAGEFOLDER,
)
MANIFEST = Layout("manifest")
_ALL = (
    AUTO,
    Layout("folders", read=_by_top_folder),
    Layout("flat", read=_all_one, one_subject=True),
    Layout("prefix", read=_by_file_name, by_file_name=True),
    *_MARKED,
    MANIFEST,
)
LAYOUTS = tuple(layout.name for layout in _ALL)


def layout_named(name: str) -> Layout:
    """The layout of a name.

    Raises:
        UsageError: there is none.
    """
    for layout in _ALL:
        if layout.name == name:
            return layout
    raise UsageError(unknown("layout", name, LAYOUTS))


def look_at(root: Path, side: str, layout: Layout) -> Found | Tree:
    """What lies in a folder: assigned to subjects where marker files say how, else as a tree.

    Args:
        root: the folder.
        side: `references` or `generations`.
        layout: as asked for.

    Raises:
        InputError: the folder is not laid out as `layout` says, or holds no pictures.
    """
    look = cache(lambda: scan(root))
    candidates = _MARKED if layout in (AUTO, MANIFEST) else (layout,)
    for candidate in candidates:
        recognise = candidate.references if side == "references" else candidate.generations
        found = recognise(root, look) if recognise else None
        if isinstance(found, Found):
            return not_empty(found, side)
        if found is not None:
            return found
        if recognise and candidate is layout and layout.needs_both and not _plain_sources(layout, side):
            dreambench.refuse_methods(root, look(), side)
            raise unlike(root, layout, side)
    walked = look()
    dreambench.refuse_methods(root, walked, side)
    if not walked.names:
        raise empty(Found(root, "", left_out=walked.left_out), side)
    return Tree(root, walked.names, walked.left_out)


def _plain_sources(layout: Layout, side: str) -> bool:
    """Samples of DreamBench++ may be compared with any references."""
    return layout is SAMPLES and side == "references"


def not_empty(found: Found, side: str) -> Found:
    """The same, if it has pictures.

    Raises:
        InputError: it has none.
    """
    if any(True for _ in found.pictures()):
        return found
    raise empty(found, side)


def empty(found: Found, side: str) -> InputError:
    """There is no picture."""
    others = ", ".join(f"{number:,} {reason}" for reason, number in found.left_out.counts().items())
    return InputError(
        f"no pictures in {side} folder {printable(found.root)}: found {others or 'nothing'} "
        f"(looked at any depth for jpg, png, webp and other picture files)"
    )


def unlike(root: Path, layout: Layout, side: str) -> InputError:
    """A layout was asked for by name, and is not there."""
    return InputError(
        f"{side} folder {printable(root)} is not laid out as {layout.name}: expected {layout.expected}; "
        "leave out --layout to detect it"
    )
