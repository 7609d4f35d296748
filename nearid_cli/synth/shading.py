"""How the surface looks: patterns, emblems, light."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from colorsys import hsv_to_rgb
from math import cos, pi, sin

import torch
from torch import Tensor

from nearid_cli.synth.objects import PATTERNS, Thing
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
        seen = (points[0][index], points[1][index], points[2][index])
        _paint(colour[:, index], thing, which[index], seen, normals[1][index])
    return colour, gloss


def _surface(thing: Thing, index: int) -> list[float]:
    material = thing.materials[index]
    return [
        *hsv_to_rgb(*material.base),
        *hsv_to_rgb(*material.second),
        PATTERNS.index(material.pattern),
        material.frequency,
        cos(material.direction),
        sin(material.direction),
        material.gloss,
    ]


def _pattern(
    kind: Tensor, frequency: Tensor, east: Tensor, north: Tensor, points: Points, used: set[str]
) -> Tensor:
    """Share of the second colour, 0 to 1, [O, N]; `kind` holds indices of `PATTERNS`, of which some are used."""
    x, y, z = points
    # Along and across the stripes' direction in the plane that faces the viewer; y goes into the depth.
    turned = (z * east + x * north, x * east - z * north, y)
    total = torch.zeros_like(frequency)
    for name in used - {"solid"}:
        where = points if name == "rings" else turned  # rings are the same from everywhere
        share = (_WAVES[name](where, frequency) * _SHARPNESS).add_(0.5).clamp_(0, 1)
        total = torch.where(kind == PATTERNS.index(name), share, total)
    return total


def _stripes(points: Points, frequency: Tensor) -> Tensor:
    return torch.sin(2 * pi * frequency * points[0])


def _rings(points: Points, frequency: Tensor) -> Tensor:
    x, y, z = points
    return torch.sin(2 * pi * frequency * (x * x + y * y + z * z).sqrt())


def _checks(points: Points, frequency: Tensor) -> Tensor:
    along, across, deep = points
    half = pi * frequency
    return torch.sin(half * along) * torch.sin(half * across) * torch.sin(half * deep + 0.8) * 2


def _dots(points: Points, frequency: Tensor) -> Tensor:
    a, b, c = ((cell - cell.floor() - 0.5).square_() for cell in (axis * frequency * 0.8 for axis in points))
    return 1.6 - 8 * (a + b + c)


def _marble(points: Points, frequency: Tensor) -> Tensor:
    along, across, deep = points
    wave = 2 * pi * frequency
    bent = along + 0.22 * torch.sin(wave * 0.9 * across) + 0.15 * torch.sin(wave * 1.7 * deep)
    return torch.sin(wave * bent * 0.7)


# Each is positive where the second colour is, from points [O, N] and repetitions over a length of 1.
_WAVES: dict[str, Callable[[Points, Tensor], Tensor]] = {
    "stripes": _stripes,
    "rings": _rings,
    "checks": _checks,
    "dots": _dots,
    "marble": _marble,
}


def _paint(colour: Tensor, thing: Thing, which: Tensor, points: Points, facing: Tensor) -> None:
    """Paint the emblem into `colour` [3, N], where the first part's surface looks to the front."""
    emblem = thing.emblem
    if emblem.shape == "none":
        return
    u = (points[0] - thing.parts[0].centre[0]) / emblem.size
    v = (points[2] - emblem.height) / emblem.size
    inside = ((0.5 - _outline(emblem.shape, u, v) * 6).clamp_(0, 1)) * ((which == 0) & (facing < -0.15))
    paint = torch.tensor(hsv_to_rgb(*emblem.colour), dtype=torch.float32, device=colour.device)[:, None]
    colour.add_((paint - colour) * inside)


def _outline(shape: str, u: Tensor, v: Tensor) -> Tensor:
    """About the signed distance to an emblem's outline, in units of its half width; negative inside."""
    a, b = u.abs(), v.abs()
    if shape == "disc":
        return (u * u + v * v).sqrt() - 1
    if shape == "ring":
        return ((u * u + v * v).sqrt() - 0.75).abs() - 0.25
    if shape == "square":
        return torch.maximum(a, b) - 0.85
    if shape == "diamond":
        return (a + b) * 0.75 - 0.8
    if shape == "cross":
        return torch.minimum(torch.maximum(a - 1, b - 0.3), torch.maximum(a - 0.3, b - 1))
    if shape == "bar":
        return torch.maximum(a - 1.2, b - 0.35)
    if shape == "triangle":
        return torch.maximum(a * 0.87 + v * 0.5, -v) - 0.5
    return ((a - 0.6).square() + v * v).sqrt() - 0.45  # two discs


def shade(
    colour: Tensor,
    gloss: Tensor,
    normals: Points,
    towards: Points,
    light: Points,
    tint: Tensor,
    ambient: Tensor,
) -> Tensor:
    """Light the surface: ambient light from above, a diffuse lamp (Lambert), a highlight (Blinn-Phong).

    Args:
        colour: [3, O, N].
        gloss: [O, N].
        normals: of the surface.
        towards: unit vectors to the eye.
        light: unit vectors to the lamp.
        tint: the lamp's colour, [3, 1, N].
        ambient: share of ambient light, [1, N].

    Returns:
        Colours, 0 to 1, [3, O, N].
    """
    lit = _dot(normals, light)
    half = (towards[0] + light[0], towards[1] + light[1], towards[2] + light[2])
    shine = (_dot(normals, half) / _dot(half, half).sqrt_()).clamp_(min=0)
    for _ in range(4):  # to the power of 16
        shine.square_()
    diffuse = lit.clamp_(min=0).mul_(1 - ambient).add_(ambient * (0.8 + 0.2 * normals[2]))
    return (colour * diffuse * 1.15 * tint).add_(shine * gloss * 0.6).clamp_(0, 1)


def _dot(a: Points, b: Points) -> Tensor:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
