"""Pictures that a Python program holds, taken as the same picture in a file would be."""

from __future__ import annotations

from PIL import Image

from nearid_cli.images.decode import MAX_PIXELS, Decoded, UnreadableImage, megapixels, take
from nearid_cli.images.reading import DEFAULT_READING, Reading

_UNBOUNDED = ("I", "F")
"""Modes whose values have no known range: Pillow would cut them off at 255 in silence."""


def read_held(
    picture: Image.Image, max_pixels: int = MAX_PIXELS, reading: Reading = DEFAULT_READING
) -> Decoded:
    """A copy of a picture of mode RGB, upright by its EXIF orientation, and what of it was a matter of choice.

    Args:
        picture: a PIL image; one that is opened but not read yet is read.
        max_pixels: the largest width x height that is taken.
        reading: whether its colour profile counts, and what becomes of 16-bit grey.

    Raises:
        UnreadableImage: it is too large, its values have no known range, or its file is truncated or damaged.

    >>> read_held(Image.new("L", (3, 2), 128)).image.getpixel((0, 0))
    (128, 128, 128)
    """
    width, height = picture.size
    if not width * height:
        raise UnreadableImage(f"has no pixels: it is {width} x {height}")
    if width * height > max_pixels:
        raise UnreadableImage(f"{megapixels(width * height)} is over max_pixels, {megapixels(max_pixels)}")
    if picture.mode in _UNBOUNDED:
        raise UnreadableImage(
            f"a picture of mode {picture.mode}, whose values have no known range; convert it to 8 bits first"
        )
    try:
        return take(picture, reading)
    except Exception as error:  # a file that is read only now may raise nearly everything, a closed one too
        raise UnreadableImage(f"cannot be read: {error or type(error).__name__}") from error
