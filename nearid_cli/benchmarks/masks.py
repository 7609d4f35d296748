"""Masking as NearID-Bench does it: a mask is cleaned, fitted to the picture, and what it leaves out becomes black.

Facts from the published code, Gorluxor/NearID, evaluation/sim_test.py. The cleaning is OpenCV's, step by step, so that
the same pixels come out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from nearid_cli.errors import InputError

if TYPE_CHECKING:
    from types import ModuleType

MASKS = ("none", "foreground", "background")
"""What of a picture is kept: all of it, the object, or all but the object."""

_THRESHOLD = 10
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
    binary = cv2.threshold(blurred, _THRESHOLD, 255, cv2.THRESH_BINARY)[1]
    closed = cv2.morphologyEx(binary, cv2.MORPH_CLOSE, _KERNEL)
    opened = cv2.morphologyEx(closed, cv2.MORPH_OPEN, _KERNEL)
    contours = cv2.findContours(opened, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)[0]
    cleaned: npt.NDArray[np.uint8] = np.zeros_like(mask)
    if contours:
        largest = max(contours, key=cv2.contourArea)
        cv2.drawContours(cleaned, [largest], -1, 255, thickness=cv2.FILLED)
    return cleaned


def masked(picture: Image.Image, mask: Image.Image, keep: str) -> Image.Image:
    """A picture with black where its mask does not say to keep it.

    Args:
        picture: RGB.
        mask: of any mode and size; it is cleaned in its own size, then resized to the picture's (nearest).
        keep: `foreground` or `background`; or `object`, what is above 0 in a mask that is not cleaned, for MTG.

    Raises:
        InputError: OpenCV is not installed.
    """
    grey = mask.convert("L")
    fitted = grey if keep == "object" else Image.fromarray(clean_mask(np.asarray(grey)))
    if fitted.size != picture.size:
        fitted = fitted.resize(picture.size, Image.Resampling.NEAREST)
    inside = np.asarray(fitted) > 0
    kept = ~inside if keep == "background" else inside
    return Image.fromarray(np.where(kept[..., None], np.asarray(picture), np.uint8(0)))
