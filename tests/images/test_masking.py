"""Masks: what of a file is inside, how it is fitted to a picture, and what the rest becomes."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image

from nearid_cli.images.decode import read_mask
from nearid_cli.images.masking import counted, painted
from nearid_cli.images.reading import Masking, UnreadableImage

HALF = np.zeros((4, 6), np.uint8)
HALF[:, 3:] = 255


def saved(image: Image.Image, form: str = "PNG", **options: Any) -> bytes:
    file = BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def palette() -> Image.Image:
    image = Image.fromarray((HALF > 0).astype(np.uint8)).convert("P")
    image.putpalette([0, 0, 0, 255, 255, 255])
    return image


def with_alpha(colour: int) -> Image.Image:
    image = Image.new("RGBA", (6, 4), (colour, colour, colour, 255))
    image.putalpha(Image.fromarray(HALF))
    return image


@pytest.mark.parametrize(
    "image",
    [
        Image.fromarray(HALF),
        Image.fromarray(HALF).convert("1"),
        Image.fromarray(HALF).convert("RGB"),
        palette(),
        with_alpha(0),
        with_alpha(255),
        Image.merge("RGBA", [*[Image.fromarray(HALF)] * 3, Image.new("L", (6, 4), 255)]),
        Image.merge("LA", [Image.fromarray(HALF), Image.new("L", (6, 4), 40)]),
        Image.fromarray(HALF.astype(np.uint16) << 8),
    ],
    ids=["L", "1", "RGB", "P", "alpha of black", "alpha of white", "opaque RGBA", "even LA", "16 bits"],
)
def test_one_mask_in_every_mode(image: Image.Image) -> None:
    found = counted((6, 4), read_mask(saved(image)), None, Masking())
    assert np.array_equal(np.asarray(found), HALF)


@pytest.mark.parametrize("form", ["PNG", "GIF", "WEBP"])
@pytest.mark.parametrize("colour", [0, 255])
def test_a_cutout_of_few_colours_is_its_own_mask(form: str, colour: int) -> None:
    """As `pngquant` writes it: of the palette one colour is transparent."""
    cutout = Image.fromarray((HALF > 0).astype(np.uint8)).convert("P")
    cutout.putpalette([255 - colour] * 3 + [colour] * 3)
    cutout.info["transparency"] = 0
    found = counted((6, 4), read_mask(saved(cutout, form)), None, Masking())
    assert np.array_equal(np.asarray(found), HALF)


def test_a_cutout_with_a_colour_key_is_its_own_mask() -> None:
    cutout = Image.fromarray(np.where(HALF, 10, 240).astype(np.uint8)).convert("RGB")
    found = counted((6, 4), read_mask(saved(cutout, transparency=(240, 240, 240))), None, Masking())
    assert np.array_equal(np.asarray(found), HALF)


def test_a_mask_is_turned_as_its_picture_is() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side
    lying = Image.fromarray(HALF).transpose(Image.Transpose.ROTATE_90)
    assert np.array_equal(np.asarray(read_mask(saved(lying, exif=exif))), HALF)


def test_soft_masks_count_above_127() -> None:
    ramp = np.arange(256, dtype=np.uint8)[None]
    found = np.asarray(counted((256, 1), Image.fromarray(ramp), None, Masking()))
    assert np.flatnonzero(found).tolist() == list(range(128, 256))


@pytest.mark.parametrize(
    ("size", "fits"), [((12, 8), True), ((18, 12), True), ((13, 8), True), ((6, 6), False)]
)
def test_a_mask_of_another_size_has_the_same_shape(size: tuple[int, int], fits: bool) -> None:
    mask = Image.fromarray(HALF).resize(size, Image.Resampling.NEAREST)
    if not fits:
        with pytest.raises(UnreadableImage, match=r"another shape: 6 x 6, and the picture is 6 x 4$"):
            counted((6, 4), mask, None, Masking())
        return
    assert np.array_equal(np.asarray(counted((6, 4), mask, None, Masking())), HALF)


def test_a_box_counts_alone_and_with_a_mask() -> None:
    alone = np.asarray(counted((6, 4), None, (1, 2, 3, 2), Masking())) > 0
    assert np.argwhere(alone).min(axis=0).tolist() == [2, 1]
    assert np.argwhere(alone).max(axis=0).tolist() == [3, 3]
    both = np.asarray(counted((6, 4), Image.fromarray(HALF), (1, 2, 3, 2), Masking())) > 0
    assert np.array_equal(both, alone & (HALF > 0))
    rest = np.asarray(counted((6, 4), Image.fromarray(HALF), (1, 2, 3, 2), Masking("background"))) > 0
    assert np.array_equal(rest, ~both)


@pytest.mark.parametrize(
    ("mask", "box", "how", "reason"),
    [
        (np.zeros((4, 6)), None, Masking(), "its mask is empty: all black"),
        (HALF / 255, None, Masking(), "its highest is 1; are these labels? write 255 for what counts"),
        (HALF / 3, None, Masking(), "levels above 127 count, and its highest is 85"),
        (HALF // 30, None, Masking(clean=True), "its mask is empty when it is cleaned"),
        (HALF, (0, 0, 2, 2), Masking(), "its mask has nothing inside its box"),
        (
            HALF | 255,
            None,
            Masking("background"),
            "its mask covers the whole picture, which leaves no background",
        ),
        (None, (0, 0, 6, 4), Masking("background"), "its box covers the whole picture"),
        (None, (0, 0, 0, 4), Masking(), "its box 0,0,0,4 is empty: 0 x 4"),
        (None, (0, 0, 2, -1), Masking(), "its box 0,0,2,-1 is empty: 2 x -1"),
        (None, (-1, 0, 2, 2), Masking(), "its box -1,0,2,2 reaches out of the picture, which is 6 x 4"),
        (None, (5, 0, 2, 2), Masking(), "its box 5,0,2,2 reaches out of the picture, which is 6 x 4"),
    ],
)
def test_what_leaves_nothing_is_refused(
    mask: Any, box: tuple[int, int, int, int] | None, how: Masking, reason: str
) -> None:
    image = None if mask is None else Image.fromarray(np.asarray(mask).astype(np.uint8))
    with pytest.raises(UnreadableImage) as caught:
        counted((6, 4), image, box, how)
    assert reason in caught.value.reason


def test_a_full_mask_is_the_picture() -> None:
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (4, 6, 3), np.uint8))
    mask = counted((6, 4), Image.new("L", (2, 2), 255).resize((6, 4)), None, Masking())
    assert painted(picture, mask, Masking()) == picture


@pytest.mark.parametrize(("fill", "colour"), [("black", 0), ("white", 255), ("mean", None)])
def test_the_rest_has_one_colour_which_says_nothing_of_it(fill: str, colour: int | None) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (4, 6, 3), np.uint8)
    mask = Image.fromarray(HALF)
    found = np.asarray(painted(Image.fromarray(pixels), mask, Masking(fill=fill)))
    assert np.array_equal(found[HALF > 0], pixels[HALF > 0])
    expected = np.rint(pixels[:, 3:].reshape(-1, 3).mean(axis=0)) if colour is None else [colour] * 3
    assert (found[HALF == 0] == expected).all()
    other = pixels.copy()
    other[:, :3] = 7
    assert np.array_equal(found, np.asarray(painted(Image.fromarray(other), mask, Masking(fill=fill))))


def test_a_truncated_mask_is_no_mask() -> None:
    with pytest.raises(UnreadableImage, match="truncated PNG"):
        read_mask(
            saved(Image.fromarray(np.random.default_rng(2).integers(0, 256, (64, 64), np.uint8)))[:-200]
        )
