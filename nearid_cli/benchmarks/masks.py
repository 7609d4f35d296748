"""Masking as NearID-Bench does it: a mask is cleaned, fitted to the picture, and what it leaves out becomes black.

Facts from the published code, Gorluxor/NearID, evaluation/sim_test.py.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from nearid_cli.images.masking import clean_mask, painted
from nearid_cli.images.reading import Masking

MASKS = ("none", "foreground", "background")
"""What of a picture is kept: all of it, the object, or all but the object."""


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
    if keep == "background":
        fitted = fitted.point(lambda level: 0 if level else 255)
    return painted(picture, fitted, Masking(fill="black"))
