"""Which distractors show the context of which references: a column says it, or `nearid synth`, or names do.

A distractor is a fair opponent of a reference where both show the same background, camera and light: only then is it
the identity that tells them apart. What nobody says is not guessed; pictures are not opened.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from nearid_cli.layouts.dataset import Picture
from nearid_cli.layouts.matching import shortened, words
from nearid_cli.layouts.names import folded, read_file_name, stem
from nearid_cli.layouts.tables.manifest import CONTEXT
from nearid_cli.layouts.tables.spelling import look_alike
from nearid_cli.opening import read_json
from nearid_cli.text import count, few, printable

MADE_BY = "made-by.json"
"""What `nearid synth` writes beside its folders."""

_NEARLY_ALL = 0.9
# Counters, which say nothing of a picture; what a camera counts to, 2041 or 20240501, is rarely met by accident.
_COUNTER = re.compile(r"(?<![0-9])(?:0[0-9]*|[0-9]{1,3})(?![0-9])")
_ADVICE = (
    "SSR and PA need distractors in the context of a reference: name them alike (01.png or 01_a.png for look-alikes "
    f"of 01.png), or give a manifest with a column {CONTEXT}"
)

BySubject = Mapping[str, Sequence[Picture]]
"""Pictures by subject."""
_Told = Callable[[str, Sequence[Picture]], Iterable[str | None]]
"""The contexts of some pictures of a subject."""


class Contexts(NamedTuple):
    """References and distractors with their contexts.

    Attributes:
        references, distractors: as given, and each with its `context` where it is known.
        how: in words, how they are paired; empty where they are not.
        notes: lines that a reader of SSR and PA must see: how, or why not, and what has no counterpart.
    """

    references: BySubject
    distractors: BySubject
    how: str = ""
    notes: tuple[str, ...] = ()


def pair_contexts(references: BySubject, distractors: BySubject, roots: Iterable[Path] = ()) -> Contexts:
    """Give references and distractors their contexts, so far as something says which they have.

    A column beats what `nearid synth` wrote, and that beats names.

    Args:
        references: of each subject.
        distractors: likewise; every subject has references.
        roots: the folders or manifests of both, as given.
    """
    if not any(distractors.values()):
        return Contexts(references, distractors)
    if any(_in_column(one) for own in distractors.values() for one in own):
        return _told(references, distractors, lambda _, own: map(_in_column, own), f"by the column {CONTEXT}")
    if _made_by_synth(roots):
        return _told(references, distractors, _names, "by name, as nearid synth writes them")
    return _by_names(references, distractors)


def _in_column(picture: Picture) -> str | None:
    for name, value in picture.labels.items():
        if look_alike(name) == CONTEXT and value.strip():
            return folded(value.strip())
    return None


def _made_by_synth(roots: Iterable[Path]) -> bool:
    """Whether all roots lie in one folder that `nearid synth` wrote: there, numbers are those of contexts."""
    folders = {root.absolute().parent for root in roots}
    if len(folders) != 1:
        return False
    try:
        made_by = read_json(folders.pop() / MADE_BY)
    except (OSError, ValueError):
        return False
    return isinstance(made_by, dict) and str(made_by.get("schema")).startswith("nearid.synth/")


def _told(references: BySubject, distractors: BySubject, told: _Told, how: str) -> Contexts:
    """Contexts that something says of each picture; what no reference has is named."""
    known = _with_contexts(references, told)
    alike = _with_contexts(distractors, told)
    there = {(subject, one.context) for subject, own in known.items() for one in own}
    shown = [(subject, one) for subject, own in alike.items() for one in own]
    silent = [one.name for _, one in shown if one.context is None]
    strange = [
        f"{subject} {one.context}"
        for subject, one in shown
        if one.context is not None and (subject, one.context) not in there
    ]
    if len(silent) + len(strange) == len(shown):
        how, note = "", f"{_ADVICE}; no reference of a subject has the context of one of its distractors"
    elif all(len(known[subject]) < 2 for subject, own in alike.items() if own):
        note = f"distractors are paired with references {how}, but SSR and PA need a second reference of a subject"
    else:
        note = f"distractors are paired with references {how}: SSR and PA as in the paper"
    left = [
        f"{count(len(names), 'distractor')} of {len(shown):,} {lack}, without trials in SSR and PA: {few(names)}"
        for names, lack in (
            (strange, "in a context that no reference of the subject has"),
            (silent, "without a context"),
        )
        if names
    ]
    return Contexts(known, alike, how, (note, *left))


def _with_contexts(pictures: BySubject, told: _Told) -> dict[str, list[Picture]]:
    return {
        subject: [replace(one, context=context) for one, context in zip(own, told(subject, own), strict=True)]
        for subject, own in pictures.items()
    }


def _by_names(references: BySubject, distractors: BySubject) -> Contexts:
    """Contexts as the names of files say them: a distractor is called as its reference, or begins so."""
    named = {
        subject: _Names(subject, references[subject], own) for subject, own in distractors.items() if own
    }
    total = sum(len(own) for own in distractors.values())
    found = sum(names.paired for names in named.values())
    exact = sum(names.exact for names in named.values()) == total
    partial = [
        printable(subject) for subject, names in named.items() if names.counters and not names.complete
    ]
    why = ""
    if ambiguous := [line for names in named.values() for line in names.ambiguous(exact)]:
        why = f"; names can be read in two ways: {few(ambiguous, spelled=str)}"
    elif found < _NEARLY_ALL * total:
        why = f"; names do so for {found:,} of {total:,} distractors" if found else ""
    elif partial:
        why = (
            "; names are mere counters, and not the same among references and distractors of "
            f"{count(len(partial), 'subject')}: {few(partial, spelled=str)}"
        )
    if why or not found:
        return Contexts(references, distractors, "", (_ADVICE + why,))
    how = f"by name ({next(names for names in named.values() if names.paired).example()})"
    if any(names.counters for names in named.values()):
        how += ", equal numbers taken for equal contexts"
    return _told(
        references,
        distractors,
        lambda subject, own: named[subject].contexts(own) if subject in named else [None] * len(own),
        how,
    )


class _Names:
    """What the names of one subject's files say.

    Attributes:
        paired: distractors that are called as a reference, or begin so.
        exact: those that are called as one.
        counters: whether references are told apart by nothing but counters and words that say nothing.
        complete: whether every reference has a distractor, and every distractor a reference.
    """

    def __init__(self, subject: str, references: Sequence[Picture], distractors: Sequence[Picture]) -> None:
        self._subject = subject
        named = _names(subject, references)
        self._references = [(key, one.name) for key, one in zip(named, references, strict=True) if key]
        self._keys = {key for key, _ in self._references}
        self._pairs: list[tuple[str, str]] = []
        self._several: list[str] = []
        self.exact = 0
        for key, one in zip(_names(subject, distractors), distractors, strict=True):
            if begun := self._begun(key):
                self._pairs.append((begun[0], one.name))
                self.exact += begun[0] == key
                self._several += _read_twice(one, *begun[:2])
        self.paired = len(self._pairs)
        bare = {_COUNTER.sub("", key) for key in self._keys}
        self.counters = (len(bare) == 1 and len(self._keys) > 1) or all(map(_says_nothing, bare))
        self.complete = self.paired == len(distractors) and {key for key, _ in self._pairs} == self._keys

    def _begun(self, key: str | None) -> list[str]:
        """The names of references that a name is, or begins with, the longest first."""
        return [own for own in shortened(key or "") if own in self._keys]

    def contexts(self, pictures: Sequence[Picture]) -> Iterator[str | None]:
        """For each picture the name of the reference that it is called as, or that its name begins with."""
        return (next(iter(self._begun(key)), None) for key in _names(self._subject, pictures))

    def ambiguous(self, exact: bool) -> Iterator[str]:
        """What can be read in two ways; `exact` says that all distractors of the data set are called as references."""
        if not exact:
            yield from self._several
        folders: dict[str, set[str]] = {}
        for key, name in self._references:
            folders.setdefault(key, set()).add(name.rpartition("/")[0])
        yield from (
            f"several references are called {printable(key)}" for key, own in folders.items() if len(own) > 1
        )

    def example(self) -> str:
        """Two files that go together."""
        context, distractor = self._pairs[0]
        reference = next(name for key, name in self._references if key == context)
        return f"{_file(distractor)} with {_file(reference)}"


def _says_nothing(bare: str) -> bool:
    """Whether a name without its counters is nobody's: `image`, `photo`, nothing; not `beach`, not `img_2041`."""
    return read_file_name(bare).head is None and not any(map(str.isdecimal, bare))


def _read_twice(picture: Picture, longest: str, shorter: str = "") -> list[str]:
    """`img_2` may be of `img_2`, or the second of `img`; `beach_house_1` is of `beach_house` and not of `beach`."""
    if shorter and longest[len(shorter) + 1 :].replace("_", "").isdecimal():
        return [f"{printable(picture.name)} is of {printable(longest)} or of {printable(shorter)}"]
    return []


def _names(subject: str, pictures: Iterable[Picture]) -> list[str | None]:
    """What pictures are called below their subject, as words joined by `_`; None for one in memory.

    >>> own = [Picture(Path(), "Red-cat/IMG 2041.jpg"), Picture(Path(), "red cat_01-flux.png")]
    >>> _names("red cat", own)
    ['img_2041', '01_flux']
    """
    begin = f"{words(subject)}_"
    # That of a picture in memory is its place in a list.
    keys = [None if one.in_memory else _words(stem(one.name)) for one in pictures]
    return [key and key.removeprefix(begin) for key in keys]


_words = lru_cache(maxsize=65536)(words)  # subjects have files of the same names


def _file(name: str) -> str:
    return printable(name.rpartition("/")[2])
