"""The pages of benchmarks: charts that can be read on a phone, in the dark and on paper, each beside its table."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page

from nearid_cli.benchmarks.dreambench.bench import evaluate
from nearid_cli.benchmarks.dreambench.published import score_folders
from nearid_cli.benchmarks.dreambench.report import report
from nearid_cli.reports.files import write_document
from tests.rating import write_published
from tests.reporting import Open

SIZES = (320, 360, 768, 1280)


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All published ratings, made up: eight metrics, of which one has numbers below 0."""
    folder = tmp_path_factory.mktemp("bench")
    ratings = write_published(folder / "ratings")
    found = evaluate(None, score_folders([], ratings).folders, ratings)
    write_document(report(found.result).document, folder / "page.html")
    return folder / "page.html"


def sideways(page: Page) -> int:
    moved: int = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    return moved


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", SIZES)
def test_charts_fit_and_are_read(open_page: Open, page_file: Path, width: int, dark: bool) -> None:
    page = open_page(page_file, dark, viewport={"width": width, "height": 900})
    assert sideways(page) == 0
    radars = page.locator("svg.radar")
    assert radars.count() == 2
    for radar in radars.all():
        box, around = radar.bounding_box(), radar.locator("xpath=..").bounding_box()
        assert box
        assert around
        assert box["width"] <= around["width"] + 1  # whole, and not behind a scroll bar
        sizes = radar.locator("text").evaluate_all(
            "all => all.map((one) => parseFloat(getComputedStyle(one).fontSize) * one.getScreenCTM().a)"
        )
        assert min(sizes) >= (9 if width < 360 else 10)
    # No name lies on another one.
    names = page.locator("svg.radar").first.locator("text.name")
    boxes = names.evaluate_all(
        "all => all.map((one) => one.getBoundingClientRect()).map((one) => [one.x, one.y, one.width, one.height])"
    )
    for index, (x, y, wide, high) in enumerate(boxes):
        for other_x, other_y, other_wide, other_high in boxes[:index]:
            apart_x = x >= other_x + other_wide or other_x >= x + wide
            apart_y = y + 2 >= other_y + other_high or other_y + 2 >= y + high
            assert apart_x or apart_y


def test_a_screen_reader_is_told_the_numbers(open_page: Open, page_file: Path) -> None:
    page = open_page(page_file)
    pictures = page.get_by_role("img")
    assert pictures.count() == 4
    first = pictures.first
    described = (
        page.locator(f"#{(first.get_attribute('aria-labelledby') or '').split()[1]}").text_content() or ""
    )
    for name in ("human-human: object 0.", "siglip2-mean: object 0."):
        assert name in described
    ids = page.locator("[id]").evaluate_all("all => all.map((one) => one.id)")
    assert len(ids) == len(set(ids))
    assert page.locator("table").first.locator("tbody tr").count() == 9  # beside the table


def test_paper_has_the_charts_whole(open_page: Open, page_file: Path) -> None:
    page = open_page(page_file, True, viewport={"width": 794, "height": 1123})
    page.emulate_media(media="print")
    assert sideways(page) == 0
    for svg in page.locator("svg.plot").all():
        box = svg.bounding_box()
        assert box
        assert 100 < box["height"] < 900
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == "rgb(255, 255, 255)"
