"""HEIF: how many bytes its items are said to have: libheif copies all metadata before it tells the picture's size.

An item is made of extents, pieces of the file that may lie one over the other, so that a few megabytes can be read as
gigabytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import repeat

from nearid_cli.images.reading import UnreadableImage

_CODED = frozenset((b"hvc1", b"hev1", b"av01", b"avc1", b"vvc1", b"jpeg", b"j2k1", b"unci", b"mski"))
"""Items that are read when they are decoded, and may share their bytes; all others are of a few bytes, or metadata."""

_MOST_ITEMS, _MOST_EXTENTS = 20_000, 100
"""More are not looked at: libheif refuses files of as many."""


def check_items(content: bytes) -> None:
    """Refuse a file whose metadata, or one of whose pictures, are said to have more bytes than it.

    Raises:
        UnreadableImage: it is such a file.
    """
    for at, end in _boxes(content, 0, len(content), b"meta"):
        coded = {
            item
            for inside, last in _boxes(content, at + 4, end, b"iinf")
            for item, kind in _kinds(content, inside, last)
            if kind in _CODED
        }
        for inside, last in _boxes(content, at + 4, end, b"iloc"):
            others = 0
            for item, size in _sizes(content, inside, last):
                others += size if item not in coded else 0
                if max(others, size) > len(content):
                    raise UnreadableImage(
                        f"damaged HEIF: its items are said to have {max(others, size):,} bytes, more than the file"
                    )


def _boxes(content: bytes, at: int, end: int, name: bytes) -> Iterator[tuple[int, int]]:
    """Where the content of each box of a name begins and ends."""
    while at + 8 <= end:
        size, start = int.from_bytes(content[at : at + 4]), at + 8
        if size == 1:
            size, start = int.from_bytes(content[at + 8 : at + 16]), at + 16
        until = min(end, at + size) if size else end
        if until < start:
            return
        if content[at + 4 : at + 8] == name:
            yield start, until
        at = until


def _kinds(content: bytes, at: int, end: int) -> Iterator[tuple[int, bytes]]:
    """The types of items."""
    for entry, _ in _boxes(content, at + (8 if content[at : at + 1] > b"\0" else 6), end, b"infe"):
        wide = 4 if content[entry : entry + 1] > b"\2" else 2
        kind = entry + 4 + wide + 2
        yield int.from_bytes(content[entry + 4 : entry + 4 + wide]), content[kind : kind + 4]


def _sizes(content: bytes, at: int, end: int) -> Iterator[tuple[int, int]]:
    """How many bytes each item is said to have."""

    def number(size: int) -> int:
        nonlocal at
        at += size
        return int.from_bytes(content[at - size : at])

    version = number(1)
    number(3)
    sizes, more = number(1), number(1)
    offset, length, base, index = sizes >> 4, sizes & 15, more >> 4, more & 15 if version else 0
    for _ in repeat(None, min(_MOST_ITEMS, number(4 if version >= 2 else 2))):
        item = number(4 if version >= 2 else 2)
        number((2 if version else 0) + 2 + base)
        total = 0
        extents = number(2)
        if extents > _MOST_EXTENTS or at > end:
            return
        for _ in repeat(None, extents):
            number(index + offset)
            total += number(length) or len(content)  # 0 for all of it
        yield item, total
