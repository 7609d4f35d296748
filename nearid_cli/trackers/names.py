"""Names of scalars that every tracker takes as they are, and that stay apart.

MLflow is the strictest: letters, digits, `_`, `-`, `.` and spaces, no part that a path would lose, 250 characters.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Sequence

_LONGEST = 60  # characters of a part; the longest path that there is then stays below 250
_DIGEST = 8  # hexadecimal digits
_UNSAFE = re.compile(r"[^\w.\- ]")
_MARKED = re.compile(rf"-[0-9a-f]{{{_DIGEST}}}$")


def spelled(paths: Iterable[Sequence[str]]) -> list[str]:
    """The name of each path, all of them different, also where capital letters do not count.

    A path has the same name whatever else is there, unless a part of it differs from another one by capitals alone.

    Args:
        paths: all different.

    >>> spelled([("nearid", "by subject", "cat", "score"), ("nearid", "score")])
    ['nearid/by subject/cat/score', 'nearid/score']
    """
    beside: dict[
        tuple[str, ...], dict[str, str]
    ] = {}  # by what is above, the parts without capitals, and whose
    names = []
    for path in paths:
        parts = []
        for depth, name in enumerate(path):
            taken, text = beside.setdefault(tuple(path[:depth]), {}), part(name)
            while taken.setdefault(text.casefold(), name) != name:
                text = _marked(text, name)
            parts.append(text)
        names.append("/".join(parts))
    return names


def part(name: str) -> str:
    r"""One part of a path. What had to be changed ends with a digest of what it was, and so does what looks like that.

    >>> part("cat"), part("a/b"), part("a_b"), part("..")
    ('cat', 'a_b-cb0567df', 'a_b', '__-13f0022d')
    """
    text = _UNSAFE.sub("_", unicodedata.normalize("NFC", name)).strip()
    text = text.replace(".", "_") if text.strip(".") == "" else text
    text = text[:_LONGEST].rstrip()
    if text == name and text and not text.startswith("_") and not _MARKED.search(text):
        return text
    return _marked(text, name)


def _marked(text: str, name: str) -> str:
    """A text that ends with a digest of a name, and of the text: to mark it again gives another."""
    told = f"{text}/{name}".encode("utf-8", "surrogatepass")
    return f"{text[: _LONGEST - _DIGEST - 1].rstrip()}-{hashlib.sha256(told).hexdigest()[:_DIGEST]}"
