"""Turning names from the outside world into text that is safe to show, and wrong names into hints."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable


def printable(name: str | os.PathLike[str]) -> str:
    r"""A file name as text that any terminal, table and UTF-8 file can hold.

    Bytes that are not UTF-8 (surrogates in Python's view of the name) and control characters
    (newlines, escape sequences) become backslash escapes; everything else stays as it is.

    >>> printable("caf\u00e9 1.png")
    'café 1.png'
    >>> printable("a\nb\x1b[31m\udcff")
    'a\\nb\\x1b[31m\\xff'
    """
    text = os.fsencode(name).decode("utf-8", "backslashreplace")
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in text
    )


def count(number: int, noun: str, plural: str | None = None) -> str:
    """A number with its noun.

    >>> count(1, "picture"), count(1200, "picture"), count(2, "identity", "identities")
    ('1 picture', '1,200 pictures', '2 identities')
    """
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A hint that names the nearest known names, or all of them when none is near.

    >>> did_you_mean("clip_i", ["nearid", "clip-i", "dino"])
    'did you mean clip-i?'
    >>> did_you_mean("zzz", ["nearid", "dino"])
    'known: nearid, dino'
    """
    known = list(known)
    near = difflib.get_close_matches(name.lower(), known, n=2, cutoff=0.6)
    return f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(known)}"
