"""The report on a phone: the page never scrolls sideways, what is wide does in its box, fingers find their targets."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.comparing import scored
from tests.reporting import BEGINNING, END, Open, card, report, without_pictures

__all__ = ["report"]

PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
STRANGE = {
    f"{BEGINNING}r4{END}": "long",
    f"{BEGINNING}r16{END}": "long",
    "m" * 300: "no place to break",
    "<script>alert(1)</script>": "attack",
    "שיטה עם שם ארוך מאוד": "from right to left",
    "🐶🏽🐱" * 20: "emoji",
}


@pytest.fixture
def phone(open_page: Open, report: Path) -> Page:
    return open_page(report, **PHONE)


def sideways(page: Page) -> int:
    """How far the page itself can be pushed to the side."""
    return page.evaluate("""() => {
        scrollTo({ left: 1000, behavior: "instant" });
        const moved = scrollX + Math.max(0, document.documentElement.scrollWidth - innerWidth);
        scrollTo({ left: 0, behavior: "instant" });
        return moved;
    }""")


@pytest.mark.parametrize("width", [320, 360, 768, 1280])
def test_strange_names_do_not_widen_the_page(open_page: Open, tmp_path: Path, width: int) -> None:
    results = {method: scored({subject: [0.5, 0.6] for subject in STRANGE}) for method in STRANGE}
    page = open_page(
        without_pictures(tmp_path / "report.html", results), viewport={"width": width, "height": 740}
    )
    for summary in page.locator("summary:visible").all():
        summary.click()
    page.evaluate("location.hash = '#pictures'")
    card(page, "m" * 300)
    assert sideways(page) == 0
    card(page, "m" * 300).locator(".tile").first.click()
    assert page.get_by_role("dialog").evaluate("one => one.scrollWidth - one.clientWidth") <= 0


def test_the_bar_of_the_page_leaves_its_button_whole(phone: Page) -> None:
    assert phone.locator("#theme").evaluate("one => one.scrollWidth <= one.clientWidth")


def test_what_is_wide_scrolls_in_its_box(phone: Page) -> None:
    assert sideways(phone) == 0
    boxes = phone.locator(".scroll:visible")
    measured = boxes.evaluate_all("all => all.map((one) => [one.scrollWidth, one.clientWidth])")
    assert all(client <= 360 for _, client in measured)
    for kind in (
        ".figures .scroll",
        "[data-panel=heat] .scroll",
        "[data-metric] .scroll",
        "#scores > .scroll",
    ):
        box = phone.locator(kind).first
        assert box.evaluate("""one => { one.scrollLeft = 60; return one.scrollLeft; }""") == 60, kind
        assert box.evaluate("one => one.tabIndex") == 0  # and by keyboard


def test_a_box_that_does_not_scroll_is_no_stop(open_page: Open, report: Path) -> None:
    page = open_page(report)
    boxes = page.locator(".plots:visible")
    assert boxes.count() == 8  # scores, differences, a heatmap, distributions, a scatter
    for box in boxes.all():
        expect(box).to_have_attribute("tabindex", "-1")


def test_text_in_plots_can_be_read(phone: Page) -> None:
    sizes = phone.locator("svg:visible text").evaluate_all(
        "all => all.map((one) => parseFloat(getComputedStyle(one).fontSize) * one.getScreenCTM().d || 99)"
    )
    assert min(size for size in sizes if size > 0) >= 8.5


def test_the_name_of_a_row_stays_in_sight(phone: Page) -> None:
    box = phone.locator("#scores > .scroll")
    box.evaluate("one => { one.scrollLeft = 150; }")
    assert box.evaluate("one => one.scrollLeft") == 150
    name = box.locator("tbody th").first
    assert name.bounding_box()["x"] == pytest.approx(box.bounding_box()["x"], abs=1)


def test_fingers_find_their_targets(phone: Page) -> None:
    phone.evaluate("location.hash = '#pictures'")
    card(phone, "mug").locator(".tile:has(.number)").first.click()
    small = """() => [...document.querySelectorAll("button, select, input, summary, .bar a, .choice span")]
        .filter((one) => one.checkVisibility() && !one.matches(".choice input"))
        .map((one) => [one.id || one.className || one.textContent, one.getBoundingClientRect()])
        .filter(([, box]) => box.width > 0 && (box.height < 43.5 || box.width < 24))
        .map(([name, box]) => [name, box.height])"""
    assert phone.evaluate(small) == []
    phone.get_by_role("button", name="Next").tap()
    expect(phone.locator(".place")).to_have_text(re.compile("2 of 8"))
