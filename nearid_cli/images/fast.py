"""Making pictures smaller nearly as Pillow does, and much sooner: what `--preprocessing fast` does otherwise.

Two steps, and nothing else of what becomes of a picture. A JPEG is decoded at half its width and height where that is
still twice what is wanted (`takes_half`, `decode.read_picture`), by the same libjpeg, which reads all of the file as
ever and computes a quarter of the samples. And the resize is one with vector instructions, whose levels differ from
Pillow's by one here and there (bilinear) or by a few (bicubic).

What the resizer cannot mirror is left to Pillow: other filters, whose edges it rounds otherwise, and enlarging. So is
decoding at a quarter: reading the file is most of the work by then.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from typing import TYPE_CHECKING

from nearid_cli.errors import UsageError

if TYPE_CHECKING:
    from PIL import Image

FILTERS: Mapping[int, str] = {2: "bilinear", 3: "catmull_rom"}
"""The resizer's names of those of Pillow's filters, by their numbers, that it has, too."""

VERSION = "fast/2"
"""Part of the fingerprints. Count it up when a change of ours changes what comes out."""

_PACKAGE = "cykooz_resizer"


def check_installed() -> None:
    """Refuse to begin without the resizer. Does not import it: what is cached needs none.

    Raises:
        UsageError: saying what to install.
    """
    if importlib.util.find_spec(_PACKAGE) is None:
        raise UsageError("--preprocessing fast needs its package: pip install 'nearid-cli[fast]'")


def takes_half(size: tuple[int, int], wanted: tuple[int, int]) -> bool:
    """Whether half of a picture's width and height is still twice what is wanted of it.

    Nearer to it, the resize no longer averages away that the half is sharper than the means of its pixels.

    >>> takes_half((1024, 896), (224, 224)), takes_half((1024, 895), (224, 224))
    (True, False)
    """
    return all(4 * few <= many for few, many in zip(wanted, size, strict=True))


def resized(image: Image.Image, size: tuple[int, int], resample: int) -> Image.Image | None:
    """An RGB picture as one of width and height `size`, or None where the resizer cannot do as Pillow does.

    Raises:
        UnreadableImage: what it takes meanwhile is more than may be used.
    """
    if resample not in FILTERS or size[0] > image.width or size[1] > image.height:
        return None
    from cykooz_resizer import FilterType, ResizeAlg, ResizeOptions, Resizer
    from PIL import Image

    from nearid_cli.images.memory import BUDGET

    smaller = Image.new("RGB", size)
    options = ResizeOptions(ResizeAlg.convolution(FilterType[FILTERS[resample]]))
    # It goes by rows and by columns, and ends the process where there is no memory for what is between.
    with BUDGET.taken(4 * max(size[0] * image.height, image.width * size[1])):
        Resizer().resize_pil(image, smaller, options)
    return smaller
