"""TIFF: its tag directories, which EXIF borrows, which of its variants are read right, and what Pillow gets to see.

Pillow reads all tags of all pages with care for their meaning, and gives up on the picture where one of them makes no
sense. So it gets the first page and the tags that decide about pixels, and nothing else is looked at here.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from math import ceil

from nearid_cli.images.reading import UnreadableImage

SUBFILE, COMPRESSION, PHOTOMETRIC, ORIENTATION = 254, 259, 262, 274
BITS, SAMPLES, PLANAR, SAMPLE_FORMAT = 258, 277, 284, 339
WIDTH, HEIGHT, ROWS_PER_STRIP, TILE_WIDTH, TILE_HEIGHT = 256, 257, 278, 322, 323
STRIP_OFFSETS, TILE_OFFSETS = 273, 324
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
        size = self.size(row)
        field = row[12:] if self.big else row[8:]
        if size > len(field):
            (at,) = struct.unpack(self.order + ("Q" if self.big else "I"), field)
            field = self.content[at : at + size]
        return field[:size] if len(field) >= size else b""

    def size(self, row: bytes) -> int:
        """How many bytes the values of an entry take, as it says."""
        kind, count = struct.unpack_from(self.order + ("HQ" if self.big else "HI"), row, 2)
        return _SIZES.get(kind, 0) * int(count)

    def count(self, tag: int) -> int:
        """How many values a tag has, as its entry says; 0 without one."""
        row = self.entries.get(tag)
        return int(struct.unpack_from(self.order + ("Q" if self.big else "I"), row, 4)[0]) if row else 0

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


# Size, layout, levels, strips, tiles, colours and what codecs need; see the TIFF 6.0 specification.
_PIXELS = frozenset(
    (
        *(256, 257, 258, 259, 262, 266, 273, 277, 278, 279, 284, 292, 293, 317, 320),
        *(322, 323, 324, 325, 332, 338, 339, 347, 512, 513, 514, 515, 517, 518, 519, 520, 521),
        *(529, 530, 531, 532, 34925, 50674),
    )
)
_RAW_CODECS = frozenset((32767, 32769, 32770, 34713, 34892, 65535))
_CIE = {8: "CIE L*a*b*", 9: "ICC L*a*b*", 10: "ITU L*a*b*", 32844: "CIE Log L", 32845: "CIE Log Luv"}


def directory_of(content: bytes) -> TagDirectory:
    """The first page's tags.

    Raises:
        UnreadableImage: there are none, or they say that this is a variant that is not read.
    """
    directory = TagDirectory.read(content)
    if directory is None or not directory.entries:
        raise UnreadableImage("truncated TIFF")
    _check_bounds(directory)
    if reason := _unsupported(directory):
        raise UnreadableImage(f"unsupported: {reason}; convert it to PNG")
    return directory


_MAX_VALUES = 2**21
"""Bytes of the values of a tag: 260,000 strips or tiles of a BigTIFF. Pillow makes objects of them all."""


def _check_bounds(directory: TagDirectory) -> None:
    """Refuse what would take far more time or memory than its pixels do."""
    for tag, row in directory.entries.items():
        if tag in _PIXELS and directory.size(row) > _MAX_VALUES:
            raise UnreadableImage(f"damaged TIFF: tag {tag} has {directory.size(row):,} bytes of values")
    tiled = TILE_WIDTH in directory.entries
    width, height = directory.number(WIDTH, 0), directory.number(HEIGHT, 0)
    across = directory.number(TILE_WIDTH, 0) if tiled else width
    down = directory.number(TILE_HEIGHT if tiled else ROWS_PER_STRIP, height)
    pieces = directory.count(TILE_OFFSETS if tiled else STRIP_OFFSETS)
    if min(width, height, across, down) > 0:
        needed = ceil(width / across) * ceil(height / down) * max(1, directory.number(SAMPLES, 1))
        # Pillow decodes all of them, one over the other.
        if pieces > 2 * needed:
            raise UnreadableImage(f"damaged TIFF: {pieces:,} strips or tiles, and its pixels need {needed:,}")


def pixels_of(directory: TagDirectory) -> bytes:
    """The file, as long as it is, with nothing but the first page and the tags that decide about its pixels."""
    rows = [row for tag, row in sorted(directory.entries.items()) if tag in _PIXELS]
    order, code = directory.order, "QQ" if directory.big else "HI"
    only = b"".join((struct.pack(order + code[0], len(rows)), *rows, struct.pack(order + code[1], 0)))
    content, at = memoryview(directory.content), directory.at
    return b"".join((content[:at], only, content[at + len(only) :]))[: len(content)]


def working(directory: TagDirectory) -> int:
    """Bytes that libtiff takes to unpack a strip or a tile."""
    if directory.number(COMPRESSION, 1) == 1:
        return 0
    width, height = directory.number(WIDTH, 0), directory.number(HEIGHT, 0)
    if TILE_WIDTH in directory.entries:
        pixels = directory.number(TILE_WIDTH, 0) * directory.number(TILE_HEIGHT, 0)
    else:
        pixels = width * min(height, directory.number(ROWS_PER_STRIP, height))
    bits = directory.number(SAMPLES, 1) * max(directory.numbers(BITS) or (1,))
    return max(0, pixels * max(4, ceil(bits / 8)))


def has_size(directory: TagDirectory) -> bool:
    """Whether the tags say how large the picture is."""
    return {WIDTH, HEIGHT} <= directory.entries.keys()


def grey_levels(directory: TagDirectory) -> tuple[int, bool]:
    """How many bits the levels of a deep grey picture have, and whether 0 is white."""
    return int(directory.number(BITS, 16)), directory.number(PHOTOMETRIC, 1) == 0


def _unsupported(directory: TagDirectory) -> str:
    """What is not read right, or `""`: Pillow takes some of these for something else."""
    codec = directory.number(COMPRESSION, 1)
    if DNG_VERSION in directory.entries:
        return "camera raw (DNG)"
    if codec in _RAW_CODECS:
        return "camera raw"
    if directory.number(SUBFILE, 0) & 1:
        return "a TIFF or camera raw that begins with a thumbnail"
    bits = directory.numbers(BITS) or (1,)
    signs = set(directory.numbers(SAMPLE_FORMAT)) or {1}
    deepest = int(max(bits))
    if signs & {3, 6}:
        return "floating-point TIFF"
    if signs & {2, 5}:
        return f"signed {deepest}-bit TIFF"
    if deepest > 16:
        return f"{deepest}-bit TIFF"
    if directory.number(PLANAR, 1) == 2 and deepest > 8 and directory.number(SAMPLES, 1) > 1:
        return f"planar {deepest}-bit TIFF"
    if directory.number(PLANAR, 1) == 2 and directory.number(SAMPLES, 1) == 2:
        return "planar TIFF of grey and alpha"
    photometric = directory.number(PHOTOMETRIC, 1)
    return f"TIFF in {_CIE[photometric]}" if photometric in _CIE else ""


def variant(directory: TagDirectory) -> str:
    """The variant in a few words, for one that Pillow does not know."""
    bits = sorted({int(level) for level in directory.numbers(BITS)} or {1})
    channels = directory.number(SAMPLES, 1)
    codec = directory.number(COMPRESSION, 1)
    return (
        f"TIFF of {channels} x {'/'.join(map(str, bits))} bits, photometric {directory.number(PHOTOMETRIC, 1)}, "
        f"compression {codec}"
    )
