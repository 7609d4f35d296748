"""JPEG files: taken apart at their markers, decoded by Pillow's libjpeg, and watched.

libjpeg fills in what a file lacks and says so in a warning, which Pillow throws away. So the file is taken apart
(`jpeg.take_apart`), and libjpeg is handed the pixel data of each scan (of each restart interval, where there are
some) followed by bits that are all ones, before it sees the next marker.

A decoder that has all the blocks of a scan skips what comes before the marker; one that lacks some takes those
bits for pixel data. Which of the two it does can be seen from how many bytes it has used up: all ones is no
Huffman code, so that each block takes 17 bits of them (34 in a baseline file). That costs no second decoding,
leaves the pixels to the bit as they are, and needs no end marker. It sees a lack of more than about eight
bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from io import BytesIO
from itertools import chain
from math import ceil
from typing import Any

from PIL import Image, JpegImagePlugin

from nearid_cli.images.reading import UnreadableImage

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


MAX_SCANS = 500
"""More scans are not decoded. libjpeg and jpegtran write up to 10, optimisers some 20; the standard's own limit for
three components is some thousand."""

_MAX_VISITS = 250_000_000
"""Blocks in all scans together that are decoded, 30 times all those of 178 Mpx: a scan may skip blocks without a byte
for each, but not without time."""

_MAX_PIECES = 300_000
"""Restart intervals in all scans together, which are fed one by one: one for each 16 x 16 pixels of 77 Mpx."""


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
        lowest: for each component the lowest bit of each coefficient that has come so far.
        visits, pieces: blocks of all scans together, and pieces of pixel data.
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
    lowest: dict[int, list[int]] = field(default_factory=dict)
    visits: int = 0
    pieces: int = 0

    @property
    def complete(self) -> bool:
        """Whether all coefficients of all components have come to their last bit."""
        return not any(any(bits) for bits in self.lowest.values())

    @property
    def header(self) -> bytes:
        """All before the pixel data of the first scan, without what applications wrote."""
        return self.scans[0].before

    @property
    def working(self) -> int:
        """Bytes that libjpeg takes for coefficients, which it keeps where several scans make the picture."""
        several = self.progressive or len(self.scans[0].components) < len(self.components)
        return 128 * sum(part.blocks for part in self.components) if several else 0


def take_apart(content: bytes) -> Jpeg:
    """Split a file at its markers.

    Segments of applications and comments are left out of what libjpeg is to see, but for the two that say
    which colours the components are.

    Raises:
        UnreadableImage: a kind of JPEG that is not read, or a file that ends before its pixel data begin.
    """
    jpeg = Jpeg()
    kept: list[bytes] = [b"\xff\xd8"]
    exif: list[bytes] = []
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
            _note(scan, jpeg)
            # What comes after the last bit of all pixels is none of our business, be it an end marker or junk.
            if jpeg.complete:
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
            exif.append(body[6:])
        elif marker == _APP1 and body.startswith(b"http://ns.adobe.com/xap/1.0/\0"):
            jpeg.xmp = body.partition(b"\0")[2]
        elif marker == _APP2 and body.startswith(b"ICC_PROFILE\0") and len(body) >= 14:
            profile.setdefault(body[12], (body[13], body[14:]))
    if not jpeg.scans:
        raise UnreadableImage("truncated JPEG")
    jpeg.exif = b"".join(exif)
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
    jpeg.lowest = {row[0]: [14] * 64 for row in rows}
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


def _note(scan: Scan, jpeg: Jpeg) -> None:
    """Add a scan to those of a file.

    Raises:
        UnreadableImage: with it they are more than are decoded.
    """
    jpeg.scans.append(scan)
    first, last = scan.band
    for part in scan.components:
        jpeg.lowest[part][first : last + 1] = [scan.precision[1]] * (last + 1 - first)
    if len(jpeg.scans) > MAX_SCANS:
        raise UnreadableImage(f"damaged JPEG: more than {MAX_SCANS} scans, which no encoder writes")
    jpeg.visits += scan.blocks
    jpeg.pieces += len(scan.pieces)
    if jpeg.visits > _MAX_VISITS:
        raise UnreadableImage(f"damaged JPEG: more scans ({len(jpeg.scans)}) than so large a picture needs")
    if jpeg.pieces > _MAX_PIECES:
        raise UnreadableImage(f"damaged JPEG: more than {_MAX_PIECES:,} restart intervals; save it without")


_ONES = b"\xff\x00"
"""Eight bits of pixel data, all ones."""

_LOOKAHEAD = 8 * _ONES
"""As many bits as libjpeg may read ahead of those that it needs."""

_TAIL = 8
"""Bytes: so many, fed one by one, without the decoder holding any back, raise the doubt that it needs none of them."""

_MOST_DOUBTS = 4
"""So many pieces of pixel data are decoded again to see whether they have some left over."""


class DoubtfulError(Exception):
    """Whether a picture is whole cannot be told from its decoding at a part of its size."""


class Watched(JpegImagePlugin.JpegImageFile):
    """A JPEG that Pillow's decoder reads piece by piece, under watch."""

    def __init__(self, jpeg: Jpeg) -> None:
        self.jpeg = jpeg
        super().__init__(BytesIO(jpeg.header))

    @property
    def reduced(self) -> bool:
        """Whether it is decoded at a part of its size."""
        return self.decoderconfig[:1] > (1,)

    def load(self) -> Any:
        """Decode it.

        Raises:
            UnreadableImage: it lacks pixel data, or has some left over.
            DoubtfulError: it may, which only its decoding at full size tells.
            OSError: libjpeg cannot decode it.
        """
        if self.tile:
            if not self.jpeg.complete:
                raise UnreadableImage("truncated JPEG")
            self.load_prepare()
            doubted = self._decode(self.im, self.jpeg.scans)
            if self.reduced and (doubted or not self.jpeg.scans[-1].ended):
                raise DoubtfulError  # what is left out of the pixels may be all that differs
            for number, index in doubted[:_MOST_DOUBTS]:
                self._refuse_what_is_left_over(number, index)
            if not self.jpeg.scans[-1].ended and not self._same_without_ones():
                raise UnreadableImage("truncated JPEG")
            self.tile = []
        return Image.Image.load(self)

    def _decode(self, target: Any, scans: Sequence[Scan]) -> list[tuple[int, int]]:
        """Decode into the memory of a picture.

        Returns:
            Pieces of pixel data, by scan and piece, whose last bytes may be left over.

        Raises:
            UnreadableImage: a piece lacks pixel data.
            OSError: libjpeg cannot decode it.
        """
        doubted = []
        name, extents, _, arguments = self.tile[0]
        decoder = Image._getdecoder(self.mode, name, arguments, self.decoderconfig)
        try:
            decoder.setimage(target, extents)
            feed = _Feed(decoder)
            for number, scan in enumerate(scans):
                _check_pieces(scan)
                feed(scan.before)
                for index, (marker, data) in enumerate(scan.pieces):
                    held, enough = _feed_watched(feed, marker, data)
                    if scan.refines_dc:  # checked above: it has no code, so ones look like any other bits
                        continue
                    if scan.refines_ac:  # a run of blocks that end here takes a bit for each coefficient only
                        feed(2 * _LOOKAHEAD)
                    if held or feed(_ONES) or feed(_ONES):
                        raise UnreadableImage("truncated JPEG")
                    if enough or data[-_TAIL:] == bytes(_TAIL):
                        doubted.append((number, index))
            feed(b"\xff\xd9")
            if not feed.done:
                raise UnreadableImage("truncated JPEG")
        finally:
            decoder.cleanup()
        return doubted

    def _same_without_ones(self) -> bool:
        """Whether all is the same if an end marker follows the last byte, so that libjpeg fills in zeros.

        Without an end marker a cut by a few bytes is likely, and worth a second decoding.
        """
        other = self.im.copy()
        name, extents, _, arguments = self.tile[0]
        decoder = Image._getdecoder(self.mode, name, arguments, self.decoderconfig)
        try:
            decoder.setimage(other, extents)
            parts: list[bytes | memoryview] = []
            for scan in self.jpeg.scans:
                parts.append(scan.before)
                parts.extend(chain.from_iterable(scan.pieces))
            decoder.decode(b"".join((*parts, b"\xff\xd9")))
        finally:
            decoder.cleanup()
        return _equal(self.im, other)

    def _refuse_what_is_left_over(self, number: int, index: int) -> None:
        """Decide about a piece of pixel data whose last bytes may not be needed.

        Raises:
            UnreadableImage: they are not, and are neither padding nor in the place of an end marker.
        """
        scan = self.jpeg.scans[number]
        _, data = scan.pieces[index]
        used = len(bytes(data).rstrip(b"\0\xff"))
        if len(data) - used >= _TAIL:
            # Zeros may be pixels (flat ones), padding, or what a download that broke off has for pixels.
            without = self._shortened(number, index, used + 2)
            padded = without is not None and _equal(self.im, without)
            # Correction bits are never that many zeros, and any number of them may pass for some.
            unlikely = scan.refines_ac and len(data) - used >= 8 * _TAIL
            if not padded and (unlikely or self._shortened(number, index, len(data) - _TAIL) is not None):
                raise UnreadableImage("truncated JPEG")
        elif not scan.ended and index + 1 == len(scan.pieces):
            return
        elif self._shortened(number, index, len(data) - _TAIL) is not None:
            raise UnreadableImage("damaged JPEG: more pixel data than its pixels need")

    def _shortened(self, number: int, index: int, length: int) -> Any:
        """The picture decoded from so many bytes of one piece, or None if they do not hold all its blocks."""
        scan = self.jpeg.scans[number]
        marker, data = scan.pieces[index]
        if data[length - 1] == 0xFF:  # not without its zero
            length -= 1
        pieces = [*scan.pieces[:index], (marker, data[:length]), *scan.pieces[index + 1 :]]
        scans = [*self.jpeg.scans[:number], replace(scan, pieces=pieces), *self.jpeg.scans[number + 1 :]]
        target = self.im.copy()
        try:
            self._decode(target, scans)
        except UnreadableImage:
            return None
        return target


def _equal(one: Any, other: Any) -> bool:
    """Whether two pictures of one size and mode have the same pixels."""
    return one.chop_difference(other).getbbox() is None


def _check_pieces(scan: Scan) -> None:
    """Restart markers must be all there and in order; a scan of plain bits must have one for each block."""
    if len(scan.pieces) < scan.intervals:
        raise UnreadableImage("truncated JPEG")
    if any(marker[1] != 0xD0 + i % 8 for i, (marker, _) in enumerate(scan.pieces[1:])):
        raise UnreadableImage("damaged JPEG: restart markers out of order")
    if scan.refines_dc:
        share = scan.blocks // scan.units
        for index, (_, data) in enumerate(scan.pieces):
            left = scan.units - index * scan.interval
            units = min(scan.interval or left, left)
            if 8 * (len(data) - bytes(data).count(_ONES)) < units * share:
                raise UnreadableImage("truncated JPEG")


def _feed_watched(feed: _Feed, marker: bytes, data: memoryview) -> tuple[int, bool]:
    """Feed a piece of pixel data, and ones as many as the decoder may look ahead.

    Returns:
        How many bytes it holds back then, and whether it may have had all blocks before the last bytes.
    """
    if len(data) < 2 * _TAIL:
        return feed(b"".join((marker, data, _LOOKAHEAD))), False
    at = len(data) - _TAIL
    if data[at - 1] == 0xFF:
        at += 1
    if marker:
        feed(marker)
    feed(data[:at])
    for step in _steps(data, at):
        # A decoder in want of pixel data holds bytes back until they make up a whole block.
        held = feed(data[at : at + step])
        at += step
        if held:
            return feed(b"".join((data[at:], _LOOKAHEAD))), False
    return feed(_LOOKAHEAD), True


def _steps(data: memoryview, at: int) -> Iterator[int]:
    """Lengths that go from here to the end byte by byte, with a stuffed zero kept beside its 0xFF."""
    while at < len(data):
        step = 2 if data[at] == 0xFF else 1
        yield step
        at += step


class _Feed:
    """Hands a decoder of Pillow bytes, as a file would that is read piece by piece.

    Attributes:
        done: whether the decoder has come to an end.
    """

    def __init__(self, decoder: Any) -> None:
        self._decoder = decoder
        self._held: bytes | memoryview = b""
        self.done = False

    def __call__(self, data: bytes | memoryview) -> int:
        """Feed more; returns how many bytes the decoder holds back because it needs further ones.

        Raises:
            OSError: it cannot go on.
        """
        if self.done:
            return 0
        together = b"".join((self._held, data)) if len(self._held) else data
        used, code = self._decoder.decode(together)
        if used < 0:
            self.done = True
            if code < 0:
                raise OSError("broken data stream when reading image file")
            return 0
        self._held = together[used:]
        return len(self._held)
