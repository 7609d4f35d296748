"""JPEG, decoded by Pillow's libjpeg and watched: are all pixels there, and is nothing left over?

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

from collections.abc import Iterator, Sequence
from dataclasses import replace
from io import BytesIO
from itertools import chain
from typing import Any

from PIL import Image, JpegImagePlugin

from nearid_cli.images.errors import UnreadableImage
from nearid_cli.images.jpeg import Jpeg, Scan, lacks_scans

_ONES = b"\xff\x00"
"""Eight bits of pixel data, all ones."""

_LOOKAHEAD = 8 * _ONES
"""As many bits as libjpeg may read ahead of those that it needs."""

_TAIL = 8
"""Bytes: so many, fed one by one, without the decoder holding any back, raise the doubt that it needs none of them."""

_MOST_DOUBTS = 4
"""So many pieces of pixel data are decoded again to see whether they have some left over."""


class Watched(JpegImagePlugin.JpegImageFile):
    """A JPEG that Pillow's decoder reads piece by piece, under watch."""

    def __init__(self, jpeg: Jpeg) -> None:
        self.jpeg = jpeg
        super().__init__(BytesIO(jpeg.header))

    def load(self) -> Any:
        """Decode it.

        Raises:
            UnreadableImage: it lacks pixel data, or has some left over.
            OSError: libjpeg cannot decode it.
        """
        if self.tile:
            if lacks_scans(self.jpeg):
                raise UnreadableImage("truncated JPEG")
            self.load_prepare()
            for number, index in self._decode(self.im, self.jpeg.scans)[:_MOST_DOUBTS]:
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
