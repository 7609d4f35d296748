"""PNG, taken apart: what decides about pixels for the decoder, and the little else that is looked at here.

Pillow reads all chunks with the picture, and gives the picture up where a text is long or a profile broken. So the
decoder gets the critical chunks and nothing else.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

SIGNATURE = b"\x89PNG\r\n\x1a\n"

_MOST = 16 * 2**20
"""Bytes: more than this is not unpacked from a compressed chunk, whatever it promises."""


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
    """
    view = memoryview(content)
    kept: list[bytes | memoryview] = [SIGNATURE]
    found: dict[bytes, bytes] = {}
    at = len(SIGNATURE)
    while at + 8 <= len(content):
        length = int.from_bytes(content[at : at + 4], "big")
        name = content[at + 4 : at + 8]
        end = at + 12 + length
        if end > len(content) or not name.isalpha():
            break
        if name[0] & 0x20 == 0 or (transparency and name == b"tRNS"):
            kept.append(view[at:end])
            if name == b"IEND":
                at = len(content)
                break
        else:
            key, value = _ancillary(name, content[at + 8 : end - 4])
            found[key] = value
        at = end
    kept.append(view[at:])
    exif = found.get(b"eXIf") or found.get(b"Raw profile type exif", b"")
    return Png(b"".join(kept), exif, found.get(b"XML:com.adobe.xmp", b""), found.get(b"iCCP", b""))


def _ancillary(name: bytes, body: bytes) -> tuple[bytes, bytes]:
    """What a chunk is called, a text by its keyword, and what it holds; `b""` where that cannot be read."""
    if name == b"eXIf":
        return name, body
    if name not in {b"iCCP", b"tEXt", b"zTXt", b"iTXt"}:
        return name, b""
    keyword, _, value = body.partition(b"\0")
    if name == b"iCCP":
        return name, _unpacked(value[1:])
    if name == b"zTXt":
        value = _unpacked(value[1:])
    elif name == b"iTXt" and len(value) >= 2:
        packed = value[0]
        value = value[2:].partition(b"\0")[2].partition(b"\0")[2]
        value = _unpacked(value) if packed else value
    if keyword == b"Raw profile type exif":
        value = _from_hex(value)
    return keyword, value


def _unpacked(packed: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(packed, _MOST)
    except zlib.error:
        return b""


def _from_hex(text: bytes) -> bytes:
    """ImageMagick's way: three lines of heading, then the bytes in hexadecimal."""
    try:
        return bytes.fromhex(b"".join(text.split(b"\n")[3:]).decode("ascii"))
    except ValueError:
        return b""
