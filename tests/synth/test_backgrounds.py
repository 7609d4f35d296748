"""Painted scenes, and pieces of pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nearid_cli.errors import InputError
from nearid_cli.synth.backgrounds import cut_background, draw_background


@pytest.mark.parametrize("size", [16, 33, 64])
def test_scenes_are_pictures_that_differ(size: int) -> None:
    scenes = [draw_background(np.random.default_rng(seed), size)[0] for seed in range(12)]
    for scene in scenes:
        assert scene.shape == (size, size, 3)
        assert scene.dtype == np.float32
        assert scene.min() >= 0
        assert scene.max() <= 1
    means = np.array([scene.mean(axis=(0, 1)) for scene in scenes])
    assert np.ptp(means, axis=0).min() > 0.2


def test_a_phrase_names_the_colour() -> None:
    scenes = [draw_background(np.random.default_rng(seed), 16) for seed in range(60)]
    greens = [scene.mean(axis=(0, 1)) for scene, phrase in scenes if "green" in phrase]
    assert len(greens) >= 2
    assert np.mean([green.argmax() == 1 for green in greens]) > 0.5


def test_a_piece_of_a_picture_shows_what_is_there(save: Callable[..., Path], tmp_path: Path) -> None:
    ramp = np.linspace(0, 255, 400).astype(np.uint8)
    picture = np.stack(
        [np.tile(ramp, (300, 1)), np.tile(ramp[:300, None], (1, 400)), np.zeros((300, 400), np.uint8)], 2
    )
    Image.fromarray(picture).save(tmp_path / "ramp.png")
    pieces = [cut_background((tmp_path / "ramp.png",), np.random.default_rng(seed), 24) for seed in range(8)]
    for piece in pieces:
        assert piece.shape == (24, 24, 3)
        across, down = piece[..., 0].mean(axis=0), piece[..., 1].mean(axis=1)
        assert (np.diff(across) > 0).all()
        assert (np.diff(down) > 0).all()
        # From half of the picture's 300 rows to all of them.
        assert 0.3 < np.ptp(across) * 400 / 300 < 1.05
        np.testing.assert_allclose(np.ptp(across), np.ptp(down), atol=0.03)
    assert len({float(piece[0, 0, 0]) for piece in pieces}) == 8


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (2000, 1500)])
def test_a_picture_of_any_size_will_do(size: tuple[int, int], tmp_path: Path) -> None:
    Image.new("RGB", size, (255, 0, 128)).save(tmp_path / "a.png")
    piece = cut_background((tmp_path / "a.png",), np.random.default_rng(0), 20)
    np.testing.assert_allclose(piece, np.broadcast_to([1, 0, 128 / 255], (20, 20, 3)), atol=1e-6)


def test_a_picture_on_its_side_is_put_upright(tmp_path: Path) -> None:
    picture = Image.new("RGB", (80, 80), "red")
    picture.paste("blue", (0, 0, 80, 40))
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    picture.save(tmp_path / "a.jpg", exif=exif, quality=95)
    piece = cut_background((tmp_path / "a.jpg",), np.random.default_rng(2), 16)
    assert piece[0, :, 0].mean() > 0.8 > 0.2 > piece[-1, :, 0].mean()


def test_all_pictures_that_cannot_be_read_are_named_at_once(
    save: Callable[..., Path], tmp_path: Path
) -> None:
    good = save("good.png")
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "text\n.png").write_bytes(b"no picture")
    paths = (tmp_path / "empty.png", good, tmp_path / "text\n.png", tmp_path / "absent.png")
    random = np.random.default_rng(0)
    with pytest.raises(InputError) as caught:
        [cut_background(paths, random, 16) for _ in range(20)]
    assert caught.value.message == "3 background pictures cannot be read"
    assert caught.value.details == (
        f"{tmp_path}/empty.png: empty file",
        f"{tmp_path}/text\\n.png: not an image: text",
        f"{tmp_path}/absent.png: no such file or directory",
    )
