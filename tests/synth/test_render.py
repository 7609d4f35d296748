"""Rendered identities: what must be equal between pictures, what must differ, and that nothing gives it away."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from nearid_cli.errors import InputError
from nearid_cli.synth import render as render_module
from nearid_cli.synth.contexts import draw_context
from nearid_cli.synth.cutouts import cut_out
from nearid_cli.synth.distractors import LEAST_CHANGE, Alteration, make_distractor
from nearid_cli.synth.families import draw_thing
from nearid_cli.synth.render import render
from nearid_cli.synth.sample import CATEGORIES, DIFFICULTIES, Sample, SynthOptions

OPTIONS = SynthOptions(size=48, seed=11)


def same(one: Sample, other: Sample) -> bool:
    names = ("views", "masks", "parts", "distractors", "distractor_masks")
    return (
        all(np.array_equal(getattr(one, name), getattr(other, name)) for name in names)
        and (one.number, one.category, one.description) == (other.number, other.category, other.description)
        and (one.contexts, one.changes) == (other.contexts, other.changes)
    )


@pytest.fixture(scope="module")
def samples() -> list[Sample]:
    return list(render(OPTIONS, 0, 60))


def test_shapes_and_types(samples: list[Sample]) -> None:
    for number, sample in enumerate(samples):
        assert sample.number == number
        assert sample.category in CATEGORIES
        assert sample.category in sample.description
        assert len(sample.contexts) == 3
        assert (sample.views.shape, sample.views.dtype) == ((3, 48, 48, 3), np.uint8)
        assert (sample.masks.shape, sample.masks.dtype) == ((3, 48, 48), np.bool_)
        assert (sample.parts.shape, sample.parts.dtype) == ((3, 48, 48), np.uint8)
        assert (sample.distractors.shape, sample.distractors.dtype) == ((1, 3, 48, 48, 3), np.uint8)
        assert (sample.distractor_masks.shape, sample.distractor_masks.dtype) == ((1, 3, 48, 48), np.bool_)


def test_an_identity_depends_only_on_options_and_its_number(samples: list[Sample]) -> None:
    for number in (0, 7, 30):
        (alone,) = render(OPTIONS, number, number + 1)
        assert same(alone, samples[number])
    (other,) = render(replace(OPTIONS, seed=12), 7, 8)
    assert not np.array_equal(other.views, samples[7].views)
    assert len({sample.views.tobytes() for sample in samples}) == len(samples)


def test_rendering_leaves_the_caller_out_of_inference_mode() -> None:
    for _ in render(OPTIONS, 0, 1):
        assert not torch.is_inference_mode_enabled()


def test_every_tensor_is_made_on_the_device_that_was_asked_for(samples: list[Sample]) -> None:
    """A tensor on the default device would meet those on the CPU here as it would meet those on a GPU there."""
    with torch.device("meta"):
        (sample,) = render(OPTIONS, 3, 4, device="cpu")
    assert same(sample, samples[3])


def test_outside_both_objects_a_distractor_is_its_view(samples: list[Sample]) -> None:
    for sample in samples:
        outside = ~(sample.masks | sample.distractor_masks[0])
        np.testing.assert_array_equal(sample.views[outside], sample.distractors[0][outside])
        assert (sample.views != sample.distractors[0]).any(axis=(1, 2, 3)).all()


def test_masks_are_where_a_picture_differs_from_its_background(
    samples: list[Sample], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = render_module.cut_out

    def nothing(*arguments: object) -> object:
        cutouts = whole(*arguments)  # type: ignore[arg-type]
        return replace(cutouts, coverage=np.zeros_like(cutouts.coverage))

    monkeypatch.setattr(render_module, "cut_out", nothing)
    seen = covered = 0
    for sample, bare in zip(samples[:12], render(OPTIONS, 0, 12), strict=True):
        assert not bare.masks.any()
        pairs = [(sample.views, sample.masks), (sample.distractors[0], sample.distractor_masks[0])]
        for pictures, masks in pairs:
            differs = (pictures != bare.views).any(axis=-1)
            assert not (differs & ~masks).any()
            seen, covered = seen + differs.sum(), covered + masks.sum()
    assert seen / covered > 0.99  # the rest is of the background's very colour


def test_parts_are_numbered_where_the_mask_is(samples: list[Sample]) -> None:
    for sample in samples:
        np.testing.assert_array_equal(sample.parts > 0, sample.masks)
        names = draw_thing(sample.category, np.random.default_rng(0)).parts
        assert sample.parts.max() <= len(names)
        assert len(np.unique(sample.parts)) >= 3


@pytest.mark.parametrize("category", CATEGORIES)
def test_every_object_is_there_and_whole_in_every_view(category: str) -> None:
    """Over 20 seeds no object reaches over the edge of its crop, where it would be cut."""
    for seed in range(20):
        random = np.random.default_rng(seed)
        things, context = [draw_thing(category, random)], draw_context(random)
        twice = replace(context, zoom=context.zoom / 2)  # the camera sees as much again around the crop
        cover = cut_out(things, [twice], 40, "cpu").coverage[0, 0]
        crop = cover[9:31, 9:31]  # and a pixel, which the object's edge may take
        assert (crop > 0.5).mean() > 0.06
        assert (cover > 0.25).sum() == (crop > 0.25).sum()


def test_distractors_change_as_much_as_they_must_and_say_how_much(samples: list[Sample]) -> None:
    enough = 0
    for sample in samples:
        (change,) = sample.changes
        differs = np.abs(sample.views.astype(int) - sample.distractors[0]).max(axis=-1) > 24
        covered = sample.masks | sample.distractor_masks[0]
        shares = differs.sum(axis=(1, 2)) / covered.sum(axis=(1, 2))
        assert change.pixels == pytest.approx(shares.mean())
        enough += change.pixels >= LEAST_CHANGE[change.difficulty]
    assert enough >= len(samples) - 1


def test_the_attempt_that_changes_most_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    options = replace(OPTIONS, difficulty="hard", views=1)
    monkeypatch.setattr(render_module, "LEAST_CHANGE", {"hard": 2.0})  # which nothing reaches
    pixels = {}
    for attempts in (1, 2, 3, 4):
        monkeypatch.setattr(render_module, "_ATTEMPTS", attempts)
        pixels[attempts] = [sample.changes[0].pixels for sample in render(options, 0, 8)]
    assert all(np.less_equal(pixels[few], pixels[few + 1]).all() for few in (1, 2, 3))
    assert np.less(pixels[1], pixels[4]).sum() >= 4


@pytest.mark.parametrize("kind", ["colour", "texture", "shape", "part"])
def test_kinds_of_change_in_pixels(kind: str) -> None:
    """Colour and texture leave the outline, shape and part do not; a larger amount changes more pixels."""
    changed = {}
    for amount in (0.05, 1.0):
        shares = []
        for seed in range(10):
            random = np.random.default_rng(seed)
            thing, context = draw_thing(CATEGORIES[seed], random), draw_context(random)
            other = make_distractor(
                thing, Alteration("hard", (kind,), amount), np.random.default_rng([seed, 1])
            )
            cutouts = cut_out([thing, other], [context], 32, "cpu")
            alike = np.array_equal(cutouts.coverage[0], cutouts.coverage[1])
            if kind in ("colour", "texture"):
                assert alike
            elif amount == 1:
                assert not alike
            pictures = cutouts.colours * cutouts.coverage[..., None]
            shares.append((np.abs(pictures[0] - pictures[1]).max(axis=-1) > 0.1).mean())
        changed[amount] = np.mean(shares)
    assert changed[0.05] < 0.7 * changed[1.0]


def test_difficulties_are_ordered() -> None:
    means = [
        np.mean(
            [
                sample.changes[0].pixels
                for sample in render(replace(OPTIONS, size=32, difficulty=level), 0, 20)
            ]
        )
        for level in DIFFICULTIES
    ]
    assert means[0] > means[1] > means[2]


@pytest.mark.parametrize(("views", "distractors", "size"), [(1, 0, 33), (2, 3, 46), (3, 2, 16)])
def test_any_number_of_views_and_distractors_at_any_size(views: int, distractors: int, size: int) -> None:
    options = replace(OPTIONS, views=views, distractors=distractors, size=size)
    for sample in render(options, 0, 3):
        assert sample.views.shape == (views, size, size, 3)
        assert sample.distractors.shape == (distractors, views, size, size, 3)
        assert len(sample.changes) == distractors
        assert sample.masks.any(axis=(1, 2)).all()
        outside = ~(sample.masks | sample.distractor_masks.any(axis=0))
        for pictures in sample.distractors:
            np.testing.assert_array_equal(pictures[outside], sample.views[outside])
        assert len({pictures.tobytes() for pictures in sample.distractors}) == distractors


def test_categories_are_those_that_were_asked_for() -> None:
    options = replace(OPTIONS, size=16, categories=("mug", "chair"))
    assert {sample.category for sample in render(options, 0, 12)} == {"mug", "chair"}


def test_backgrounds_from_pictures(photographs: dict[str, object], tmp_path: Path) -> None:
    for name in ("coffee", "rocket"):
        photographs[name].save(tmp_path / f"{name}.png")  # type: ignore[attr-defined]
    options = replace(OPTIONS, backgrounds=tuple(sorted(tmp_path.iterdir())))
    first, second = (list(render(options, 0, 4)) for _ in range(2))
    assert all(map(same, first, second))
    for sample, painted in zip(first, render(OPTIONS, 0, 4), strict=True):
        assert sample.contexts == ("in a photograph",) * 3
        assert not np.array_equal(sample.views, painted.views)
        assert not (sample.views[~sample.masks] == painted.views[~sample.masks]).all(axis=-1).mean() > 0.1

    (tmp_path / "bad.png").write_bytes(b"nothing")
    broken = replace(options, backgrounds=(tmp_path / "bad.png",))
    with pytest.raises(InputError, match=r"1 background picture cannot be read\n.*bad\.png: not an image"):
        list(render(broken, 0, 1))


def test_no_shortcut_tells_views_from_distractors() -> None:
    """A linear probe on thumbnails and simple statistics stays at chance on identities that it has not seen."""
    pictures, labels = [], []
    for sample in render(replace(OPTIONS, size=32, difficulty="easy"), 100, 350):
        pictures += [_features(view) for view in (*sample.views, *sample.distractors[0])]
        labels += [0] * 3 + [1] * 3
    features, label = np.array(pictures), np.array(labels)
    train = 150 * 6
    features = (features - features[:train].mean(axis=0)) / (features[:train].std(axis=0) + 1e-6)
    weights = _logistic_regression(features[:train], label[:train])
    scores = features[train:] @ weights
    wins = scores[label[train:] == 1][:, None] - scores[label[train:] == 0][None]
    assert 0.38 < (np.sign(wins) / 2 + 0.5).mean() < 0.62
    # The probe does learn where there is something to learn: whether the light in a picture is above its mean.
    bright = (features[:, -1] > 0).astype(int)
    weights = _logistic_regression(features[:train], bright[:train])
    assert (((features[train:] @ weights) > 0) == bright[train:]).mean() > 0.8


def _features(picture: NDArray[np.uint8]) -> NDArray[np.float64]:
    """A grey thumbnail of 16 x 16, means and deviations of the channels, sharpness, saturation, brightness."""
    pixels = picture / 255
    grey = pixels.mean(axis=2)
    thumbnail = grey.reshape(16, 2, 16, 2).mean(axis=(1, 3)).ravel()
    edges = [np.abs(np.diff(grey, axis=axis)).mean() for axis in (0, 1)]
    saturation = np.ptp(pixels, axis=2).mean()
    return np.r_[thumbnail, pixels.mean(axis=(0, 1)), pixels.std(axis=(0, 1)), edges, saturation, grey.mean()]


def _logistic_regression(features: NDArray[np.float64], label: NDArray[np.int_]) -> NDArray[np.float64]:
    weights = np.zeros(features.shape[1])
    for _ in range(300):
        chance = 1 / (1 + np.exp(-np.clip(features @ weights, -30, 30)))
        weights -= 0.1 * (features.T @ (chance - label) / len(label) + 0.01 * weights)
    return weights
