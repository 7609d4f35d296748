"""What is behind the object: a procedural scene, or a piece of one of the user's pictures."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nearid_cli.errors import InputError
from nearid_cli.images.decode import UnreadableImage, decode
from nearid_cli.text import count, printable

Scene = NDArray[np.float32]
PHRASES = ("on a {} plain", "before a {} wall", "in a {} studio", "among {} shapes")
SHADES = ("red", "golden", "yellow", "green", "turquoise", "blue", "violet", "pink")


def draw_background(random: np.random.Generator, size: int) -> tuple[Scene, str]:
    """A scene [size, size, 3], 0 to 1, and a phrase about it.

    Two colours with a soft or a sharp border between them, cloudy noise at three scales, and
    sometimes a few discs and boxes, all at a contrast drawn from calm to busy.
    """
    hue, contrast = random.uniform(), random.uniform(0.1, 0.5)
    one = np.array(colorsys.hsv_to_rgb(hue, random.uniform(0.05, 0.7), random.uniform(0.3, 0.9)), np.float32)
    away = random.uniform(-0.5, 0.5, 3).astype(np.float32) * contrast
    down, right = np.mgrid[0:size, 0:size].astype(np.float32) / size - 0.5
    angle = random.normal(0, 0.3) if random.uniform() < 0.7 else random.uniform(0, 2 * np.pi)
    height = down * np.cos(angle) + right * np.sin(angle) - random.uniform(-0.2, 0.3)
    sharp = random.choice([1.5, 4.0, 40.0])
    scene = one + np.clip(0.5 + height * sharp, 0, 1)[..., None].astype(np.float32) * away
    for cells in (3, 6, 14):
        grey = random.normal(0, 0.25 * contrast / cells**0.3, (cells, cells, 1))
        noise = grey + random.normal(0, 0.08 * contrast, (cells, cells, 3))
        scene += _stretch(noise.astype(np.float32), size)
    shapes = int(random.integers(0, 5)) if random.uniform() < 0.6 else 0
    for _ in range(shapes):
        x, y, reach = random.uniform(-0.5, 0.5), random.uniform(-0.5, 0.5), random.uniform(0.05, 0.25)
        if random.uniform() < 0.5:
            outside = np.hypot(right - x, down - y) - reach
        else:
            outside = np.maximum(
                np.abs(right - x) - reach, np.abs(down - y) - reach * random.uniform(0.4, 1.5)
            )
        cover = np.clip(0.5 - outside * size / 1.5, 0, 1)[..., None].astype(np.float32)
        colour = one + random.uniform(-0.8, 0.8, 3).astype(np.float32) * contrast
        scene += (colour - scene) * cover
    kind = 3 if shapes > 1 else int(random.integers(3))
    return np.clip(scene, 0, 1), PHRASES[kind].format(SHADES[int(hue * len(SHADES))])


def _stretch(noise: Scene, size: int) -> Scene:
    """Enlarge small noise [n, n, 3] smoothly."""
    planes = [
        Image.fromarray(noise[..., channel]).resize((size, size), Image.Resampling.BICUBIC)
        for channel in range(3)
    ]
    return np.stack([np.asarray(plane, np.float32) for plane in planes], axis=-1)


def cut_background(paths: Sequence[Path], random: np.random.Generator, size: int) -> Scene:
    """A square piece of one of these pictures, at least half as wide as its shorter side, [size, size, 3], 0 to 1.

    Raises:
        InputError: the picture cannot be read. It names every picture of `paths` that cannot.
    """
    try:
        picture = _picture(paths[int(random.integers(len(paths)))], size)
    except UnreadableImage as error:
        raise _unreadable(paths) from error
    side = min(picture.size) * random.uniform(0.5, 1)
    left, top = random.uniform(0, picture.width - side), random.uniform(0, picture.height - side)
    box = (left, top, left + side, top + side)
    piece = picture.resize((size, size), Image.Resampling.BILINEAR, box=box, reducing_gap=2.0)
    scene: Scene = np.asarray(piece, np.float32) / np.float32(255)
    return scene


@lru_cache(maxsize=64)
def _picture(path: Path, size: int) -> Image.Image:
    """A picture, made smaller as far as pieces of it keep their sharpness: photographs in full fill the memory."""
    picture = decode(path)
    return picture.reduce(max(1, min(picture.size) // (4 * size)))


def _unreadable(paths: Sequence[Path]) -> InputError:
    # Only now is it worth the time to read all of them.
    findings = []
    for path in paths:
        try:
            decode(path)
        except UnreadableImage as error:
            findings.append(f"{printable(path)}: {error.reason}")
    return InputError(f"{count(len(findings), 'background picture')} cannot be read", findings)
