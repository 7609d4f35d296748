"""Random changes to training pictures that leave the identity as it is: flip, colour, place and size, background.

Everything random comes in as numbers drawn elsewhere, so each function does the same again for the same numbers.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nearid_cli.training.options import Augmentations

if TYPE_CHECKING:
    import torch

DRAWS = 10
"""How many numbers in [0, 1) `augment` takes for a picture."""

JITTER = 0.2
HUE = 0.05
"""Widths of the colour jitter: factors of brightness, contrast and saturation in 1 +- 0.2, hue by +- 0.05 turns."""

# A turn of the hue by an angle is A + cos(angle) B + sin(angle) C: W3C Filter Effects, feColorMatrix hueRotate.
# It leaves greys alone and keeps luma, and unlike a turn in HSV it is one matrix.
_LUMA = np.array([0.213, 0.715, 0.072], np.float32)
_HUE_A = np.tile(_LUMA, (3, 1))
_HUE_B = np.eye(3, dtype=np.float32) - _HUE_A
_HUE_C = np.array([[-0.213, -0.715, 0.928], [0.143, 0.140, -0.283], [-0.787, 0.715, 0.072]], np.float32)


def augment(pixels: torch.Tensor, draws: NDArray[np.float64], how: Augmentations) -> torch.Tensor:
    """Flip, jitter and move pictures, each by its own draws and independently of the others.

    Args:
        pixels: uint8 [N, 3, H, W].
        draws: [N, `DRAWS`], uniform in [0, 1).
        how: probabilities and ranges.

    Returns:
        uint8 [N, 3, H, W]. A picture that the draws leave alone is the same to the bit: its numbers come back
        within a thousandth of a level, and are rounded.
    """
    import torch

    flipped, jittered, moved = (draws[:, :3] < (how.flip, how.jitter, how.translate)).T
    drawn = torch.from_numpy(draws).float()
    values = pixels.float()
    if jittered.any():
        change = (drawn[:, 3:7] * 2 - 1) * torch.from_numpy(jittered)[:, None]
        values = jitter(values, 1 + JITTER * change[:, :3], HUE * change[:, 3])
    if flipped.any() or moved.any():
        chosen = torch.from_numpy(moved)
        shift = (drawn[:, 7:9] * 2 - 1) * how.translate_fraction * chosen[:, None]
        scale = torch.where(chosen, how.scale_min + drawn[:, 9] * (how.scale_max - how.scale_min), 1.0)
        values = move(values, torch.from_numpy(flipped), shift, scale)
    return values.round_().clamp_(0, 255).byte()


def jitter(pixels: torch.Tensor, factors: torch.Tensor, hue: torch.Tensor) -> torch.Tensor:
    """Change brightness, contrast, saturation and hue, in this order, without clipping.

    Brightness multiplies levels; contrast blends with the mean luma of the picture, saturation with the luma of
    each pixel. All four are affine in a pixel's colour, so together they are one matrix and one offset.

    Args:
        pixels: float [N, 3, H, W], levels 0..255.
        factors: float [N, 3], of brightness, contrast and saturation; 1 changes nothing.
        hue: float [N], in turns.

    Returns:
        float [N, 3, H, W].
    """
    import torch

    luma, a, b, c = map(torch.from_numpy, (_LUMA, _HUE_A, _HUE_B, _HUE_C))
    brightness, contrast, saturation = factors.view(-1, 3, 1, 1).unbind(1)
    angle = hue.view(-1, 1, 1) * (2 * torch.pi)
    turn = a + angle.cos() * b + angle.sin() * c
    matrix = turn @ (a + saturation * b) * (contrast * brightness)
    flat = pixels.flatten(2)
    mean_luma = (flat.mean(2) @ luma).view(-1, 1, 1)
    return torch.baddbmm((1 - contrast) * brightness * mean_luma, matrix, flat).view_as(pixels)


def move(pixels: torch.Tensor, flip: torch.Tensor, shift: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """Flip pictures horizontally, scale them about their centre, and shift them, in this order.

    Bilinear; what comes into view repeats the edge.

    Args:
        pixels: float [N, 3, H, W].
        flip: bool [N].
        shift: float [N, 2], to the right and down, as fractions of width and height.
        scale: float [N]; above 1 enlarges.

    Returns:
        float [N, 3, H, W].
    """
    import torch
    from torch.nn import functional

    count, _, height, width = pixels.shape
    # Where each pixel comes from, in coordinates in which the picture reaches from -1 to 1 both ways.
    x = ((torch.arange(width) * 2 + 1) / width - 1 - 2 * shift[:, :1]) / scale[:, None]
    y = ((torch.arange(height) * 2 + 1) / height - 1 - 2 * shift[:, 1:]) / scale[:, None]
    x = torch.where(flip[:, None], -x, x)
    grid = torch.stack(
        (x[:, None, :].expand(count, height, width), y[:, :, None].expand(count, height, width)), dim=-1
    )
    return functional.grid_sample(pixels, grid, padding_mode="border", align_corners=False)


def backgrounds(random: np.random.Generator, count: int, height: int, width: int) -> NDArray[np.uint8]:
    """Backgrounds of smooth noise: coarse and fine patches of random strength, around a random colour.

    Noise that is the same in all channels is added to coloured noise, for the colours to be less glaring.

    Returns:
        uint8 [count, 3, height, width].
    """
    levels: NDArray[np.floating[Any]] = random.random((count, 3, 1, 1), np.float32)
    for cells in (2, 5, 16):
        strength = random.random((count, 1, 1, 1), np.float32)
        grey, colour = (random.random((count, n, cells, cells), np.float32) - 0.5 for n in (1, 3))
        levels = (
            levels + _stretched(cells, height) @ (strength * (grey + colour / 2)) @ _stretched(cells, width).T
        )
    return (levels.clip(0, 1) * 255).astype(np.uint8)


@lru_cache(maxsize=16)
def _stretched(cells: int, pixels: int) -> NDArray[np.float32]:
    """Weights [pixels, cells] of linear interpolation between the centres of cells."""
    position = ((np.arange(pixels) + 0.5) / pixels * cells - 0.5).clip(0, cells - 1)
    return (1 - abs(position[:, None] - np.arange(cells))).clip(0).astype(np.float32)
