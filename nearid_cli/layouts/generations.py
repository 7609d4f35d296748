"""Reading the generations of a tree, once it is known which subjects have references."""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from nearid_cli.errors import InputError
from nearid_cli.layouts.found import Found, SeveralMethodsError, own_name, stem
from nearid_cli.layouts.matching import SubjectIndex, loose_key, mentions, told_apart
from nearid_cli.layouts.names import composed, is_category, is_phrase, read_file_name
from nearid_cli.layouts.reading import ByFileName, best_level, claims_by_level, name_at, nth_folder
from nearid_cli.layouts.tree import Directory, Tree, pictures
from nearid_cli.layouts.walk import natural_key
from nearid_cli.text import count, few, printable, quoted

logger = logging.getLogger(__name__)

Parents = tuple[str, ...]
_SHOWN = 6


def read_generations(
    tree: Tree,
    folders: Sequence[Directory],
    index: SubjectIndex,
    qualified: bool,
    called: frozenset[str] | None,
    references: Path,
) -> Found:
    """The generations of a tree by the names that its folders give their subjects; the others are loose.

    Args:
        tree: of the generations.
        folders: its folders.
        index: the subjects with references.
        qualified: whether these are called by the whole paths of their folders.
        references: their root, for messages.
        called: how the files of the only subject begin; None where it is called `subject` for want of a name.

    Raises:
        InputError: the folders above or beside the subjects can be read in two ways.
    """
    level = best_level(index, folders, qualified)
    if level is not None:
        _refuse_rivals(tree, folders, index, level, qualified)
        return _by_level(tree, folders, index, level, qualified, references)
    begun = any(index.beginning(stem(name)) for directory in folders for name in directory.names)
    if begun and _phrases_of_one(folders, index):
        return all_of_one(tree, folders, next(iter(index.names)))
    if begun:
        return _by_file_name(tree, folders, index, references)
    if index.alike(own_name(tree.root)):
        return all_of_one(tree, folders, own_name(tree.root))
    if len(index.names) == 1:
        (only,) = index.names
        return _of_the_only_subject(tree, folders, only, called)
    return _by_top_folder(tree, folders)


def _refuse_rivals(
    tree: Tree, folders: Sequence[Directory], index: SubjectIndex, level: int, qualified: bool
) -> None:
    """Raise InputError if folders at another level name subjects as well as those at this one do, and others."""
    levels = claims_by_level(index, folders, qualified)
    own = levels[level]
    for other, claims in levels.items():
        differ = any(own.get(at) != subject for at, subject in claims.items())
        more = len(set(claims.values())) - len(set(own.values()))
        if (
            other != level
            and differ
            and (more > 0 or (len(claims) == len(own) and len(set(claims.values())) > 1))
        ):
            raise InputError(
                f"generations {printable(tree.root)} name subjects in two levels of folders; choose one",
                [
                    f"{count(len(set(levels[at].values())), 'subject')} ({_few(sorted(set(levels[at].values())))}): "
                    f"--pattern '{'*/' * at}{{subject}}/**'"
                    for at in sorted((level, other))
                ],
            )


def _by_level(
    tree: Tree,
    folders: Sequence[Directory],
    index: SubjectIndex,
    level: int,
    qualified: bool,
    references: Path,
) -> Found:
    found = Found(tree.root, "folders", left_out=tree.left_out)
    deep = [directory for directory in folders if len(directory.folders) > level]
    subjects: dict[Parents, set[str]] = {directory.folders[:level]: set() for directory in deep}
    for directory in deep:
        subjects[directory.folders[:level]].update(index.alike(name_at(directory, level, qualified)))
    above = _above(tree, subjects, qualified, references)
    kinds = sorted({kind for said in above.values() for kind in said})
    found.how = f"the subject is the {nth_folder(level)}" + "".join(
        f", above it the {kind}" for kind in kinds
    )
    for directory in folders:
        if len(directory.folders) <= level:
            found.loose += pictures(tree, directory, None)
            continue
        name = name_at(directory, level, qualified)
        labels = above[directory.folders[:level]]
        found.subjects.setdefault(name, []).extend(pictures(tree, directory, level + 1, labels))
    below = {directory.folders[-1] for directory in deep if len(directory.folders) == level + 2}
    if len(below) > 1 and not any(is_phrase(name) or name.isdecimal() for name in below):
        logger.info(
            "folders below subjects are read as prompts: %s; if they are methods: --pattern '%s{subject}/{method}/**'",
            _few(sorted(below, key=natural_key)),
            "*/" * level,
        )
    return found


def _by_file_name(tree: Tree, folders: Sequence[Directory], index: SubjectIndex, references: Path) -> Found:
    how = ByFileName().how()
    found = Found(tree.root, "prefix", left_out=tree.left_out, how=how)
    subjects: dict[Parents, set[str]] = {}
    for directory in folders:
        own = subjects.setdefault(directory.folders, set())
        for name in directory.names:
            if beginning := index.beginning(stem(name)):
                own.update(beginning.subjects)
    above = _above(tree, {parent: own for parent, own in subjects.items() if parent}, False, references)
    for directory in folders:
        found.loose += pictures(tree, directory, None, above.get(directory.folders, {}))
    return found


def _above(
    tree: Tree, subjects: Mapping[Parents, set[str]], qualified: bool, references: Path
) -> Mapping[Parents, Mapping[str, str]]:
    """What the folders above the subjects' are: a class, prompts, or one method; a stop where they may be several.

    Args:
        tree: of the generations.
        subjects: those that each of these folders holds.
        qualified: whether subjects are called by the whole paths of their folders.
        references: their root, for messages.

    Raises:
        InputError: they look like methods, or like classes that share names.
    """
    parents = [parent for parent in subjects if parent]
    shown = {parent: "/".join(parent) for parent in parents}
    categories = qualified or (bool(parents) and all(is_category(parent[-1]) for parent in parents))
    if categories and not qualified and not _apart(subjects.values()):
        raise _classes_share_names(tree, subjects)
    if categories:
        kind = "category"
    elif len(parents) == 1:
        kind = "prompt" if is_phrase(shown[parents[0]]) else "method"
    elif all(is_phrase(text) or text.isdecimal() for text in shown.values()):
        kind = "prompt"
    elif _apart(subjects.values()):
        kind = "category"
    else:
        raise _methods_or_prompts(tree, parents, references)
    return {parent: {kind: shown[parent]} if parent else {} for parent in subjects}


def _apart(groups: Iterable[set[str]]) -> bool:
    """Whether no subject lies below two parents."""
    seen: set[str] = set()
    for group in groups:
        if seen & group:
            return False
        seen |= group
    return True


def _of_the_only_subject(
    tree: Tree, folders: Sequence[Directory], only: str, called: frozenset[str] | None
) -> Found:
    """Generations that name no subject, where only one has references: they are its, unless their names say otherwise.

    Raises:
        InputError: they are called like several subjects, or in folders like another one.
    """
    levels: dict[int, set[str]] = defaultdict(set)
    for directory in folders:
        for level, name in enumerate(directory.folders):
            if not is_phrase(name):
                levels[level].add(name)
    by_folder = max(levels.values(), key=len, default=set())
    heads = Counter(
        head.rstrip("0123456789 _.-")
        for directory in folders
        if not directory.folders
        for name in directory.names
        if (head := read_file_name(stem(name)).head) and not is_phrase(head)
    )
    others = sorted(by_folder | heads.keys(), key=natural_key)
    if (len(others) > 1 and (by_folder or max(heads.values()) > 1)) or (by_folder and called is not None):
        raise _several_names(tree, others, only)
    if len(heads) > 1 or (heads and called is not None and not called & set(map(loose_key, heads))):
        logger.warning(
            "generations %s are called %s; they are read as those of %s, the only subject with references",
            printable(tree.root),
            _few(others),
            told_apart(only),
        )
    return all_of_one(tree, folders, only)


def _phrases_of_one(folders: Sequence[Directory], index: SubjectIndex) -> bool:
    """Whether one subject has references, and file names are prompts with it, of which some begin with its name."""
    if len(index.names) > 1 or any(directory.folders for directory in folders):
        return False
    (only,) = index.names
    strange = [name for one in folders for name in map(stem, one.names) if not index.beginning(name)]
    return bool(strange) and all(is_phrase(name) and mentions(name, only) for name in strange)


def all_of_one(tree: Tree, folders: Sequence[Directory], subject: str) -> Found:
    """Every picture as one subject's, whatever the names say."""
    own = [one for directory in folders for one in pictures(tree, directory, 0)]
    own.sort(key=lambda one: natural_key(one.name))
    return Found(tree.root, "flat", {subject: own}, left_out=tree.left_out, how="all are of one subject")


def _by_top_folder(tree: Tree, folders: Sequence[Directory]) -> Found:
    """As plain as can be, for the message that nothing matches."""
    found = Found(
        tree.root, "folders" if any(one.folders for one in folders) else "flat", left_out=tree.left_out
    )
    for directory in folders:
        if directory.folders:
            found.subjects.setdefault(directory.folders[0], []).extend(pictures(tree, directory, 1))
        else:
            found.loose += pictures(tree, directory, None)
    return found


def _few(names: Sequence[str]) -> str:
    return few(names, _SHOWN, told_apart)


def _methods_or_prompts(tree: Tree, parents: Sequence[Parents], references: Path) -> SeveralMethodsError:
    root, refs = printable(tree.root), quoted(references)
    example = _place(tree, parents[0])
    depth = example.count("/") + 1
    every = quoted(f"{tree.root}{'/*' * depth}" if depth > 1 else tree.root)
    by_file = any(name.count("/") == depth for name in tree.names if name.startswith(f"{example}/"))
    pattern = "*/" * (depth - 1) + "{prompt}/" + ("{subject}_*" if by_file else "{subject}/**")
    return SeveralMethodsError(
        f"generations folder {root} holds {count(len(parents), 'folder')} rather than subjects: "
        f"{_few([_place(tree, parent) for parent in parents])}; if these are methods, a score is of one, so give one, "
        f"for example {quoted(f'{tree.root}/{example}')}; for all: nearid compare {every} --refs {refs}",
        [f"if they are prompts of one method: --pattern '{pattern}'"],
    )


def _place(tree: Tree, folders: Parents) -> str:
    """The path below the root at which these folders, and perhaps some that mean nothing, lie."""
    for name in tree.names:
        parts, left = name.split("/")[:-1], list(folders)
        for depth, part in enumerate(parts, 1):
            if left and composed(part) == left[0]:
                del left[0]
            if not left:
                return "/".join(parts[:depth])
    return "/".join(folders)


def _classes_share_names(tree: Tree, subjects: Mapping[Parents, set[str]]) -> InputError:
    twice = next(
        name
        for name in sorted(set().union(*subjects.values()))
        if sum(name in group for group in subjects.values()) > 1
    )
    places = ["/".join(parent) for parent, group in sorted(subjects.items()) if twice in group]
    return InputError(
        f"generations folder {printable(tree.root)} has {told_apart(twice)} below {_few(places)}",
        [
            "if these are different subjects, rename them, on both sides",
            "if they are one: --pattern '{category}/{subject}/**'",
        ],
    )


def _several_names(tree: Tree, names: Sequence[str], only: str) -> InputError:
    return InputError(
        f"generations {printable(tree.root)} are called {_few(names)}, and the only subject with references is "
        f"{told_apart(only)}",
        [
            "if all are pictures of it: --layout flat",
            "if these are prompts: --pattern '{prompt}/**', or '{prompt}_{seed}.*' for file names",
            "if they are subjects, give references of each: a folder with its name, or files that begin with it",
        ],
    )
