"""Choosing how the references are read: the one way that the generations bear out, or a stop that shows both."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from nearid_cli.errors import InputError
from nearid_cli.layouts.found import own_name, stem
from nearid_cli.layouts.matching import mentions, pattern_of_mentions, told_apart, words
from nearid_cli.layouts.names import is_category, is_generic, without_counters
from nearid_cli.layouts.reading import AllOne, ByFileName, ByFolder, Fit, Reading, fit, groups_of
from nearid_cli.layouts.tree import Directory, Tree, directories
from nearid_cli.layouts.walk import natural_key
from nearid_cli.text import count, few, printable

logger = logging.getLogger(__name__)

_SHOWN_NAMES = 4


def choose(tree: Tree, references: Sequence[Directory], generations: Sequence[Directory]) -> Reading:
    """How to read the references of a tree.

    Folders count for more than file names, and a reading that all generations fit for more than one that some do.

    Args:
        tree: of the references.
        references: its folders.
        generations: those of the other side.

    Raises:
        InputError: two readings are possible that differ in whose picture is whose; names both and how to choose.
    """
    depth = max((len(directory.folders) for directory in references), default=0)
    levels = [fit(_by_folder(level, references), references, generations) for level in range(depth)]
    matched = [one for one in levels if one and one.claimed]
    if matched:
        return _folders_or_files(tree, _among_levels(tree, matched), references, generations)
    names = fit(ByFileName(), references, generations)
    whole = AllOne(subject_name(tree, references))
    if depth:
        if names and names.complete and len(names.subjects) > 1:
            return names.reading
        return _by_folder(0, references)
    if names and names.claimed:
        return _by_names(tree, names, whole, references, generations)
    one = _sure(fit(whole, references, generations))
    if ids := _by_ids(references, generations):
        raise doubt(tree, [ids, one])
    if names and len(names.groups) > 1:
        _several_names(tree, names, one, generations)
    return whole


def _folders_or_files(
    tree: Tree, chosen: Fit, references: Sequence[Directory], generations: Sequence[Directory]
) -> Reading:
    """The folders that both sides share, unless their files are called like subjects, and generations as these."""
    names = fit(ByFileName(), references, generations)
    if names and names.complete and _splits(names, chosen):
        if _says_little(chosen):
            return names.reading
        if _refines(names, chosen):
            if not _same_files(names, generations):
                raise _folders_or_files_doubt(tree, chosen, names)
            _warn_of_kinds(tree, chosen)
    if below := _folders_in_names(chosen, references, generations):
        paths = (name for one in generations for name in one.names)
        pattern = pattern_of_mentions(below, paths) or "**/*{subject}*"
        raise InputError(
            f"the references {printable(tree.root)} can be read in two ways; choose one",
            [
                f"{count(len(chosen.groups), 'subject')} ({_few(chosen.groups)}): {chosen.reading.how()}: "
                f"{chosen.reading.choice}",
                f"{count(len(below), 'subject')} ({_few(below)}): names of generations begin with two folders: "
                f"--refs-pattern '**/{{subject}}/*' --pattern '{pattern}'",
            ],
        )
    if _categories_only(chosen):
        begun, same = _begun_by_path(chosen, references, generations)
        if begun and not same:
            raise InputError(
                f"the folders {_few(chosen.groups)} of {printable(tree.root)} may be subjects, or kinds of subjects",
                [
                    f"{count(len(chosen.groups), 'subject')}, called as the folders: {chosen.reading.choice}",
                    f"{count(begun, 'subject')}, one for each file: put each in a folder of its name, on both sides, "
                    "or list them in a manifest",
                ],
            )
        if begun or len({one.folders for one in references}) > len(chosen.groups):
            _warn_of_kinds(tree, chosen)
    return chosen.reading


def _folders_or_files_doubt(tree: Tree, chosen: Fit, names: Fit) -> InputError:
    """The stop where folders may be subjects or kinds of these, with the pattern that parts the files."""
    stems = [(subject, stem(name)) for subject, own in names.groups.items() for name in own]
    if all(own == subject for subject, own in stems):
        how = "--refs-pattern '**/{subject}.*'"
    elif all(own.removeprefix(f"{subject}_").isdecimal() for subject, own in stems):
        how = "--refs-pattern '**/{subject}_{seed}.*'"
    else:
        how = "put each in a folder of its name"
    return InputError(
        f"the references {printable(tree.root)} can be read in two ways; choose one",
        [
            f"{count(len(chosen.groups), 'subject')} ({_few(chosen.groups)}): {chosen.reading.how()}: "
            f"{chosen.reading.choice}",
            f"{count(len(names.groups), 'subject')} ({_few(names.groups)}): {names.reading.how()}: {how}",
        ],
    )


def _folders_in_names(
    chosen: Fit, references: Sequence[Directory], generations: Sequence[Directory]
) -> set[str]:
    """The innermost folders of references, if all names of generations begin with these and the folder above."""
    if not all(len(one.folders) > 1 for one in references):
        return set()
    inner = {_path_words(one.folders[-2:]): one.folders[-1] for one in references}
    if len(inner) <= len(chosen.groups):
        return set()
    for parts in ((*one.folders, stem(name)) for one in generations for name in one.names):
        wholes = [words(part) for part in parts]
        if not any(whole[:end] in inner for whole in wholes for end in _ends(whole)):
            return set()
    return set(inner.values())


def _warn_of_kinds(tree: Tree, chosen: Fit) -> None:
    logger.warning(
        "folders %s of %s are read as subjects; if they are kinds of subjects, of which each file is one, put each in "
        "a folder of its name",
        _few(chosen.groups),
        printable(tree.root),
    )


def _begun_by_path(
    chosen: Fit, references: Sequence[Directory], generations: Sequence[Directory]
) -> tuple[int, bool]:
    """Whether each file may be a subject: all generations are called as one with its folder (`animal/00/1.png`).

    Returns:
        The number of such files, 0 where they are no subjects, and whether a generation is called just so.
    """
    files = {
        _path_words((*one.folders[-1:], stem(name)))
        for one in references
        for name in one.names
        if chosen.reading.subject_of(one, "")
    }
    if len(files) == len(chosen.groups):
        return 0, False
    same = False
    for directory in generations:
        for name in directory.names:
            parts = (*directory.folders, stem(name))
            begun = False
            for at in range(len(parts)):
                whole = _path_words(parts[at:])
                same = same or whole in files
                begun = begun or any(whole[:end] in files for end in _ends(whole))
            if not begun:
                return 0, False
    return len(files), same


def _path_words(parts: Iterable[str]) -> str:
    return words(" ".join(parts))


def _ends(text: str) -> list[int]:
    """Where words end."""
    return [at for at, letter in enumerate(text) if letter == "_"] + [len(text)]


def _refines(names: Fit, chosen: Fit) -> bool:
    """Whether file names part subjects of folders into several, none of which is in two of these."""
    return all(any(own <= whole for whole in chosen.groups.values()) for own in names.groups.values())


def _several_names(tree: Tree, names: Fit, one: Fit, generations: Sequence[Directory]) -> None:
    """References that are called like several subjects, of which the generations know nothing: a stop or a warning.

    A name that stands once may be a title: `front.jpg`, `side.jpg`.
    """
    paths = [name for folder in generations for name in folder.names]
    mentioned = pattern_of_mentions(names.groups, paths)
    parts = {part for path in paths for part in path.split("/")}
    several = sum(any(mentions(part, name) for part in parts) for name in names.groups) > 1
    if several or max(map(len, names.groups.values())) > 1:
        raise doubt(tree, [names, one], (f" --pattern '{mentioned}'" if mentioned else "", ""))
    logger.warning(
        "references %s are called %s, and no generation is; they are read as one subject",
        printable(tree.root),
        _few(names.groups),
    )


def subject_name(tree: Tree, references: Iterable[Directory]) -> str:
    """What the only subject of a folder of references is called: as the folder, or as all files begin, or `subject`."""
    name = own_name(tree.root)
    if not is_generic(name):
        return name
    references = list(references)
    folders = {directory.folders[:1] for directory in references}
    if len(folders) == 1 and (folder := next(iter(folders))):
        return folder[0]
    heads = groups_of(ByFileName(), references)
    named = sum(map(len, heads.values()))
    return next(iter(heads)) if len(heads) == 1 and named == len(tree.names) else "subject"


def doubt(tree: Tree, fits: Sequence[Fit], besides: Sequence[str] = ("", "")) -> InputError:
    """The stop where references can be read in two ways.

    Args:
        tree: of the references.
        fits: the readings.
        besides: what each needs besides the options that choose it.
    """
    return InputError(
        f"the references {printable(tree.root)} can be read in two ways; choose one",
        [
            f"{count(len(one.groups), 'subject')} ({_few(one.groups)}): {one.reading.how()}: {one.reading.choice}{also}"
            for one, also in zip(fits, besides, strict=True)
        ],
    )


@dataclass(frozen=True)
class Alternative:
    """A way to read references: in words, the option that chooses it, and the subjects that it finds."""

    how: str
    choice: str
    subjects: tuple[str, ...]


def alternatives(tree: Tree) -> list[Alternative]:
    """The ways in which the references of a tree can be read, whatever the generations say."""
    folders = directories(tree, keep=lambda _: False, labels=False)
    depth = max((len(one.folders) for one in folders), default=0)
    readings: list[Reading] = [_by_folder(level, folders) for level in range(depth)]
    readings += [ByFileName(), AllOne(subject_name(tree, folders))]
    found = [(reading, groups_of(reading, folders)) for reading in readings]
    return [Alternative(reading.how(), reading.choice, tuple(groups)) for reading, groups in found if groups]


def _by_folder(level: int, references: Sequence[Directory]) -> ByFolder:
    """The folders at a level; by their whole paths where a name stands below two parents."""
    parents: dict[str, set[tuple[str, ...]]] = defaultdict(set)
    for directory in references:
        if len(directory.folders) > level:
            parents[directory.folders[level]].add(directory.folders[:level])
    return ByFolder(level, any(len(own) > 1 for own in parents.values()))


def _among_levels(tree: Tree, matched: Sequence[Fit]) -> Fit:
    """Of the levels at which folders of both sides have names in common, the one that names the subjects."""
    chosen = matched[0]
    for deeper in matched[1:]:
        if deeper.parts_alike(chosen):
            if _categories_only(chosen):
                chosen = deeper
        elif deeper.complete and (not deeper.reading.qualified or _categories_only(chosen)):
            chosen = deeper  # subjects nested by class
        elif (
            (deeper.complete and not any(map(_has_letters, deeper.groups)))
            or not chosen.complete
            or (2 * deeper.claimed >= deeper.total and not deeper.complete and not deeper.reading.qualified)
        ):
            raise doubt(tree, [chosen, deeper])
    return chosen


def _by_names(
    tree: Tree,
    names: Fit,
    whole: AllOne,
    references: Sequence[Directory],
    generations: Sequence[Directory],
) -> Reading:
    """Flat references with names that generations share: several subjects, if all generations say so."""
    one = _sure(fit(whole, references, generations))
    unnamed = sum(len(directory.names) for directory in references) - sum(map(len, names.groups.values()))
    if len(names.groups) == 1 and not unnamed:
        return whole
    if not names.complete or unnamed or len(names.subjects) == 1:
        raise doubt(tree, [names, one])
    finer = _sure(fit(ByFileName(whole=True), references, generations))
    if finer.complete and len(finer.groups) > len(names.groups) and not _same_files(finer, generations):
        raise doubt(tree, [names, finer])
    return names.reading


def _by_ids(references: Sequence[Directory], generations: Sequence[Directory]) -> Fit | None:
    """Whether numbers may be subjects: each generation begins with that of a reference, and goes on."""
    finer = fit(ByFileName(whole=True), references, generations)
    if finer and finer.complete and len(finer.subjects) > 1 and not _same_files(finer, generations):
        return finer
    return None


def _same_files(finer: Fit, generations: Sequence[Directory]) -> bool:
    """Whether generations are called exactly as references: outputs named as their inputs are."""
    names = {words(name) for name in finer.groups}
    return any(words(stem(name)) in names for directory in generations for name in directory.names)


def _splits(names: Fit, chosen: Fit) -> bool:
    return len(names.groups) > len(chosen.groups) and len(names.subjects) > 1


def _categories_only(chosen: Fit) -> bool:
    return all(is_category(name.rpartition("/")[2]) for name in chosen.groups)


def _says_little(chosen: Fit) -> bool:
    return all(is_category(name.rpartition("/")[2]) or is_generic(name) for name in chosen.groups)


def _has_letters(name: str) -> bool:
    return any(map(str.isalpha, without_counters(name.rpartition("/")[2])))


def _sure(found: Fit | None) -> Fit:
    assert found is not None  # there are references, and these readings leave none of them out
    return found


def _few(names: Iterable[str]) -> str:
    ordered = sorted(names, key=natural_key)
    return few(ordered, _SHOWN_NAMES, told_apart)
