"""Matching subjects by name, never by order: exactly, then by what is left without case and separators."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

from nearid_cli.errors import InputError
from nearid_cli.layouts.names import (
    composed,
    folded,
    is_generic,
    spellings,
    without_counters,
    without_leading,
)
from nearid_cli.text import printable

# Between two digits a separator means something: 12_3 and 1_23 are two names.
_LOOSE_JOINERS = re.compile(r"(?<!\d)[\s_-]+|[\s_-]+(?!\d)")
_BETWEEN_DIGITS = re.compile(r"(?<=\d)[\s_-]+(?=\d)")
_SEPARATORS = re.compile(r"[\s_.-]+")
Key = Callable[[str], str]


def loose_key(name: str) -> str:
    """A name without case, spaces, `_` and `-`, in Unicode's composed form. Between digits a separator stays.

    >>> loose_key("Red-Cat 2") == loose_key("red_cat2")
    True
    >>> loose_key("12_3") == loose_key("1_23"), loose_key("2024-11-1") == loose_key("2024_11_1")
    (False, True)
    """
    bare = folded(name)
    return _BETWEEN_DIGITS.sub("_", _LOOSE_JOINERS.sub("", bare)) or bare


def words(name: str) -> str:
    """The words of a name, joined by `_`, whatever is between them.

    >>> words("Red Cat-0") == words("red_cat.0")
    True
    """
    bare = folded(name)
    return _SEPARATORS.sub("_", bare).strip("_") or bare


def shortened(whole: str) -> Iterator[str]:
    """Words joined by `_`, and what they begin with, the longest first.

    >>> list(shortened("01_flux_2"))
    ['01_flux_2', '01_flux', '01']
    """
    while whole:
        yield whole
        whole = whole.rpartition("_")[0]


class Beginning(NamedTuple):
    """The subjects that a file's name may begin with, and what follows in it, without counters."""

    subjects: tuple[str, ...]
    rest: str


class SubjectIndex:
    """The subjects with references, to be looked up by the names that generations use.

    Args:
        names: the subjects with references.
        keys: what makes two names alike besides `loose_key`, tried after it in this order.
    """

    def __init__(self, names: Iterable[str], keys: Iterable[Key] = ()) -> None:
        self.names = frozenset(names)
        ordered = sorted(self.names)
        self._composed = {composed(name): name for name in reversed(ordered)}
        self._by_key = [(key, _grouped((key(name), name) for name in ordered)) for key in (loose_key, *keys)]
        # As trainers write them: `10_sks cat`. On one side only: 10_cat and 20_cat are two names.
        self._by_spelling = _grouped(
            (loose_key(form), name) for name in ordered for form in spellings(name)[1:]
        )
        self._alike: dict[str, list[str]] = {}
        self._begun: dict[str, Beginning | None] = {}
        self._by_words = _grouped((words(form), name) for name in ordered for form in spellings(name))

    @property
    def only(self) -> str | None:
        """The subject, where there is but one."""
        return next(iter(self.names)) if len(self.names) == 1 else None

    def alike(self, name: str) -> list[str]:
        """The subjects that `name` may mean: one when it is clear, several when it is not."""
        if name not in self._alike:
            self._alike[name] = self._looked_up(name)
        return self._alike[name]

    def _looked_up(self, name: str) -> list[str]:
        if name in self.names:
            return [name]
        if same := self._composed.get(composed(name)):
            return [same]
        for key, by_key in self._by_key:
            if found := by_key.get(key(name)):
                return found
        if found := self._by_spelling.get(loose_key(name)):
            return found
        _, by_key = self._by_key[0]
        for form in spellings(name)[1:]:
            if found := by_key.get(loose_key(form)):
                return found
        return []

    def is_exact(self, name: str) -> bool:
        """Whether `name` is a subject's, but for its Unicode form."""
        return composed(name) in self._composed

    def beginning(self, stem: str) -> Beginning | None:
        """The subjects with the longest name that `stem` begins with, up to a separator; None without any.

        Counters and a trainer's word in front of the name do not matter.

        >>> SubjectIndex(["cat", "cat2", "red cat"]).beginning("Red-cat on a beach.004")
        Beginning(subjects=('red cat',), rest='on a beach')
        >>> SubjectIndex(["cat", "cat2"]).beginning("cat_2"), SubjectIndex(["cat"]).beginning("0003_cat")
        (Beginning(subjects=('cat',), rest=''), Beginning(subjects=('cat',), rest=''))
        """
        if stem not in self._begun:
            forms = (stem, *spellings(without_leading(stem)))
            self._begun[stem] = next((found for form in forms if (found := self._beginning(form))), None)
        return self._begun[stem]

    def _beginning(self, stem: str) -> Beginning | None:
        whole = words(stem)
        for begun in shortened(whole):
            if found := self._by_words.get(begun):
                exact = [name for name in found if stem.startswith(name)] if len(found) > 1 else found
                rest = whole[len(begun) + 1 :]
                if rest and not rest.replace("_", "").isdecimal():
                    after = _SEPARATORS.split(without_counters(stem).strip(" _.-"))[begun.count("_") + 1 :]
                    rest = " ".join(after)
                means = any(map(str.isalpha, rest)) and not is_generic(rest)
                return Beginning(tuple(exact if len(exact) == 1 else found), rest if means else "")
        return None


index_of = lru_cache(maxsize=8)(SubjectIndex)
"""The index of a frozen set of subjects, which remembers what it was asked."""


def match_subjects(index: SubjectIndex, names: Iterable[str]) -> dict[str, str]:
    """The subject with references that each name means; names without one are missing from the answer.

    An exact name wins: where `cat` is there, `Cat` means none.

    Raises:
        InputError: a name may mean several subjects, or several names mean one; lists every clash.
    """
    matched: dict[str, str] = {}
    clashes: list[str] = []
    claims: dict[str, list[str]] = defaultdict(list)
    for name in names:
        candidates = index.alike(name)
        if len(candidates) > 1:
            clashes.append(f"{told_apart(name)} may mean any of the references {_listed(candidates)}")
        elif candidates:
            claims[candidates[0]].append(name)
    for subject, claimants in claims.items():
        exact = [name for name in claimants if index.is_exact(name)]
        chosen = exact or claimants
        if len(chosen) > 1:
            clashes.append(f"{_listed(chosen)} all look like the reference {told_apart(subject)}")
        matched.update(dict.fromkeys(chosen, subject))
    if clashes:
        raise _ambiguous(clashes)
    return matched


def match_beginnings(index: SubjectIndex, stems: Iterable[str]) -> dict[str, Beginning]:
    """What each file stem begins with, one subject each; stems that begin with none are missing from the answer.

    Raises:
        InputError: a stem begins with a name that several subjects share, or goes on with the name of another
            subject (`backpack_dog_0`, where `backpack` and `dog` have references); lists every clash.
    """
    matched: dict[str, Beginning] = {}
    clashes: list[str] = []
    for stem in stems:
        found = index.beginning(stem)
        if found is None:
            continue
        if len(found.subjects) > 1:
            clashes.append(
                f"{told_apart(stem)} may belong to any of the references {_listed(found.subjects)}"
            )
        elif found.rest and (other := index.alike(found.rest)) and other != list(found.subjects):
            clashes.append(
                f"{told_apart(stem)} may belong to the references {_listed((*found.subjects, *other))} or to neither"
            )
        else:
            matched[stem] = found
    if clashes:
        raise _ambiguous(clashes)
    return matched


def pattern_of_mentions(subjects: Iterable[str], paths: Iterable[str]) -> str | None:
    """The pattern for generations whose names have those of subjects in their midst, as prompts do.

    >>> pattern_of_mentions(["cat", "dog"], ["a cat on a beach_0.png", "lora_dog_1.png"])
    '**/*{subject}*'
    >>> pattern_of_mentions(["cat", "dog"], ["a cat/0.png", "a dog/0.png"])
    '**/*{subject}*/**'
    >>> pattern_of_mentions(["cat", "dog"], ["catalogue_0.png", "dog house.png"]) is None
    True

    Returns:
        None where fewer than two subjects are mentioned.
    """
    wanted = sorted(subjects)
    files: set[str] = set()
    folders: set[str] = set()
    for path in paths:
        *parents, file = composed(path).split("/")
        for part, found in ((file, files), *((folder, folders) for folder in parents)):
            found.update(name for name in wanted if composed(name) in part and mentions(part, name))
    if len(files) > 1:
        return "**/*{subject}*"
    return "**/*{subject}*/**" if len(folders) > 1 else None


def mentions(text: str, name: str) -> bool:
    """Whether a name stands in a text as whole words, or anywhere in scripts that may not part words.

    >>> mentions("a red_cat on a mat.png", "Red cat"), mentions("a category", "cat")
    (True, False)
    """
    if not name.isascii():
        return folded(name) in folded(text)
    return f"_{words(name)}_" in f"_{words(text)}_"


def told_apart(name: str) -> str:
    r"""A name as it is shown where it must be told from others: with its code points where the eye may be deceived.

    >>> told_apart("cat"), told_apart("cat ")
    ('cat', "cat  ('cat ')")
    >>> told_apart("c\u0430t").isascii(), "(c\\u0430t)" in told_apart("c\u0430t")
    (False, True)
    """
    shown = printable(name)
    if not name.isascii():
        return f"{shown} ({name.encode('ascii', 'backslashreplace').decode()})"
    return f"{shown} ({name!r})" if name != name.strip() else shown


def _grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    groups: dict[str, dict[str, None]] = defaultdict(dict)
    for key, name in pairs:
        groups[key][name] = None
    return {key: list(names) for key, names in groups.items()}


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(told_apart, names))


def _ambiguous(clashes: list[str]) -> InputError:
    return InputError(
        "subject names are ambiguous; rename so that each matches exactly one, or say which part of a path is the "
        "subject with --pattern",
        clashes,
    )
