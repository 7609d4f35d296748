"""How the surface looks: patterns, emblems, light."""

from __future__ import annotations

from collections.abc import Sequence
from math import cos, pi, sin

import torch
from torch import Tensor

from nearid_cli.synth.objects import PATTERNS, Emblem, Thing, rgb
from nearid_cli.synth.sdf import Points

_SHARPNESS = 3.0  # a pattern's edges are soft over a third of its swing, which spares them the jaggies


def albedo(things: Sequence[Thing], which: Tensor, points: Points, normals: Points) -> tuple[Tensor, Tensor]:
    """Colours [3, O, N] and gloss [O, N] of surface points.

    Args:
        things: O objects of one family.
        which: index of the part at each point, [O, N].
        points: where, in the object's coordinates.
        normals: of the surface there.
    """
    device = which.device
    rows = [[_surface(thing, part.material) for part in thing.parts] for thing in things]
    table = torch.tensor(rows, dtype=torch.float32, device=device).flatten(0, 1).T.contiguous()
    offset = torch.arange(len(things), device=device)[:, None] * len(things[0].parts)
    numbers = table[:, which + offset]
    base, second, (pattern, frequency, east, north, gloss) = numbers[:3], numbers[3:6], numbers[6:]
    used = {material.pattern for thing in things for material in thing.materials}
    share = _pattern(pattern, frequency, east, north, points, used)
    colour = base + (second - base) * share
    for index, thing in enumerate(things):
        _paint(colour[:, index], thing, which[index], [axis[index] for axis in points], normals[1][index])
    return colour, gloss


def _surface(thing: Thing, index: int) -> list[float]:
    material = thing.materials[index]
    return [
        *rgb(material.base),
        *rgb(material.second),
        PATTERNS.index(material.pattern),
        material.frequency,
        cos(material.direction),
        sin(material.direction),
        material.gloss,
    ]


def _pattern(kind: Tensor, frequency: Tensor, east: Tensor, north: Tensor, points: Points, used: set[str]) -> Tensor:
    """Share of the second colour, 0 to 1, [O, N]."""
    x, y, z = points
    along, across = z * east + x * north, x * east - z * north
    wave = 2 * pi * frequency
    total = torch.zeros_like(kind)
    for index, name in enumerate(PATTERNS):
        if name not in used or name == "solid":
            continue
        if name == "stripes":
            value = torch.sin(wave * along)
        elif name == "rings":
            value = torch.sin(wave * (x * x + y * y + z * z).sqrt())
        elif name == "checks":
            half = wave / 2
            value = torch.sin(half * along) * torch.sin(half * across) * torch.sin(half * y + 0.8) * 2
        elif name == "dots":
            cells = [(axis * frequency * 0.8) for axis in (along, across, y)]
            squares = sum(((cell - cell.floor()) - 0.5).square() for cell in cells)
            value = 1.6 - 8 * squares
        else:
            value = torch.sin(wave * (along + 0.22 * torch.sin(wave * 0.9 * across) + 0.15 * torch.sin(wave * 1.7 * y)) * 0.7)
        share = (value * _SHARPNESS).add_(0.5).clamp_(0, 1)
        total = torch.where(kind == index, share, total)
    return total


def _paint(colour: Tensor, thing: Thing, which: Tensor, points: list[Tensor], facing: Tensor) -> None:
    """Paint the emblem into `colour` [3, N], where the first part's surface looks to the front."""
    emblem = thing.emblem
    if emblem.shape == "none":
        return
    u = (points[0] - thing.parts[0].centre[0]) / emblem.size
    v = (points[2] - emblem.height) / emblem.size
    inside = ((0.5 - _emblem(emblem, u, v) * 6).clamp_(0, 1)) * ((which == 0) & (facing < -0.15))
    paint = torch.tensor(rgb(emblem.colour), dtype=torch.float32, device=colour.device)[:, None]
    colour.add_((paint - colour) * inside)


def _emblem(emblem: Emblem, u: Tensor, v: Tensor) -> Tensor:
    """Signed distance to the emblem's outline in units of its half width."""
    a, b = u.abs(), v.abs()
    if emblem.shape == "disc":
        return (u * u + v * v).sqrt() - 1
    if emblem.shape == "ring":
        return ((u * u + v * v).sqrt() - 0.75).abs() - 0.25
    if emblem.shape == "square":
        return torch.maximum(a, b) - 0.85
    if emblem.shape == "diamond":
        return (a + b) * 0.75 - 0.8
    if emblem.shape == "cross":
        return torch.minimum(torch.maximum(a - 1, b - 0.3), torch.maximum(a - 0.3, b - 1))
    if emblem.shape == "bar":
        return torch.maximum(a - 1.2, b - 0.35)
    if emblem.shape == "triangle":
        return torch.maximum(a * 0.87 + v * 0.5, -v) - 0.5
    return ((a - 0.6).square() + v * v).sqrt() - 0.45


def shade(colour: Tensor, gloss: Tensor, normals: Points, towards: Points, light: Points, tint: Tensor, ambient: Tensor) -> Tensor:
    """Light the surface: ambient light from above, a diffuse lamp (Lambert), a highlight (Blinn-Phong).

    Args:
        colour: [3, O, N].
        gloss: [O, N].
        normals: of the surface.
        towards: unit vectors to the eye.
        light: unit vectors to the lamp.
        tint: the lamp's colour, [3, 1, N].
        ambient: share of ambient light.

    Returns:
        Colours, 0 to 1, [3, O, N].
    """
    lit = sum(n * to for n, to in zip(normals, light, strict=True))
    half = [a + b for a, b in zip(towards, light, strict=True)]
    length = (half[0] * half[0] + half[1] * half[1] + half[2] * half[2]).sqrt_()
    shine = (sum(n * h for n, h in zip(normals, half, strict=True)) / length).clamp_(min=0)
    for _ in range(4):
        shine.square_()
    diffuse = torch.as_tensor(lit).clamp(min=0).mul_(1 - ambient).add_(ambient * (0.8 + 0.2 * normals[2]))
    return (colour * diffuse * 1.15 * tint).add_(shine * gloss * 0.6).clamp_(0, 1)
