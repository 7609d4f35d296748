"""What counts as a copy, on real photographs; docs/explanation/pictures.md tells the numbers that are asserted here."""

from __future__ import annotations

import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import skimage
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageEnhance

from nearid_cli.encoders.descriptors import (
    BITS,
    COPY_BITS,
    COPY_SIMILARITY,
    PERCEPTUAL_HASH,
    PerceptualHash,
)

DATA = Path(skimage.__file__).parent / "data"
NAMES = (
    *(
        "astronaut.png",
        "chelsea.png",
        "coffee.png",
        "rocket.jpg",
        "motorcycle_left.png",
        "motorcycle_right.png",
    ),
    *("hubble_deep_field.jpg", "retina.jpg", "ihc.png", "camera.png", "coins.png", "grass.png", "brick.png"),
    *("gravel.png", "moon.png", "cell.png", "page.png", "clock_motion.png"),
)
PHOTOGRAPHS = {name: Image.open(DATA / name).convert("RGB") for name in NAMES}
ENCODER = PerceptualHash()

Change = Callable[[Image.Image], Image.Image]


def embedding(image: Image.Image) -> np.ndarray:
    return ENCODER.embed([ENCODER.prepare(image)])[0]


HASHES = {name: embedding(image) for name, image in PHOTOGRAPHS.items()}


def saved(format_: str, **options) -> Change:
    def change(image: Image.Image) -> Image.Image:
        file = io.BytesIO()
        image.save(file, format_, **options)
        return Image.open(file).convert("RGB")

    return change


def scaled(factor: float) -> Change:
    return lambda image: image.resize(
        (round(image.width * factor), round(image.height * factor)), Image.Resampling.BICUBIC
    )


def brightened(factor: float) -> Change:
    return lambda image: ImageEnhance.Brightness(image).enhance(factor)


def cut(left: float, top: float, right: float = 0, bottom: float = 0) -> Change:
    def change(image: Image.Image) -> Image.Image:
        width, height = image.size
        box = (left * width, top * height, (1 - right) * width, (1 - bottom) * height)
        return image.crop(tuple(map(round, box)))

    return change


def light(exponent: float) -> Change:
    return lambda image: image.point([round(255 * (level / 255) ** exponent) for level in range(256)] * 3)


def side_light(image: Image.Image) -> Image.Image:
    ramp = np.linspace(0.5, 1.5, image.width)[None, :, None]
    return Image.fromarray(np.clip(np.asarray(image) * ramp, 0, 255).astype(np.uint8))


COPIES = {
    "JPEG quality 95": saved("JPEG", quality=95),
    "JPEG quality 75": saved("JPEG", quality=75),
    "half size, then JPEG quality 75": lambda image: saved("JPEG", quality=75)(scaled(0.5)(image)),
    "WebP quality 80": saved("WEBP", quality=80),
    "AVIF quality 70": saved("AVIF", quality=70),
    "GIF": saved("GIF"),
    "50 % size": scaled(0.5),
    "150 % size": scaled(1.5),
    "5 % darker": brightened(0.95),
    "5 % brighter": brightened(1.05),
    "10 % brighter": brightened(1.1),
}
CHANGES = {
    "cropped by 10 % at the top left": cut(0.1, 0.1),
    "cropped by 5 % on every side": cut(0.05, 0.05, 0.05, 0.05),
    "moved by 10 %": cut(0.1, 0),
    "turned by 10 degrees": lambda image: image.rotate(10, Image.Resampling.BILINEAR),
    "mirrored": lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    "lit from one side": side_light,
    "gamma 0.5": light(0.5),
    "gamma 2": light(2),
    "50 % brighter": brightened(1.5),
    "40 % darker": brightened(0.6),
}


def differing(first: np.ndarray, second: np.ndarray) -> int:
    return int(((first > 0) != (second > 0)).sum())


@pytest.mark.parametrize("name", COPIES)
def test_copies_are_found(name):
    bits = {photo: differing(HASHES[photo], embedding(COPIES[name](PHOTOGRAPHS[photo]))) for photo in NAMES}
    assert max(bits.values()) <= COPY_BITS, bits


@pytest.mark.parametrize("name", CHANGES)
def test_changed_pictures_are_no_copies(name):
    bits = {photo: differing(HASHES[photo], embedding(CHANGES[name](PHOTOGRAPHS[photo]))) for photo in NAMES}
    assert min(bits.values()) > COPY_BITS, bits


def test_different_photographs_are_far_apart():
    bits = {pair: differing(HASHES[pair[0]], HASHES[pair[1]]) for pair in combinations(NAMES, 2)}
    nearest = min(bits, key=bits.__getitem__)
    # The two views of a stereo camera.
    assert nearest == ("motorcycle_left.png", "motorcycle_right.png")
    assert bits.pop(nearest) > 2 * COPY_BITS
    assert min(bits.values()) > 4 * COPY_BITS


@settings(max_examples=60)
@given(st.integers(1, 200), st.integers(1, 200), st.binary(min_size=3, max_size=60))
def test_every_picture_has_a_unit_hash(width, height, levels):
    vector = embedding(Image.fromarray(np.resize(np.frombuffer(levels, np.uint8), (height, width, 3))))
    assert vector.dtype == np.float32
    assert vector.shape == (BITS,)
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-6)
    assert set(np.abs(vector)) == {np.float32(1 / np.sqrt(BITS))}


@settings(max_examples=50)
@given(st.integers(0, BITS))
def test_similarity_counts_bits(count):
    """The identity that COPY_SIMILARITY rests on, in the precision of the scores."""
    one = HASHES["camera.png"]
    other = one.copy()
    other[:count] *= -1
    assert one @ other == pytest.approx(1 - 2 * count / BITS, abs=1e-6)
    assert (one @ other > COPY_SIMILARITY) == (count <= COPY_BITS)


def flat(colour: str) -> Image.Image:
    return Image.new("RGB", (90, 70), colour)


def stripes(low: int, high: int) -> Image.Image:
    row = np.linspace(low, high, 200).astype(np.uint8)
    return Image.fromarray(np.broadcast_to(row[None, :, None], (150, 200, 3)).copy())


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (flat("black"), flat("white")),
        (flat("#808080"), flat("#818181")),
        (flat("#ff0000"), flat("#4c4c4c")),  # the same grey level
        (stripes(0, 255), stripes(0, 250)),
        (flat("black"), stripes(0, 20)),
    ],
)
def test_pictures_without_a_pattern_match_only_themselves(first, second):
    assert differing(embedding(first), embedding(second)) > 2 * COPY_BITS
    for picture in (first, second):
        assert differing(embedding(picture), embedding(saved("PNG")(picture))) == 0


def test_a_flat_picture_matches_its_copy_in_another_size():
    assert differing(embedding(flat("#336699")), embedding(flat("#336699").resize((640, 480)))) == 0


def test_batches_and_threads_change_nothing():
    images = list(PHOTOGRAPHS.values()) * 3
    with ThreadPoolExecutor(8) as pool:
        together = ENCODER.embed(list(pool.map(ENCODER.prepare, images)))
    assert np.array_equal(together, np.stack([HASHES[name] for name in NAMES * 3]))


def test_spec_is_fixed():
    spec = PERCEPTUAL_HASH
    assert spec == ENCODER.spec
    assert (spec.name, spec.checkpoint, spec.folder, spec.dtype) == ("perceptual-hash", "", None, "float32")
    # Old caches are found by it: a new value here means that what hashes hold has changed.
    assert spec.fingerprint == "91ce283514550af1532400a41bb4df349660e07cf88db615d0d20355a7090817"
