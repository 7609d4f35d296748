"""Rendering identities: the march along the rays, and putting the object before its background.

An identity is rendered on its own, its views and distractors together, so that its pixels depend
on nothing but the options and its number.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nearid_cli.synth.backgrounds import cut_background, draw_background
from nearid_cli.synth.categories import CATEGORIES
from nearid_cli.synth.contexts import DISTANCE, Context, bounding_ball, draw_context, rays
from nearid_cli.synth.distractors import LEAST_CHANGE, Plan, make_distractor, plan_change
from nearid_cli.synth.families import draw_thing
from nearid_cli.synth.objects import Thing
from nearid_cli.synth.sample import Change, Sample, SynthOptions
from nearid_cli.synth.sdf import Points, Solid
from nearid_cli.synth.shading import albedo, shade

# How finely the crop is cut, and how many steps are taken at each fineness: rays of whole blocks of
# pixels find the object's neighbourhood, single rays its surface.
_MARCH = ((4, 8), (2, 4), (1, 6))
_ATTEMPTS = 4  # to find a distractor that differs visibly enough
_VISIBLE = 24  # difference of a channel, of 255, from which a pixel counts as changed


@dataclass(frozen=True)
class _Cutouts:
    """Objects without background, O objects in V views: colours [O, V, n, n, 3], coverage [O, V, n, n], parts."""

    colours: NDArray[np.float32]
    coverage: NDArray[np.float32]
    parts: NDArray[np.uint8]


def render(options: SynthOptions, start: int, stop: int, device: str = "cpu") -> Iterator[Sample]:
    """Render identities `start` to `stop` - 1, in order; each depends only on the options and its number."""
    for number in range(start, stop):
        with torch.inference_mode():
            yield _render_identity(options, number, device)


def _render_identity(options: SynthOptions, number: int, device: str) -> Sample:
    random = np.random.default_rng([options.seed, number])
    categories = options.categories or CATEGORIES
    thing = draw_thing(categories[int(random.integers(len(categories)))], random)
    contexts = [draw_context(random) for _ in range(options.views)]
    share = random.uniform(0.74, 1.0)
    cells = max(4, int(options.size * share) // 4 * 4)
    scenes = [_scene(options, random) for _ in contexts]
    plans = [plan_change(random, options.difficulty) for _ in range(options.distractors)]

    for attempt in range(_ATTEMPTS):
        others = np.random.default_rng([options.seed, number, 1 + attempt])
        distractors = [make_distractor(thing, plan, others) for plan in plans]
        cutouts = _cut_out([thing, *distractors], contexts, cells, device)
        pictures, masks, parts = _compose(cutouts, contexts, [scene for scene, _ in scenes], options.size)
        changed = [_changed(pictures, masks, 1 + index) for index in range(len(plans))]
        if all(pixels >= LEAST_CHANGE[plan[0]] for pixels, plan in zip(changed, plans, strict=True)):
            break
    return Sample(
        number=number,
        category=thing.category,
        description=_describe(thing),
        contexts=tuple(phrase for _, phrase in scenes),
        views=pictures[0],
        masks=masks[0],
        parts=parts,
        distractors=pictures[1:],
        distractor_masks=masks[1:],
        changes=tuple(_change(plan, pixels) for plan, pixels in zip(plans, changed, strict=True)),
    )


def _change(plan: Plan, pixels: float) -> Change:
    difficulty, kinds, amount = plan
    return Change(difficulty, kinds, amount, pixels)


def _scene(options: SynthOptions, random: np.random.Generator) -> tuple[NDArray[np.float32], str]:
    if options.backgrounds:
        path = options.backgrounds[int(random.integers(len(options.backgrounds)))]
        return cut_background(path, random, options.size), "in a photograph"
    return draw_background(random, options.size)


def _describe(thing: Thing) -> str:
    patterns = {material.pattern for material in thing.materials} - {"solid"}
    return f"a {thing.category} with {' and '.join(sorted(patterns))}" if patterns else f"a plain {thing.category}"


def _cut_out(things: Sequence[Thing], contexts: Sequence[Context], cells: int, device: str) -> _Cutouts:
    solid = Solid(things, device)
    middle, radius = bounding_ball(things)
    eyes, directions, depth, near = _march(solid, contexts, cells, middle, radius, device)
    points = _along(eyes, directions, depth)
    width = near.half_pixel * depth
    normals = _normals(solid, points, 0.004 * radius)
    which = solid.nearest_part(points)
    colour, gloss = albedo(things, which, points, normals)
    each = cells * cells

    def per_ray(rows: Sequence[Sequence[float]]) -> list[Tensor]:
        table = torch.tensor(rows, dtype=torch.float32, device=device).T
        return [column.repeat_interleave(each)[None] for column in table]

    light = per_ray([context.light for context in contexts])
    tint = torch.stack(per_ray([context.tint for context in contexts]))
    (ambient,) = per_ray([[context.ambient] for context in contexts])
    towards = (-directions[0], -directions[1], -directions[2])
    colour = shade(colour, gloss, normals, towards, (light[0], light[1], light[2]), tint, ambient)
    coverage = (1 - near.distance / width).clamp_(0, 1)
    shape = (len(things), len(contexts), cells, cells)
    return _Cutouts(
        colours=colour.reshape(3, *shape).permute(1, 2, 3, 4, 0).cpu().numpy(),
        coverage=coverage.reshape(shape).cpu().numpy(),
        parts=(which[0] + 1).to(torch.uint8).reshape(shape[1:]).cpu().numpy(),
    )


@dataclass(frozen=True)
class _Near:
    """How close each ray came to the surface: the distance [O, N], and half a pixel's angle [N]."""

    distance: Tensor
    half_pixel: Tensor


def _march(
    solid: Solid, contexts: Sequence[Context], cells: int, middle: tuple[float, float, float], radius: float, device: str
) -> tuple[Points, Points, Tensor, _Near]:
    """Sphere tracing, blocks of pixels first.

    Returns:
        Eyes and directions [1, N], the depth [O, N] at which each ray comes closest to the surface
        (at the surface where it hits), and how close that is.
    """
    depth: Tensor | None = None
    for block, steps in _MARCH:
        count = cells // block
        eye, direction, size = rays(contexts, count, middle, radius, device)
        eyes = tuple(axis.expand(-1, count * count).reshape(1, -1) for axis in eye)
        directions = tuple(axis.reshape(1, -1) for axis in direction)
        half = size.expand(-1, count * count).reshape(1, -1)
        if depth is None:
            depth = torch.full((solid.count, half.shape[1]), (DISTANCE - 1) * radius, device=device)
        else:
            old = depth.reshape(solid.count, len(contexts), count // 2, count // 2)
            depth = old.repeat_interleave(2, 2).repeat_interleave(2, 3).reshape(solid.count, -1)
        if block > 1:
            for _ in range(steps):
                free = solid.distance(_along(eyes, directions, depth)) - half * depth
                depth.add_(free.clamp_(min=0))
                depth.clamp_(max=(DISTANCE + 1) * radius)
            continue
        best, closest = depth, torch.full_like(depth, torch.inf)
        for _ in range(steps):
            free = solid.distance(_along(eyes, directions, depth))
            closer = free < closest
            best, closest = torch.where(closer, depth, best), torch.where(closer, free, closest)
            depth = depth + free
            depth.clamp_(max=(DISTANCE + 1) * radius)
    assert depth is not None
    return eyes, directions, best, _Near(closest, half)


def _along(eyes: Points, directions: Points, depth: Tensor) -> Points:
    x, y, z = (torch.addcmul(eye, direction, depth) for eye, direction in zip(eyes, directions, strict=True))
    return x, y, z


def _normals(solid: Solid, points: Points, step: float) -> Points:
    """Unit normals from the differences of distances at the corners of a tetrahedron."""
    x, y, z = points
    total: list[Tensor] | None = None
    for signs in ((1, -1, -1), (-1, -1, 1), (-1, 1, -1), (1, 1, 1)):
        distance = solid.distance((x + signs[0] * step, y + signs[1] * step, z + signs[2] * step))
        if total is None:
            total = [distance * sign for sign in signs]
        else:
            for axis, sign in zip(total, signs, strict=True):
                axis.add_(distance, alpha=sign)
    assert total is not None
    nx, ny, nz = total
    length = (nx * nx + ny * ny + nz * nz).sqrt_().clamp_(min=1e-12)
    return nx.div_(length), ny.div_(length), nz.div_(length)


def _compose(
    cutouts: _Cutouts, contexts: Sequence[Context], scenes: Sequence[NDArray[np.float32]], size: int
) -> tuple[NDArray[np.uint8], NDArray[np.bool_], NDArray[np.uint8]]:
    """Put the cutouts before the scenes: pictures [O, V, H, W, 3], masks [O, V, H, W], parts of the first object."""
    count, views, cells = cutouts.coverage.shape[:3]
    pictures = np.empty((count, views, size, size, 3), np.uint8)
    masks = np.zeros((count, views, size, size), np.bool_)
    parts = np.zeros((views, size, size), np.uint8)
    for view, (context, scene) in enumerate(zip(contexts, scenes, strict=True)):
        room = size - cells
        top, left = round(context.top * room), round(context.left * room)
        crop = np.s_[top : top + cells, left : left + cells]
        pictures[:, view] = np.rint(scene * 255)
        # A coverage too thin to change a pixel by one level does not belong to the object.
        cover = np.where(cutouts.coverage[:, view] < 1 / 255, 0, cutouts.coverage[:, view])[..., None]
        blended = scene[crop] * (1 - cover) + cutouts.colours[:, view] * cover
        masks[(slice(None), view, *crop)] = cover[..., 0] > 0
        pictures[(slice(None), view, *crop)] = np.rint(blended * 255)
        parts[(view, *crop)] = cutouts.parts[view] * (cover[0, ..., 0] > 0)
    return pictures, masks, parts


def _changed(pictures: NDArray[np.uint8], masks: NDArray[np.bool_], index: int) -> float:
    """Share of the object's pixels that differ visibly in distractor `index`, mean over the views."""
    differs = np.abs(pictures[0].astype(np.int16) - pictures[index]).max(axis=-1) > _VISIBLE
    covered = masks[0] | masks[index]
    shares = [differs[view].sum() / max(1, covered[view].sum()) for view in range(len(covered))]
    return float(np.mean(shares)) if shares else 0.0
