from __future__ import annotations

import colorsys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageEnhance

from nearid_cli.errors import UsageError
from nearid_cli.training.augment import DRAWS, augment, backgrounds, jitter, move
from nearid_cli.training.options import Augmentations


@pytest.fixture
def photos(photographs: dict[str, Image.Image]) -> torch.Tensor:
    """uint8 [4, 3, 40, 48]."""
    resized = [np.asarray(picture.resize((48, 40))) for picture in photographs.values()]
    return torch.from_numpy(np.stack(resized)).permute(0, 3, 1, 2).contiguous()


def draws(seed: int, count: int = 4) -> np.ndarray:
    return np.random.default_rng(seed).random((count, DRAWS))


EVERYTHING = Augmentations(flip=1, jitter=1, translate=1)
NOTHING = torch.zeros(4, 2)
ONES = torch.ones(4)
NEVER = torch.zeros(4, dtype=torch.bool)


def test_what_is_left_alone_is_the_same_to_the_bit(photos: torch.Tensor) -> None:
    assert torch.equal(augment(photos, draws(0), Augmentations()), photos)
    numbers = draws(1)
    numbers[:, :3] = 0.0
    numbers[[1, 3], :3] = 0.999
    before = photos.clone()
    changed = augment(photos, numbers, Augmentations(flip=0.9, jitter=0.9, translate=0.9))
    assert torch.equal(changed[[1, 3]], photos[[1, 3]])
    assert (changed[[0, 2]] != photos[[0, 2]]).flatten(1).float().mean() > 0.5
    assert torch.equal(photos, before)


@given(seed=st.integers(0, 2**32), size=st.integers(2, 40))
def test_a_picture_does_not_depend_on_its_neighbours(seed: int, size: int) -> None:
    random = np.random.default_rng(seed)
    pixels = torch.from_numpy(random.integers(0, 256, (3, 3, size, size), np.uint8))
    numbers = random.random((3, DRAWS))
    how = Augmentations(flip=0.5, jitter=0.5, translate=0.5)
    together = augment(pixels, numbers, how)
    alone = torch.cat([augment(pixels[i : i + 1], numbers[i : i + 1], how) for i in range(3)])
    # Other sizes of a product may round otherwise in the last bit of a float.
    assert (together.int() - alone.int()).abs().max() <= 1
    assert (together != alone).float().mean() < 0.001


def test_a_flip_is_exact(photos: torch.Tensor) -> None:
    assert torch.equal(augment(photos, draws(0), Augmentations(flip=1)), photos.flip(-1))


def test_probabilities_are_kept() -> None:
    pixels = torch.zeros(2000, 3, 2, 2, dtype=torch.uint8)
    pixels[..., 0] = 200
    flipped = augment(pixels, draws(0, 2000), Augmentations(flip=0.3))[..., 1].amax((1, 2)) == 200
    assert flipped.float().mean().item() == pytest.approx(0.3, abs=0.04)


@pytest.mark.parametrize("factor", [0.8, 1.0, 1.2])
@pytest.mark.parametrize(
    ("column", "enhance"), [(0, ImageEnhance.Brightness), (1, ImageEnhance.Contrast), (2, ImageEnhance.Color)]
)
def test_jitter_is_what_pillow_does(photos: torch.Tensor, column: int, enhance: type, factor: float) -> None:
    factors = torch.ones(4, 3)
    factors[:, column] = factor
    ours = jitter(photos.float(), factors, torch.zeros(4)).clamp(0, 255)
    for picture, result in zip(photos, ours, strict=True):
        pillow = enhance(Image.fromarray(picture.permute(1, 2, 0).numpy())).enhance(factor)
        theirs = torch.from_numpy(np.array(pillow)).permute(2, 0, 1)
        # Pillow's luma is another one (0.299, 0.587, 0.114), and it rounds.
        assert (result - theirs).abs().mean() < (6 if column == 2 else 2)
        assert (result - theirs).abs().max() < 30


def test_jitter_changes_brightness_first_and_then_contrast() -> None:
    grey = torch.tensor([40.0, 120.0]).view(1, 1, 1, 2).expand(1, 3, 1, 2)
    result = jitter(grey, torch.tensor([[1.2, 0.8, 1.1]]), torch.tensor([0.04]))
    expected = 1.2 * (0.8 * grey + 0.2 * 80)
    torch.testing.assert_close(result, expected, atol=1e-3, rtol=0)


@pytest.mark.parametrize("turns", [-0.05, 0.02, 0.05])
def test_a_turn_of_the_hue(turns: float) -> None:
    red = torch.tensor([180.0, 90.0, 90.0]).view(1, 3, 1, 1)
    result = jitter(red, torch.ones(1, 3), torch.tensor([turns])).flatten()
    luma = torch.tensor([0.213, 0.715, 0.072])
    assert (result @ luma).item() == pytest.approx((red.flatten() @ luma).item(), abs=0.5)
    hue, _, _ = colorsys.rgb_to_hsv(*(result / 255).tolist())
    assert (hue + 0.5) % 1 - 0.5 == pytest.approx(turns, abs=0.02)
    grey = torch.full((1, 3, 2, 2), 77.0)
    torch.testing.assert_close(jitter(grey, torch.ones(1, 3), torch.tensor([turns])), grey, atol=0.1, rtol=0)


def test_a_shift_of_whole_pixels_is_exact_and_repeats_the_edge(photos: torch.Tensor) -> None:
    right, down = 3, -2
    shift = torch.tensor([[right / 48, down / 40]]).expand(4, 2)
    moved = move(photos.float(), NEVER, shift, ONES).round()
    expected = np.pad(photos.numpy(), ((0, 0), (0, 0), (0, 2), (3, 0)), mode="edge")[:, :, 2:, :48]
    assert torch.equal(moved, torch.from_numpy(expected).float())


def test_scaling_is_what_pillow_does(photos: torch.Tensor) -> None:
    for scale in (0.8, 1.3):
        moved = move(photos.float(), NEVER, NOTHING, ONES * scale)
        for picture, result in zip(photos, moved, strict=True):
            inverse = (1 / scale, 0, 24 - 24 / scale, 0, 1 / scale, 20 - 20 / scale)
            pillow = Image.fromarray(picture.permute(1, 2, 0).numpy()).transform(
                (48, 40), Image.Transform.AFFINE, inverse, Image.Resampling.BILINEAR
            )
            theirs = torch.from_numpy(np.array(pillow)).permute(2, 0, 1)
            inner = (..., slice(6, -6), slice(6, -6))  # Pillow leaves what comes into view black
            assert (result[inner] - theirs[inner]).abs().max() < 1.01  # Pillow cuts fractions off


def test_ranges_are_kept() -> None:
    """A bright pixel in the middle is found no further away than the shift allows."""
    pixels = torch.zeros(300, 3, 41, 41, dtype=torch.uint8)
    pixels[:, :, 20, 20] = 255
    how = Augmentations(translate=1, translate_fraction=0.1, scale_min=1, scale_max=1)
    moved = augment(pixels, draws(3, 300), how)[:, 0].float()
    weight = moved / moved.sum((1, 2), keepdim=True)
    away = torch.stack(((weight.sum(2) @ torch.arange(41.0)), (weight.sum(1) @ torch.arange(41.0)))) - 20
    assert away.abs().max() <= 4.1 + 0.05
    assert away.min() < -3.5
    assert away.max() > 3.5


def test_backgrounds_follow_from_their_draws_and_differ() -> None:
    first, again, other = (backgrounds(np.random.default_rng(seed), 3, 20, 30) for seed in (0, 0, 1))
    assert first.shape == (3, 3, 20, 30)
    assert first.dtype == np.uint8
    np.testing.assert_array_equal(first, again)
    for a, b in ((first[0], first[1]), (first[1], first[2]), (first[0], other[0])):
        assert np.abs(a.astype(int) - b).mean() > 10
    assert first.std(axis=(2, 3)).min() > 1


def test_every_value_out_of_range_is_named() -> None:
    with pytest.raises(UsageError) as caught:
        Augmentations(flip=1.5, background=-0.1, translate=float("nan"), scale_min=0)
    assert str(caught.value).splitlines() == [
        "augmentation out of range: flip is 1.5, expected 0 to 1",
        "  translate is nan, expected 0 to 1",
        "  background is -0.1, expected 0 to 1",
        "  scale is 0 to 1.1, expected 0 < min <= max",
    ]
    with pytest.raises(UsageError, match=r"scale is 1\.2 to 1\.1"):
        Augmentations(scale_min=1.2)
