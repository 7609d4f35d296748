"""Rendering identities: what is drawn from the seed, and putting the objects before their backgrounds.

An identity is rendered on its own, its views and distractors together, so that its pixels depend
on nothing but the options and its number.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from nearid_cli.synth.backgrounds import Scene, cut_background, draw_background
from nearid_cli.synth.contexts import Context, draw_context
from nearid_cli.synth.cutouts import COARSEST, Cutouts, cut_out
from nearid_cli.synth.distractors import LEAST_CHANGE, make_distractor, plan_change
from nearid_cli.synth.families import draw_thing
from nearid_cli.synth.objects import Thing
from nearid_cli.synth.sample import CATEGORIES, Change, Sample, SynthOptions

_ATTEMPTS = 4  # to find distractors that differ visibly enough
_VISIBLE = 24  # difference of a channel, of 255, from which a pixel counts as changed


def render(options: SynthOptions, start: int, stop: int, device: str = "cpu") -> Iterator[Sample]:
    """Render identities `start` to `stop` - 1, in order; each depends only on the options and its number.

    Raises:
        InputError: a background picture cannot be read.
    """
    for number in range(start, stop):
        with torch.inference_mode():
            sample = _render_identity(options, number, device)
        yield sample


@dataclass(frozen=True)
class _Pictures:
    """O objects before the same V scenes.

    Attributes:
        pixels: uint8 [O, V, H, W, 3].
        masks: bool [O, V, H, W].
        parts: of the first object, uint8 [V, H, W].
    """

    pixels: NDArray[np.uint8]
    masks: NDArray[np.bool_]
    parts: NDArray[np.uint8]

    def changed(self) -> list[float]:
        """For each object but the first, the share of pixels that differ visibly from the first's, mean over views.

        Of all pixels that one of the two covers.
        """
        shares = []
        for pixels, masks in zip(self.pixels[1:], self.masks[1:], strict=True):
            differs = np.abs(self.pixels[0].astype(np.int16) - pixels).max(axis=-1) > _VISIBLE
            covered = (self.masks[0] | masks).sum(axis=(1, 2))
            shares.append(float(np.mean(differs.sum(axis=(1, 2)) / np.maximum(covered, 1))))
        return shares


def _render_identity(options: SynthOptions, number: int, device: str) -> Sample:
    random = np.random.default_rng([options.seed, number])
    categories = options.categories or CATEGORIES
    thing = draw_thing(categories[int(random.integers(len(categories)))], random)
    contexts = [draw_context(random) for _ in range(options.views)]
    share = random.uniform(0.84, 1.0)
    cells = max(COARSEST, int(options.size * share) // COARSEST * COARSEST)
    scenes = [_scene(options, random) for _ in contexts]
    plans = [plan_change(random, options.difficulty) for _ in range(options.distractors)]

    best: tuple[float, _Pictures, list[float]] | None = None
    for attempt in range(_ATTEMPTS):
        others = np.random.default_rng([options.seed, number, 1 + attempt])
        distractors = [make_distractor(thing, plan, others) for plan in plans]
        cutouts = cut_out([thing, *distractors], contexts, cells, device)
        pictures = _compose(cutouts, contexts, [scene for scene, _ in scenes], options.size)
        changed = pictures.changed()
        spare = min(
            (share - LEAST_CHANGE[plan.difficulty] for share, plan in zip(changed, plans, strict=True)),
            default=0.0,
        )
        if best is None or spare > best[0]:
            best = spare, pictures, changed
        if spare >= 0:
            break
    assert best is not None
    _, pictures, changed = best
    return Sample(
        number=number,
        category=thing.category,
        description=_describe(thing),
        contexts=tuple(phrase for _, phrase in scenes),
        views=pictures.pixels[0],
        masks=pictures.masks[0],
        parts=pictures.parts,
        distractors=pictures.pixels[1:],
        distractor_masks=pictures.masks[1:],
        changes=tuple(
            Change(plan.difficulty, plan.kinds, plan.amount, share)
            for plan, share in zip(plans, changed, strict=True)
        ),
    )


def _scene(options: SynthOptions, random: np.random.Generator) -> tuple[Scene, str]:
    """A scene and a phrase about it."""
    if options.backgrounds:
        return cut_background(options.backgrounds, random, options.size), "in a photograph"
    return draw_background(random, options.size)


def _describe(thing: Thing) -> str:
    patterns = sorted({material.pattern for material in thing.materials} - {"solid"})
    return f"a {thing.category} with {' and '.join(patterns)}" if patterns else f"a plain {thing.category}"


def _compose(cutouts: Cutouts, contexts: Sequence[Context], scenes: Sequence[Scene], size: int) -> _Pictures:
    """Put the cutouts before the scenes [size, size, 3], each where its context wants it."""
    count, views, cells = cutouts.coverage.shape[:3]
    pixels = np.empty((count, views, size, size, 3), np.uint8)
    masks = np.zeros((count, views, size, size), np.bool_)
    parts = np.zeros((views, size, size), np.uint8)
    for view, (context, scene) in enumerate(zip(contexts, scenes, strict=True)):
        room = size - cells
        top, left = round(context.top * room), round(context.left * room)
        down, right = slice(top, top + cells), slice(left, left + cells)
        cover = cutouts.coverage[:, view, ..., None]
        pixels[:, view] = np.rint(scene * 255)
        pixels[:, view, down, right] = np.rint(
            (scene[down, right] * (1 - cover) + cutouts.colours[:, view] * cover) * 255
        )
        masks[:, view, down, right] = cutouts.coverage[:, view] > 0
        parts[view, down, right] = cutouts.parts[view]
    return _Pictures(pixels, masks, parts)
