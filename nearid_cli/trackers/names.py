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

    A path has the same name whatever else is there, unless that is its name but for capitals.

    Args:
        paths: all different.

    >>> spelled([("nearid", "by subject", "cat", "score"), ("nearid", "score")])
    ['nearid/by subject/cat/score', 'nearid/score']
    """
    taken: set[str] = set()
    names = []
    for path in paths:
        name = "/".join(map(part, path))
        if name.casefold() in taken:
            *above, last = name.split("/")
            name = "/".join([*above, _marked(last, "\0".join(path))])
        taken.add(name.casefold())
        names.append(name)
    return names


def part(name: str) -> str:
    r"""One part of a path. What had to be changed ends with a digest of what it was, and so does what looks like that.

    >>> part("cat"), part("a/b"), part("a_b"), part("..")
    ('cat', 'a_b-c14cddc0', 'a_b', '__-5ec1f7e7')
    """
    text = _UNSAFE.sub("_", unicodedata.normalize("NFC", name)).strip()
    text = text.replace(".", "_") if text.strip(".") == "" else text
    text = text[:_LONGEST].rstrip()
    if text == name and text and not text.startswith("_") and not _MARKED.search(text):
        return text
    return _marked(text, name)


def _marked(text: str, name: str) -> str:
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST]
    return f"{text[: _LONGEST - _DIGEST - 1].rstrip()}-{digest}"
