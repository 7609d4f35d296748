"""JPEG files, taken apart at their markers."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from math import ceil

from nearid_cli.images.errors import UnreadableImage

_MARKER = re.compile(rb"\xff[\x01-\xfe]")
_SOI, _EOI, _SOS, _DRI = 0xD8, 0xD9, 0xDA, 0xDD
_APP0, _APP1, _APP2, _APP14, _APP15, _COM = 0xE0, 0xE1, 0xE2, 0xEE, 0xEF, 0xFE
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_ALONE = {0x01, *range(0xD0, 0xD9)}
_ENDS = {bytes([marker]) for marker in (_EOI, _SOS, _DRI, 0xC4)}
"""Markers that may follow the pixel data of a scan."""

_UNSUPPORTED = {
    **dict.fromkeys((0xC3,), "lossless JPEG"),
    **dict.fromkeys((0xC5, 0xC6, 0xC7, 0xCD, 0xCE, 0xCF, 0xDE), "hierarchical JPEG"),
    **dict.fromkeys((0xC9, 0xCA, 0xCB), "arithmetic-coded JPEG"),
    0xF7: "JPEG-LS",
}


@dataclass(frozen=True)
class Component:
    """One component of the frame: its identifier, sampling factors, and size in blocks of a scan of its own."""

    identifier: int
    horizontal: int
    vertical: int
    blocks: int


@dataclass
class Scan:
    """One scan.

    Attributes:
        before: the segments before its pixel data, its own header included, as libjpeg is to see them.
        components: its components, in order.
        band: first and last coefficient.
        precision: successive approximation, high and low bit.
        blocks: how many blocks its data hold.
        units: how many units (MCUs) it has.
        interval: units between restarts, 0 for none.
        pieces: its pixel data, split at restart markers, and the marker (if any) before each piece.
        ended: whether a marker comes after the last piece, rather than something else or nothing.
    """

    before: bytes
    components: tuple[int, ...]
    band: tuple[int, int]
    precision: tuple[int, int]
    blocks: int
    units: int
    interval: int
    pieces: list[tuple[bytes, memoryview]] = field(default_factory=list)
    ended: bool = False

    @property
    def intervals(self) -> int:
        """How many pieces its pixel data must have."""
        return ceil(self.units / self.interval) if self.interval else 1

    @property
    def refines_dc(self) -> bool:
        """Whether it holds one bit a block, without any code."""
        return self.band[0] == 0 and self.precision[0] > 0

    @property
    def refines_ac(self) -> bool:
        """Whether it adds bits to coefficients that earlier scans began."""
        return self.band[0] > 0 and self.precision[0] > 0


@dataclass
class Jpeg:
    """A JPEG file, taken apart.

    Attributes:
        scans: in order, up to the one that completes the picture.
        exif: what its Exif segments hold, from the TIFF header on.
        xmp: its XMP packet.
        profile: its ICC profile, `b""` without one or where pieces of it are missing.
    """

    scans: list[Scan] = field(default_factory=list)
    exif: bytes = b""
    xmp: bytes = b""
    profile: bytes = b""
    progressive: bool = False
    components: tuple[Component, ...] = ()

    @property
    def header(self) -> bytes:
        """All before the pixel data of the first scan, without what applications wrote."""
        return self.scans[0].before


def take_apart(content: bytes) -> Jpeg:
    """Split a file at its markers.

    Segments of applications and comments are left out of what libjpeg is to see, but for the two that say
    which colours the components are.

    Raises:
        UnreadableImage: a kind of JPEG that is not read, or a file that ends before its pixel data begin.
    """
    jpeg = Jpeg()
    kept: list[bytes] = [b"\xff\xd8"]
    profile: dict[int, tuple[int, bytes]] = {}
    interval, size = 0, (0, 0)
    view = memoryview(content)
    at = 2
    while (found := _MARKER.search(content, at)) is not None:
        marker, at = content[found.end() - 1], found.end()
        if marker == _EOI:
            break
        if marker in _UNSUPPORTED:
            raise UnreadableImage(f"unsupported: {_UNSUPPORTED[marker]}; convert it to PNG")
        if marker in _ALONE:
            continue
        length = int.from_bytes(content[at : at + 2], "big")
        body = content[at + 2 : at + length]
        if length < 2:
            raise UnreadableImage("damaged JPEG: a segment of impossible length")
        if len(body) < length - 2:
            break
        segment = b"\xff" + content[at - 1 : at + length]
        at += length
        if marker == _SOS:
            kept.append(segment)
            scan = _scan(b"".join(kept), body, jpeg, size, interval)
            kept.clear()
            at = _pixel_data(content, view, at, scan)
            jpeg.scans.append(scan)
            # What comes after the last bit of all pixels is none of our business, be it an end marker or junk.
            if not lacks_scans(jpeg):
                break
        elif not _APP0 <= marker <= _APP15 and marker != _COM:
            kept.append(segment)
            if marker == _DRI and len(body) >= 2:
                interval = int.from_bytes(body[:2], "big")
            elif marker in _FRAMES:
                size = _frame(marker, body, jpeg)
        elif (marker == _APP0 and body.startswith(b"JFIF\0") and len(body) >= 14) or (
            marker == _APP14 and body.startswith(b"Adobe") and len(body) >= 12
        ):
            kept.append(segment)
        elif marker == _APP1 and body.startswith(b"Exif\0\0"):
            jpeg.exif += body[6:]
        elif marker == _APP1 and body.startswith(b"http://ns.adobe.com/xap/1.0/\0"):
            jpeg.xmp = body.partition(b"\0")[2]
        elif marker == _APP2 and body.startswith(b"ICC_PROFILE\0") and len(body) >= 14:
            profile.setdefault(body[12], (body[13], body[14:]))
    if not jpeg.scans:
        raise UnreadableImage("truncated JPEG")
    if profile and sorted(profile) == [*range(1, len(profile) + 1)] and profile[1][0] == len(profile):
        jpeg.profile = b"".join(profile[number][1] for number in sorted(profile))
    return jpeg


def _frame(marker: int, body: bytes, jpeg: Jpeg) -> tuple[int, int]:
    """Note the components of a frame; returns its width and height."""
    if len(body) < 6 or len(body) < 6 + 3 * body[5]:
        raise UnreadableImage("damaged JPEG: a frame header that is too short")
    if body[0] != 8:
        raise UnreadableImage(f"unsupported: {body[0]}-bit JPEG; convert it to 8 bits")
    height, width = int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big")
    rows = [body[6 + 3 * i : 9 + 3 * i] for i in range(body[5])]
    across = max((row[1] >> 4 for row in rows), default=1) or 1
    down = max((row[1] & 15 for row in rows), default=1) or 1
    jpeg.progressive = marker == 0xC2
    jpeg.components = tuple(
        Component(
            row[0],
            row[1] >> 4,
            row[1] & 15,
            ceil(ceil(width * (row[1] >> 4) / across) / 8) * ceil(ceil(height * (row[1] & 15) / down) / 8),
        )
        for row in rows
    )
    return width, height


def _scan(before: bytes, body: bytes, jpeg: Jpeg, size: tuple[int, int], interval: int) -> Scan:
    """What a scan's header says."""
    number = body[0] if body else 0
    if not jpeg.components or not 1 <= number <= 4 or len(body) < 4 + 2 * number:
        raise UnreadableImage("damaged JPEG: a scan header that makes no sense")
    named = {component.identifier: component for component in jpeg.components}
    parts = [named.get(body[1 + 2 * i]) for i in range(number)]
    first, last, approximation = body[1 + 2 * number : 4 + 2 * number]
    if any(part is None or not part.horizontal or not part.vertical for part in parts):
        raise UnreadableImage("damaged JPEG: a scan of a component that the frame lacks")
    present = [part for part in parts if part is not None]
    if len(present) == 1:
        units = blocks = present[0].blocks
    else:
        across = max(part.horizontal for part in jpeg.components)
        down = max(part.vertical for part in jpeg.components)
        units = ceil(size[0] / (8 * across)) * ceil(size[1] / (8 * down))
        blocks = units * sum(part.horizontal * part.vertical for part in present)
    if not jpeg.progressive:
        first, last, approximation = 0, 63, 0
    if not first <= last < 64:
        raise UnreadableImage("damaged JPEG: a scan header that makes no sense")
    return Scan(
        before,
        tuple(part.identifier for part in present),
        (first, last),
        (approximation >> 4, approximation & 15),
        blocks,
        units,
        interval,
    )


def _pixel_data(content: bytes, view: memoryview, at: int, scan: Scan) -> int:
    """Collect the pixel data that begin here; returns where the next marker is that ends them."""
    before = b""
    for found in _MARKER.finditer(content, at):
        end = found.start()
        while content[end - 1] == 0xFF and end > at:  # markers may have any number of these in front
            end -= 1
        scan.pieces.append((before, view[at:end]))
        marker = found.group()[1:]
        if not b"\xd0" <= marker <= b"\xd7" or len(scan.pieces) == scan.intervals:
            scan.ended = marker in _ENDS
            return found.start()
        before, at = found.group(), found.end()
    scan.pieces.append((before, view[at:]))
    return len(content)


def lacks_scans(jpeg: Jpeg) -> bool:
    """Whether some coefficient of some component has not come yet to its last bit.

    Raises:
        UnreadableImage: a scan of coefficients that do not exist.
    """
    lowest = {part.identifier: [14] * 64 for part in jpeg.components}
    for scan in jpeg.scans:
        first, last = scan.band
        for part in scan.components:
            lowest[part][first : last + 1] = [scan.precision[1]] * (last + 1 - first)
    return any(any(bits) for bits in lowest.values())
