"""Signed distances to objects: negative inside, and outside never more than the true distance.

Except near a part that tapers: beyond its narrow end and at its corners the distance may be overstated, by
less than a third. The march takes single rays back when they are inside.

Objects of one structure are evaluated together: every number of a part is a tensor [O, 1] over the
O objects, and points are three tensors [O, N]. Operations work in place where they can, because
the march is bound by memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, sin, sqrt

import torch
from torch import Tensor

from nearid_cli.synth.objects import Part, Thing

Points = tuple[Tensor, Tensor, Tensor]
_AXES = {
    "z": (0, 1, 2),
    "y": (0, 2, 1),
    "x": (1, 2, 0),
}  # the two directions of the profile, and the extrusion


@dataclass(frozen=True)
class _Numbers:
    """One part of O objects, [O, 1] each, prepared for `_distance`."""

    centre: Points
    half: Points
    corner: Tensor
    rounding: Tensor
    slope: Tensor
    wall: Tensor
    cosine: Tensor
    sine: Tensor
    shrink: Tensor
    blend: Tensor


class Solid:
    """O objects of one family, ready to be asked for distances."""

    def __init__(self, things: Sequence[Thing], device: str = "cpu") -> None:
        """Prepare the numbers of `things`, whose parts have the same structure."""
        self.count = len(things)
        self.layout = things[0].parts
        columns = [[thing.parts[index] for thing in things] for index in range(len(self.layout))]
        self._numbers = [_numbers(column, device) for column in columns]
        self._tilted = [any(part.tilt for part in column) for column in columns]
        self._hollow = [any(part.wall for part in column) for column in columns]
        self._tapered = [any(part.taper for part in column) for column in columns]
        self._blended = [any(part.blend for part in column) for column in columns]

    def distance(self, points: Points) -> Tensor:
        """Distance of the whole objects, [O, N]."""
        total: Tensor | None = None
        for index, part in enumerate(self.layout):
            own = self._distance(index, points)
            if total is None:
                total = own
            elif part.operation == "carve":
                total = torch.maximum(total, own.neg_(), out=total)
            elif self._blended[index]:
                total = _smooth_minimum(total, own, self._numbers[index].blend)
            else:
                total = torch.minimum(total, own, out=total)
        assert total is not None
        return total

    def nearest_part(self, points: Points) -> Tensor:
        """Index of the part whose surface is nearest, [O, N]; in a hollow it is the part that carved it."""
        nearest: Tensor | None = None
        which: Tensor | None = None
        for index, part in enumerate(self.layout):
            own = self._distance(index, points)
            if nearest is None or which is None:
                nearest, which = own, torch.zeros(own.shape, dtype=torch.int64, device=own.device)
                continue
            closer = own.neg_() > nearest if part.operation == "carve" else own < nearest
            nearest = torch.where(closer, own, nearest)
            which.masked_fill_(closer, index)
        assert which is not None
        return which

    def _distance(self, index: int, points: Points) -> Tensor:
        part, numbers = self.layout[index], self._numbers[index]
        moved = [
            (axis.abs() if name in part.mirror else axis) - centre
            for name, axis, centre in zip("xyz", points, numbers.centre, strict=True)
        ]
        if self._tilted[index]:
            x, _, z = moved
            moved[0] = (x * numbers.cosine).addcmul_(z, numbers.sine)
            moved[2] = (z * numbers.cosine).addcmul_(x, numbers.sine, value=-1)
        first, second, along = (moved[axis] for axis in _AXES[part.axis])
        a, b, length = numbers.half
        if self._tapered[index]:
            scale = (along * numbers.slope).clamp_(-1, 1).add_(1)
            u = first.abs_().sub_(scale * (a - numbers.corner))
            v = second.abs_().sub_(scale * (b - numbers.corner))
            profile = _outside(u, v).sub_(scale.mul_(numbers.corner))
        else:
            u, v = first.abs_().sub_(a - numbers.corner), second.abs_().sub_(b - numbers.corner)
            profile = _outside(u, v).sub_(numbers.corner)
        if self._hollow[index]:
            profile.add_(numbers.wall).abs_().sub_(numbers.wall)
        ends = along.abs_().sub_(length - numbers.rounding)
        return _outside(profile.add_(numbers.rounding), ends).sub_(numbers.rounding).mul_(numbers.shrink)


def _outside(u: Tensor, v: Tensor) -> Tensor:
    """Distance from the corner of the quadrant u, v <= 0: Euclidean outside, the larger coordinate inside."""
    inside = torch.maximum(u, v).clamp_(max=0)
    u, v = u.clamp_(min=0), v.clamp_(min=0)
    return u.mul_(u).addcmul_(v, v).sqrt_().add_(inside)


def _smooth_minimum(a: Tensor, b: Tensor, width: Tensor) -> Tensor:
    """Minimum that flows over where a and b differ by less than `width`: min - width (1 - |a-b| / width)^2 / 4."""
    overlap = (a - b).abs_().div_(width).neg_().add_(1).clamp_(min=0)
    return torch.minimum(a, b, out=a).sub_(overlap.square_().mul_(width / 4))


def _numbers(parts: Sequence[Part], device: str) -> _Numbers:
    def column(values: Sequence[float]) -> Tensor:
        return torch.tensor(values, dtype=torch.float32, device=device)[:, None]

    # A profile that widens along its length overstates distances by its slope.
    slopes = [part.taper * max(part.half[:2]) / part.half[2] for part in parts]
    least = [min(part.half[:2]) for part in parts]
    centre = [column([part.centre[axis] for part in parts]) for axis in range(3)]
    half = [column([part.half[axis] for part in parts]) for axis in range(3)]
    return _Numbers(
        centre=(centre[0], centre[1], centre[2]),
        half=(half[0], half[1], half[2]),
        corner=column([min(part.corner, width) for part, width in zip(parts, least, strict=True)]),
        rounding=column(
            [
                min(part.rounding, part.half[2], width, *([part.wall] if part.wall else []))
                for part, width in zip(parts, least, strict=True)
            ]
        ),
        slope=column([part.taper / part.half[2] for part in parts]),
        wall=column([part.wall for part in parts]),
        cosine=column([cos(part.tilt) for part in parts]),
        sine=column([sin(part.tilt) for part in parts]),
        shrink=column([1 / sqrt(1 + slope * slope) for slope in slopes]),
        blend=column([max(part.blend, 1e-3) for part in parts]),
    )
