"""Opening pictures: whatever the bytes are, a picture comes out or one reason, in bounded time and memory."""

from __future__ import annotations

import zlib
from io import BytesIO

from PIL import Image

from nearid_cli.images import png
from nearid_cli.images.decode import UnreadableImage, decode, read_mask
from nearid_cli.images.memory import BUDGET
from nearid_cli.images.reading import Reading

_PIXELS = 1_000_000
_MEMORY = 256 * 2**20
_CONVERT = Reading(color_profile="convert", sixteen_bit="clip")
_KINDS = (
    ("JPEG", {"quality": 80}),
    ("JPEG", {"progressive": True}),
    ("JPEG", {"restart_marker_blocks": 1}),
    ("PNG", {}),
    ("WEBP", {"quality": 50}),
    ("WEBP", {"lossless": True}),
    ("GIF", {}),
    ("BMP", {}),
    ("TIFF", {}),
    ("TIFF", {"compression": "tiff_lzw"}),
    ("TIFF", {"compression": "jpeg"}),
    ("AVIF", {"speed": 10}),
)


def seeds() -> list[bytes]:
    """A small file of each kind, with metadata and several frames where it can have them."""
    from PIL import ImageCms

    drawn = Image.radial_gradient("L").resize((24, 18))
    picture = Image.merge("RGB", (drawn, drawn.rotate(90), drawn.rotate(180)))
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[0x0112] = 6
    made = []
    for kind, options in _KINDS:
        for one in (picture, picture.quantize(8) if kind in {"PNG", "GIF", "BMP", "TIFF"} else drawn):
            if one.mode != "P" or options.get("compression") != "jpeg":
                file = BytesIO()
                one.save(file, kind, exif=exif, icc_profile=profile if one is picture else None, **options)
                made.append(file.getvalue())
    for kind in ("GIF", "WEBP", "PNG", "AVIF"):
        file = BytesIO()
        picture.save(file, kind, save_all=True, append_images=[picture.rotate(90)])
        made.append(file.getvalue())
    return made


def check(data: bytes) -> None:
    """Open it in one of the ways in which pictures are opened.

    Raises:
        AssertionError: what comes out is no upright RGB picture without `info`, or the reason is no line.
        Exception: any other outcome than a picture or `UnreadableImage`.
    """
    BUDGET.size = _MEMORY
    way = len(data) % 4
    if way & 1:
        data = _with_checksums(data)
    reason = ""
    try:
        if way == 2:
            assert read_mask(data, _PIXELS).mode == "L"
            return
        picture = decode(data, _PIXELS, reading=_CONVERT if way == 3 else Reading())
    except UnreadableImage as error:
        reason = error.reason
    if reason:
        assert reason.isprintable(), repr(reason)
        assert len(reason) < 300, reason
    else:
        assert picture.mode == "RGB"
        assert picture.info == {}
        assert 0 < picture.width * picture.height <= _PIXELS


def _with_checksums(data: bytes) -> bytes:
    """A PNG whose chunks have the checksums that their content asks for, so that what is in them is looked at."""
    if not data.startswith(png.SIGNATURE):
        return data
    made, at = [png.SIGNATURE], len(png.SIGNATURE)
    while at + 12 <= len(data):
        end = at + 8 + int.from_bytes(data[at : at + 4], "big")
        chunk = data[at:end]
        made += [chunk, zlib.crc32(chunk[4:]).to_bytes(4, "big")]
        at = end + 4
    return b"".join(made)
