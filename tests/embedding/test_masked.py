"""Parts of pictures: embedded as the same pictures painted over would be, and cached by picture, mask, box and how."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from nearid_cli.embedding.cache import Cache
from nearid_cli.embedding.pipeline import Embedded, embed
from nearid_cli.embedding.reading import GivenPicture
from nearid_cli.embedding.settings import Settings
from nearid_cli.images.reading import Masking, UnreadableImage
from nearid_cli.layouts.dataset import InMemory, Masked, Source

from .conftest import GridEncoder

Save = Callable[..., Path]
BOX = (10, 20, 50, 40)


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


def age(path: Path) -> Path:
    os.utime(path, (time.time() - 60,) * 2)
    return path


@pytest.fixture
def picture(save: Save) -> Path:
    return age(save("picture.png"))


@pytest.fixture
def mask(tmp_path: Path) -> Path:
    image = Image.new("L", (96, 96))
    ImageDraw.Draw(image).ellipse((20, 10, 70, 80), fill=255)
    image.save(tmp_path / "mask.png")
    return age(tmp_path / "mask.png")


def run(sources: Sequence[Source], encoder: GridEncoder, cache: Cache | None) -> Embedded:
    return embed(sources, [encoder.spec], lambda _: encoder, cache, Settings())


def painted(
    picture: Path, mask: Path | None, box: tuple[int, int, int, int] | None, how: Masking
) -> Image.Image:
    """The same by Pillow alone."""
    image = Image.open(picture).convert("RGB")
    inside = Image.new("L", image.size, 255) if mask is None else Image.open(mask)
    if box is not None:
        x, y, width, height = box
        own = Image.new("L", image.size)
        own.paste(inside.crop((x, y, x + width, y + height)), (x, y))
        inside = own
    if how.keep == "background":
        inside = Image.eval(inside, lambda level: 255 - level)
    return Image.composite(image, Image.new("RGB", image.size, how.fill), inside)


@pytest.mark.parametrize("how", [Masking(), Masking("background"), Masking(fill="white")])
@pytest.mark.parametrize(("masked", "box"), [(True, None), (False, BOX), (True, BOX)])
def test_a_part_is_the_picture_painted_over(
    picture: Path,
    mask: Path,
    how: Masking,
    masked: bool,
    box: tuple[int, int, int, int] | None,
    encoder: GridEncoder,
    cache: Cache,
) -> None:
    file = mask if masked else None
    part = Masked(picture, file, box, how)
    expected = run([InMemory("here", painted(picture, file, box, how))], GridEncoder(), None)
    cold = run([part, picture], encoder, cache)
    assert cold.bad == ()
    rows = cold.matrix(encoder.spec.name, [digest for digest in cold.digests if digest])
    np.testing.assert_array_equal(
        rows[0], expected.matrix(encoder.spec.name, [expected.digests[0] or b""])[0]
    )
    assert not np.array_equal(rows[0], rows[1])
    warm = run([part, picture], GridEncoder(), Cache(cache.folder))
    np.testing.assert_array_equal(warm.matrix(encoder.spec.name, [d for d in warm.digests if d]), rows)


def test_what_decides_about_pixels_is_in_the_digest(
    picture: Path, mask: Path, cache: Cache, tmp_path: Path
) -> None:
    other = tmp_path / "other.png"
    Image.new("L", (96, 96), 255).save(other)
    parts = [
        picture,
        Masked(picture, mask, None, Masking()),
        Masked(picture, other, None, Masking()),
        Masked(picture, None, BOX, Masking()),
        Masked(picture, mask, BOX, Masking()),
        Masked(picture, mask, None, Masking("background")),
        Masked(picture, mask, None, Masking(fill="white")),
        Masked(picture, mask, None, Masking(clean=True)),
        Masked(mask, mask, None, Masking()),
    ]
    found = run(parts, GridEncoder(), cache).digests
    assert None not in found
    assert len(set(found)) == len(parts)


def test_a_renamed_mask_is_found_and_a_changed_one_is_not(
    picture: Path, mask: Path, encoder: GridEncoder, cache: Cache
) -> None:
    first = run([Masked(picture, mask, None, Masking())], encoder, cache)
    moved = mask.rename(mask.with_name("moved.png"))
    again = run([Masked(picture, moved, None, Masking())], encoder, Cache(cache.folder))
    assert again.digests == first.digests
    assert encoder.prepared == 1
    Image.new("L", (96, 96), 255).save(moved)
    changed = run([Masked(picture, moved, None, Masking())], encoder, Cache(cache.folder))
    assert changed.digests != first.digests
    assert encoder.prepared == 2


def test_masks_that_cannot_be_used_are_named(
    picture: Path, mask: Path, tmp_path: Path, encoder: GridEncoder
) -> None:
    (tmp_path / "dead.png").symlink_to("nowhere")
    (tmp_path / "empty.png").touch()
    (tmp_path / "cut.png").write_bytes(mask.read_bytes()[:-60])
    Image.new("L", (96, 96)).save(tmp_path / "black.png")
    names = ("gone", "dead", "empty", "cut", "black")
    parts = [Masked(picture, tmp_path / f"{name}.png", None, Masking()) for name in names]
    gone = Masked(tmp_path / "no picture.png", mask, None, Masking())
    found = run([*parts, gone, picture, Masked(picture, mask, None, Masking())], encoder, None)
    assert [bad.reason for bad in found.bad] == [
        f"its mask {tmp_path}/gone.png: no such file or directory",
        f"its mask {tmp_path}/dead.png: dead symlink to nowhere",
        f"its mask {tmp_path}/empty.png: empty file",
        f"its mask {tmp_path}/cut.png: truncated PNG",
        f"its mask is empty: all black ({tmp_path}/black.png)",
        "no such file or directory",
    ]
    assert {bad.path for bad in found.bad[:-1]} == {str(picture)}
    assert [digest is None for digest in found.digests] == [True] * 6 + [False] * 2


def test_a_mask_that_changes_during_the_run(picture: Path, mask: Path) -> None:
    part = Masked(picture, mask, None, Masking())
    (digest,) = run([part], GridEncoder(), None).digests
    given = GivenPicture(part, digest or b"")
    whole, counts = given.open_apart(None)
    np.testing.assert_array_equal(np.asarray(whole.image), np.asarray(Image.open(picture).convert("RGB")))
    np.testing.assert_array_equal(np.asarray(counts), np.asarray(Image.open(mask)))
    Image.new("L", (96, 96), 255).save(mask)
    with pytest.raises(UnreadableImage, match="the picture or its mask changed during the run; run again"):
        given.open(None)


def test_a_part_of_a_picture_in_memory(picture: Path, encoder: GridEncoder) -> None:
    held = InMemory("here", Image.open(picture))
    part, same = Masked(held, None, BOX, Masking()), Masked(picture, None, BOX, Masking())
    found = run([part, same], encoder, None)
    rows = found.matrix(encoder.spec.name, [digest for digest in found.digests if digest])
    np.testing.assert_array_equal(rows[0], rows[1])
    assert found.digests[0] != found.digests[1]
