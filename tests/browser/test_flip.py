"""Two methods in one place: flipped in the grid, and wiped over each other in large."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from PIL import Image as Picture
from playwright.sync_api import Locator, Page, expect

from nearid_cli.evaluate.compare import compare
from nearid_cli.images.reading import Masking
from nearid_cli.layouts.dataset import Masked
from nearid_cli.reports.html import embed, page_files
from tests.comparing import scored
from tests.pages import METHODS, comparison, many, page_of
from tests.reporting import Open, page, report

__all__ = ["page", "report"]


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("three")
    result = compare(many(root, methods=3, subjects=2, prompts=2))
    (root / "report.html").write_text(page_of(result, embed(page_files(result))), "utf-8")
    return root / "report.html"


@pytest.fixture
def grid(open_page: Open, three: Path) -> Page:
    page = open_page(three)
    page.evaluate("location.hash = '#pictures'")
    page.locator("#grid [tabindex='0']").focus()
    return page


def sources(page: Page) -> list[list[str]]:
    """By row, the addresses of its pictures."""
    found: list[list[str]] = page.locator("#grid .rows [role=row]").evaluate_all(
        "all => all.map((row) => [...row.querySelectorAll('img')].map((one) => one.src))"
    )
    return found


def boxes(page: Page) -> list[list[float]]:
    """Where the grid's pictures are in it, and how large."""
    found: list[list[float]] = page.locator(
        "#grid"
    ).evaluate("""grid => [...grid.querySelectorAll(".rows img")]
        .map((one) => one.getBoundingClientRect())
        .map((box) => [box.x, box.y - grid.getBoundingClientRect().y, box.width, box.height])""")
    return found


def heads(page: Page) -> list[str]:
    return page.locator("#grid [role=columnheader]").all_text_contents()[2:]


def test_the_column_of_one_shows_the_other_in_the_very_place(grid: Page) -> None:
    before, places = sources(grid), boxes(grid)
    assert heads(grid) == ["method 0", "method 1", "method 2"]
    grid.keyboard.press("f")
    assert sources(grid) == [[one[0], one[2], one[2], one[3]] for one in before]
    assert boxes(grid) == places
    assert heads(grid) == ["⇄ method 1", "method 1", "method 2"]
    expect(grid.locator("#flip")).to_have_attribute("aria-pressed", "true")
    expect(grid.locator("#grid-said")).to_have_text("the column of method 0 shows method 1")
    first, second = (grid.locator("#grid .rows [role=row]").first.locator(".cell").nth(i) for i in (1, 2))
    assert first.get_attribute("title") == second.get_attribute("title")
    assert first.locator(".frame").get_attribute("class") == second.locator(".frame").get_attribute("class")
    grid.keyboard.press("f")
    assert sources(grid) == before
    assert boxes(grid) == places
    assert heads(grid) == ["method 0", "method 1", "method 2"]


def test_the_focus_stays_where_it_is(grid: Page) -> None:
    grid.keyboard.press("ArrowRight")
    for _ in range(2):
        grid.keyboard.press("f")
        assert grid.evaluate("document.activeElement.ariaColIndex") == "3"
        assert grid.evaluate("document.activeElement.tabIndex") == 0
    grid.keyboard.press("f")
    grid.keyboard.press("Enter")
    expect(grid.get_by_role("dialog").get_by_role("heading", level=2)).to_contain_text(
        "method 1"
    )  # what is seen


def test_both_are_chosen_by_keys_and_by_lists(grid: Page) -> None:
    a, b = grid.locator("#flip-a"), grid.locator("#flip-b")
    for _ in range(3):
        grid.keyboard.press("ArrowRight")
    grid.keyboard.press("a")
    expect(a).to_have_value("2")
    expect(b).to_have_value("1")
    grid.keyboard.press("f")
    assert heads(grid) == ["method 0", "method 1", "⇄ method 1"]
    grid.keyboard.press("b")  # what was the one becomes the other
    expect(a).to_have_value("1")
    expect(b).to_have_value("2")
    assert heads(grid) == ["method 0", "method 1", "method 2"]  # and nothing is flipped
    a.select_option("method 2")
    expect(b).to_have_value("1")
    grid.locator("#flip").click()
    assert heads(grid) == ["method 0", "method 1", "⇄ method 1"]


def test_rows_that_come_into_sight_are_flipped_too(open_page: Open, tmp_path: Path) -> None:
    result = compare(many(tmp_path, methods=2, subjects=6, prompts=6))
    (tmp_path / "report.html").write_text(page_of(result, embed(page_files(result))), "utf-8")
    page = open_page(tmp_path / "report.html")
    page.locator("#flip").click()
    page.locator("#grid [tabindex='0']").focus()
    page.keyboard.press("Control+End")
    last = page.locator("#grid [aria-rowindex='37'] .cell")
    assert last.nth(1).get_attribute("title") == last.nth(2).get_attribute("title")


def test_a_column_that_is_not_shown_cannot_be_flipped(grid: Page) -> None:
    grid.locator("#method").select_option("method 2")
    expect(grid.locator("#flip")).to_be_disabled()
    before = sources(grid)
    grid.locator("#grid [tabindex='0']").focus()
    grid.keyboard.press("f")
    assert sources(grid) == before
    grid.keyboard.press("ArrowRight")
    grid.keyboard.press("a")
    expect(grid.locator("#flip")).to_be_enabled()


def settled(picture: Locator) -> object:
    """Where a picture is, once it is there and the page was laid out with it."""
    picture.evaluate("""async (one) => {
        await one.decode();
        await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
    }""")
    return picture.bounding_box()


def large(page: Page) -> Locator:
    return page.get_by_role("dialog").locator(".look").first


def test_the_slider_wipes_the_other_over_it(grid: Page) -> None:
    grid.keyboard.press("ArrowRight")
    grid.keyboard.press("Enter")
    dialog = grid.get_by_role("dialog")
    own = large(grid).locator(".large > img")
    before = settled(own)
    slider = dialog.get_by_role("slider")
    slider.fill("40")
    over = large(grid).locator(".over")
    assert over.evaluate("one => getComputedStyle(one).clipPath") == "inset(0px 60% 0px 0px)"
    assert over.locator("img").get_attribute("alt").split(", ")[1] == "method 1"
    assert over.locator("img").bounding_box() == before == own.bounding_box()
    expect(large(grid).locator("figcaption")).to_contain_text("40 % method 1")
    expect(slider).to_have_attribute("aria-valuetext", "40 % of method 1")
    slider.press("ArrowRight")  # no neighbour
    expect(dialog.locator(".place")).to_have_text("1 of 12")
    expect(slider).to_have_value("41")
    slider.press("f")
    expect(slider).to_have_value("100")
    expect(large(grid).locator("figcaption")).to_contain_text("method 1 0.")
    expect(dialog.get_by_role("button", name="Flip")).to_have_attribute("aria-pressed", "true")
    grid.keyboard.press("f")
    expect(over).to_be_hidden()
    expect(large(grid).locator("figcaption")).to_contain_text("Generation: ")
    dialog.get_by_label("Method to flip to").select_option("method 2")
    dialog.get_by_role("button", name="Flip").click()
    assert over.locator("img").get_attribute("alt").split(", ")[1] == "method 2"
    assert own.bounding_box() == before


@pytest.mark.parametrize("window", [{"width": 1280, "height": 720}, {"width": 360, "height": 740}])
def test_pictures_of_other_shapes_do_not_move_it(
    open_page: Open, tmp_path: Path, window: dict[str, int]
) -> None:
    shapes = {"wide": (300, 100), "high": (100, 300)}
    results = {}
    for name, size in shapes.items():
        (tmp_path / name / "cat").mkdir(parents=True)
        Picture.new("RGB", size, "green").save(tmp_path / name / "cat" / "0.png")
        one = scored({"cat": [0.5]})
        results[name] = dataclasses.replace(
            one, inputs=dataclasses.replace(one.inputs, generations=str(tmp_path / name))
        )
    result = compare(results)
    (tmp_path / "report.html").write_text(page_of(result, embed(page_files(result))), "utf-8")
    page = open_page(tmp_path / "report.html", viewport=window)
    cells = page.locator("#grid .rows .cell")
    assert (
        len({tuple(cells.nth(i).bounding_box()[side] for side in ("width", "height")) for i in (1, 2)}) == 1
    )
    cells.nth(1).click()
    settled(large(page).locator(".large > img"))
    box = large(page).locator(".large")
    before = box.bounding_box()
    page.keyboard.press("f")
    assert box.bounding_box() == before
    assert large(page).locator(".over").bounding_box() == before


def test_strips_flip_in_large_too(page: Page) -> None:
    page.locator("#gallery .tile:has(.number)").first.click()
    page.keyboard.press("f")
    title = page.get_by_role("dialog").get_by_role("heading", level=2).inner_text()
    other = METHODS[0] if METHODS[1] in title else METHODS[1]
    assert other in large(page).locator(".over img").get_attribute("alt")


def test_what_no_other_method_has_is_not_flipped(open_page: Open, tmp_path: Path) -> None:
    runs = {"a": scored({"cat": [0.5], "dog": [0.5]}), "b": scored({"cat": [0.5]})}
    (tmp_path / "report.html").write_text(page_of(compare(runs), embed([])), "utf-8")
    page = open_page(tmp_path / "report.html")
    page.get_by_role("searchbox").fill("dog")
    page.locator("#grid .rows .cell:not(.reference, .blank)").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    expect(page.get_by_role("slider")).to_have_count(0)
    page.keyboard.press("f")
    expect(page.locator(".over")).to_have_count(0)


def test_masked_pictures_on_a_key(open_page: Open, tmp_path: Path) -> None:
    result = comparison(tmp_path)
    files = page_files(result)
    masks = {file: Masked(file, None, (10, 10, 20, 20), Masking()) for file in files}
    (tmp_path / "report.html").write_text(page_of(result, embed(files, masks=masks)), "utf-8")
    page = open_page(tmp_path / "report.html")
    picture = page.locator("#grid .rows img").nth(1)
    page.locator("#grid [tabindex='0']").focus()
    for masked in (True, False):
        page.keyboard.press("m")
        assert ("url" in picture.evaluate("one => getComputedStyle(one).maskImage")) == masked
    page.keyboard.press("Enter")
    page.keyboard.press("m")
    shown = page.get_by_role("dialog").locator(".look img").first
    assert "url" in shown.evaluate("one => getComputedStyle(one).maskImage")
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_contain_text("masked")


def test_a_map_can_be_wiped_too(open_page: Open, tmp_path: Path) -> None:
    runs = many(tmp_path, methods=2, subjects=1, prompts=1)
    (tmp_path / "maps").mkdir()
    Picture.new("RGB", (80, 60), "magenta").save(tmp_path / "maps/0.png")
    one = runs["method 0"]
    runs["method 0"] = dataclasses.replace(
        one,
        images=(dataclasses.replace(one.images[0], maps={"hog": "0.png"}),),
        inputs=dataclasses.replace(one.inputs, maps=str(tmp_path / "maps")),
    )
    result = compare(runs)
    (tmp_path / "report.html").write_text(page_of(result, embed(page_files(result))), "utf-8")
    page = open_page(tmp_path / "report.html")
    page.locator("#grid .cell:not(.reference)").first.click()
    over = large(page).locator(".over")
    slider = page.get_by_role("slider")
    slider.fill("30")
    for _ in range(2):  # to the map and back
        page.keyboard.press("v")
        assert over.evaluate("one => getComputedStyle(one).clipPath") == "inset(0px 70% 0px 0px)"
        expect(large(page).locator("figcaption")).to_contain_text("30 % method 1")
    page.keyboard.press("f")
    expect(slider).to_have_value("100")
    page.keyboard.press("f")
    expect(over).to_be_hidden()
    expect(large(page).locator("figcaption")).to_contain_text("Generation: ")


def test_maps_on_a_key(open_page: Open, tmp_path: Path) -> None:
    runs = many(tmp_path, methods=1, subjects=1, prompts=2)
    one = runs["method 0"]
    (tmp_path / "maps").mkdir()
    Picture.new("RGB", (80, 60), "magenta").save(tmp_path / "maps/0.png")
    images = (dataclasses.replace(one.images[0], maps={"hog": "0.png"}), one.images[1])
    result = dataclasses.replace(
        one, images=images, inputs=dataclasses.replace(one.inputs, maps=str(tmp_path / "maps"))
    )
    (tmp_path / "report.html").write_text(page_of(result, embed(page_files(result))), "utf-8")
    page = open_page(tmp_path / "report.html")
    before = sources(page)
    page.locator("#grid [tabindex='0']").focus()
    page.keyboard.press("v")
    after = sources(page)
    assert after[0][1] != before[0][1]
    assert (after[0][0], after[1]) == (before[0][0], before[1])  # the others have no map
    alt = page.locator("#grid .rows img").nth(1).get_attribute("alt")
    assert alt.endswith(", where identity broke")
    expect(page.locator("#maps")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("v")
    assert sources(page) == before
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.keyboard.press("v")
    button = page.get_by_role("dialog").get_by_role("button", name="Where identity broke: hog")
    expect(button).to_have_attribute("aria-pressed", "true")
