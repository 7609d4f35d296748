from __future__ import annotations

import builtins
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw
from scipy import ndimage

from nearid_cli.benchmarks.masks import fitted
from nearid_cli.errors import InputError
from nearid_cli.images.masking import clean_mask, painted
from nearid_cli.images.reading import Masking

Grey = np.ndarray[Any, Any]


def by_scipy(mask: Grey) -> Grey:
    """The same steps from another library: binomial blur with mirrored borders, 5x5 square, outer contour filled."""
    weights = np.array([1, 4, 6, 4, 1])
    blurred = ndimage.convolve1d(mask.astype(np.int64), weights, axis=0, mode="mirror")
    blurred = ndimage.convolve1d(blurred, weights, axis=1, mode="mirror")
    binary = np.floor(blurred / 256 + 0.5) > 10
    square = np.ones((5, 5), bool)
    closed = ndimage.binary_erosion(ndimage.binary_dilation(binary, square), square, border_value=1)
    opened = ndimage.binary_dilation(ndimage.binary_erosion(closed, square, border_value=1), square)
    blobs, number = ndimage.label(opened, np.ones((3, 3)))
    filled = [ndimage.binary_fill_holes(blobs == blob + 1) for blob in range(number)]
    best = max(filled, key=np.sum) if filled else np.zeros(mask.shape, bool)
    return (best * 255).astype(np.uint8)


def masked(picture: Image.Image, mask: Image.Image, keep: str) -> Image.Image:
    return painted(picture, fitted(mask, picture.size, keep), Masking())


def drawn(size: tuple[int, int] = (70, 50)) -> Image.Image:
    """A ring, a smaller blob, single bright pixels, a faint smear, a crack through the ring."""
    picture = Image.new("L", size)
    draw = ImageDraw.Draw(picture)
    draw.ellipse((4, 4, 40, 44), fill=255)
    draw.ellipse((14, 14, 30, 34), fill=0)
    draw.line((4, 24, 14, 24), fill=0)
    draw.rectangle((55, 30, 65, 45), fill=200)
    draw.rectangle((45, 2, 56, 10), fill=9)
    for point in ((50, 20), (44, 47), (58, 1)):
        draw.point(point, fill=255)
    return picture


def test_cleaned_as_scipy_does_it() -> None:
    mask = np.asarray(drawn())
    cleaned = clean_mask(mask)
    assert np.array_equal(cleaned, by_scipy(mask))
    assert cleaned[24, 22] == 255  # inside the ring
    assert cleaned[24, 8] == 255  # in the crack
    assert cleaned[38, 60] == 0  # in the smaller blob
    assert set(np.unique(cleaned)) == {0, 255}


@pytest.mark.parametrize("seed", range(30))
def test_random_masks_as_scipy_cleans_them(seed: int) -> None:
    rng = np.random.default_rng(seed)
    noise = ndimage.gaussian_filter(rng.normal(size=(40, 70)), 1 + seed % 4)
    # One big blob, so that contour area and number of pixels agree on which is the largest.
    noise[8:30, 10:40] += 3 * np.abs(noise).max()
    mask = np.clip(noise / noise.max() * 300 - 20, 0, 255).astype(np.uint8)
    assert np.array_equal(clean_mask(mask), by_scipy(mask))


@pytest.mark.parametrize("level", [0, 10])
def test_a_mask_of_which_nothing_is_left(level: int) -> None:
    picture = Image.new("RGB", (8, 6), (9, 8, 7))
    mask = Image.new("L", (8, 6), level)
    assert not np.asarray(masked(picture, mask, "foreground")).any()
    assert masked(picture, mask, "background") == picture


def test_foreground_and_background_share_the_picture_out() -> None:
    mask = drawn()
    pixels = np.random.default_rng(0).integers(1, 256, (100, 140, 3), np.uint8)
    picture = Image.fromarray(pixels)
    front, back = (np.asarray(masked(picture, mask, keep)) for keep in ("foreground", "background"))
    assert np.array_equal(np.maximum(front, back), pixels)
    assert not (front & back).any()
    # Cleaned in the mask's own size, then resized to nearest.
    inside = by_scipy(np.asarray(mask)) > 0
    rows, columns = np.arange(100) // 2, np.arange(140) // 2
    assert np.array_equal(front.any(axis=2), inside[rows][:, columns])


def test_colour_masks_count_by_their_brightness() -> None:
    picture = Image.new("RGB", (20, 20), (1, 2, 3))
    blue = Image.new("RGB", (20, 20), (0, 0, 80))  # 9 as grey
    green = Image.new("RGB", (20, 20), (0, 80, 0))
    assert not np.asarray(masked(picture, blue, "foreground")).any()
    assert masked(picture, green, "foreground") == picture


def test_without_opencv(monkeypatch: pytest.MonkeyPatch) -> None:
    found = builtins.__import__

    def absent(name: str, *rest: Any, **more: Any) -> Any:
        if name == "cv2":
            raise ImportError(name)
        return found(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(InputError, match=r'cleaning masks needs OpenCV: pip install "nearid-cli\[bench\]"$'):
        clean_mask(np.zeros((5, 5), np.uint8))
