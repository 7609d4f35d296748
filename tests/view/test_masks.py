"""Masked pictures on the page: what covers the part that counts, embedded or served."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import numpy as np
import pytest
from PIL import Image

import nearid_cli
from nearid_cli.reports.document import document
from nearid_cli.reports.html import embed, page_files, page_masks, to_html
from nearid_cli.reports.html.data import page_data
from nearid_cli.results import ScoreResult
from nearid_cli.results.reading import read_score
from tests.browser.conftest import browser, open_page
from tests.viewing import Viewing, view

__all__ = ["browser", "open_page", "view"]


@pytest.fixture
def result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ScoreResult:
    """Two subjects, wide pictures, the left third is the subject; one generation without a mask."""
    rng = np.random.default_rng(0)
    for name in ("refs/cat/0.png", "refs/cup/0.png", "gens/cat/0.png", "gens/cup/0.png", "gens/cup/1.png"):
        for root, pixels in (
            (".", rng.integers(0, 256, (60, 300, 3), np.uint8)),
            ("masks", np.zeros((60, 300), np.uint8)),
        ):
            path = tmp_path / root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if root == "masks":
                pixels[:, :100] = 255
            Image.fromarray(pixels).save(path)
    (tmp_path / "masks/gens/cup/1.png").unlink()
    monkeypatch.chdir(tmp_path)
    return nearid_cli.score("refs", "gens", "hog", masks="masks", allow_unmasked=True)


def shape(content: bytes) -> np.ndarray:
    """Where a mask is opaque."""
    return np.asarray(Image.open(BytesIO(content)).convert("RGBA"))[..., 3] > 0


def test_masks_are_embedded(result: ScoreResult) -> None:
    files, masks = page_files(result), page_masks(result)
    assert len(files) == 5
    assert len(masks) == 4
    gallery = embed(files, masks=masks)
    data = page_data(document(result).story.result, gallery)
    for path, place in gallery.index.items():
        mask = data["masks"][place]
        assert (mask is None) == (path not in masks)
        if mask is not None:
            found = shape(b64decode(mask.partition(",")[2]))
            assert found.shape == (26, 128)
            assert found[:, :42].all()
            assert not found[:, 44:].any()
    assert 'id="masked"' in to_html(document(result), gallery)


def test_a_page_without_masks_has_no_button(result: ScoreResult) -> None:
    assert 'id="masked"' not in to_html(document(result), embed(page_files(result)))


def test_the_part_that_was_scored_is_shown(tmp_path: Path, result: ScoreResult) -> None:
    background = nearid_cli.score(
        "refs", "gens", "hog", masks="masks", mask_keep="background", allow_unmasked=True
    )
    gallery = embed(page_files(background), masks=page_masks(background))
    (mask, *_) = [one.mask for one in gallery.shown if one.mask]
    found = shape(b64decode(mask.partition(",")[2]))
    assert not found[:, :42].any()
    assert found[:, 44:].all()


def test_masks_are_found_from_elsewhere(
    tmp_path: Path, result: ScoreResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nearid_cli.reports.locations import anchored

    result.save("run.json")
    monkeypatch.chdir("/")
    again = anchored(read_score(tmp_path / "run.json"), tmp_path)
    assert {part.mask for part in page_masks(again).values()} == {
        tmp_path / "masks" / name
        for name in ("refs/cat/0.png", "refs/cup/0.png", "gens/cat/0.png", "gens/cup/0.png")
    }
    assert json.loads((tmp_path / "run.json").read_text())["images"][0]["mask"] == {
        "mask": "masks/gens/cat/0.png"
    }


def test_a_mask_that_is_gone_leaves_the_picture(result: ScoreResult) -> None:
    Path("masks/gens/cat/0.png").unlink()
    gallery = embed(page_files(result), masks=page_masks(result))
    assert len(gallery.shown) == 5
    assert sum(one.mask is not None for one in gallery.shown) == 3


def test_masks_are_served(result: ScoreResult, view: Callable[..., Viewing]) -> None:
    result.save("run.json")
    files, masks = page_files(result), page_masks(result)
    viewing = view("run.json")
    with urlopen(viewing.url) as answer:
        assert 'id="masked"' in answer.read().decode()
    for number, path in enumerate(files):
        address = f"{viewing.url}mask/{number}"
        if path in masks:
            with urlopen(address) as answer:
                assert answer.headers["Content-Type"] == "image/png"
                assert shape(answer.read())[:, :42].all()
        else:
            with pytest.raises(OSError, match="404"):
                urlopen(address)


def test_a_browser_shows_what_counts(
    result: ScoreResult, open_page: Callable[..., Any], tmp_path: Path
) -> None:
    page_file = tmp_path / "report.html"
    gallery = embed(page_files(result), masks=page_masks(result))
    page_file.write_text(to_html(document(result), gallery), encoding="utf-8")
    page = open_page(page_file)
    page.locator("#pictures").scroll_into_view_if_needed()
    tile = page.locator(".tile .frame:has(img.maskable)").first
    middle, left = {"x": 60, "y": 20}, {"x": 12, "y": 20}

    def level(at: dict[str, int]) -> int:
        shot = Image.open(BytesIO(tile.screenshot())).convert("L")
        return int(np.asarray(shot)[at["y"] - 6 : at["y"] + 6, at["x"] - 6 : at["x"] + 6].max())

    tile.wait_for()
    assert level(middle) > 0
    page.get_by_role("button", name="Masked").click()
    assert page.get_by_role("button", name="Masked").get_attribute("aria-pressed") == "true"
    assert (
        level(middle) == level(left) == 0
    )  # a frame has the middle of a wide picture, whose left third counts
