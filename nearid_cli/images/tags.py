"""Tag directories, which TIFF files consist of and EXIF borrows, read so that nothing in them can do harm.

Pillow reads all tags with care for their meaning, and gives up on the picture where one of them makes no sense. Here
only the few that decide about pixels are looked at.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

SUBFILE, COMPRESSION, PHOTOMETRIC, ORIENTATION = 254, 259, 262, 274
BITS, SAMPLES, PLANAR, SAMPLE_FORMAT = 258, 277, 284, 339
ICC_PROFILE, XMP, DNG_VERSION = 34675, 700, 50706

# Type: how `struct` writes one value. Rationals are two integers; text is no number.
_NUMBERS = {
    1: "B",
    3: "H",
    4: "I",
    5: "II",
    6: "b",
    8: "h",
    9: "i",
    10: "ii",
    11: "f",
    12: "d",
    16: "Q",
    17: "q",
}
_SIZES = {**{kind: struct.calcsize("=" + code) for kind, code in _NUMBERS.items()}, 2: 1, 7: 1, 13: 4, 18: 8}

_MOST = 128
"""Bytes, a multiple of all sizes: more values than this are of no interest."""


@dataclass(frozen=True)
class TagDirectory:
    """The first tag directory of a TIFF file, or of EXIF.

    Attributes:
        content: the file.
        order: of bytes, as `struct` writes it.
        big: whether it is a BigTIFF.
        at: where the directory lies.
        entries: tag -> the bytes of its entry. Of entries with one tag the last counts, as for Pillow.
    """

    content: bytes
    order: str
    big: bool
    at: int
    entries: dict[int, bytes]

    @classmethod
    def read(cls, content: bytes) -> TagDirectory | None:
        """Read what can be read; None where not even the directory's place can."""
        order = {b"II": "<", b"MM": ">"}.get(content[:2])
        if order is None or len(content) < 8:
            return None
        (version,) = struct.unpack_from(order + "H", content, 2)
        big = version == 43
        if version not in {42, 43}:
            return None
        start, counted, length = (8, "Q", 20) if big else (4, "H", 12)
        if len(content) < start + (8 if big else 4):
            return None
        (at,) = struct.unpack_from(order + ("Q" if big else "I"), content, start)
        if at + struct.calcsize(counted) > len(content):
            return None
        (number,) = struct.unpack_from(order + counted, content, at)
        first = at + struct.calcsize("=" + counted)
        number = min(number, (len(content) - first) // length, 65_535)
        rows = (content[first + i * length : first + (i + 1) * length] for i in range(number))
        return cls(
            content, order, big, at, {int(struct.unpack_from(order + "H", row)[0]): row for row in rows}
        )

    def data(self, tag: int) -> bytes:
        """The bytes of a tag's values, `b""` where there are none or they are not all there."""
        row = self.entries.get(tag)
        if row is None:
            return b""
        kind, count = struct.unpack_from(self.order + ("HQ" if self.big else "HI"), row, 2)
        size = _SIZES.get(kind, 0) * count
        field = row[12:] if self.big else row[8:]
        if size > len(field):
            (at,) = struct.unpack(self.order + ("Q" if self.big else "I"), field)
            field = self.content[at : at + size]
        return field[:size] if len(field) >= size else b""

    def numbers(self, tag: int) -> tuple[float, ...]:
        """A tag's first values, `()` where they are no numbers; a rational is one number."""
        row = self.entries.get(tag)
        if row is None:
            return ()
        (kind,) = struct.unpack_from(self.order + "H", row, 2)
        code = _NUMBERS.get(kind)
        data = self.data(tag)
        if code is None or not data:
            return ()
        return tuple(_number(values) for values in struct.iter_unpack(self.order + code, data[:_MOST]))

    def number(self, tag: int, default: int) -> int:
        """A tag's first value where that is a whole number, else the default."""
        first = next(iter(self.numbers(tag)), None)
        return int(first) if first is not None and first == first // 1 else default

    def without_all_but(self, tags: frozenset[int]) -> bytes:
        """The same file of the same length, whose directory is its only one and has these tags alone."""
        rows = [row for tag, row in sorted(self.entries.items()) if tag in tags]
        counted, offset = ("Q", "Q") if self.big else ("H", "I")
        directory = b"".join(
            (struct.pack(self.order + counted, len(rows)), *rows, struct.pack(self.order + offset, 0))
        )
        after = self.content[self.at + len(directory) :]
        return b"".join((self.content[: self.at], directory, after))[: len(self.content)]


def orientation(exif: bytes, xmp: bytes | str = b"") -> int:
    r"""How a picture is to be turned: 1 to 8 as EXIF numbers it, 1 where nothing readable says otherwise.

    Args:
        exif: EXIF, with or without its own heading; may be broken in any way.
        xmp: an XMP packet, asked where EXIF has no such tag.

    >>> orientation(b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0")
    6
    >>> orientation(b"junk", '<rdf tiff:Orientation="3"/>')
    3
    """
    while exif.startswith(b"Exif\0\0"):
        exif = exif[6:]
    directory = TagDirectory.read(exif)
    value = 0
    if directory is not None and ORIENTATION in directory.entries:
        value = directory.number(ORIENTATION, 0)
    else:
        packet = xmp.encode("utf-8", "replace") if isinstance(xmp, str) else xmp
        if found := re.search(rb'tiff:Orientation(?:="|>)([0-9])', packet):
            value = int(found[1])
    return value if 1 <= value <= 8 else 1


def _number(values: tuple[float, ...]) -> float:
    if len(values) == 1:
        return values[0]
    return values[0] / values[1] if values[1] else float("nan")
