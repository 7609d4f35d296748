"""Matching subjects by name, never by order: exactly, then by what is left without case and separators."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable

from nearid_cli.errors import InputError
from nearid_cli.text import printable

_JOINERS = re.compile(r"[\s_-]+")
_SEPARATORS = re.compile(r"[\s_.-]+")
Key = Callable[[str], str]


def _folded(name: str) -> str:
    # Twice: case folding can leave a composed form decomposed.
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def loose_key(name: str) -> str:
    """A name without case, spaces, `_` and `-`, in Unicode's composed form.

    >>> loose_key("Red-Cat 2") == loose_key("red_cat2")
    True
    """
    folded = _folded(name)
    return _JOINERS.sub("", folded) or folded


def _words(name: str) -> str:
    folded = _folded(name)
    return _SEPARATORS.sub("_", folded).strip("_") or folded


class SubjectIndex:
    """The subjects with references, to be looked up by the names that generations use.

    Args:
        names: the subjects with references.
        keys: what makes two names alike, tried in this order after equality.
    """

    def __init__(self, names: Iterable[str], keys: Iterable[Key] = (loose_key,)) -> None:
        self.names = frozenset(names)
        self._by_key: list[tuple[Key, dict[str, list[str]]]] = []
        for key in keys:
            by_key = defaultdict(list)
            for name in sorted(self.names):
                by_key[key(name)].append(name)
            self._by_key.append((key, dict(by_key)))
        self._by_words: dict[str, list[str]] = defaultdict(list)
        for name in sorted(self.names):
            self._by_words[_words(name)].append(name)

    def alike(self, name: str) -> list[str]:
        """The subjects that `name` may mean: one when it is clear, several when it is not."""
        if name in self.names:
            return [name]
        for key, by_key in self._by_key:
            if found := by_key.get(key(name)):
                return found
        return []

    def beginning(self, stem: str) -> list[str]:
        """The subjects with the longest name that `stem` begins with, up to a separator.

        >>> SubjectIndex(["cat", "cat2", "red cat"]).beginning("Red-cat.004")
        ['red cat']
        >>> SubjectIndex(["cat", "cat2"]).beginning("cat_2")
        ['cat']
        """
        words = _words(stem)
        while words:
            if found := self._by_words.get(words):
                exact = [name for name in found if stem.startswith(name)]
                return exact if len(exact) == 1 else found
            words = words.rpartition("_")[0]
        return []


def match_subjects(index: SubjectIndex, names: Iterable[str]) -> dict[str, str]:
    """The subject with references that each name means; names without one are missing from the answer.

    Raises:
        InputError: a name may mean several subjects, or several names mean one; lists every clash.
    """
    matched: dict[str, str] = {}
    clashes: list[str] = []
    claims: dict[str, list[str]] = defaultdict(list)
    for name in names:
        candidates = index.alike(name)
        if len(candidates) > 1:
            shown = ", ".join(map(printable, candidates))
            clashes.append(f"{printable(name)} may mean any of the references {shown}")
        elif candidates:
            matched[name] = candidates[0]
            claims[candidates[0]].append(name)
    for subject, claimants in claims.items():
        if len(claimants) > 1:
            shown = ", ".join(map(printable, claimants))
            clashes.append(f"{shown} all look like the reference {printable(subject)}")
    if clashes:
        raise InputError("subject names are ambiguous; rename so that each matches exactly one", clashes)
    return matched


def match_beginnings(index: SubjectIndex, stems: Iterable[str]) -> dict[str, str]:
    """The subject that each file stem begins with; stems that begin with none are missing from the answer.

    Raises:
        InputError: a stem begins with a name that several subjects share; lists every clash.
    """
    matched: dict[str, str] = {}
    clashes: list[str] = []
    for stem in stems:
        candidates = index.beginning(stem)
        if len(candidates) > 1:
            shown = ", ".join(map(printable, candidates))
            clashes.append(f"{printable(stem)} may belong to any of the references {shown}")
        elif candidates:
            matched[stem] = candidates[0]
    if clashes:
        raise InputError("subject names are ambiguous; rename so that each matches exactly one", clashes)
    return matched
