"""TIFF in its variants, written by tifffile: right pixels, or a refusal by name; never something else."""

from __future__ import annotations

import itertools
from io import BytesIO

import numpy as np
import pytest
import tifffile

from nearid_cli.images.decode import UnreadableImage, decode

HEIGHT, WIDTH = 24, 40
ROWS, COLUMNS = np.mgrid[0:HEIGHT, 0:WIDTH]
COLOURS = np.stack([COLUMNS * 6, ROWS * 10, (ROWS + COLUMNS) * 4, np.full_like(ROWS, 200)], -1).astype(
    np.uint8
)


def written(levels: np.ndarray, **options) -> bytes:
    file = BytesIO()
    tifffile.imwrite(file, levels, metadata=None, **options)
    return file.getvalue()


def reason(content: bytes) -> str:
    with pytest.raises(UnreadableImage) as caught:
        decode(content)
    return caught.value.reason


@pytest.mark.parametrize("photometric", ["minisblack", "miniswhite", "rgb"])
def test_right_or_refused_by_name(photometric):
    read = refused = 0
    for bits, order, planar, compression, tile, alpha in itertools.product(
        (8, 16), "<>", ("contig", "separate"), (None, "zlib"), (None, (16, 16)), (False, True)
    ):
        channels = (3 if photometric == "rgb" else 1) + alpha
        levels = COLOURS[..., [*range(channels - alpha), *([3] if alpha else [])]]
        expected = np.broadcast_to(levels[..., : channels - alpha], (HEIGHT, WIDTH, 3))
        if photometric == "miniswhite":
            expected = 255 - expected
        stored = levels.astype(np.uint16) * 257 if bits == 16 else levels
        options = {"photometric": photometric, "byteorder": order, "compression": compression, "tile": tile}
        if alpha:
            options["extrasamples"] = ["unassalpha"]
        if channels == 1:
            stored = stored[..., 0]
        else:
            options["planarconfig"] = planar
            stored = np.moveaxis(stored, -1, 0).copy() if planar == "separate" else stored
        try:
            picture = decode(written(stored, **options))
        except UnreadableImage as error:
            refused += error.reason.startswith("unsupported: ")
        else:
            assert np.abs(np.asarray(picture, int) - expected).max() <= 1, (options, bits)
            read += 1
    assert read >= 16
    assert read + refused == 64


@pytest.mark.parametrize(
    ("levels", "options", "wanted"),
    [
        (COLOURS[..., :3].astype(np.float32), {"photometric": "rgb"}, "floating-point TIFF"),
        (COLOURS[..., 0].astype(np.float64), {}, "floating-point TIFF"),
        (COLOURS[..., 0].astype(np.float16), {}, "floating-point TIFF"),
        (COLOURS[..., :3].astype(np.int16), {"photometric": "rgb"}, "signed 16-bit TIFF"),
        (COLOURS[..., 0].astype(np.int8), {}, "signed 8-bit TIFF"),
        (COLOURS[..., 0].astype(np.uint32), {}, "32-bit TIFF"),
        (
            np.moveaxis(COLOURS[..., :3].astype(np.uint16), -1, 0).copy(),
            {"photometric": "rgb", "planarconfig": "separate"},
            "planar 16-bit TIFF",
        ),
        (COLOURS[..., :3], {"photometric": "cielab"}, "TIFF in CIE L*a*b*"),
        (
            COLOURS[..., :2].astype(np.uint16),
            {"photometric": "minisblack", "planarconfig": "contig", "extrasamples": ["unassalpha"]},
            "TIFF of 2 x 16 bits, photometric 1, compression 1",
        ),
        (
            COLOURS[..., :3],
            {"photometric": "rgb", "subfiletype": 1},
            "a TIFF or camera raw that begins with a thumbnail",
        ),
        (
            COLOURS[..., :3],
            {"photometric": "rgb", "extratags": [(50706, 1, 4, b"\1\4\0\0")]},
            "camera raw (DNG)",
        ),
    ],
)
def test_what_is_not_read_is_named(levels, options, wanted):
    assert reason(written(levels, **options)) == f"unsupported: {wanted}; convert it to PNG"


def test_only_the_first_page_counts():
    file = BytesIO()
    with tifffile.TiffWriter(file) as writer:
        writer.write(COLOURS[..., :3], photometric="rgb", metadata=None)
        writer.write(COLOURS[..., 0].astype(np.float32), metadata=None)
    assert np.array_equal(decode(file.getvalue()), COLOURS[..., :3])


def test_a_big_tiff():
    content = written(COLOURS[..., :3], photometric="rgb", bigtiff=True, byteorder="<")
    assert np.array_equal(decode(content), COLOURS[..., :3])
