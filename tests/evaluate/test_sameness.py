"""Which pictures are one: on photographs, on views of one object that look much alike, and against plain loops."""

from __future__ import annotations

import io
import random
import tracemalloc
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
import skimage
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from nearid_cli.embedding.rows import Rows
from nearid_cli.encoders.descriptors import (
    SAME_LEVELS,
    PerceptualHash,
    Thumbnail,
    greatest_difference,
)
from nearid_cli.evaluate.sameness import connected, equal_hashes, near_hashes, one_picture

DATA = Path(skimage.__file__).parent / "data"
NAMES = ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg", "coins.png", "grass.png", "brick.png")
NAMES += ("gravel.png", "ihc.png", "retina.jpg", "motorcycle_left.png", "page.png", "hubble_deep_field.jpg")
PHOTOGRAPHS = {name: Image.open(DATA / name).convert("RGB") for name in NAMES}

Change = Callable[[Image.Image], Image.Image]


def saved(form: str, **options: object) -> Change:
    def change(image: Image.Image) -> Image.Image:
        file = io.BytesIO()
        image.save(file, form, **options)
        return Image.open(file).convert("RGB")

    return change


def scaled(factor: float) -> Change:
    return lambda image: image.resize((round(image.width * factor), round(image.height * factor)))


def cropped(share: float) -> Change:
    return lambda image: image.crop(
        (round(share * image.width), round(share * image.height), image.width, image.height)
    )


def same(pictures: Mapping[bytes, Image.Image], near: bool = True) -> list[set[bytes]]:
    """The groups of pictures that are found to be one."""
    hashes = Rows.of({name: PerceptualHash().prepare(picture) for name, picture in pictures.items()})

    def look(names: Sequence[bytes]) -> dict[bytes, np.ndarray]:
        return {name: Thumbnail().prepare(pictures[name]) for name in names}

    first = one_picture((near_hashes if near else equal_hashes)(pictures, hashes), look)
    groups: dict[bytes, set[bytes]] = {}
    for name, stands in first.items():
        groups.setdefault(stands, set()).add(name)
    return [group for group in groups.values() if len(group) > 1]


@pytest.mark.parametrize(
    "change",
    [
        saved("PNG"),
        saved("JPEG", quality=95),
        saved("JPEG", quality=75),
        saved("WEBP", quality=80),
        scaled(0.5),
        scaled(2),
        lambda image: saved("JPEG", quality=75)(scaled(0.5)(image)),
    ],
    ids=["PNG", "JPEG 95", "JPEG 75", "WebP 80", "half", "double", "half, JPEG 75"],
)
def test_photographs_saved_again_are_one_picture(change: Change) -> None:
    for name, photograph in PHOTOGRAPHS.items():
        assert same({b"a": photograph, b"b": change(photograph)}) == [{b"a", b"b"}], name


@pytest.mark.parametrize("share", [0.03, 0.05, 0.1])
def test_crops_are_pictures_of_their_own(share: float) -> None:
    """With 3 % cut off at the top left; a crop of 1 or 2 % of a smooth picture cannot be told from a saved one."""
    for name, photograph in PHOTOGRAPHS.items():
        assert same({b"a": photograph, b"b": cropped(share)(photograph)}) == [], name


def test_different_photographs_are_different() -> None:
    assert same({name.encode(): photograph for name, photograph in PHOTOGRAPHS.items()}) == []


def bottle(turned: int) -> Image.Image:
    """A bottle before white, whose label is elsewhere with each turn: its outline and most of its light stay."""
    picture = Image.new("RGB", (240, 240), "white")
    draw = ImageDraw.Draw(picture)
    draw.rectangle((85, 60, 155, 230), fill="#3f6f55")
    draw.rectangle((105, 10, 135, 60), fill="#2f5f45")
    draw.rectangle((88 + 4 * turned, 120, 108 + 4 * turned, 150), fill="#d8c8a0")
    return picture


def test_views_of_an_object_before_white_are_not_one_picture_though_their_hashes_are() -> None:
    """Its label stands for what a turntable shows; on the hash alone these views would be one."""
    views = {bytes([turned]): bottle(turned) for turned in range(0, 12, 2)}
    hashes = Rows.of({name: PerceptualHash().prepare(view) for name, view in views.items()})
    assert near_hashes(views, hashes)
    assert same(views) == []


def test_flat_pictures_are_one_only_if_they_are_the_same() -> None:
    greys = {bytes([level]): Image.new("RGB", (60, 40), (level,) * 3) for level in range(0, 250, 10)}
    assert same(greys) == []
    assert same({**greys, b"again": Image.new("RGB", (90, 90), (20,) * 3)}) == [{bytes([20]), b"again"}]
    # The same grey level, and so nearly the same hash.
    assert (
        same({b"a": Image.new("RGB", (50, 50), "#ff0000"), b"b": Image.new("RGB", (50, 50), "#4c4c4c")}) == []
    )


def test_generations_are_compared_by_equal_hashes_alone() -> None:
    photograph = PHOTOGRAPHS["chelsea.png"]
    lossless = {
        b"a": photograph,
        b"b": saved("PNG")(photograph),
        b"c": saved("WEBP", lossless=True)(photograph),
    }
    assert same(lossless, near=False) == [{b"a", b"b", b"c"}]
    assert same({b"a": photograph, b"b": scaled(0.5)(photograph)}, near=False) == []


def test_pictures_of_one_hash_and_of_near_ones_are_proposed() -> None:
    bits = np.random.default_rng(0).random((3, 767)) < 0.5
    bits[1] = bits[0]
    bits[1, ::30] ^= True
    one, near, other = np.where(bits, 1, -1).astype(np.float32)
    hashes = Rows.of({b"d": other, b"c": one, b"b": near, b"a": one})
    assert sorted(map(sorted, near_hashes(hashes, hashes))) == [[b"a", b"b"], [b"a", b"c"]]


def test_the_frames_of_a_film_are_all_proposed() -> None:
    random = np.random.default_rng(0)
    bits = np.tile(random.random(767) < 0.5, (600, 1))
    for own in bits:
        own[random.choice(767, 6, replace=False)] ^= True
    frames = {number.to_bytes(4): own for number, own in enumerate(np.where(bits, 1, -1).astype(np.float32))}
    hashes = Rows.of(frames)
    tracemalloc.start()
    proposed = near_hashes(frames, hashes)
    seen = {digest for pair in proposed for digest in pair}
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert seen == set(frames)
    assert len(proposed) == len(set(proposed)) == 600 * 599 // 2
    assert peak < 20e6  # 30e6 with a tuple for each


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), max_size=20), st.randoms())
def test_connected_does_not_depend_on_order(pairs: list[tuple[int, int]], shuffler: random.Random) -> None:
    found = connected(pairs)
    other = [pair[::-1] if shuffler.random() < 0.5 else pair for pair in shuffler.sample(pairs, len(pairs))]
    assert connected(other) == found
    reach = {thing: {thing} for pair in pairs for thing in pair}
    for _ in pairs:
        for a, b in pairs:
            reach[a] = reach[b] = reach[a] | reach[b]
    assert found == {thing: min(together) for thing, together in reach.items()}


def test_a_picture_that_cannot_be_looked_at_again_is_like_no_other() -> None:
    assert (
        one_picture([(b"a", b"b")], lambda names: {b"a": Thumbnail().prepare(PHOTOGRAPHS["coffee.png"])})
        == {}
    )


@settings(max_examples=30)
@given(st.integers(1, 90), st.integers(1, 90), st.binary(min_size=3, max_size=60))
def test_every_picture_has_a_unit_thumbnail(width: int, height: int, levels: bytes) -> None:
    picture = Image.fromarray(np.resize(np.frombuffer(levels, np.uint8), (height, width, 3)))
    thumbnail = Thumbnail().prepare(picture)
    assert thumbnail.dtype == np.float32
    assert np.linalg.norm(thumbnail) == pytest.approx(1, abs=1e-6)
    assert greatest_difference(thumbnail, thumbnail) == 0


@pytest.mark.parametrize("step", [SAME_LEVELS, SAME_LEVELS + 1])
def test_the_difference_is_in_levels(step: int) -> None:
    one, other = (Thumbnail().prepare(Image.new("RGB", (32, 32), (100, 100 + more, 7))) for more in (0, step))
    assert greatest_difference(one, other) == pytest.approx(step, abs=1e-3)
