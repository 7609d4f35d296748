"""JPEG: libjpeg's pixels or a refusal; nothing filled in, however the file was cut, and nothing whole refused."""

from __future__ import annotations

import random
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import skimage
from PIL import Image

from nearid_cli.images.decode import UnreadableImage, decode, read_picture

CAT = Image.open(Path(skimage.__file__).parent / "data" / "chelsea.png").convert("RGB").resize((150, 101))
FLAT = Image.new("RGB", (200, 150), "white")
FLAT.paste(CAT.resize((60, 40)), (10, 10))
EOI = b"\xff\xd9"


def encoded(image: Image.Image, **options) -> bytes:
    file = BytesIO()
    image.save(file, "JPEG", **options)
    return file.getvalue()


FILES = {
    "baseline": encoded(CAT),
    "optimised": encoded(CAT, optimize=True),
    "not subsampled": encoded(CAT, subsampling=0, quality=95),
    "subsampled across": encoded(CAT, subsampling=1),
    "coarse": encoded(CAT, quality=5),
    "progressive": encoded(CAT, progressive=True),
    "grey": encoded(CAT.convert("L")),
    "grey progressive": encoded(CAT.convert("L"), progressive=True),
    "cmyk": encoded(CAT.convert("CMYK")),
    "cmyk progressive": encoded(CAT.convert("CMYK"), progressive=True),
    "restart each block": encoded(CAT, restart_marker_blocks=1),
    "restart each row": encoded(CAT, restart_marker_rows=1),
    "progressive with restarts": encoded(CAT, progressive=True, restart_marker_rows=1),
    "flat": encoded(FLAT, optimize=True),
    "flat grey": encoded(FLAT.convert("L"), optimize=True),
    "flat progressive": encoded(FLAT, progressive=True),
}


def pixels(content: bytes) -> np.ndarray | None:
    try:
        return np.asarray(decode(content))
    except UnreadableImage:
        return None


def data_of(content: bytes) -> int:
    """Where the pixel data of the first scan begin."""
    at = content.index(b"\xff\xda")
    return at + 2 + int.from_bytes(content[at + 2 : at + 4], "big")


def reason(content: bytes) -> str:
    with pytest.raises(UnreadableImage) as caught:
        decode(content)
    return caught.value.reason


@pytest.mark.parametrize("kind", FILES)
def test_whole_files_are_read_as_pillow_reads_them(kind):
    with Image.open(BytesIO(FILES[kind])) as opened:
        assert np.array_equal(pixels(FILES[kind]), opened.convert("RGB"))


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize(
    "ending",
    [b"", b"\0\0", b"\0" * 3, b"a trailer of some camera " * 9, EOI + b"more" * 99, b"\xff\xff" + EOI],
)
def test_pixels_that_are_whole_need_no_end_marker(kind, ending):
    content = FILES[kind]
    assert content.endswith(EOI)
    assert np.array_equal(pixels(content[:-2] + ending), pixels(content))


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize(
    "ending", [b"", EOI, b"\0" * 3000, b"\0" * 3000 + EOI], ids=["", "marker", "zeros", "both"]
)
def test_a_cut_is_seen_whatever_follows(kind, ending):
    content = FILES[kind]
    start = data_of(content)
    for cut in np.linspace(start, len(content) - 40, 25).astype(int):
        assert pixels(content[:cut] + ending) is None, cut


@pytest.mark.parametrize("kind", FILES)
def test_a_cut_of_the_last_bytes_without_an_end_marker_is_seen(kind):
    content = FILES[kind]
    whole = pixels(content)
    for length in range(len(content) - 40, len(content)):
        found = pixels(content[:length])
        assert found is None or np.abs(found.astype(int) - whole).max() < 8


def test_the_reason_is_short():
    content = FILES["baseline"]
    assert reason(content[: len(content) // 2] + EOI) == "truncated JPEG"
    assert reason(content[:300]) == "truncated JPEG"
    progressive = FILES["progressive"]
    last_scan = progressive.rindex(b"\xff\xda")
    assert reason(progressive[:last_scan] + EOI) == "truncated JPEG"


@pytest.mark.parametrize("kind", ["baseline", "not subsampled", "cmyk", "restart each row"])
def test_holes_are_seen(kind):
    """What is in the hole stands for pixels that come out too many or too few, but by rare chance."""
    content = FILES[kind]
    generator = random.Random(5)
    seen = 0
    for _ in range(40):
        at = generator.randrange(data_of(content), len(content) - 600)
        hole = generator.choice([bytes(400), b"\xff" * 400, b""])
        seen += pixels(content[:at] + hole + content[at + 400 :]) is None
    assert seen >= 36


def test_data_that_no_pixel_needs_are_seen_and_padding_is_not_minded():
    content = FILES["baseline"]
    more = content[data_of(content) : data_of(content) + 300]
    assert reason(content[:-2] + more + EOI) == "damaged JPEG: more pixel data than its pixels need"
    for padding in (bytes(300), b"\xff" * 300, b"abc"):
        assert np.array_equal(pixels(content[:-2] + padding + EOI), pixels(content))


def test_restart_markers_must_be_there_and_in_order():
    content = FILES["restart each row"]
    first = content.index(b"\xff\xd0", data_of(content))
    second = content.index(b"\xff\xd1", first)
    assert reason(content[:first] + content[second:]) == "truncated JPEG"
    swapped = (
        content[:first] + b"\xff\xd1" + content[first + 2 : second] + b"\xff\xd0" + content[second + 2 :]
    )
    assert reason(swapped) == "damaged JPEG: restart markers out of order"


def segment(marker: int, body: bytes) -> bytes:
    return bytes([0xFF, marker]) + (len(body) + 2).to_bytes(2, "big") + body


@pytest.mark.parametrize(
    "extra",
    [
        segment(0xE0, b"JFIF"),
        segment(0xE0, b"JFIF\0\x01"),
        segment(0xE2, b"ICC_PROFILE\0"),
        segment(0xE2, b"ICC_PROFILE\0\x01"),
        segment(0xE2, b"MPF\0"),
        segment(0xED, b"Photoshop 3.0\x008BIM\x04\x04\x09ab"),
        segment(0xEE, b"Adobe"),
        segment(0xEE, b"Adobe\0\x64"),
        segment(0xE1, b"Exif\0\0"),
        segment(0xE1, b""),
        segment(0xFE, b""),
        segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0\xff\xfe"),
        b"\xff\xff",
    ],
)
@pytest.mark.parametrize("kind", ["baseline", "progressive", "cmyk"])
def test_short_and_odd_segments_are_nobodys_business(kind, extra):
    content = FILES[kind]
    assert np.array_equal(pixels(content[:2] + extra + content[2:]), pixels(content))


def test_the_colours_of_an_adobe_segment_still_count():
    """Without it, three components of no particular name are taken for YCbCr."""
    rgb = encoded(CAT, keep_rgb=True, subsampling=0)
    for number, name in enumerate(b"RGB"):
        rgb = rgb.replace(bytes([name, 0x11, 0]), bytes([number, 0x11, 0]))
        rgb = rgb[: rgb.index(b"\xff\xda") + 5] + rgb[rgb.index(b"\xff\xda") + 5 :].replace(
            bytes([name, 0x00]), bytes([number, 0x00]), 1
        )
    with Image.open(BytesIO(rgb)) as opened:
        assert np.array_equal(pixels(rgb), opened.convert("RGB"))
    assert not np.array_equal(pixels(rgb.replace(b"Adobe", b"adobe")), pixels(rgb))


@pytest.mark.parametrize(
    ("marker", "precision", "wanted"),
    [
        (0xC1, 12, "unsupported: 12-bit JPEG; convert it to 8 bits"),
        (0xC3, 8, "unsupported: lossless JPEG; convert it to PNG"),
        (0xC5, 8, "unsupported: hierarchical JPEG; convert it to PNG"),
        (0xC9, 8, "unsupported: arithmetic-coded JPEG; convert it to PNG"),
        (0xF7, 8, "unsupported: JPEG-LS; convert it to PNG"),
    ],
)
def test_kinds_of_jpeg_that_are_not_read_are_named(marker, precision, wanted):
    content = bytearray(FILES["baseline"])
    at = content.index(b"\xff\xc0")
    content[at + 1], content[at + 4] = marker, precision
    assert reason(bytes(content)) == wanted


def test_a_thumbnail_is_watched_too():
    content = encoded(CAT.resize((1200, 808)))
    assert decode(content, at_least=128).size == (300, 202)
    with pytest.raises(UnreadableImage):
        decode(content[: len(content) // 2] + EOI, at_least=128)


@pytest.mark.parametrize(
    "image", [CAT.resize((150, 100)), FLAT, FLAT.convert("L")], ids=["cat", "flat", "grey"]
)
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_rows": 1}], ids=str)
def test_half_of_a_picture_is_watched_as_the_whole(image, options):
    """The same files are refused, for the same reasons; those that raise a doubt are decoded whole."""
    content = encoded(image, optimize=True, **options)

    def outcome(cut: bytes, **options) -> str:
        try:
            read_picture(cut, **options)
        except UnreadableImage as error:
            return error.reason
        return "read"

    for end in np.linspace(data_of(content), len(content), 12).astype(int):
        for ending in (b"", EOI, b"\0" * 300 + EOI):
            cut = content[:end] + ending
            assert outcome(cut, halve=lambda size: True) == outcome(cut), (end, ending)
