"""Which distractors show the context of which references: a column says it, or `nearid synth`, or names do.

A distractor is a fair opponent of a reference where both show the same background, camera and light: only then is it
the identity that tells them apart. What nobody says is not guessed; pictures are not opened.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from nearid_cli.layouts.dataset import Picture
from nearid_cli.layouts.found import stem
from nearid_cli.layouts.manifest import CONTEXT
from nearid_cli.layouts.matching import words
from nearid_cli.layouts.names import folded, read_file_name
from nearid_cli.layouts.spelling import look_alike
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

Pictures = Mapping[str, Sequence[Picture]]
"""By subject."""
_Told = Callable[[str, Picture], str | None]


@dataclass(frozen=True)
class Contexts:
    """References and distractors with their contexts.

    Attributes:
        references, distractors: as given, and each with its `context` where it is known.
        how: in words, how they are paired; empty where they are not.
        notes: lines that a reader of SSR and PA must see: how, or why not, and what has no counterpart.
    """

    references: Pictures
    distractors: Pictures
    how: str = ""
    notes: tuple[str, ...] = ()


def pair_contexts(references: Pictures, distractors: Pictures, roots: Iterable[Path] = ()) -> Contexts:
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
        return _told(references, distractors, lambda _, one: _in_column(one), f"by the column {CONTEXT}")
    if _made_by_synth(roots):
        return _told(references, distractors, _name, "by name, as nearid synth writes them")
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
        made_by = json.loads((folders.pop() / MADE_BY).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(made_by, dict) and str(made_by.get("schema")).startswith("nearid.synth/")


def _told(references: Pictures, distractors: Pictures, context: _Told, how: str) -> Contexts:
    """Contexts that something says of each picture; what no reference has is named."""
    known = _with_contexts(references, context)
    alike = _with_contexts(distractors, context)
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


def _with_contexts(pictures: Pictures, context: _Told) -> dict[str, list[Picture]]:
    return {
        subject: [replace(one, context=context(subject, one)) for one in own]
        for subject, own in pictures.items()
    }


def _by_names(references: Pictures, distractors: Pictures) -> Contexts:
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
        lambda subject, one: named[subject].context(one) if subject in named else None,
        how,
    )


class _Names:
    """What the names of one subject's files say.

    Attributes:
        paired: distractors that are called as a reference, or begin so.
        exact: those that are called as one.
        counters: whether references are told apart by nothing but counters.
        complete: whether every reference has a distractor, and every distractor a reference.
    """

    def __init__(self, subject: str, references: Sequence[Picture], distractors: Sequence[Picture]) -> None:
        self._subject = subject
        self._references = [(key, one.name) for one in references if (key := _name(subject, one))]
        self._keys = {key for key, _ in self._references}
        self._pairs = [(key, one.name) for one in distractors if (key := self.context(one))]
        self._several = [line for one in distractors if (line := self._reads_twice(one))]
        self.paired = len(self._pairs)
        self.exact = sum(_name(subject, one) in self._keys for one in distractors)
        self.counters = len({_COUNTER.sub("", key) for key in self._keys}) == 1 and (
            len(self._keys) > 1 or all(read_file_name(key).head is None for key in self._keys)
        )
        self.complete = self.paired == len(distractors) and {key for key, _ in self._pairs} == self._keys

    def context(self, picture: Picture) -> str | None:
        """The name of the reference that a picture is called as, or that its name begins with."""
        return next(self._contexts(picture), None)

    def _contexts(self, picture: Picture) -> Iterator[str]:
        return (own for own in _beginnings(_name(self._subject, picture) or "") if own in self._keys)

    def _reads_twice(self, picture: Picture) -> str | None:
        """`img_2` may be of `img_2`, or the second of `img`; `beach_house_1` is of `beach_house` and not of `beach`."""
        begun = [*self._contexts(picture), "", ""]
        if begun[1] and begun[0][len(begun[1]) + 1 :].replace("_", "").isdecimal():
            return f"{printable(picture.name)} is of {printable(begun[0])} or of {printable(begun[1])}"
        return None

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


def _name(subject: str, picture: Picture) -> str | None:
    """What a picture is called below its subject, as words joined by `_`; None for a picture in memory.

    >>> _name("red cat", Picture(Path(), "Red-cat/IMG 2041.jpg")), _name("cat", Picture(Path(), "cat_01-flux.png"))
    ('img_2041', '01_flux')
    """
    if picture.in_memory:
        return None  # its name is its place in a list
    key, own = words(stem(picture.name)), words(subject)
    return key[len(own) + 1 :] if key.startswith(f"{own}_") else key


def _beginnings(key: str) -> Iterator[str]:
    """A name, and what it begins with up to each separator, the longest first.

    >>> list(_beginnings("01_flux_2"))
    ['01_flux_2', '01_flux', '01']
    """
    while key:
        yield key
        key = key.rpartition("_")[0]


def _file(name: str) -> str:
    return printable(name.rpartition("/")[2])
