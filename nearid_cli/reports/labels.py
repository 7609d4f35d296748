"""Names as short labels that stay apart: cut in the middle, where names of runs and files differ least."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import count
from typing import NamedTuple
from unicodedata import category, east_asian_width

from nearid_cli.text import printable

NAME = 32
"""So many characters of its name a row or a column of a page shows."""

_ROUNDS = 3
"""A group that focusing has split may need it once more; after that numbers tell its members apart."""


class Label(NamedTuple):
    """What is shown of a name where room is short.

    Attributes:
        name: the whole name, printable.
        short: the label; `name` itself where it fits.
    """

    name: str
    short: str

    @property
    def whole(self) -> bool:
        """Whether nothing is hidden, so that no tooltip is needed."""
        return self.name == self.short


def labels(names: Iterable[str], most: int = NAME) -> list[Label]:
    """The label of each name among all others, as `apart` makes it, each as often as it is given.

    >>> [label.whole for label in labels(["lora", "lora"], 12)]
    [True, True]
    """
    names = list(names)
    distinct = list(dict.fromkeys(names))
    short = dict(zip(distinct, apart(distinct, most), strict=True))
    return [Label(printable(name), short[name]) for name in names]


def apart(names: Sequence[str], most: int) -> list[str]:
    """Labels of which no two are alike, each at most so many Latin characters wide.

    A name that fits is its own label. A longer one loses its middle. Where that makes labels alike, they show the part
    in which their names differ; where that is too long for its column, they are numbered.

    Args:
        names: all different, printed or not.
        most: 8 or more.

    >>> apart(["dreambooth-lora-r16", "cat"], 12)
    ['dream…a-r16', 'cat']
    >>> apart(["a-long-start-r4-and-a-long-end", "a-long-start-r16-and-a-long-end"], 14)
    ['a-lon…r4…g-end', 'a-lon…r16…-end']
    >>> apart(["start" + "ab" * 40 + "b" * 40 + "end", "start" + "ab" * 20 + "a" * 40 + "b" * 40 + "end"], 10)
    ['sta…end #1', 'sta…end #2']
    """
    texts = [printable(name) for name in names]
    labels = [cut(text, most) for text in texts]
    for _ in range(_ROUNDS):
        for group in _alike(labels):
            for place, label in zip(group, _focused([texts[i] for i in group], most), strict=True):
                if labels[place] != texts[place]:  # a name that fits keeps its place
                    labels[place] = label
    return _numbered(texts, labels, most)


def cut(text: str, most: int) -> str:
    """A printable text without its middle, at most so many Latin characters wide.

    >>> cut("dreambooth-lora-r16", 12), cut("馬克杯", 6), cut("馬克杯", 5)
    ('dream…a-r16', '馬克杯', '馬…杯')
    """
    parts = _parts(text)
    if sum(map(_width, parts)) <= most:
        return text
    room = most - 1
    tail = _start(parts[::-1], room / 2)[::-1]
    head = _start(parts, room - sum(map(_width, tail)))
    return f"{''.join(head)}…{''.join(tail)}"


def _focused(texts: Sequence[str], most: int) -> list[str]:
    """Labels that show where texts differ which begin alike and end alike."""
    if len(set(texts)) < len(texts):
        return [cut(text, most) for text in texts]
    whole = [_parts(text) for text in texts]
    shortest = min(map(len, whole))
    begin = next(i for i in range(shortest + 1) if i == shortest or len({parts[i] for parts in whole}) > 1)
    left = shortest - begin
    end = next(i for i in range(left + 1) if i == left or len({parts[-1 - i] for parts in whole}) > 1)
    first = whole[0]
    begin -= _word(first[:begin][::-1])
    end -= _word(first[len(first) - end :])
    labels = []
    for parts in whole:
        core = cut("".join(parts[begin : len(parts) - end]), most - 4)
        room = most - 2 - sum(map(_width, _parts(core)))
        tail = _start(parts[len(parts) - end :][::-1], room / 2)[::-1]
        head = _start(parts[:begin], room - sum(map(_width, tail)))
        labels.append(f"{''.join(head)}…{core + '…' if core else ''}{''.join(tail)}")
    return labels


def _word(parts: Sequence[str]) -> int:
    """How many of the first parts, at most three, belong to the word or number before them."""
    return next((i for i, part in enumerate(parts[:3]) if not part.isalnum()), min(len(parts), 3))


def _numbered(texts: Sequence[str], labels: list[str], most: int) -> list[str]:
    taken = {text for text, label in zip(texts, labels, strict=True) if text == label}
    taken |= set(labels) - {labels[group[0]] for group in _alike(labels)}
    for group in _alike(labels):
        free = iter(count(1))
        for place in group:
            for number in free:
                ending = f" #{number}"
                label = f"{cut(texts[place], most - len(ending))}{ending}"
                if label not in taken:
                    break
            taken.add(label)
            labels[place] = label
    return labels


def _alike(labels: Sequence[str]) -> list[list[int]]:
    """The places of labels that occur more than once, by label."""
    places: dict[str, list[int]] = {}
    for place, label in enumerate(labels):
        places.setdefault(label, []).append(place)
    return [group for group in places.values() if len(group) > 1]


def _parts(text: str) -> list[str]:
    """Characters with the marks that belong to them: no accent and no skin tone is cut from what it changes."""
    parts: list[str] = []
    for character in text:
        if parts and (category(character)[0] == "M" or "\U0001f3fb" <= character <= "\U0001f3ff"):
            parts[-1] += character
        else:
            parts.append(character)
    return parts


def _width(part: str) -> float:
    """In average Latin letters, about: a column of nothing but m is no wider than its plot has room."""
    if east_asian_width(part[0]) in "WF":
        return 2
    return 1.7 if part[0] in "mwMW@%" else 1.2 if part[0].isupper() else 1


def _start(parts: Iterable[str], room: float) -> list[str]:
    """The longest beginning that fits."""
    taken = []
    for part in parts:
        room -= _width(part)
        if room < 0:
            break
        taken.append(part)
    return taken
