"""Turning names from the outside world into text that is safe to show, and wrong names into hints."""

from __future__ import annotations

import difflib
import math
import os
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from nearid_cli import elsewhere

# At most 18 digits at once: int() refuses strings of thousands of digits, which a manifest may hold.
_DIGITS = re.compile(r"([0-9]{1,18})")

# Where logs of CI are searched for commands: GitHub's at the start of a line or (the older form) anywhere, and those of
# Azure Pipelines and TeamCity. A name must not be one, such as "::stop-commands::x".
_COMMAND = re.compile(r"^\s*:(?=:)|#(?=#(?:\[|vso\[|teamcity\[))")

NaturalKey = tuple[list[str | int], str]


def printable(name: str | os.PathLike[str]) -> str:
    r"""A file name as text that any terminal, table and UTF-8 file can hold.

    Bytes that are not UTF-8 (surrogates in Python's view of the name) and control characters
    (newlines, escape sequences) become backslash escapes, and so does what a log of CI would take for a command;
    everything else stays as it is.

    >>> printable("caf\u00e9 1.png")
    'café 1.png'
    >>> printable("a\nb\x1b[31m\udcff\ud800")
    'a\\nb\\x1b[31m\\xff\\ud800'
    >>> printable("::stop-commands::x"), printable("see ##[group]"), printable("clip::mean ## 2")
    ('\\x3a:stop-commands::x', 'see \\x23#[group]', 'clip::mean ## 2')
    """
    text = elsewhere.shown(os.fspath(name))
    if not text.isprintable():
        text = "".join(c if c.isprintable() else _escaped(c) for c in text)
    if "::" in text or "##" in text:
        text = _COMMAND.sub(lambda found: f"{found[0][:-1]}\\x{ord(found[0][-1]):02x}", text)
    return text


def shown(value: object, most: int = 80, spelled: Callable[[Any], str] = repr) -> str:
    """Any value that was found where something else was expected, on one line of bounded length.

    Args:
        value: what was found.
        most: characters of it.
        spelled: writes it, for people who know it as something else than Python.

    >>> shown("a" * 100, most=5), shown(1 << 100_000)
    ("'aaaa...", 'a number of thousands of digits')
    """
    try:
        text = printable(spelled(value))
    except ValueError:  # Python writes no number of more than 4,300 digits
        return "a number of thousands of digits"
    except RecursionError:
        return "something that is nested too deeply"
    return text if len(text) <= most else f"{text[:most]}..."


def storable(name: str | os.PathLike[str]) -> str:
    r"""A file name as it is, but for bytes that no UTF-8 file can hold: these become backslash escapes.

    >>> storable("a\nb\udcff") == "a\nb\\xff"
    True
    """
    text = elsewhere.shown(os.fspath(name))
    if text.isprintable():  # nearly always, and told at the speed of C
        return text
    return "".join(_escaped(c) if "\ud800" <= c <= "\udfff" else c for c in text)


def _escaped(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # how Python spells a byte of a file name that is not UTF-8
        return f"\\x{code - 0xDC00:02x}"
    return character.encode("unicode_escape").decode("ascii")


def natural_key(name: str) -> NaturalKey:
    """The sort key of natural order: numbers by value, letters without case.

    >>> sorted(["img10.png", "Img2.png", "img1.png"], key=natural_key)
    ['img1.png', 'Img2.png', 'img10.png']
    """
    pieces: list[str | int] = list(_DIGITS.split(name.casefold()))
    pieces[1::2] = map(int, pieces[1::2])
    return pieces, name


def quoted(name: str | os.PathLike[str]) -> str:
    """A name as a word of a command that is printed to be typed.

    >>> quoted("refs"), quoted("my refs"), quoted("runs/*")
    ('refs', "'my refs'", "'runs/*'")
    """
    import shlex  # only where something is wrong

    return shlex.quote(printable(name))


def said(error: BaseException) -> str:
    """What an exception of other people's code says, in one line.

    >>> said(ValueError("not so")), said(KeyError())
    ('ValueError: not so', 'KeyError')
    """
    text = printable(" ".join(str(error).split()))
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def count(number: int, noun: str, plural: str | None = None) -> str:
    """A number with its noun.

    >>> count(1, "picture"), count(1200, "picture"), count(2, "identity", "identities")
    ('1 picture', '1,200 pictures', '2 identities')
    """
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def decimals(largest: float) -> int:
    """With how many decimals numbers are told, of which the largest is so large.

    Three for numbers around 1; of smaller ones three digits remain, of larger ones four.

    >>> [decimals(largest) for largest in (0.0, 0.4, 9.5, 31.2, 0.031, 52_000)]
    [3, 3, 3, 2, 4, 0]
    """
    if not largest or 0.1 <= largest <= 10:
        return 3
    power = math.floor(math.log10(largest))
    return 2 - power if power < 0 else max(3 - power, 0)


def few(names: Sequence[str], shown: int = 3, spelled: Callable[[str], str] = printable) -> str:
    """The first names of several, and how many more there are.

    >>> few(["a", "b", "c", "d"]), few(["a"])
    ('a, b, c and 1 more', 'a')
    """
    more = len(names) - shown
    return ", ".join(map(spelled, names[:shown])) + (f" and {more:,} more" if more > 0 else "")


def listed(names: Sequence[str]) -> str:
    """Names as a list in a sentence.

    >>> listed(["a"]), listed(["a", "b"]), listed(["a", "b", "c"])
    ('a', 'a and b', 'a, b and c')
    """
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]


def first_few(lines: Iterable[str], most: int = 5) -> list[str]:
    """The first lines, and how many more there are.

    >>> first_few(["a", "b", "c"], most=2)
    ['a', 'b', 'and 1 more']
    """
    lines = list(lines)
    return lines[:most] + ([f"and {len(lines) - most:,} more"] if len(lines) > most else [])


def file_size(size: int) -> str:
    """Bytes as a size for people.

    >>> file_size(999), file_size(12_300_000), file_size(1_712_000_000)
    ('999 B', '12.3 MB', '1.7 GB')
    """
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= scale:
            return f"{size / scale:.1f} {unit}"
    return f"{size} B"


def unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """How every unknown name is refused.

    >>> unknown("dtype", "flaot16", ["float32", "float16"])
    'unknown dtype "flaot16": did you mean float16?'
    """
    return f'unknown {kind} "{printable(name)}": {did_you_mean(name, known)}'


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A hint that names the nearest known names, or all of them when none is near.

    >>> did_you_mean("clip_i", ["nearid", "clip-i", "dino"])
    'did you mean clip-i?'
    >>> did_you_mean("zzz", ["nearid", "dino"])
    'known: nearid, dino'
    """
    known = list(known)
    near = nearest(name, known)
    return f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(known)}"


def nearest(name: str, known: Iterable[str]) -> list[str]:
    """The known names that are so near to one that it may be a slip, two at most.

    >>> nearest("clip_i", ["nearid", "clip-i"]), nearest("zzz", ["nearid"])
    (['clip-i'], [])
    """
    # A name that is much longer than all others is near none, which takes long to find out.
    known = [one for one in known if len(name) < 3 * len(one) + 1]
    return difflib.get_close_matches(name.lower(), known, n=2, cutoff=0.65) if known else []
