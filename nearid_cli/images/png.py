"""PNG, taken apart: what decides about pixels for the decoder, and the little else that is looked at here.

Pillow reads all chunks with the picture, and gives the picture up where a text is long or a profile broken. So the
decoder gets the critical chunks and nothing else.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from nearid_cli.images.reading import UnreadableImage

SIGNATURE = b"\x89PNG\r\n\x1a\n"

_MOST = 16 * 2**20
"""Bytes: more than this is not unpacked from the compressed chunks of a file, whatever they promise."""

_MAX_CHUNKS = 500_000
"""More chunks are not looked at. In chunks of 8 KB, as libpng writes them, 178 Mpx have 65,000 at most."""


@dataclass(frozen=True)
class Png:
    """A PNG file, taken apart.

    Attributes:
        pixels: a file of the critical chunks alone, and of transparent colours if they are asked for.
        exif, xmp, profile: EXIF, the XMP packet and the ICC profile, `b""` where there is none that can be read.
    """

    pixels: bytes
    exif: bytes
    xmp: bytes
    profile: bytes


def take_apart(content: bytes, transparency: bool = False) -> Png:
    """Split a file into its chunks; what is no chunk, and all after it, is left to the decoder.

    Args:
        content: of the file.
        transparency: whether the decoder gets the transparent colours (tRNS), too, which no picture's pixels need.

    Raises:
        UnreadableImage: there are more chunks than any encoder writes.
    """
    view = memoryview(content)
    kept: list[bytes | memoryview] = [SIGNATURE]
    found = _Metadata()
    at = len(SIGNATURE)
    chunks = 0
    while at + 8 <= len(content):
        length = int.from_bytes(content[at : at + 4], "big")
        name = content[at + 4 : at + 8]
        end = at + 12 + length
        if end > len(content) or not name.isalpha():
            break
        chunks += 1
        if chunks > _MAX_CHUNKS:
            raise UnreadableImage(f"damaged PNG: more than {_MAX_CHUNKS:,} chunks, which no encoder writes")
        if name[0] & 0x20 == 0 or (transparency and name == b"tRNS"):
            kept.append(view[at:end])
            if name == b"IEND":
                at = len(content)
                break
        elif name in _LOOKED_AT:
            found.note(name, content[at + 8 : end - 4])
        at = end
    kept.append(view[at:])
    exif = found.values.get(b"eXIf") or _from_hex(found.values.get(_RAW_EXIF, b""))
    return Png(b"".join(kept), exif, found.values.get(_XMP, b""), found.values.get(b"iCCP", b""))


_LOOKED_AT = {b"eXIf", b"iCCP", b"tEXt", b"zTXt", b"iTXt"}
_RAW_EXIF, _XMP = b"Raw profile type exif", b"XML:com.adobe.xmp"


class _Metadata:
    """What chunks hold that is looked at.

    Attributes:
        values: by the chunk's name, of a text by its keyword; `b""` where it cannot be read. The last of a name counts.
    """

    def __init__(self) -> None:
        self.values: dict[bytes, bytes] = {}
        self._left = _MOST

    def note(self, name: bytes, body: bytes) -> None:
        """Take a chunk."""
        key, _, value = body.partition(b"\0")
        if name == b"eXIf":
            self.values[name] = body
        elif name == b"iCCP":
            self.values[name] = self._unpacked(value[1:])
        elif key in {_RAW_EXIF, _XMP}:
            if name == b"zTXt":
                value = self._unpacked(value[1:])
            elif name == b"iTXt":
                packed = value[:1]
                value = value[2:].partition(b"\0")[2].partition(b"\0")[2]
                value = self._unpacked(value) if packed > b"\0" else value
            self.values[key] = value

    def _unpacked(self, packed: bytes) -> bytes:
        try:
            value = zlib.decompressobj().decompress(packed, self._left) if self._left else b""
        except zlib.error:
            return b""
        self._left -= len(value)
        return value


def _from_hex(text: bytes) -> bytes:
    """ImageMagick's way: three lines of heading, then the bytes in hexadecimal."""
    try:
        return bytes.fromhex(b"".join(text.split(b"\n")[3:]).decode("ascii"))
    except ValueError:
        return b""
