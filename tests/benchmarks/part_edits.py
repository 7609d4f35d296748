"""Small data sets in the form of Mind-the-Glitch, and the benchmark worked out by hand from their pictures."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import stats

from tests.nearid_data.making import encoded, saved, table

Columns = dict[str, list[bytes | None]]
SIMILARITIES = ("1_2", "1_1p", "1_2p", "2_2p", "2_1p")
SIZE = (40, 48)


def part_edits(rows: int = 8, seed: int = 0) -> Columns:
    """Blocks of colour; the twin has other blocks in the upper part. The object is the upper 30 of 48 lines.

    Masks are stored in all ways that occur: other sizes than the picture, 0/1 and 0/255, RGB, RGBA, bilevel.
    """
    random = np.random.default_rng(seed)
    columns: Columns = {
        f"image_{k}_{suffix}": []
        for k in (1, 2)
        for suffix in ("original", "inpainted", "object_mask", "part_mask")
    }
    for row in range(rows):
        for k in (1, 2):
            picture, other = (
                random.integers(0, 256, (12, 10, 3), dtype=np.uint8).repeat(4, 0).repeat(4, 1)
                for _ in range(2)
            )
            lines = int(random.integers(1, 28))
            twin = picture.copy()
            twin[:lines] = other[:lines]
            kind = 2 * row + k
            columns[f"image_{k}_original"].append(encoded(picture))
            columns[f"image_{k}_inpainted"].append(encoded(twin))
            columns[f"image_{k}_object_mask"].append(mask(30, kind))
            columns[f"image_{k}_part_mask"].append(mask(lines, kind))
    return columns


def mask(lines: int, kind: int = 0) -> bytes:
    """White in so many of 48 lines, stored in one of five ways; every second one at twice the size."""
    covered = np.zeros(SIZE[::-1], np.uint8)
    covered[:lines] = 1
    if kind % 2:
        covered = covered.repeat(2, 0).repeat(2, 1)
    modes: list[Callable[[], Image.Image]] = [
        lambda: Image.fromarray(covered),
        lambda: Image.fromarray(covered * 255),
        lambda: Image.fromarray(covered * 255).convert("RGB"),
        lambda: Image.fromarray(np.dstack([covered * 255] * 3 + [np.full_like(covered, 255)])),
        lambda: Image.fromarray(covered * 255).convert("1"),
    ]
    return encoded(modes[kind % 5]())


def written(columns: Columns, folder: Path) -> str:
    return saved(table(columns), folder)


def by_hand(
    columns: Columns,
    embed: Callable[[list[Image.Image]], np.ndarray],
    rows: Sequence[int] | None = None,
    masks: bool = False,
) -> dict[str, object]:
    """Similarities, oracles and all numbers, picture by picture."""
    listed = list(range(len(columns["image_1_original"]))) if rows is None else rows
    similarities, oracles = [], []
    for row in listed:
        vectors = {}
        for k in (1, 2):
            for name, suffix in ((f"{k}", "original"), (f"{k}p", "inpainted")):
                content = columns[f"image_{k}_{suffix}"][row]
                covering = columns[f"image_{k}_object_mask"][row]
                if content is None or (masks and covering is None):
                    continue
                picture = Image.open(io.BytesIO(content)).convert("RGB")
                if masks:
                    assert covering is not None
                    picture = blackened(picture, Image.open(io.BytesIO(covering)))
                vectors[name] = embed([picture])[0].astype(np.float64)
        similarities.append(
            [
                cosine(vectors[a], vectors[b]) if a in vectors and b in vectors else math.nan
                for a, b in (pair.split("_") for pair in SIMILARITIES)
            ]
        )
        oracles.append(
            [
                share_left(columns[f"image_{k}_object_mask"][row], columns[f"image_{k}_part_mask"][row])
                for k in (1, 2)
            ]
        )
    return {"similarities": similarities, "oracles": oracles} | numbers(similarities, oracles)


def blackened(picture: Image.Image, covering: Image.Image) -> Image.Image:
    fitted = covering.convert("L").resize(picture.size, Image.Resampling.NEAREST)
    pixels = np.array(picture)
    for y in range(picture.height):
        for x in range(picture.width):
            if fitted.getpixel((x, y)) == 0:
                pixels[y, x] = 0
    return Image.fromarray(pixels)


def share_left(whole: bytes | None, part: bytes | None) -> float:
    if whole is None or part is None:
        return 0.0
    areas = [
        sum(value > 0 for value in Image.open(io.BytesIO(content)).convert("L").tobytes())
        for content in (whole, part)
    ]
    return 1 - areas[1] / areas[0] if areas[0] else 0.0


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(sum(a * b) / math.sqrt(sum(a * a) * sum(b * b)))


def numbers(similarities: list[list[float]], oracles: list[list[float]]) -> dict[str, object]:
    r = []
    for place, twin in ((1, 0), (3, 1), (2, 1), (4, 0)):
        pairs = [(s[place], o[twin]) for s, o in zip(similarities, oracles, strict=True)]
        first, second = zip(*[pair for pair in pairs if not any(map(math.isnan, pair))], strict=True)
        flat = max(first) - min(first) < 1e-9 or max(second) - min(second) < 1e-9
        r.append(0.0 if flat else float(stats.pearsonr(first, second).statistic))
    margins = [
        [margin for margin in (row[0] - row[1], row[0] - row[3]) if not math.isnan(margin)]
        for row in similarities
    ]
    tried = [own for own in margins if own]
    every = [margin for own in tried for margin in own]
    return {
        "r": r,
        "mo": fisher(r),
        "mo_pair": fisher(r[:2]),
        "ssr": sum(all(margin > 0 for margin in own) for own in tried) / len(tried),
        "pa": sum(margin > 0 for margin in every) / len(every),
        "samples": len(tried),
        "trials": len(every),
    }


def fisher(r: list[float]) -> float:
    return math.tanh(sum(math.atanh(min(0.999, max(-0.999, one))) for one in r) / len(r))
