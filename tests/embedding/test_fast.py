"""Fast preprocessing in the pipeline: an embedding is of its picture and encoder, whatever else is embedded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nearid_cli.embedding.pipeline import Embedded, embed
from nearid_cli.embedding.settings import Settings
from nearid_cli.encoders.descriptors import HOG, PERCEPTUAL_HASH, THUMBNAIL, greatest_difference
from nearid_cli.encoders.load import load_encoder

FAST = [PERCEPTUAL_HASH.hastened(), THUMBNAIL.hastened()]
BESIDE = replace(THUMBNAIL, name="exact")  # takes whole pictures


@pytest.fixture
def paths(save: Callable[..., Path], tmp_path: Path) -> list[Path]:
    """JPEGs that are halved and others, and a PNG."""
    sizes = {"a.jpg": 1024, "b.jpg": 896, "c.jpg": 894, "d.png": 900, "e.jpg": 901}
    made = [save(name, "astronaut", crop, size) for crop, (name, size) in enumerate(sizes.items(), 30)]
    turned = Image.Exif()
    turned[0x0112] = 6
    with Image.open(made[0]) as picture:
        picture.resize((900, 1200)).save(tmp_path / "f.jpg", exif=turned)
    return [*made, tmp_path / "f.jpg"]


def embedded(paths: list[Path], specs: list, **settings) -> Embedded:
    return embed(paths, specs, load_encoder, None, Settings(**settings))


def test_others_order_threads_and_batches_change_nothing(paths):
    alone = {spec.name: embedded(paths, [spec]) for spec in FAST}
    for order, specs in ((1, [BESIDE, *FAST]), (-1, FAST)):
        for settings in ({"workers": 1, "batch_size": 1}, {"workers": 4, "batch_size": 3}):
            found = embedded(paths[::order], specs, **settings)
            for spec in FAST:
                for digest in alone[spec.name].digests:
                    assert np.array_equal(
                        found.rows[spec.name][digest], alone[spec.name].rows[spec.name][digest]
                    )


def test_exact_is_what_it_was_beside_fast(paths):
    alone, beside = embedded(paths, [BESIDE]), embedded(paths, [*FAST, BESIDE])
    for digest in alone.digests:
        assert np.array_equal(alone.rows["exact"][digest], beside.rows["exact"][digest])


def test_what_is_halved_is_near_and_all_else_equal(paths):
    exact, fast = embedded(paths, [BESIDE]), embedded(paths, FAST)
    for path, digest in zip(paths, exact.digests, strict=True):
        one, other = exact.rows["exact"][digest], fast.rows["thumbnail"][digest]
        assert greatest_difference(one, other) < 8
        assert np.array_equal(one, other) == (path.name in ("c.jpg", "d.png", "e.jpg")), path.name


def test_only_what_has_a_fast_way_is_hastened():
    fast = THUMBNAIL.hastened()
    assert fast.fingerprint != THUMBNAIL.fingerprint
    assert (fast.fast, fast.preprocessing) == (True, "fast: resize 16x16 box")
    assert HOG.hastened() is HOG


def test_too_large_for_the_memory_is_judged_by_what_is_decoded(paths, monkeypatch):
    from nearid_cli.images import memory

    monkeypatch.setattr(memory.BUDGET, "given", 3 * 2**20)
    (path, *_) = paths
    assert not embedded([path], FAST).bad
    (bad,) = embedded([path], [*FAST, BESIDE]).bad
    assert "of memory to decode" in bad.reason
