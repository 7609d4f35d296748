"""Cut-outs of the photographs that come with scikit-image, as identities with look-alikes.

Each photograph is divided into 16 regions that do not overlap. A region is one identity: a disc cut out of it,
three times, each time cropped a little differently, turned, lit anew and pasted on a piece of another photograph.
Its look-alikes are pasted with the very same crop, turn, light and background:

    region       the disc comes from the region beside it
    recoloured   all hues are turned by 60 to 120 degrees
    warped       the disc is swirled around its middle

A look-alike that differs visibly in less than a fifth of the disc is left out, as `nearid synth` does at level `easy`.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import skimage
from PIL import Image, ImageDraw, ImageEnhance
from skimage.transform import swirl

KINDS = ("region", "recoloured", "warped")
PHOTOGRAPHS = ("astronaut.png", "chelsea.png", "coffee.png", "motorcycle_left.png", "rocket.jpg")
SEED = 900_004
_GRID = 4
_VISIBLE = 24  # difference of a channel, of 255
_LEAST_CHANGE = 0.2
_COLUMNS = ("path", "subject", "role", "view", "difficulty", "kinds")


@dataclass(frozen=True)
class _Pose:
    """How one view is made; its look-alikes share it."""

    zoom: float  # side of the crop, as a share of the region's
    left: float  # of the crop, as a share of the room there is
    top: float
    turn: float  # degrees
    brightness: float
    colour: float
    side: int  # of the disc, pixels
    x: int  # of the disc in the picture
    y: int
    background: Image.Image


def write_cutouts(folder: Path, size: int, most: int) -> None:
    """Write the pictures and manifest.csv into a new folder.

    Args:
        folder: where to.
        size: pixels of a picture's side.
        most: samples of each kind at most, taken evenly from the photographs.
    """
    photographs = [_photograph(name) for name in PHOTOGRAPHS]
    cells = [(which, cell) for cell in range(_GRID**2) for which in range(len(photographs))]
    lines: list[tuple[object, ...]] = []
    written = dict.fromkeys(KINDS, 0)
    for which, cell in cells:
        for kind, views, look_alikes in _samples(photographs, which, cell, size):
            if written[kind] < most:
                written[kind] += 1
                subject = f"{Path(PHOTOGRAPHS[which]).stem}_{cell:02d}_{kind}"
                for role, pictures in (("reference", views), ("distractor", look_alikes)):
                    (folder / f"{role}s" / subject).mkdir(parents=True)
                    for view, picture in enumerate(pictures, 1):
                        path = f"{role}s/{subject}/{view:02d}.png"
                        picture.save(folder / path)
                        lines.append((path, subject, role, view, "", kind))
    with (folder / "manifest.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_COLUMNS)
        writer.writerows(lines)


def _samples(
    photographs: list[Image.Image], which: int, cell: int, size: int
) -> Iterator[tuple[str, list[Image.Image], list[Image.Image]]]:
    """One identity's samples, at most one of each kind."""
    random = np.random.default_rng([SEED, which, cell])
    region = _region(photographs[which], cell)
    poses = [_pose(random, [p for i, p in enumerate(photographs) if i != which], size) for _ in range(3)]
    views = [_paste(region, pose) for pose in poses]
    beside = cell + 1 if cell % _GRID < _GRID - 1 else cell - 1
    degrees = random.uniform(60, 120) * random.choice([-1, 1])
    others = {
        "region": _region(photographs[which], beside),
        "recoloured": _turn_hue(region, degrees),
        "warped": _swirl(region),
    }
    for kind in KINDS:
        look_alikes = [_paste(others[kind], pose) for pose in poses]
        changes = [_changed(*three) for three in zip(views, look_alikes, poses, strict=True)]
        if np.mean(changes) >= _LEAST_CHANGE:
            yield kind, views, look_alikes


def _photograph(name: str) -> Image.Image:
    return Image.open(Path(skimage.__file__).parent / "data" / name).convert("RGB")


def _region(photograph: Image.Image, cell: int) -> Image.Image:
    """A square in the middle of one cell of the grid."""
    width, height = photograph.width / _GRID, photograph.height / _GRID
    side = min(width, height)
    left = (cell % _GRID + 0.5) * width - side / 2
    top = (cell // _GRID + 0.5) * height - side / 2
    return photograph.crop(tuple(round(edge) for edge in (left, top, left + side, top + side)))


def _pose(random: np.random.Generator, others: list[Image.Image], size: int) -> _Pose:
    photograph = others[int(random.integers(len(others)))]
    edge = min(photograph.size) * random.uniform(0.4, 0.8)
    left, top = (random.uniform(0, length - edge) for length in photograph.size)
    box = (left, top, left + edge, top + edge)
    side = round(size * random.uniform(0.55, 0.75))
    return _Pose(
        zoom=random.uniform(0.85, 1),
        left=random.uniform(),
        top=random.uniform(),
        turn=random.uniform(-20, 20),
        brightness=random.uniform(0.75, 1.25),
        colour=random.uniform(0.8, 1.2),
        side=side,
        x=int(random.integers(size - side + 1)),
        y=int(random.integers(size - side + 1)),
        background=photograph.resize((size, size), Image.Resampling.LANCZOS, box=box),
    )


def _paste(region: Image.Image, pose: _Pose) -> Image.Image:
    edge = region.width * pose.zoom
    left, top = (region.width - edge) * pose.left, (region.height - edge) * pose.top
    # A disc has no corners, so turning it brings in nothing from outside.
    turned = region.rotate(pose.turn, Image.Resampling.BICUBIC, center=(left + edge / 2, top + edge / 2))
    box = (left, top, left + edge, top + edge)
    disc = turned.resize((pose.side, pose.side), Image.Resampling.LANCZOS, box=box)
    disc = ImageEnhance.Color(ImageEnhance.Brightness(disc).enhance(pose.brightness)).enhance(pose.colour)
    picture = pose.background.copy()
    picture.paste(disc, (pose.x, pose.y), _disc(pose.side))
    return picture


def _disc(side: int) -> Image.Image:
    """A smooth round mask."""
    large = Image.new("L", (4 * side, 4 * side))
    ImageDraw.Draw(large).ellipse((0, 0, 4 * side - 1, 4 * side - 1), fill=255)
    return large.resize((side, side), Image.Resampling.BOX)


def _turn_hue(image: Image.Image, degrees: float) -> Image.Image:
    hue, saturation, value = image.convert("HSV").split()
    turned = hue.point([(level + round(degrees / 360 * 256)) % 256 for level in range(256)])
    return Image.merge("HSV", (turned, saturation, value)).convert("RGB")


def _swirl(image: Image.Image) -> Image.Image:
    warped = swirl(np.asarray(image), strength=6, radius=image.width / 2, mode="reflect", preserve_range=True)
    return Image.fromarray(np.rint(warped).clip(0, 255).astype(np.uint8))


def _changed(view: Image.Image, look_alike: Image.Image, pose: _Pose) -> float:
    """Share of the disc's pixels that differ visibly."""
    differs = np.abs(np.asarray(view, np.int16) - np.asarray(look_alike, np.int16)).max(axis=-1) > _VISIBLE
    return float(differs.sum() / (np.pi / 4 * pose.side**2))
