"""The classical baseline: valid for every picture, the same in every thread, able to tell subjects apart."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import skimage
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageEnhance
from skimage.feature import hog

from nearid_cli.encoders.descriptors import HOG, HogEncoder

DATA = Path(skimage.__file__).parent / "data"
NAMES = ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg", "motorcycle_left.png", "retina.jpg")
PHOTOGRAPHS = {name: Image.open(DATA / name).convert("RGB") for name in NAMES}
ENCODER = HogEncoder()


def descriptor(image: Image.Image) -> np.ndarray:
    return ENCODER.embed([ENCODER.prepare(image)])[0]


@settings(max_examples=60)
@given(st.integers(1, 300), st.integers(1, 300), st.binary(min_size=3, max_size=60))
def test_every_picture_has_a_unit_descriptor(width, height, levels):
    tiled = np.resize(np.frombuffer(levels, np.uint8), (height, width, 3))
    vector = descriptor(Image.fromarray(tiled))
    assert vector.dtype == np.float32
    assert vector.shape == (2532,)
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-6)
    assert vector.min() >= 0


def test_flat_pictures_have_colour_only():
    red, dark_red, blue = (Image.new("RGB", (50, 40), colour) for colour in ("red", "#600000", "blue"))
    assert not descriptor(red)[:1764].any()
    assert descriptor(red) @ descriptor(red.resize((7, 9))) == pytest.approx(1, abs=1e-6)
    assert descriptor(red) @ descriptor(blue) == 0
    assert descriptor(red) @ descriptor(dark_red) == 0


def test_first_half_is_the_hog_of_scikit_image():
    cat = PHOTOGRAPHS["chelsea.png"]
    grey = np.asarray(cat.resize((128, 128), Image.Resampling.BOX).convert("L"), dtype=np.float32) / 255
    expected = hog(grey, pixels_per_cell=(16, 16), cells_per_block=(2, 2))
    expected = expected / np.linalg.norm(expected) / np.sqrt(2)
    assert np.allclose(descriptor(cat)[:1764], expected, atol=1e-6)


def test_second_half_is_a_bhattacharyya_coefficient():
    """Half of each picture shares the colour of the other: the coefficient over the cells is one half."""
    left = Image.new("RGB", (128, 128), "red")
    left.paste((0, 0, 255), (64, 0, 128, 128))
    right = Image.new("RGB", (128, 128), "red")
    right.paste((0, 255, 0), (64, 0, 128, 128))
    colours = [descriptor(image)[1764:].astype(float) for image in (left, right)]
    first, second = (part / np.linalg.norm(part) for part in colours)
    assert first @ second == pytest.approx(0.5, abs=1e-6)


def test_the_same_subject_is_nearer_than_any_other():
    def variants(image: Image.Image) -> list[Image.Image]:
        width, height = image.size
        return [
            image.crop((width // 10, height // 10, width, height)),
            image.rotate(8, Image.Resampling.BICUBIC),
            ImageEnhance.Brightness(image).enhance(1.3),
        ]

    originals = {name: descriptor(image) for name, image in PHOTOGRAPHS.items()}
    for name, image in PHOTOGRAPHS.items():
        for variant in variants(image):
            vector = descriptor(variant)
            assert max(originals, key=lambda other: vector @ originals[other]) == name
            assert vector @ originals[name] > 0.75
    unrelated = [originals[first] @ originals[second] for first, second in combinations(NAMES, 2)]
    assert 0.3 < np.mean(unrelated) < 0.65


def test_batches_and_threads_change_nothing():
    images = list(PHOTOGRAPHS.values()) * 4
    alone = np.stack([descriptor(image) for image in images])
    with ThreadPoolExecutor(8) as pool:
        together = ENCODER.embed(list(pool.map(ENCODER.prepare, images)))
    assert np.array_equal(together, alone)


def test_spec_is_fixed():
    spec = HOG
    assert spec == ENCODER.spec
    assert (spec.name, spec.checkpoint, spec.folder, spec.revision, spec.dtype) == (
        "hog",
        "",
        None,
        None,
        "float32",
    )
    # Old caches are found by it: a new value here means that what embeddings hold has changed.
    assert spec.fingerprint == "09455d7b7b497358858105674e6acd4377a439258674ff5a867cc0b21f51b622"


def test_spec_costs_no_heavy_import():
    code = (
        "import sys; from nearid_cli.encoders.descriptors import HOG; HOG;"
        "sys.exit(' '.join({'torch', 'skimage', 'PIL', 'scipy', 'pandas'} & set(sys.modules)) or 0)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stderr == ""


def test_no_torch_at_all():
    code = (
        "import sys; from PIL import Image; from nearid_cli.encoders.descriptors import HogEncoder;"
        "HogEncoder().prepare(Image.new('RGB', (9, 9))); sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)
