"""Visual Semantic Matching: of the places that two pictures share by meaning, how many look the same?

Each cell of a picture has two vectors: one of what is there (semantic) and one of how it looks (visual). A cell of the
reference is matched with the cell of the generation that means the same; where both look alike, identity was kept.

Definitions: "Mind-the-Glitch", NeurIPS 2025, arXiv 2509.21989.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Features = npt.NDArray[np.float32]
"""[2, cells, C]: the semantic and the visual vectors of a square grid, row by row. Of length 1, or 0 in cells that do
not count, such as those outside of a mask."""


@dataclass(frozen=True)
class Matches:
    """The kept points of a pair: at most one of the reference for each cell of the generation.

    Attributes:
        cells: of the generation's grid, in all.
        source: the reference's cells, ascending, int [K].
        target: for each the generation's cell that means the same, no two alike, int [K].
        semantic: the cosine of the two's semantic vectors, [K].
        visual: the greatest cosine of the source's visual vector with that of any cell of the generation, [K].
    """

    cells: int
    source: npt.NDArray[np.int64]
    target: npt.NDArray[np.int64]
    semantic: npt.NDArray[np.float32]
    visual: npt.NDArray[np.float32]


def match(reference: Features, generation: Features, semantic_threshold: float) -> Matches:
    """Match the reference's cells with the generation's.

    Kept are points whose semantic score is above the threshold; of several that land on one cell, the one that scores
    best, and of equal ones the first.

    Args:
        reference: of one picture.
        generation: of the other, whose grid may be another; the vectors are of one width.
        semantic_threshold: from 0 to below 1. Cells that do not count have cosines of 0, so that none of them is kept.

    Raises:
        ValueError: shapes that are none of features or do not fit each other, or a threshold out of range.
    """
    for name, features in (("reference", reference), ("generation", generation)):
        if features.ndim != 3 or features.shape[0] != 2 or not features.size:
            raise ValueError(
                f"Expected argument `{name}` to be an array [2, cells, C] but got shape {features.shape}"
            )
    if reference.shape[2] != generation.shape[2]:
        raise ValueError(
            f"Expected both to have vectors of one width but got {reference.shape[2]} and {generation.shape[2]}"
        )
    if not 0 <= semantic_threshold < 1:
        raise ValueError(
            f"Expected argument `semantic_threshold` to be from 0 to below 1 but got {semantic_threshold}"
        )
    points = np.flatnonzero(reference[0].any(axis=1))
    cosines = reference[0, points] @ generation[0].T
    target = cosines.argmax(axis=1)
    semantic = cosines.max(axis=1)
    # Best first, and of equal scores the first point; then the first of each target is the one to keep.
    order = np.argsort(-semantic, kind="stable")
    order = order[semantic[order] > semantic_threshold]
    kept = np.sort(order[np.unique(target[order], return_index=True)[1]])
    visual = (reference[1, points[kept]] @ generation[1].T).max(axis=1)
    return Matches(generation.shape[1], points[kept], target[kept], semantic[kept], visual)


def visual_consistency(matches: Matches, threshold: float) -> float | None:
    """VSM: the share of the kept points whose visual score is above the threshold, 0 to 1; None without a point."""
    return float(np.mean(matches.visual > threshold)) if matches.visual.size else None


def inconsistencies(matches: Matches, threshold: float) -> npt.NDArray[np.float32]:
    """Where the generation looks different: what VSM counts, on the generation's grid [G, G].

    Returns:
        1 in a cell whose point's visual score is not above the threshold, 0 where it is, NaN where no point landed. The
        mean of the numbers is 1 - VSM.

    Raises:
        ValueError: the cells make no square.
    """
    side = math.isqrt(matches.cells)
    if side * side != matches.cells:
        raise ValueError(f"expected a square grid, found {matches.cells} cells")
    grid = np.full(matches.cells, np.nan, np.float32)
    grid[matches.target] = matches.visual <= threshold
    return grid.reshape(side, side)
