"""Masking: which pixels of a picture count by its mask and box, and what the others become.

The cleaning of masks is that of NearID-Bench, OpenCV's step by step, so that the same pixels come out. Facts from the
published code, Gorluxor/NearID, evaluation/sim_test.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from nearid_cli.errors import InputError
from nearid_cli.images.reading import Masking, UnreadableImage

if TYPE_CHECKING:
    from types import ModuleType

    Box = tuple[int, int, int, int]

THRESHOLD = 127
"""Levels of a mask above this are inside; of one that is cleaned, what cleaning says."""

_CLEANING_THRESHOLD = 10
_KERNEL = np.ones((5, 5), np.uint8)


def opencv() -> ModuleType:
    """OpenCV, which only the cleaning of masks needs.

    Raises:
        InputError: it is not installed.
    """
    try:
        import cv2
    except ImportError as error:
        raise InputError('cleaning masks needs OpenCV: pip install "nearid-cli[bench]"') from error
    module: ModuleType = cv2
    return module


def clean_mask(mask: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """The largest blob of a mask, filled.

    Gaussian blur 5x5, above 10 counts, then close and open with a 5x5 square, then the outer contour of the largest
    area with all that is inside it. A mask of which nothing is left comes out empty.

    Args:
        mask: uint8 [H, W].

    Returns:
        Uint8 [H, W], 0 or 255.

    Raises:
        InputError: OpenCV is not installed.
    """
    cv2: Any = opencv()
    blurred = cv2.GaussianBlur(mask, (5, 5), 0)
    binary = cv2.threshold(blurred, _CLEANING_THRESHOLD, 255, cv2.THRESH_BINARY)[1]
    closed = cv2.morphologyEx(binary, cv2.MORPH_CLOSE, _KERNEL)
    opened = cv2.morphologyEx(closed, cv2.MORPH_OPEN, _KERNEL)
    contours = cv2.findContours(opened, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)[0]
    cleaned: npt.NDArray[np.uint8] = np.zeros_like(mask)
    if contours:
        largest = max(contours, key=cv2.contourArea)
        cv2.drawContours(cleaned, [largest], -1, 255, thickness=cv2.FILLED)
    return cleaned


def counted(size: tuple[int, int], mask: Image.Image | None, box: Box | None, how: Masking) -> Image.Image:
    """Which pixels of a picture count.

    Args:
        size: the picture's width and height.
        mask: its levels, mode L, in the picture's size or another of the same shape, which is resized (nearest).
        box: x, y, width and height in pixels of the picture. With a mask, what is inside both is the foreground.
        how: what is kept of it.

    Returns:
        Mode L, of the picture's size: 255 where it counts, which is somewhere, and 0 elsewhere.

    Raises:
        UnreadableImage: the mask has another shape, the box is not within the picture, or nothing is kept.
        InputError: the mask is to be cleaned, and OpenCV is not installed.
    """
    inside = np.ones(size[::-1], bool)
    if mask is not None:
        inside = _inside_mask(mask, size, how.clean)
    if box is not None:
        x, y, width, height = box
        _check_box(box, size)
        inside_box = np.zeros_like(inside)
        inside_box[y : y + height, x : x + width] = True
        inside &= inside_box
        if not inside.any():
            raise UnreadableImage("its mask has nothing inside its box")
    if how.keep == "background":
        inside = ~inside
        if not inside.any():
            what = "mask" if box is None else "box" if mask is None else "mask and box"
            raise UnreadableImage(f"its {what} covers the whole picture, which leaves no background")
    return Image.fromarray(inside).convert("L")


def painted(picture: Image.Image, mask: Image.Image, how: Masking) -> Image.Image:
    """The picture with all that does not count in one colour.

    Args:
        picture: RGB.
        mask: of mode L and the picture's size, above 0 where the picture counts.
        how: says the colour.
    """
    pixels, kept = np.asarray(picture), np.asarray(mask) > 0
    fill = np.full(3, 255 if how.fill == "white" else 0, np.uint8)
    if how.fill == "mean":
        fill = np.rint(pixels[kept].mean(axis=0, dtype=np.float64)).astype(np.uint8)
    return Image.fromarray(np.where(kept[..., None], pixels, fill))


def _inside_mask(mask: Image.Image, size: tuple[int, int], clean: bool) -> npt.NDArray[np.bool_]:
    if not _same_shape(mask.size, size):
        raise UnreadableImage(
            f"its mask has another shape: {_size(mask.size)}, and the picture is {_size(size)}"
        )
    levels = np.asarray(mask)
    brightest = int(levels.max())
    if clean:
        levels = clean_mask(levels)
    fitted = Image.fromarray(levels)
    if mask.size != size:
        fitted = fitted.resize(size, Image.Resampling.NEAREST)
    inside: npt.NDArray[np.bool_] = np.asarray(fitted) > THRESHOLD
    if not inside.any():
        raise UnreadableImage(_why_empty(brightest, cleaned=clean))
    return inside


def _same_shape(mask: tuple[int, int], picture: tuple[int, int]) -> bool:
    """Whether two sizes have one aspect ratio, up to a pixel of the smaller one's short side."""
    return abs(mask[0] * picture[1] - mask[1] * picture[0]) <= max(*mask, *picture)


def _why_empty(brightest: int, cleaned: bool) -> str:
    if brightest == 0:
        return "its mask is empty: all black"
    if cleaned:
        return "its mask is empty when it is cleaned"
    if brightest > THRESHOLD:
        return "its mask is empty in the picture's size"
    labels = "; are these labels? write 255 for what counts" if brightest < 10 else ""
    return f"its mask is empty: levels above {THRESHOLD} count, and its highest is {brightest}{labels}"


def _check_box(box: Box, size: tuple[int, int]) -> None:
    x, y, width, height = box
    shown = ",".join(map(str, box))
    if width < 1 or height < 1:
        raise UnreadableImage(f"its box {shown} is empty: {width} x {height}")
    if x < 0 or y < 0 or x + width > size[0] or y + height > size[1]:
        raise UnreadableImage(f"its box {shown} reaches out of the picture, which is {_size(size)}")


def _size(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]}"
