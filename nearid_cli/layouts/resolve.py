"""Reading the trees of both sides together: each side's names say what the other's mean."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from nearid_cli.errors import InputError
from nearid_cli.layouts.captions import with_prompts_beside
from nearid_cli.layouts.dataset import Picture
from nearid_cli.layouts.detect import unlike
from nearid_cli.layouts.generations import GenerationTree
from nearid_cli.layouts.given import is_given, is_list, several_subjects
from nearid_cli.layouts.kinds.plain import FLAT
from nearid_cli.layouts.layout import Layout
from nearid_cli.layouts.matching import SubjectIndex, index_of, loose_key, match_beginnings
from nearid_cli.layouts.names import (
    beginnings,
    folded,
    is_generic,
    own_name,
    read_file_name,
    spellings,
    stem,
    without_counters,
    without_leading,
)
from nearid_cli.layouts.pattern import Pattern, read_by_pattern
from nearid_cli.layouts.reach import WITHIN, Reach
from nearid_cli.layouts.references import ReferenceTree
from nearid_cli.layouts.registry import AUTO, layout_named
from nearid_cli.layouts.sides import Assigned, NamedFolder, Tree
from nearid_cli.options import LayoutOptions
from nearid_cli.text import few, natural_key, printable

logger = logging.getLogger(__name__)

_NUMBERS = re.compile(r"\d+")
_MAY_BE_BYPRODUCT = re.compile("mask|grid|class", re.IGNORECASE)


@dataclass(frozen=True)
class How:
    """How the user says that folders are laid out.

    Attributes:
        layout: that of both sides.
        references: what the paths of references are; None for what they say.
        generations: likewise of generations.
        reach: where links, and paths in tables, may lead.
    """

    layout: Layout = AUTO
    references: Pattern | None = None
    generations: Pattern | None = None
    reach: Reach = WITHIN

    @classmethod
    def of(cls, asked: str | LayoutOptions | How) -> How:
        """What is meant by a layout's name, or by options.

        Raises:
            UsageError: there is no such layout, or a pattern is none.
        """
        if isinstance(asked, How):
            return asked
        options = LayoutOptions(asked) if isinstance(asked, str) else asked
        patterns = (one if one is None else Pattern(one) for one in (options.refs_pattern, options.pattern))
        reach = Reach(follow_symlinks=options.follow_symlinks, allow_outside=options.allow_outside)
        references, generations = patterns
        return cls(layout_named(options.layout), references, generations, reach)

    def among(self, *places: object) -> How:
        """The same where these folders and manifests are given: what one of them points to may lie in another."""
        return replace(self, reach=self.reach.including(*places))


def resolve(references: Assigned | Tree, generations: Assigned | Tree, how: How) -> tuple[Assigned, Assigned]:
    """Both sides by subject.

    Args:
        references: by subject already, or a tree.
        generations: likewise.
        how: as asked for.

    Raises:
        UsageError: a pattern does not go with what is there.
        InputError: a tree can be read in two ways, or is not laid out as was asked.
    """
    layout = how.layout
    for tree, other, kind in (
        (references, generations, "generations among the references"),
        (generations, references, "references among the generations"),
    ):
        if isinstance(tree, Tree):
            if not is_given(other):
                tree.leave_out_folder(other.root, kind)
            _leave_out_byproducts(tree, other)
    sides = (references, generations)
    if layout.either and not any(isinstance(side, Assigned) and side.layout is layout for side in sides):
        raise unlike(references.root, layout, "references or generations")
    qualified = False
    generic: set[str] = set()
    listed = is_list(references)
    if isinstance(references, Tree):
        generic = _generic_on_both(references, generations)
        folders = references.folders(keep=lambda name: loose_key(name) in generic)
        others = _folders(generations, _possible_names(folders)) if how.references is None else []
        references, qualified = _read_references(references, folders, others, how)
    elif not references.subjects and references.loose:
        own = own_name(references.root)
        held = all(one.in_memory for one in references.loose)
        name = "subject" if held or is_generic(own) else own
        references = replace(references, subjects={name: references.loose}, loose=[])
    for side in sides:
        if isinstance(side, Tree):
            _say_pooled(side, generic)
    index = index_of(frozenset(references.subjects), references.keys)
    if isinstance(generations, Assigned):
        if is_list(generations) and len(index.names) > 1:
            raise several_subjects("generations", sorted(index.names, key=natural_key))
        return references, _with_prompts(_loose_to_one(generations, index), index, how)
    if how.generations is not None:
        found = read_by_pattern(generations, how.generations, index.only, index.is_exact)
        return references, _with_prompts(found, index, how)
    folders = _folders(generations, references.subjects)
    if read := layout.read_generations(generations, folders, index):
        return references, _with_prompts(read, index, how)
    heads = {head for one in references.pictures() if (head := read_file_name(stem(one.name)).head)}
    nameless = listed or (not heads and list(references.subjects) == ["subject"])
    called = None if nameless else frozenset(map(loose_key, heads))
    found = GenerationTree(generations, folders, index, qualified, called, references.root).read()
    if listed and len(found.subjects) > 1:
        raise several_subjects("references", list(found.subjects))
    return references, _with_prompts(found, index, how)


def resolve_references(side: Assigned | Tree, how: How) -> Assigned:
    """References by subject, where there are no generations to say more."""
    if isinstance(side, Assigned):
        return side
    _leave_out_byproducts(side)
    return _read_references(side, side.folders(), (), how)[0]


def names_of(side: Assigned | Tree) -> list[str]:
    """The names of a side's subjects, or whatever in a tree may be one."""
    return list(side.subjects) if isinstance(side, Assigned) else _possible_names(side.folders())


def _read_references(
    tree: Tree, folders: Sequence[NamedFolder], generations: Sequence[NamedFolder], how: How
) -> tuple[Assigned, bool]:
    """References by subject, and whether these are called by the whole path of their folder."""
    if how.references is not None:
        return read_by_pattern(tree, how.references, tree.only_subject(folders)), False
    reading = how.layout.read_references(tree, folders) or ReferenceTree(tree, folders, generations).read()
    found = Assigned(tree.root, reading.layout, left_out=tree.left_out, how=reading.how)
    for folder in folders:
        for one in tree.pictures(folder, None):
            subject = reading.subject_of(folder, stem(one.name) if reading.by_file else "")
            if subject is None:
                found.loose.append(one)
            else:
                found.subjects.setdefault(subject, []).append(one)
    found.subjects = _as_people_say(found.subjects)
    captions = {one.prompt for own in found.subjects.values() for one in own if one.prompt is not None}
    if len(found.subjects) == 1 and len(captions) > 1 and reading.layout is FLAT:
        raise InputError(
            f"the metadata of {printable(tree.root)} has {len(captions):,} captions and no column subject: whose "
            "picture is whose?",
            ["add a column subject; or, if all are of one subject: --layout flat"],
        )
    return found, reading.qualified


def _as_people_say(subjects: dict[str, list[Picture]]) -> dict[str, list[Picture]]:
    """`10_sks cat` is how a trainer wants a folder named, with its repeats and its token; the subject is `cat`."""
    names = {name: forms[-1] if len(forms := spellings(name)) == 3 else name for name in subjects}
    keys = [loose_key(name) for name in names.values()]
    # Nor where one would be the beginning of another, to which the trainer's words told it apart.
    return subjects if one_begins_another(keys) else {names[name]: own for name, own in subjects.items()}


def one_begins_another(keys: Iterable[str]) -> bool:
    """Whether one of these is how another one begins, or is there twice: in order, those that it begins follow it.

    >>> one_begins_another(["cat", "dog", "catfish"]), one_begins_another(["cat", "dog"])
    (True, False)
    """
    return any(b.startswith(a) for a, b in pairwise(sorted(keys)))


def _loose_to_one(found: Assigned, index: SubjectIndex) -> Assigned:
    """Loose generations of somebody's layout belong to the only subject, or to that which their folder names."""
    if found.subjects or not found.loose:
        return found
    own = index.only or own_name(found.root)
    return replace(found, subjects={own: found.loose}, loose=[]) if index.alike(own) else found


def _with_prompts(found: Assigned, index: SubjectIndex, how: How) -> Assigned:
    """Generations with the prompts in text files beside them."""
    begun = match_beginnings(index, {stem(one.name) for one in found.loose})

    def subject_of(one: Picture) -> str | None:
        beginning = begun.get(stem(one.name))
        return beginning.subjects[0] if beginning else None

    return with_prompts_beside(found, subject_of, how.reach)


def _folders(side: Assigned | Tree, known: Iterable[str]) -> list[NamedFolder]:
    """The folders of generations, in which names of references mean something whatever they look like."""
    if isinstance(side, Assigned):
        own = [NamedFolder((name,), {}, [one.name for one in own]) for name, own in side.subjects.items()]
        return own + ([NamedFolder((), {}, [one.name for one in side.loose])] if side.loose else [])
    keys = {loose_key(name) for name in known}
    shapes = {_NUMBERS.sub("0", key) for key in keys if _NUMBERS.search(key)}

    def keep(name: str) -> bool:
        key = loose_key(name)
        return key in keys or (_NUMBERS.sub("0", key) in shapes and _NUMBERS.search(key) is not None)

    return side.folders(keep, labels=True)


def _generic_on_both(references: Tree, generations: Assigned | Tree) -> set[str]:
    """Generic names on both sides that are subjects': they stand beside other subjects, or several side by side."""
    if isinstance(generations, Assigned):
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


def _possible_names(folders: Sequence[NamedFolder]) -> list[str]:
    above = (name for folder in folders for name in folder.folders)
    begun = (own for folder in folders for name in folder.names for own in beginnings(stem(name)))
    return list(dict.fromkeys((*above, *begun)))


def _leave_out_byproducts(tree: Tree, other: Assigned | Tree | None = None) -> None:
    """Masks, grids and the like are no pictures of a side, unless the other side has a subject called so."""
    names: Iterable[str] = other.names if isinstance(other, Tree) else ()
    subjects: set[str] = set()
    if isinstance(other, Assigned):
        names, subjects = (one.name for one in other.pictures()), set(other.subjects)
    for name in filter(_MAY_BE_BYPRODUCT.search, names):
        *folders, _ = name.split("/")
        own = stem(name)
        subjects.update(folders)
        if (bare := without_counters(without_leading(own))) != own:  # a bare `grid.png` is no subject's
            subjects.add(bare)
    tree.leave_out_byproducts(frozenset(map(folded, subjects)))
