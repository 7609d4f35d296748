"""What is written beside the pixels: an orientation that can be read is applied once, nothing else matters."""

from __future__ import annotations

import functools
import itertools
import struct
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import skimage
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from nearid_cli.images import png, tiff
from nearid_cli.images.decode import decode, read_held

CAT = Image.open(Path(skimage.__file__).parent / "data" / "chelsea.png").convert("RGB").resize((45, 30))
CAT.info.clear()
UPRIGHT = CAT.transpose(Image.Transpose.ROTATE_270)
ORIENTATION = 0x0112


def encoded(image: Image.Image, format_: str, **options) -> bytes:
    file = BytesIO()
    image.save(file, format_, **options)
    return file.getvalue()


def exif(*entries: tuple[int, int, int, bytes], order: str = "<") -> bytes:
    """EXIF with these tags: number, type, count, four bytes of value or offset."""
    rows = b"".join(struct.pack(order + "HHI", *entry[:3]) + entry[3] for entry in entries)
    head = b"II*\0\x08\0\0\0" if order == "<" else b"MM\0*\0\0\0\x08"
    return b"Exif\0\0" + head + struct.pack(order + "H", len(entries)) + rows + bytes(4) + bytes(64)


SIX = (ORIENTATION, 3, 1, b"\x06\0\0\0")
TAGS = (
    0x010F,
    0x0112,
    0x011A,
    0x0128,
    0x0132,
    0x013B,
    0x8298,
    0x8769,
    0x8825,
    0xA005,
    0x014A,
    0x02BC,
    0x927C,
    0xFFFF,
)
TYPES = (*range(15), 16, 17, 18, 99, 0xFFFF)
COUNTS = (0, 1, 4, 70_000, 2**32 - 1)


@functools.cache
def _with_placeholder(format_: str, length: int) -> bytes:
    plain = exif((0x0128, 3, 1, b"\x02\0\0\0"), *[(0x8298, 7, 1, b"free")] * (length - 1))
    options = {"lossless": True} if format_ == "WEBP" else {}
    content = encoded(CAT, format_, exif=plain, **options)
    assert content.count(plain[6:]) == 1
    return content.replace(plain[6:], b"PLACEHOLDER")


def in_format(format_: str, *entries: tuple[int, int, int, bytes]) -> bytes:
    """A picture with these tags, put in behind the back of the writer, who would not have them."""
    return _with_placeholder(format_, len(entries)).replace(b"PLACEHOLDER", exif(*entries)[6:])


def close(picture: Image.Image, expected: Image.Image) -> bool:
    difference = np.abs(np.asarray(picture, int) - np.asarray(expected, int))
    return picture.size == expected.size and difference.mean() < 8


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP"])
def test_no_tag_of_any_type_keeps_good_pixels_from_being_read(format_):
    tried = 0
    for tag, kind, count in itertools.product(TAGS, TYPES, COUNTS):
        if tag == ORIENTATION:
            continue
        for value in (b"\xff\xff\xff\xff", b"\x08\0\0\0"):
            content = in_format(format_, (tag, kind, count, value), SIX)
            assert close(decode(content), UPRIGHT), (tag, kind, count, value)
            tried += 1
    assert tried > 2000


@pytest.mark.parametrize("format_", ["AVIF", "HEIF"])
def test_containers_that_turn_pictures_themselves_do_not_care(format_):
    if format_ == "HEIF":
        pytest.importorskip("pillow_heif").register_heif_opener()
    for tag, kind in itertools.product(TAGS, TYPES):
        if tag == ORIENTATION:
            continue
        picture = decode(in_format(format_, (tag, kind, 70_000, b"\xff\xff\xff\xff"), SIX))
        assert close(picture, CAT), (tag, kind)


def test_orientation_in_every_type_that_holds_a_whole_number():
    values = {
        1: b"\x06\0\0\0",
        3: b"\x06\0\0\0",
        4: b"\x06\0\0\0",
        6: b"\x06\0\0\0",
        8: b"\x06\0\0\0",
        9: b"\x06\0\0\0",
        11: struct.pack("<f", 6),
    }
    for kind, value in values.items():
        assert tiff.orientation(exif((ORIENTATION, kind, 1, value))) == 6, kind
    for kind in set(TYPES) - {*values, 5, 10, 12, 16, 17}:
        assert tiff.orientation(exif((ORIENTATION, kind, 1, b"\x06\0\0\0"))) == 1, kind
    assert tiff.orientation(exif((ORIENTATION, 3, 1, b"\0\x06\0\0"), order=">")) == 6
    assert tiff.orientation(exif((ORIENTATION, 3, 0, b"\x06\0\0\0"))) == 1


@settings(max_examples=500)
@given(
    st.binary(max_size=80),
    st.sampled_from([b"", b"II*\0", b"MM\0*", b"Exif\0\0II*\0\x08\0\0\0", b"II+\0\x08\0\0\0"]),
)
def test_junk_has_no_orientation_worse_than_a_number(junk, start):
    assert 1 <= tiff.orientation(start + junk, junk) <= 8


@settings(max_examples=300)
@given(st.integers(0, 10), st.sampled_from(["<", ">"]), st.sampled_from([1, 3, 4, 9]))
def test_as_pillow_where_pillow_can(value, order, kind):
    packed = {1: "Bxxx", 3: "Hxx", 4: "I", 9: "i"}[kind]
    metadata = exif((ORIENTATION, kind, 1, struct.pack(order + packed, value)), order=order)
    if kind != 1:  # a byte is text to Pillow
        pillow = Image.Exif()
        pillow.load(metadata)
        expected = pillow[ORIENTATION]
        assert tiff.orientation(metadata) == (expected if 1 <= expected <= 8 else 1)


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def with_chunk(extra: bytes) -> bytes:
    content = encoded(CAT, "PNG")
    at = content.index(b"IDAT") - 4
    return content[:at] + extra + content[at:]


@pytest.mark.parametrize(
    "extra",
    [
        chunk(b"eXIf", b"garbage-garbage"),
        chunk(b"eXIf", b"II"),
        chunk(b"eXIf", b""),
        chunk(b"tEXt", b"Raw profile type exif\0no hexadecimal at all"),
        chunk(b"zTXt", b"Raw profile type exif\0\0not deflated"),
        chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(2 * 2**20))),
        chunk(b"tEXt", b"parameters\0" + b"a prompt, " * 900_000),
        chunk(b"iTXt", b"workflow\0\1\0\0\0" + zlib.compress(b"{}" * 10**6)),
        chunk(b"iTXt", b""),
        chunk(b"iCCP", b"icc\0\0not deflated"),
        chunk(b"iCCP", b"icc\0\0" + zlib.compress(bytes(3 * 2**20))),
        chunk(b"iCCP", b"icc"),
        chunk(b"pHYs", b""),
        chunk(b"gAMA", b"\0"),
        chunk(b"cHRM", b"\0\0"),
        chunk(b"acTL", b"\0"),
        chunk(b"tRNS", b""),
        chunk(b"tEXt", b"wrong checksum")[:-1] + b"?",
    ],
)
def test_no_chunk_beside_the_pixels_keeps_them_from_being_read(extra):
    assert np.array_equal(decode(with_chunk(extra)), CAT)


def test_orientation_of_a_png_from_all_its_places():
    six = exif(SIX)
    hexadecimal = f"\nexif\n{len(six):8}\n{six.hex()}\n".encode()
    packet = b'XML:com.adobe.xmp\0\0\0\0\0<x tiff:Orientation="6"/>'
    for extra in (
        chunk(b"eXIf", six[6:]),
        chunk(b"tEXt", b"Raw profile type exif\0" + hexadecimal),
        chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(hexadecimal)),
        chunk(b"iTXt", packet),
    ):
        content = with_chunk(extra)
        assert np.array_equal(decode(content), UPRIGHT)
        with Image.open(BytesIO(content)) as opened:
            assert np.array_equal(ImageOps.exif_transpose(opened), UPRIGHT)
        at_the_end = encoded(CAT, "PNG").replace(chunk(b"IEND", b""), extra + chunk(b"IEND", b""))
        assert np.array_equal(decode(at_the_end), UPRIGHT)


def test_a_png_is_taken_apart_and_put_together_the_same():
    content = encoded(CAT, "PNG")
    assert png.take_apart(content).pixels == content
    assert png.take_apart(content[:500]).pixels == content[:500]


def test_a_compressed_chunk_is_not_unpacked_without_end():
    found = png.take_apart(with_chunk(chunk(b"iCCP", b"icc\0\0" + zlib.compress(bytes(40 * 2**20)))))
    assert len(found.profile) == 16 * 2**20


def test_orientation_counts_once_in_tiff():
    assert np.array_equal(decode(encoded(CAT, "TIFF", tiffinfo={ORIENTATION: 6})), UPRIGHT)
    assert np.array_equal(
        decode(encoded(CAT, "TIFF", compression="tiff_lzw", tiffinfo={ORIENTATION: 6})), UPRIGHT
    )


def test_broken_tags_of_a_tiff_do_not_matter():
    content = encoded(
        CAT, "TIFF", tiffinfo={ORIENTATION: 6, 270: "a description", 34665: 7, 34853: 9, 282: 72.0}
    )
    directory = tiff.TagDirectory.read(content)
    for tag in (270, 34665, 34853, 282, 283, 296):
        for kind in TYPES:
            row = directory.entries.get(tag)
            if row is None:
                continue
            at = content.index(row)
            broken = (
                content[: at + 2] + struct.pack("<HI", kind, 2**31) + b"\xff\xff\xff\x7f" + content[at + 12 :]
            )
            assert np.array_equal(decode(broken), UPRIGHT), (tag, kind)


def test_given_pictures_with_broken_exif():
    given_ = CAT.copy()
    given_.info["exif"] = exif((0x8298, 11, 1, bytes(4)), SIX)
    assert read_held(given_).image.size == (30, 45)
    given_.info["exif"] = b"junk"
    assert read_held(given_).image.size == (45, 30)
