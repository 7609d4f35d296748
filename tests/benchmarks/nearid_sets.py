"""Data sets for NearID-Bench, small and full of gaps, and its similarities by plain loops over their pictures."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageDraw

from tests.nearid_data.making import encoded, saved, slots, table

Cells = list[list[bytes | None]]
PAIRS = [(0, 1), (0, 2), (1, 2)]

# Which of the slots 1, 2, 3 hold a view, a mask, and a distractor of either source.
SHAPES = [
    ("123", "123", "123", "123"),
    ("1-3", "123", "-23", "1--"),  # a view is missing in the middle, and its distractor is there
    ("--3", "123", "123", "123"),  # no sample
    ("12-", "12-", "---", "-2-"),  # no sample of the first source
    ("123", "1-3", "--3", "123"),  # a mask is missing
    ("-23", "-23", "1-3", "123"),
    ("123", "---", "123", "12-"),  # no sample with masks
    ("123", "123", "12-", "---"),
]
IDS = [70, 7, 700, 8, None, 9, 10, 11]
CATEGORIES = ["cup", "cup", "car", None, "car", "cup", "car", "cup"]


@dataclass
class Sets:
    """Positives and two sources of distractors."""

    views: Cells
    masks: Cells
    flux: Cells
    qwen: Cells
    ids: list[int | None] = field(default_factory=lambda: list(IDS))

    def save(self, folder: Path) -> Path:
        """Write `NearID`, `NearID-Flux_1024` and `NearID-Qwen`; returns the folder."""
        positives = slots("images", self.views) | slots("masks", self.masks)
        saved(table(positives, id=self.ids, category=CATEGORIES), folder / "NearID")
        saved(table(slots("nimg", self.flux), id=self.ids), folder / "NearID-Flux_1024")
        # As `nearid synth` writes it, with masks of the distractors, which must not count.
        empty: Cells = [[encoded(Image.new("L", (9, 9)))] * 3] * len(SHAPES)
        saved(table(slots("nimg", self.qwen) | slots("nmasks", empty), id=self.ids), folder / "NearID-Qwen")
        return folder


def made(photographs: dict[str, Image.Image]) -> Sets:
    """Distinct crops of photographs; masks of another size than their pictures."""
    every = list(photographs.values())
    number = iter(range(10_000))

    def picture() -> bytes:
        n = next(number)
        photograph = every[n % len(every)]
        left, top = 3 * n % 200, 5 * n % 150
        crop = photograph.crop((left, top, left + 150 + n, top + 140))
        return encoded(crop.resize((40 + n % 3, 36)))

    def mask() -> bytes:
        n = next(number)
        drawn = Image.new("L", (60, 54))
        draw = ImageDraw.Draw(drawn)
        draw.ellipse((5 + n % 7, 4, 40 + n % 11, 45), fill=255)
        draw.ellipse((20, 15, 30, 30), fill=0)
        draw.rectangle((55, 2, 58, 9), fill=255)
        return encoded(drawn)

    def cells(kind: int, make: Callable[[], bytes]) -> Cells:
        return [[None if mark == "-" else make() for mark in shape[kind]] for shape in SHAPES]

    return Sets(cells(0, picture), cells(1, mask), cells(2, picture), cells(3, picture))


def by_hand(
    sets: Sets,
    distractors: Cells | None,
    mode: str,
    masks: str,
    compact: bool,
    embed: Callable[[list[Image.Image]], np.ndarray[Any, Any]],
    rows: Sequence[int] = range(len(SHAPES)),
) -> list[dict[str, object]]:
    """What a file of similarities must hold: one dictionary a sample, without what does not exist."""
    found: list[dict[str, object]] = []
    for row in rows:
        views: list[Any] = [None] * 3
        others: list[Any] = [None] * 3
        for slot in range(3):
            mask = sets.masks[row][slot]
            for into, cells in ((views, sets.views), (others, distractors)):
                content = None if cells is None else cells[row][slot]
                if (
                    content is None
                    or (masks != "none" and mask is None)
                    or (into is others and mode == "positives")
                ):
                    continue
                picture = Image.open(io.BytesIO(content)).convert("RGB")
                if masks != "none":
                    picture = blacked(picture, Image.open(io.BytesIO(mask or b"")), masks)
                vector = embed([picture])[0].astype(np.float64)
                into[slot] = vector / np.linalg.norm(vector)
        n_pos, n_neg = (sum(vector is not None for vector in side) for side in (views, others))
        if n_pos < 2 or (mode != "positives" and n_neg < 1):
            continue
        if compact:
            views, others = (
                [v for v in side if v is not None] + [v for v in side if v is None]
                for side in (views, others)
            )
        identity = sets.ids[row]
        sample: dict[str, object] = {
            "sample_id": str(row if identity is None else identity),
            "category": CATEGORIES[row] or "",
            "n_pos": n_pos,
            "n_neg": n_neg,
        }
        for name, left, right, pairs in (
            ("sim", views, views, PAIRS),
            ("cross", views, others, [(i, j) for i in range(3) for j in range(3)]),
            ("neg_sim", others, others, PAIRS if mode == "fullneg" else []),
        ):
            for i, j in pairs:
                if left[i] is not None and right[j] is not None:
                    sample[f"{name}_{i}{j}"] = float(np.sum(left[i] * right[j]))
        found.append(sample)
    return found


def blacked(picture: Image.Image, mask: Image.Image, keep: str) -> Image.Image:
    """A picture through its mask, pixel by pixel."""
    grey = cv2.GaussianBlur(np.array(mask.convert("L")), (5, 5), 0)
    binary = (grey > 10).astype(np.uint8)
    square = np.ones((5, 5), np.uint8)
    closed = cv2.erode(cv2.dilate(binary, square), square)
    opened = cv2.dilate(cv2.erode(closed, square), square)
    contours = cv2.findContours(opened, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]
    largest = sorted(contours, key=cv2.contourArea)[-1]
    filled = cv2.fillPoly(np.zeros_like(opened), [largest], 1)
    inside = np.array(Image.fromarray(filled).resize(picture.size, Image.Resampling.NEAREST))
    pixels = np.array(picture)
    for y in range(picture.height):
        for x in range(picture.width):
            if bool(inside[y, x]) != (keep == "foreground"):
                pixels[y, x] = 0
    return Image.fromarray(pixels)


def margins(sample: dict[str, Any]) -> list[float]:
    """The valid margins of a sample."""
    return [
        sample[f"sim_{i}{j}"] - sample[f"cross_{k}{k}"]
        for i, j in PAIRS
        for k in (i, j)
        if f"sim_{i}{j}" in sample and f"cross_{k}{k}" in sample
    ]
