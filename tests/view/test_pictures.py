"""Thumbnails in a report, and what `nearid view` may serve."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from nearid_cli.images.decode import UnreadableImage, decode
from nearid_cli.reports.html import pictures
from nearid_cli.reports.html.pictures import Gallery, PagePicture, embed, served, thumbnail, thumbnail_side


def embedded(found: Gallery, path: Path) -> Image.Image:
    shown = found.shown[found.index[path]]
    assert shown.full is None
    head, _, content = shown.thumbnail.partition(",")
    assert head == "data:image/webp;base64"
    return Image.open(io.BytesIO(base64.b64decode(content, validate=True)))


def level_difference(a: Image.Image, b: Image.Image) -> float:
    return float(np.abs(np.asarray(a, float) - np.asarray(b, float)).mean())


def test_thumbnails_look_like_their_pictures(tmp_path: Path, photographs: dict[str, Image.Image]) -> None:
    for name, photograph in photographs.items():
        for extension in ("jpg", "png"):
            path = tmp_path / f"{name}.{extension}"
            photograph.save(path)
            small = embedded(embed([path]), path)
            expected = ImageOps.contain(photograph, (256, 256), Image.Resampling.BICUBIC)
            assert max(small.size) == 256
            assert abs(small.width - expected.width) <= 1
            assert abs(small.height - expected.height) <= 1
            assert level_difference(small.convert("RGB"), expected.resize(small.size)) < 6


def test_thumbnails_stand_upright(tmp_path: Path, photographs: dict[str, Image.Image]) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees to the right
    path = tmp_path / "turned.jpg"
    photographs["rocket"].save(path, exif=exif)
    small = embedded(embed([path]), path)
    expected = ImageOps.contain(photographs["rocket"].rotate(-90, expand=True), (256, 256))
    assert small.height > small.width
    assert level_difference(small.convert("RGB"), expected.resize(small.size)) < 6


def test_small_pictures_are_not_enlarged(save: Callable[..., Path]) -> None:
    path = save("small.png", size=40)
    assert embedded(embed([path]), path).size == (40, 40)


def test_what_cannot_be_read_is_left_out_and_counted(save: Callable[..., Path], tmp_path: Path) -> None:
    good = [save(f"{i}.png") for i in range(2)]
    truncated = tmp_path / "truncated.png"
    truncated.write_bytes(good[0].read_bytes()[:-200])
    (tmp_path / "text.png").write_text("hello")
    os.mkfifo(tmp_path / "pipe.png")
    bad = [truncated, tmp_path / "text.png", tmp_path / "gone.png", tmp_path, tmp_path / "pipe.png"]
    found = embed([bad[0], good[0], *bad[1:], good[1]])
    assert list(found.index.items()) == [(good[0], 0), (good[1], 1)]
    assert len(found.shown) == 2
    assert found.note.startswith("2 pictures, ")
    assert found.note.endswith("kB; 5 could not be read")


@pytest.mark.parametrize("limit", [None, 0])
def test_no_thumbnails(limit: int | None, save: Callable[..., Path]) -> None:
    assert embed([save("a.png")], limit) == Gallery((), {}, "no thumbnails")


def test_nothing_to_embed() -> None:
    assert embed([]) == Gallery((), {}, "no thumbnails")


def test_the_first_ones_are_embedded(save: Callable[..., Path]) -> None:
    files = [save(f"{i}.png") for i in range(5)]
    found = embed(files, 3)
    assert list(found.index) == files[:3]
    assert found.note.endswith("; 2 left out for size")


def test_the_size_is_bounded(save: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    files = [save(f"{i}.png", crop=i) for i in range(8)]
    monkeypatch.setattr(pictures, "MAX_EMBEDDED", 10_000)
    found = embed(files)
    assert 1 <= len(found.shown) < 8
    assert list(found.index) == files[: len(found.shown)]
    assert sum(len(shown.thumbnail) for shown in found.shown) <= 10_000
    assert found.note.endswith(f"{8 - len(found.shown)} left out for size")


def test_more_pictures_are_smaller_pictures() -> None:
    sides = [thumbnail_side(number) for number in range(1, 20_000, 7)]
    assert sides == sorted(sides, reverse=True)
    assert (sides[0], sides[-1]) == (256, 64)
    # All of them together keep about their size while there is room.
    assert all(
        side**2 * number <= 256**2 * 400 for side, number in ((thumbnail_side(n), n) for n in (400, 2500))
    )


def test_decoding_for_a_thumbnail_is_smaller_and_for_a_score_is_not(
    tmp_path: Path, photographs: dict[str, Image.Image]
) -> None:
    path = tmp_path / "large.jpg"
    photographs["astronaut"].resize((1024, 1024)).save(path)
    assert decode(path).size == (1024, 1024)
    assert decode(path, at_least=200).size == (256, 256)
    assert decode(path, at_least=2000).size == (1024, 1024)
    with pytest.raises(UnreadableImage, match="over the limit"):
        decode(path, 1000, at_least=64)


def test_a_bar_only_where_one_is_wanted(save: Callable[..., Path], capfd: pytest.CaptureFixture[str]) -> None:
    path = save("a.png")
    embed([path])
    assert capfd.readouterr() == ("", "")
    embed([path], progress=True)
    out, err = capfd.readouterr()
    assert out == ""
    assert "thumbnails" in err


def test_every_format_has_a_thumbnail(tmp_path: Path, photographs: dict[str, Image.Image]) -> None:
    for mode, extension in (("RGBA", "png"), ("P", "gif"), ("CMYK", "jpg"), ("L", "tiff"), ("1", "bmp")):
        path = tmp_path / f"{mode}.{extension}"
        photographs["coffee"].convert(mode).save(path)
        small = Image.open(io.BytesIO(thumbnail(path, 64)))
        assert (small.format, max(small.size)) == ("WEBP", 64)


def test_served_are_the_files_that_begin_like_a_picture(save: Callable[..., Path], tmp_path: Path) -> None:
    good = [save("a.png"), save("b.jpg")]
    (tmp_path / "drawing.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg"/>')
    os.mkfifo(tmp_path / "pipe.png")
    bad = [
        Path("/etc/passwd"),
        tmp_path / "drawing.svg",
        tmp_path / "gone.png",
        tmp_path,
        tmp_path / "pipe.png",
    ]
    found = served([good[0], *bad, good[1]])
    assert found.shown == (
        PagePicture("/thumbnail/0", "/picture/0"),
        PagePicture("/thumbnail/6", "/picture/6"),
    )
    assert found.index == {good[0]: 0, good[1]: 1}
    assert found.note == "2 pictures, from disk; 5 could not be read"
