"""Reading the generations of a tree, once it is known which subjects have references."""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nearid_cli.errors import InputError
from nearid_cli.layouts.kinds.plain import FLAT, FOLDERS, PREFIX, by_file_name, by_folder, read_as_one
from nearid_cli.layouts.matching import SubjectIndex, loose_key, mentions, told_apart
from nearid_cli.layouts.names import (
    composed,
    is_category,
    is_phrase,
    own_name,
    read_file_name,
    stem,
)
from nearid_cli.layouts.references import best_level, claims_by_level
from nearid_cli.layouts.sides import Assigned, NamedFolder, SeveralMethodsError, Tree
from nearid_cli.text import count, few, natural_key, printable, quoted

logger = logging.getLogger(__name__)

Parents = tuple[str, ...]
_SHOWN = 6


@dataclass(frozen=True)
class GenerationTree:
    """A tree of generations with what is known of the references.

    Attributes:
        tree: the pictures.
        folders: its folders.
        index: the subjects with references.
        qualified: whether these are called by the whole paths of their folders.
        called: how the files of references begin; None where neither they nor a folder name the only subject.
        references: their root, for messages.
    """

    tree: Tree
    folders: Sequence[NamedFolder]
    index: SubjectIndex
    qualified: bool
    called: frozenset[str] | None
    references: Path

    def read(self) -> Assigned:
        """The generations by the names that folders give their subjects; the others are loose.

        Raises:
            InputError: the folders above or beside the subjects can be read in two ways.
        """
        level = best_level(self.index, self.folders, self.qualified)
        if level is not None:
            self._refuse_rivals(level)
            return self._by_level(level)
        only = self.index.only
        if any(self.index.beginning(stem(name)) for folder in self.folders for name in folder.names):
            if only and self._phrases_with(only):
                return read_as_one(self.tree, self.folders, only)
            return self._by_file_name()
        if self.index.alike(own_name(self.tree.root)):
            return read_as_one(self.tree, self.folders, own_name(self.tree.root))
        return self._of_the_only_subject(only) if only else self._by_top_folder()

    def _refuse_rivals(self, level: int) -> None:
        """Raise InputError if folders at another level name subjects as well as those at this one do, and others."""
        levels = claims_by_level(self.index, self.folders, self.qualified)
        named = {at: sorted(set(claims.values())) for at, claims in levels.items()}
        own = levels[level]
        for other, claims in levels.items():
            differ = any(own.get(at) != subject for at, subject in claims.items())
            as_well = len(named[other]) > len(named[level]) or (
                len(claims) == len(own) and len(named[other]) > 1
            )
            if other != level and differ and as_well:
                raise InputError(
                    f"generations {printable(self.tree.root)} name subjects in two levels of folders; choose one",
                    [
                        f"{count(len(named[at]), 'subject')} ({_few(named[at])}): "
                        f"--pattern '{'*/' * at}{{subject}}/**'"
                        for at in sorted((level, other))
                    ],
                )

    def _by_level(self, level: int) -> Assigned:
        found = Assigned(self.tree.root, FOLDERS, left_out=self.tree.left_out)
        deep = [folder for folder in self.folders if len(folder.folders) > level]
        subjects: dict[Parents, set[str]] = defaultdict(set)
        for folder in deep:
            subjects[folder.folders[:level]].update(self.index.alike(folder.name_at(level, self.qualified)))
        above = self._above(subjects, self.qualified)
        kinds = sorted({kind for said in above.values() for kind in said})
        found.how = by_folder(level).how + "".join(f", above it the {kind}" for kind in kinds)
        for folder in self.folders:
            if len(folder.folders) <= level:
                found.loose += self.tree.pictures(folder, None)
                continue
            own = found.subjects.setdefault(folder.name_at(level, self.qualified), [])
            own += self.tree.pictures(folder, level + 1, above[folder.folders[:level]])
        below = {folder.folders[-1] for folder in deep if len(folder.folders) == level + 2}
        if len(below) > 1 and not any(is_phrase(name) or name.isdecimal() for name in below):
            logger.info(
                "folders below subjects are read as prompts: %s; if they are methods: "
                "--pattern '%s{subject}/{method}/**'",
                _few(sorted(below, key=natural_key)),
                "*/" * level,
            )
        return found

    def _by_file_name(self) -> Assigned:
        how = by_file_name().how
        found = Assigned(self.tree.root, PREFIX, left_out=self.tree.left_out, how=how)
        subjects: dict[Parents, set[str]] = {}
        for folder in self.folders:
            own = subjects.setdefault(folder.folders, set())
            for name in folder.names:
                if beginning := self.index.beginning(stem(name)):
                    own.update(beginning.subjects)
        above = self._above({parent: own for parent, own in subjects.items() if parent}, False)
        for folder in self.folders:
            found.loose += self.tree.pictures(folder, None, above.get(folder.folders, {}))
        return found

    def _above(
        self, subjects: Mapping[Parents, set[str]], qualified: bool
    ) -> Mapping[Parents, Mapping[str, str]]:
        """What the folders above the subjects' are: a class, prompts, or one method.

        Args:
            subjects: those that each of these folders holds.
            qualified: whether subjects are called by the whole paths of their folders.

        Raises:
            InputError: they look like methods, or like classes that share names.
        """
        parents = [parent for parent in subjects if parent]
        shown = {parent: "/".join(parent) for parent in parents}
        categories = qualified or (bool(parents) and all(is_category(parent[-1]) for parent in parents))
        if categories and not qualified and not _apart(subjects.values()):
            raise self._classes_share_names(subjects)
        if categories:
            kind = "category"
        elif len(parents) == 1:
            kind = "prompt" if is_phrase(shown[parents[0]]) else "method"
        elif all(is_phrase(text) or text.isdecimal() for text in shown.values()):
            kind = "prompt"
        elif _apart(subjects.values()):
            kind = "category"
        else:
            raise self._methods_or_prompts(parents)
        return {parent: {kind: shown[parent]} if parent else {} for parent in subjects}

    def _of_the_only_subject(self, only: str) -> Assigned:
        """Generations that name no subject, where only one has references: its, unless their names say otherwise.

        Raises:
            InputError: they are called like several subjects, or in folders like another one.
        """
        levels: dict[int, set[str]] = defaultdict(set)
        for folder in self.folders:
            for level, name in enumerate(folder.folders):
                if not is_phrase(name):
                    levels[level].add(name)
        by_folder = max(levels.values(), key=len, default=set())
        heads = Counter(
            head.rstrip("0123456789 _.-")
            for folder in self.folders
            if not folder.folders
            for name in folder.names
            if (head := read_file_name(stem(name)).head) and not is_phrase(head)
        )
        others = sorted(by_folder | heads.keys(), key=natural_key)
        called = self.called
        if (len(others) > 1 and (by_folder or max(heads.values()) > 1)) or (by_folder and called is not None):
            raise InputError(
                f"generations {printable(self.tree.root)} are called {_few(others)}, and the only subject with "
                f"references is {told_apart(only)}",
                [
                    "if all are pictures of it: --layout flat",
                    "if these are prompts: --pattern '{prompt}/**', or '{prompt}_{seed}.*' for file names",
                    "if they are subjects, give references of each: a folder with its name, or files that begin with "
                    "it",
                ],
            )
        if len(heads) > 1 or (heads and called is not None and not called & set(map(loose_key, heads))):
            logger.warning(
                "generations %s are called %s; they are read as those of %s, the only subject with references",
                printable(self.tree.root),
                _few(others),
                told_apart(only),
            )
        return read_as_one(self.tree, self.folders, only)

    def _phrases_with(self, only: str) -> bool:
        """Whether file names are prompts with the only subject, of which some begin with its name."""
        if any(folder.folders for folder in self.folders):
            return False
        stems = [stem(name) for folder in self.folders for name in folder.names]
        strange = [name for name in stems if not self.index.beginning(name)]
        return bool(strange) and all(is_phrase(name) and mentions(name, only) for name in strange)

    def _by_top_folder(self) -> Assigned:
        """As plain as can be, for the message that nothing matches."""
        deep = any(one.folders for one in self.folders)
        layout = FOLDERS if deep else FLAT
        found = Assigned(self.tree.root, layout, left_out=self.tree.left_out)
        for folder in self.folders:
            if folder.folders:
                found.subjects.setdefault(folder.folders[0], []).extend(self.tree.pictures(folder, 1))
            else:
                found.loose += self.tree.pictures(folder, None)
        return found

    def _methods_or_prompts(self, parents: Sequence[Parents]) -> SeveralMethodsError:
        root = self.tree.root
        example = self._place(parents[0])
        depth = example.count("/") + 1
        every = quoted(f"{root}{'/*' * depth}" if depth > 1 else root)
        by_file = any(name.count("/") == depth for name in self.tree.names if name.startswith(f"{example}/"))
        pattern = "*/" * (depth - 1) + "{prompt}/" + ("{subject}_*" if by_file else "{subject}/**")
        return SeveralMethodsError(
            f"generations folder {printable(root)} holds {count(len(parents), 'folder')} rather than subjects: "
            f"{_few([self._place(parent) for parent in parents])}; if these are methods, a score is of one, so give "
            f"one, for example {quoted(f'{root}/{example}')}; for all: nearid compare {every} "
            f"--refs {quoted(self.references)}",
            [f"if they are prompts of one method: --pattern '{pattern}'"],
        )

    def _place(self, folders: Parents) -> str:
        """The path below the root at which these folders, and perhaps some that mean nothing, lie."""
        for name in self.tree.names:
            parts, left = name.split("/")[:-1], list(folders)
            for depth, part in enumerate(parts, 1):
                if left and composed(part) == left[0]:
                    del left[0]
                if not left:
                    return "/".join(parts[:depth])
        return "/".join(folders)

    def _classes_share_names(self, subjects: Mapping[Parents, set[str]]) -> InputError:
        twice = next(
            name
            for name in sorted(set().union(*subjects.values()))
            if sum(name in group for group in subjects.values()) > 1
        )
        places = ["/".join(parent) for parent, group in sorted(subjects.items()) if twice in group]
        return InputError(
            f"generations folder {printable(self.tree.root)} has {told_apart(twice)} below {_few(places)}",
            [
                "if these are different subjects, rename them, on both sides",
                "if they are one: --pattern '{category}/{subject}/**'",
            ],
        )


def _apart(groups: Collection[set[str]]) -> bool:
    """Whether no subject lies below two parents."""
    return sum(map(len, groups)) == len(set().union(*groups))


def _few(names: Sequence[str]) -> str:
    return few(names, _SHOWN, told_apart)
