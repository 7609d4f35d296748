"""Colour profiles and deep grey: what is told apart, what is converted, and what each choice is worth."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageCms

from nearid_cli.images.colour import is_srgb
from nearid_cli.images.decode import decode, read_held, read_picture
from nearid_cli.images.reading import Findings, Reading
from nearid_cli.images.tiff import TagDirectory
from tests import icc

CONVERT = Reading(color_profile="convert")
CLIP = Reading(sixteen_bit="clip")
ROUNDED = ((0.4361, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7141))
P3 = icc.rgb(icc.DISPLAY_P3, icc.srgb_curve())
COLOURS = np.array(
    [[[200, 60, 30], [30, 180, 60], [90, 90, 90], [255, 255, 255], [0, 0, 0], [20, 40, 220]]], np.uint8
)


def encoded(image: Image.Image, format_: str, **options) -> bytes:
    file = BytesIO()
    image.save(file, format_, **options)
    return file.getvalue()


@pytest.mark.parametrize(
    ("profile", "expected"),
    [
        (icc.rgb(icc.SRGB, icc.srgb_curve()), True),
        (icc.rgb(icc.SRGB, icc.srgb_table(1024), b"sRGB IEC61966-2.1"), True),
        (icc.rgb(icc.SRGB, icc.srgb_table(26), b"c2"), True),
        (
            icc.rgb(
                ((0.4361, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7141)),
                icc.srgb_curve(),
            ),
            True,
        ),
        (ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(), True),
        (icc.grey(icc.srgb_curve()), True),
        (P3, False),
        (icc.rgb(icc.DISPLAY_P3, icc.srgb_curve(), b"sRGB IEC61966-2.1"), False),
        (icc.rgb(icc.ADOBE_RGB, icc.gamma(2.2)), False),
        (icc.rgb(icc.SRGB, icc.gamma(1.0)), False),
        (icc.grey(icc.gamma(1.0)), False),
    ],
)
def test_srgb_is_what_does_what_srgb_does(profile, expected):
    """By primaries and curve; a description may say anything."""
    assert is_srgb(profile) is expected


def p3_to_srgb(levels: np.ndarray) -> np.ndarray:
    """By the formulas: to linear light, to XYZ by the colorants, to sRGB's, to levels."""
    light = levels / 255
    light = np.where(light <= 0.04045, light / 12.92, ((light + 0.055) / 1.055) ** 2.4)
    light = light @ np.array(icc.DISPLAY_P3) @ np.linalg.inv(np.array(icc.SRGB))
    light = np.clip(light, 0, 1)
    return 255 * np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)


@pytest.mark.parametrize("format_", ["PNG", "TIFF", "WEBP", "JPEG", "AVIF"])
def test_display_p3_is_converted_where_that_is_asked_for(format_):
    options = {
        "WEBP": {"lossless": True},
        "JPEG": {"quality": 100, "subsampling": 0},
        "AVIF": {"quality": 100, "subsampling": "4:4:4"},
    }
    picture = Image.fromarray(np.repeat(np.repeat(COLOURS, 16, 0), 16, 1))
    content = encoded(picture, format_, icc_profile=P3, **options.get(format_, {}))
    plain = read_picture(content)
    assert plain.findings == Findings(profiled=1)
    assert np.abs(np.asarray(plain.image, int) - np.asarray(picture, int)).max() <= 3
    converted = read_picture(content, reading=CONVERT)
    assert converted.findings == Findings(profiled=1)
    assert not converted.image.info
    expected = p3_to_srgb(np.asarray(plain.image, float))
    assert np.abs(np.asarray(converted.image, int) - expected).max() <= 2
    assert np.abs(expected - np.asarray(plain.image, int)).max() > 20


def test_srgb_and_no_profile_are_the_same_to_the_bit():
    picture = Image.fromarray(COLOURS)
    for options in ({}, {"icc_profile": icc.rgb(icc.SRGB, icc.srgb_table(26))}):
        found = read_picture(encoded(picture, "PNG", **options), reading=CONVERT)
        assert found.findings == Findings()
        assert np.array_equal(found.image, COLOURS)


@pytest.mark.parametrize("profile", [b"junk", b"", P3[:200], P3[:-60], bytes(5000), icc.grey(icc.gamma(1.0))])
def test_profiles_that_cannot_be_used_are_ignored_and_counted(profile):
    content = encoded(Image.fromarray(COLOURS), "PNG", icc_profile=profile)
    for reading in (Reading(), CONVERT):
        found = read_picture(content, reading=reading)
        assert np.array_equal(found.image, COLOURS)
    assert found.findings == Findings(broken_profile=int(bool(profile)))


def test_grey_is_converted_by_a_grey_profile():
    picture = Image.fromarray(np.array([[0, 64, 128, 255]], np.uint8))
    content = encoded(picture, "PNG", icc_profile=icc.grey(icc.gamma(1.0)))
    light = np.array([0, 64, 128, 255]) / 255
    expected = 255 * np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    converted = np.asarray(decode(content, reading=CONVERT), int)
    assert np.abs(converted - expected[None, :, None]).max() <= 1
    assert np.array_equal(decode(content), picture.convert("RGB"))


def test_modes_beside_rgb_keep_their_ways():
    palette = Image.fromarray(COLOURS).quantize(8)
    content = encoded(palette, "PNG", icc_profile=P3)
    expected = p3_to_srgb(np.asarray(palette.convert("RGB"), float))
    assert np.abs(np.asarray(decode(content, reading=CONVERT), int) - expected).max() <= 2
    transparent = Image.fromarray(np.dstack([COLOURS, np.full((1, 6), 7, np.uint8)]))
    content = encoded(transparent, "PNG", icc_profile=P3)
    assert np.abs(np.asarray(decode(content, reading=CONVERT), int) - p3_to_srgb(COLOURS)).max() <= 2


def test_pictures_in_memory_are_converted_too():
    picture = Image.fromarray(COLOURS)
    picture.info["icc_profile"] = P3
    assert np.array_equal(read_held(picture).image, COLOURS)
    assert np.abs(np.asarray(read_held(picture, reading=CONVERT).image, int) - p3_to_srgb(COLOURS)).max() <= 2
    assert np.array_equal(picture, COLOURS)


LEVELS = np.array([[0, 100, 255, 256, 32_768, 65_280, 65_535]], np.uint16)


@pytest.mark.parametrize("format_", ["PNG", "TIFF"])
def test_sixteen_bit_grey_is_scaled_as_colour_is(format_):
    content = encoded(Image.fromarray(LEVELS), format_)
    found = read_picture(content)
    assert found.findings == Findings(deep=1)
    assert np.asarray(found.image)[0, :, 0].tolist() == [0, 0, 0, 1, 128, 255, 255]
    clipped = read_picture(content, reading=CLIP)
    assert clipped.findings == Findings(deep=1)
    with Image.open(BytesIO(content)) as opened:
        assert np.array_equal(clipped.image, opened.convert("RGB"))
    assert np.asarray(clipped.image)[0, :, 0].tolist() == [0, 100, 255, 255, 255, 255, 255]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("photometric", ["minisblack", "miniswhite"])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_sixteen_bit_grey_tiff_of_all_kinds(order, photometric, compression):
    tifffile = pytest.importorskip("tifffile")
    file = BytesIO()
    tifffile.imwrite(file, LEVELS, byteorder=order, photometric=photometric, compression=compression)
    expected = LEVELS >> 8 if photometric == "minisblack" else 255 - (LEVELS >> 8)
    if (order, photometric) == (">", "miniswhite"):  # Pillow knows no such layout
        with pytest.raises(Exception, match=r"^unsupported: TIFF of 1 x 16 bits, photometric 0, compression"):
            decode(file.getvalue())
    else:
        assert np.array_equal(np.asarray(decode(file.getvalue()))[..., 0], expected)


def test_twelve_bit_grey_uses_its_whole_range():
    """Two levels of 12 bits in three bytes, as a TIFF writes them."""
    tifffile = pytest.importorskip("tifffile")
    file = BytesIO()
    tifffile.imwrite(
        file, np.zeros((1, 4), np.uint16), photometric="minisblack", byteorder="<", metadata=None
    )
    content = bytearray(file.getvalue())
    directory = TagDirectory.read(bytes(content))
    at = content.index(directory.entries[258])
    content[at + 8 : at + 10] = b"\x0c\0"
    start = int(directory.number(273, 0))
    content[start : start + 6] = bytes([0xFF, 0xF8, 0x00, 0x01, 0x00, 0x10])  # 4095, 2048, 16, 16
    assert np.asarray(decode(bytes(content)))[0, :, 0].tolist() == [255, 128, 1, 1]
