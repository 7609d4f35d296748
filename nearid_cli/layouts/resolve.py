"""Reading the trees of both sides together: each side's names say what the other's mean."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from nearid_cli.errors import InputError
from nearid_cli.layouts.choosing import subject_name
from nearid_cli.layouts.dataset import Picture
from nearid_cli.layouts.detect import CUSTOMCONCEPT, Layout, unlike
from nearid_cli.layouts.found import Found, own_name, stem
from nearid_cli.layouts.generations import all_of_one, read_generations
from nearid_cli.layouts.inside import leave_out_inside
from nearid_cli.layouts.matching import SubjectIndex, index_of, loose_key
from nearid_cli.layouts.names import (
    beginnings,
    folded,
    is_generic,
    read_file_name,
    spellings,
    without_counters,
    without_leading,
)
from nearid_cli.layouts.pattern import Pattern, read_by_pattern
from nearid_cli.layouts.reading import Reading
from nearid_cli.layouts.sides import is_given, is_list, several_subjects
from nearid_cli.layouts.tree import Directory, Tree, directories, pictures
from nearid_cli.layouts.walk import Walk, leave_out_byproducts, natural_key
from nearid_cli.text import few, printable

logger = logging.getLogger(__name__)

_NUMBERS = re.compile(r"\d+")


def resolve(
    references: Found | Tree,
    generations: Found | Tree,
    layout: Layout,
    references_pattern: Pattern | None = None,
    pattern: Pattern | None = None,
) -> tuple[Found, Found]:
    """Both sides by subject.

    Args:
        references: by subject already, or a tree.
        generations: likewise.
        layout: as asked for.
        references_pattern: what the paths of references are.
        pattern: what the paths of generations are.

    Raises:
        UsageError: a pattern does not go with what is there.
        InputError: a tree can be read in two ways, or is not laid out as was asked.
    """
    for tree, other, kind in (
        (references, generations, "generations among the references"),
        (generations, references, "references among the generations"),
    ):
        if isinstance(tree, Tree):
            if not is_given(other):
                leave_out_inside(tree, other.root, kind)
            _leave_out_byproducts(tree, other)
    if layout is CUSTOMCONCEPT and layout.name not in _layouts(references, generations):
        raise unlike(references.root, layout, "references or generations")
    qualified = False
    generic: set[str] = set()
    sides = [side for side in (references, generations) if isinstance(side, Tree)]
    listed = is_list(references)
    if isinstance(references, Tree):
        generic = _generic_on_both(references, generations)
        folders = directories(references, keep=lambda name: loose_key(name) in generic, labels=False)
        if references_pattern is not None:
            references = read_by_pattern(references, references_pattern, subject_name(references, folders))
        else:
            reading = layout.read(references, folders, _folders(generations, _names(folders)))
            qualified = reading.qualified
            references = _by_reading(references, folders, reading)
    elif not references.subjects and references.loose:
        own = own_name(references.root)
        held = all(one.in_memory for one in references.loose)
        name = "subject" if held or is_generic(own) else own
        references = replace(references, subjects={name: references.loose}, loose=[])
    for tree in sides:
        _say_pooled(tree, generic)
    index = index_of(frozenset(references.subjects), references.keys)
    if isinstance(generations, Found):
        if is_list(generations) and len(index.names) > 1:
            raise several_subjects("generations", sorted(index.names, key=natural_key))
        return references, _loose_to_one(generations, index)
    if pattern is not None:
        only = next(iter(index.names)) if len(index.names) == 1 else None
        return references, read_by_pattern(generations, pattern, only, index.is_exact)
    folders = _folders(generations, references.subjects)
    if layout.one_subject:
        (only,) = index.names
        return references, all_of_one(generations, folders, only)
    if layout.by_file_name:
        loose = [one for folder in folders for one in pictures(generations, folder, None)]
        return references, Found(generations.root, "prefix", loose=loose, left_out=generations.left_out)
    called = None if listed else _called(references)
    found = read_generations(generations, folders, index, qualified, called, references.root)
    if listed and len(found.subjects) > 1:
        raise several_subjects("references", list(found.subjects))
    return references, found


def _called(references: Found) -> frozenset[str] | None:
    """How the files of references begin; None where neither they nor a folder name their subject."""
    heads = {head for one in references.pictures() if (head := read_file_name(stem(one.name)).head)}
    return (
        None if not heads and list(references.subjects) == ["subject"] else frozenset(map(loose_key, heads))
    )


def _by_reading(tree: Tree, folders: Sequence[Directory], reading: Reading) -> Found:
    found = Found(tree.root, reading.layout, left_out=tree.left_out, how=reading.how())
    for folder in folders:
        for one in pictures(tree, folder, None):
            subject = reading.subject_of(folder, stem(one.name) if reading.by_file else "")
            if subject is None:
                found.loose.append(one)
            else:
                found.subjects.setdefault(subject, []).append(one)
    found.subjects = _as_people_say(found.subjects)
    captions = {one.prompt for own in found.subjects.values() for one in own if one.prompt is not None}
    if len(found.subjects) == 1 and len(captions) > 1 and reading.layout == "flat":
        raise InputError(
            f"the metadata of {printable(tree.root)} has {len(captions):,} captions and no column subject: whose "
            "picture is whose?",
            ["add a column subject; or, if all are of one subject: --layout flat"],
        )
    return found


def _as_people_say(subjects: dict[str, list[Picture]]) -> dict[str, list[Picture]]:
    """`10_sks cat` is how a trainer wants a folder named, with its repeats and its token; the subject is `cat`."""
    names = {name: forms[-1] if len(forms := spellings(name)) == 3 else name for name in subjects}
    keys = [loose_key(name) for name in names.values()]
    # Nor where one would be the beginning of another, to which the trainer's words told it apart.
    if any(a != b and b.startswith(a) for a in keys for b in keys) or len(set(keys)) < len(keys):
        return subjects
    return {names[name]: own for name, own in subjects.items()}


def _loose_to_one(found: Found, index: SubjectIndex) -> Found:
    """Loose generations of somebody's layout belong to the only subject, or to that which their folder names."""
    if found.subjects or not found.loose:
        return found
    if len(index.names) == 1:
        return replace(found, subjects={next(iter(index.names)): found.loose}, loose=[])
    own = own_name(found.root)
    return replace(found, subjects={own: found.loose}, loose=[]) if index.alike(own) else found


def _folders(side: Found | Tree, known: Iterable[str]) -> list[Directory]:
    """The folders of generations, in which names of references mean something whatever they look like."""
    if isinstance(side, Found):
        own = [Directory((name,), {}, [one.name for one in own]) for name, own in side.subjects.items()]
        return own + ([Directory((), {}, [one.name for one in side.loose])] if side.loose else [])
    keys = {loose_key(name) for name in known}
    shapes = {_NUMBERS.sub("0", key) for key in keys if _NUMBERS.search(key)}

    def keep(name: str) -> bool:
        key = loose_key(name)
        return key in keys or (_NUMBERS.sub("0", key) in shapes and _NUMBERS.search(key) is not None)

    return directories(side, keep, labels=True)


def resolve_references(side: Found | Tree, layout: Layout, pattern: Pattern | None) -> Found:
    """References by subject, where there are no generations to say more."""
    if isinstance(side, Found):
        return side
    _leave_out_byproducts(side, Found(side.root, ""))
    folders = directories(side, keep=lambda _: False, labels=False)
    if pattern is not None:
        return read_by_pattern(side, pattern, subject_name(side, folders))
    return _by_reading(side, folders, layout.read(side, folders, []))


def names_of(side: Found | Tree) -> list[str]:
    """The names of a side's subjects, or whatever in a tree may be one."""
    return (
        list(side.subjects)
        if isinstance(side, Found)
        else _names(directories(side, lambda _: False, labels=False))
    )


def _generic_on_both(references: Tree, generations: Found | Tree) -> set[str]:
    """Generic names on both sides that are subjects': they stand beside other subjects, or several side by side."""
    if isinstance(generations, Found):
        return {loose_key(name) for name in generations.subjects}
    sides = [tree.generic_folders() for tree in (references, generations)]
    shared = sides[0].keys() & sides[1].keys()
    among_names = {
        name for name in shared if any(not is_generic(other) for side in sides for other in side[name])
    }
    side_by_side = {name for name in shared if all(side[name] & shared for side in sides)}
    return {loose_key(name) for name in among_names | side_by_side}


def _say_pooled(tree: Tree, kept: set[str]) -> None:
    """Warn of folders side by side that are taken for places since their names say nothing: they may be subjects."""
    pooled = sorted(
        name
        for name, beside in tree.generic_folders().items()
        if loose_key(name) not in kept and beside and all(map(is_generic, beside))
    )
    if len(pooled) > 1:
        logger.warning(
            "in %s, folders %s are taken for places and not for subjects (--pattern '{subject}/**' if they are)",
            printable(tree.root),
            few(pooled),
        )


def _names(folders: Sequence[Directory]) -> list[str]:
    names = {name: None for folder in folders for name in folder.folders}
    for folder in folders:
        for name in folder.names:
            names.update(dict.fromkeys(beginnings(stem(name))))
    return list(names)


def _leave_out_byproducts(tree: Tree, other: Found | Tree) -> None:
    names = [one.name for one in other.pictures()] if isinstance(other, Found) else other.names
    subjects = set(other.subjects) if isinstance(other, Found) else set()
    suspicious = [
        name for name in names if "mask" in name.lower() or "grid" in name.lower() or "class" in name.lower()
    ]
    for name in suspicious:
        *folders, _ = name.split("/")
        own = stem(name)
        subjects.update(folders)
        if (bare := without_counters(without_leading(own))) != own:  # a bare `grid.png` is no subject's
            subjects.add(bare)
    walked = Walk(tree.names, tree.left_out)
    leave_out_byproducts(walked, frozenset(map(folded, subjects)))
    tree.names = walked.names


def _layouts(*sides: Found | Tree) -> list[str]:
    return [side.layout for side in sides if isinstance(side, Found)]
