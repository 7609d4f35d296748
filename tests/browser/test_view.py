"""`nearid view` in a real browser, and the fixtures that every browser test relies on."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.viewing import Viewing

from .conftest import REBOUND, wait_until, watched

OpenPage = Callable[..., Page]

HONEST = "<!doctype html><title>x</title><img src='data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAA='>"


def test_a_page_that_keeps_to_itself_passes(open_page: OpenPage, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(HONEST)
    page = open_page(tmp_path / "page.html", dark=True)
    assert page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    assert page.evaluate("document.images[0].naturalWidth") == 1


COMPLAINTS = {
    "error": ("<script>console.error('broken')</script>", "broken"),
    "warning": ("<script>console.warn('odd')</script>", "odd"),
    "exception": ("<script>throw new Error('thrown')</script>", "exception: thrown"),
    "another_server": ("<img src='http://127.0.0.1:9/x.png'>", "asks http://127.0.0.1:9/x.png"),
    "another_file": ("<img src='other.png'>", "/other.png"),
}


@pytest.mark.parametrize("name", COMPLAINTS)
def test_a_page_that_complains_or_asks_around_fails(name: str, browser: Browser, tmp_path: Path) -> None:
    body, complaint = COMPLAINTS[name]
    (tmp_path / "page.html").write_text(HONEST + body)
    with pytest.raises(AssertionError, match=re.escape(complaint)), watched(browser) as open_page:
        open_page(tmp_path / "page.html")


def test_a_picture_in_full_size(run_json: Path, view: Callable[..., Viewing], open_page: OpenPage) -> None:
    viewing = view(run_json)
    page = open_page(viewing.url)
    page.locator(
        "#gallery"
    ).scroll_into_view_if_needed()  # its strips are made when they come near the window
    page.locator("#gallery button.tile").first.click()
    large = page.locator("dialog .look:first-child img")
    large.wait_for()
    wait_until(page, "document.querySelector('dialog .look:first-child img').naturalWidth > 0")
    address, width = large.evaluate("image => [image.src, image.naturalWidth]")
    assert re.fullmatch(re.escape(viewing.url) + r"picture/\d+", address)
    assert width == 120
    assert str(run_json.parent / "gens") in page.get_by_role("dialog").inner_text()


def test_every_picture_is_shown(run_json: Path, view: Callable[..., Viewing], open_page: OpenPage) -> None:
    page = open_page(view(run_json).url)
    for card in page.locator(".card:not([hidden])").all():
        card.scroll_into_view_if_needed()
    wait_until(
        page, "document.images.length >= 15 && [...document.images].every(image => image.naturalWidth)"
    )
    assert page.locator(".missing").count() == 0
    assert set(page.evaluate("[...document.images].map(image => image.naturalWidth)")) == {120}


def test_pictures_that_are_gone_are_no_error(
    run_json: Path, view: Callable[..., Viewing], open_page: OpenPage
) -> None:
    for path in (run_json.parent / "gens").rglob("*.png"):
        path.unlink()
    page = open_page(view(run_json).url)
    page.locator("#gallery").scroll_into_view_if_needed()
    page.locator(".missing").first.wait_for(state="attached")
    assert "9 could not be read" in page.inner_text("body")


def test_a_name_that_comes_to_lead_here_is_told_nothing(
    run_json: Path, view: Callable[..., Viewing], browser: Browser
) -> None:
    """DNS rebinding: the script of a foreign page may ask this server, and sees its own host answer."""
    viewing = view(run_json)
    page = browser.new_page()
    response = page.goto(f"http://{REBOUND}:{viewing.port}/picture/0")
    assert response.status == 403
    assert page.inner_text("body").strip() == f"this server answers only to {viewing.url}"
    page.close()
