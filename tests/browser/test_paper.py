"""The report on paper: all of it, light, with nothing cut off; and the screen as it was before."""

from __future__ import annotations

import dataclasses
import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from pypdf import PdfReader

from tests.comparing import scored
from tests.pages import METHODS, SUBJECTS
from tests.reporting import BEGINNING, END, Open, page, report, without_pictures
from tests.viewing import Viewing

from .conftest import settle, wait_until

__all__ = ["page", "report"]

A4_WIDTH = 595  # points


def printed(page: Page) -> PdfReader:
    return PdfReader(io.BytesIO(page.pdf(format="A4", print_background=True)))


def words(pdf: PdfReader) -> str:
    """All text without spaces: long names are broken at ends of lines."""
    return re.sub(r"\s", "", "".join(sheet.extract_text() for sheet in pdf.pages))


def test_a_pdf_holds_every_generation_and_subject(open_page: Open, tmp_path: Path) -> None:
    """Strips that end with a button for more, parts that were never scrolled to, and what is folded."""
    subjects = {f"subject {s}": [[i / 40, 0.5 - i / 100] for i in range(30)] for s in range(4)}
    page = open_page(
        without_pictures(tmp_path / "report.html", {"a": scored(subjects), "b": scored(subjects)})
    )
    wait_until(page, "document.querySelectorAll('.card.waiting').length > 0")
    text = words(printed(page))
    for subject in subjects:
        assert re.sub(r"\s", "", subject) in text
        for method in "ab":
            for i in range(30):
                assert f"{method}·{subject}/{i}.png".replace(" ", "") in text
    assert "Whatmadeit" in text
    assert "384px" in text  # the preprocessing, in a part that is folded
    assert "hogbysubjectandmethod" in text  # the panel of the other metric
    assert "more" not in re.findall(r"\d+more", text)


def test_pictures_are_on_paper_too(page: Page) -> None:
    assert page.locator(".card.waiting").count() > 0
    pdf = printed(page)
    text = words(pdf)
    mug, dog, attack = SUBJECTS
    assert sum(len(sheet.images) for sheet in pdf.pages) >= 24 + 1 + 3 * (2 + 8)
    for subject in (mug, dog, attack):
        for name in (f"{METHODS[0]}·{subject}/3.png", f"{subject}/1.jpg"):
            assert re.sub(r"\s", "", name) in text


def test_the_screen_is_as_before_when_it_was_printed(page: Page, open_page: Open, tmp_path: Path) -> None:
    subjects = {f"subject {s}": [i / 40 for i in range(30)] for s in range(6)}
    page = open_page(without_pictures(tmp_path / "report.html", scored(subjects)))
    page.get_by_role("button", name="Ascending").click()
    page.get_by_role("searchbox").fill("subject")
    page.locator("#distributions summary").click()
    page.evaluate(
        "scrollTo({ top: document.getElementById('gallery').offsetTop - 800, behavior: 'instant' })"
    )
    settle(page)
    state = """() => [document.getElementById("gallery").innerHTML, document.querySelectorAll("details[open]").length,
        document.getElementById("subject").value, document.getElementById("order").textContent, scrollY]"""
    before = page.evaluate(state)
    printed(page)
    settle(page)
    assert page.evaluate(state) == before
    assert page.locator(".more").count() > 0


def test_what_was_seen_before_the_order_changed_is_back_too(open_page: Open, tmp_path: Path) -> None:
    """The last card is filled where it is near, far away when the order changes, and filled anew for paper."""
    subjects = {f"subject {s}": [i / 40 for i in range(30)] for s in range(6)}
    page = open_page(without_pictures(tmp_path / "report.html", scored(subjects)))
    page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    wait_until(page, "!document.querySelector('.card:last-child').matches('.waiting')")
    page.locator("#order").evaluate(
        "button => { scrollTo({ top: 0, behavior: 'instant' }); button.click(); }"
    )
    settle(page)
    before = page.locator("#gallery").inner_html()
    printed(page)
    settle(page)
    assert page.locator("#gallery").inner_html() == before


def test_a_filter_is_stated_on_paper(page: Page) -> None:
    expect(page.locator("#filter")).to_be_hidden()
    page.locator("#method").select_option(METHODS[0])
    page.get_by_role("searchbox").fill("red")
    page.get_by_role("button", name="Ascending").click()
    stated = f"4of24generations,ofmethod{METHODS[0]},ofsubjectswith“red”intheirname,bynearid,descending."
    assert stated in words(printed(page))


def test_paper_is_light_and_shows_no_controls(open_page: Open, report: Path) -> None:
    page = open_page(report, dark=True)
    page.locator("#theme").click()
    page.locator("#theme").click()  # dark by the button, too
    page.emulate_media(media="print", color_scheme="dark")
    expect(page.locator(".card.waiting")).to_have_count(0)
    expect(page.locator("details:not([open])")).to_have_count(0)
    for hidden in (".bar", "#controls", ".choice"):
        expect(page.locator(hidden).first).to_be_hidden()
    expect(page.locator("[data-panel=heat]").last).to_be_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(29, 31, 35)"
    page.emulate_media(media="screen", color_scheme="dark")
    expect(page.locator("details[open]")).to_have_count(0)
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 22, 26)"


@pytest.mark.parametrize("methods", [1, 30])
def test_nothing_is_wider_than_the_sheet(open_page: Open, tmp_path: Path, methods: int) -> None:
    """What Chromium cannot fit it would make smaller, all of it, or cut off."""
    names = [f"{BEGINNING}{i}{END}" for i in range(methods)]
    results = {name: scored({f"subject {s}": [0.5, 0.6] for s in range(45)}) for name in names}
    page = open_page(
        without_pictures(tmp_path / "report.html", results if methods > 1 else results[names[0]]),
        viewport={"width": 703, "height": 1000},  # A4 without its margins
    )
    page.emulate_media(media="print")
    sticking_out = page.evaluate("""() => [...document.querySelectorAll("main *")]
        .filter((one) => !one.closest("svg") && one.getBoundingClientRect().right > innerWidth + 1)
        .map((one) => one.outerHTML.slice(0, 80))""")
    assert sticking_out == []
    too_high = page.evaluate("""() => [...document.querySelectorAll("svg")]
        .map((one) => one.getBoundingClientRect().height).filter((height) => height > 900)""")
    assert too_high == []  # a plot that is higher than a sheet would be cut in two


def test_no_row_is_cut_in_two(page: Page) -> None:
    page.emulate_media(media="print")
    breaks = """names => names.map((name) => getComputedStyle(document.querySelector(name)).breakInside)"""
    assert page.evaluate(breaks, ["tr", ".tile", "svg", "figure"]) == ["avoid"] * 4
    assert page.evaluate("getComputedStyle(document.querySelector('thead')).display") == "table-header-group"


def test_the_button_prints_when_all_pictures_are_there(
    run_json: Path, view: Callable[..., Viewing], open_page: Open
) -> None:
    page = open_page(view(run_json).url)
    assert page.locator(".card.waiting").count() > 0
    widths = page.evaluate("""() => new Promise((resolve) => {
        window.print = () => {
            dispatchEvent(new Event("beforeprint"));
            resolve([...document.images].map((one) => one.naturalWidth));
            dispatchEvent(new Event("afterprint"));
        };
        document.getElementById("print").click();
    })""")
    assert len(widths) >= 9 + 6
    assert min(widths) > 0
    expect(page.locator("details[open]")).to_have_count(0)


def test_a_picture_that_is_not_there_in_time_is_named(
    run_json: Path, view: Callable[..., Viewing], open_page: Open
) -> None:
    page = open_page(view(run_json).url)
    named, back = page.evaluate("""() => ["beforeprint", "afterprint"].map((event) => {
        dispatchEvent(new Event(event));
        return [...document.querySelectorAll("#gallery .missing")].map((one) => one.textContent);
    })""")
    result = json.loads(run_json.read_text())
    generations = {image["path"] for image in result["images"]}
    assert set(named) == generations.union(*(subject["reference_paths"] for subject in result["subjects"]))
    assert back == []


def test_the_mark_of_a_near_copy_is_whole_on_paper(open_page: Open, tmp_path: Path) -> None:
    result = scored({"cat": [0.5] * 2})
    images = tuple(dataclasses.replace(one, near_copy_of={"nearid": "cat/0.jpg"}) for one in result.images)
    page = open_page(without_pictures(tmp_path / "report.html", dataclasses.replace(result, images=images)))
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    over = page.locator("#grid .cell:not(.reference) .number").evaluate_all(
        "all => all.map((one) => one.scrollWidth - one.clientWidth)"
    )
    assert len(over) == 2
    assert max(over) <= 0
