"""When two names of a table are one: the rule for subjects, methods and columns.

Names that differ only in their Unicode form, or in how much white space parts their words, are one. Names that differ
only in case, in the signs between words, or in characters that nobody sees, may be one or two: nobody but their author
can tell, so they clash.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from functools import lru_cache

from nearid_cli.layouts.names import composed, folded
from nearid_cli.text import printable

_BETWEEN_WORDS = re.compile(r"[ _-]+")
_SHOWN = 3  # rows of a name


@lru_cache(2**16)
def same_name(name: str) -> str:
    r"""What all spellings of one name have in common.

    >>> same_name(" cafe\u0301\u00a0 noir") == "café noir"
    True
    """
    return " ".join(composed(name).split())


@lru_cache(2**16)
def look_alike(name: str) -> str:
    r"""What names that clash have in common.

    >>> look_alike("CAT\u200b") == look_alike("cat")
    True
    """
    form = folded(same_name(name))
    return form if form.isascii() else "".join(c for c in form if unicodedata.category(c) != "Cf")


class Spellings:
    """The names of one kind in a table, with the rows that they stand in.

    >>> names = Spellings("subject")
    >>> for row, name in enumerate(["cat", "CAT", "dog", "CAT "], 2):
    ...     form = names.add(name, f"line {row}")
    >>> names.add("hot  dog", "line 6"), names.add("hot_dog", "line 7")
    ('hot dog', 'hot_dog')
    >>> for line in names.clashes():
    ...     print(line)
    the subjects cat (line 2) and CAT (line 3, line 5) differ only in case
    the subjects hot  dog (line 6) and hot_dog (line 7) differ only in the signs between words
    """

    def __init__(self, noun: str) -> None:
        self._noun = noun
        self._chosen: dict[str, tuple[bool, str]] = {}
        self._rows: dict[str, tuple[int, list[str]]] = {}  # how many, and the first ones

    def add(self, name: str, where: str, leading: bool = False) -> str:
        """Take note of a name; the first `leading` one, else the first one, is how it will be spelled.

        Returns:
            What all of its spellings have in common, one object for all of them.
        """
        form = sys.intern(same_name(name))
        number, first = self._rows.get(form, (0, []))
        if not number or (leading and not self._chosen[form][0]):
            self._chosen[form] = leading, name.strip()
        self._rows[form] = number + 1, [*first, where] if number < _SHOWN else first
        return form

    def chosen(self, name: str) -> str:
        """The spelling of a name that was added."""
        return self._chosen[same_name(name)][1]

    def clashes(self) -> list[str]:
        """A line for all names that may be one or two."""
        alike: dict[str, list[str]] = {}
        for form in self._rows:
            alike.setdefault(_BETWEEN_WORDS.sub(" ", look_alike(form)), []).append(form)
        return [self._clash(forms) for forms in alike.values() if len(forms) > 1]

    def _clash(self, forms: list[str]) -> str:
        shown = [f"{_revealed(self._chosen[form][1])} ({self._where(form)})" for form in forms]
        without_signs = [_BETWEEN_WORDS.sub(" ", form) for form in forms]
        if len(set(map(str.casefold, forms))) == 1:
            how = "in case"
        elif len(set(without_signs)) == 1:
            how = "in the signs between words"
        elif len(set(map(str.casefold, without_signs))) == 1:
            how = "in case and signs between words"
        else:
            how = "in characters that do not show"
        return f"the {self._noun}s {' and '.join(shown)} differ only {how}"

    def _where(self, form: str) -> str:
        number, first = self._rows[form]
        return ", ".join(first) + (f" and {number - len(first):,} more" if number > len(first) else "")


def _revealed(name: str) -> str:
    """A name with what does not show as escapes."""
    shown = printable(name)
    return "".join(
        c.encode("unicode_escape").decode("ascii") if unicodedata.category(c) == "Cf" else c for c in shown
    )
