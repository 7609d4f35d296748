"""The enlarged view: a generation beside a reference, equally high whatever their shapes, and what is known of it."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image as Picture
from playwright.sync_api import Locator, Page, expect

from nearid_cli.reports.files import write
from nearid_cli.reports.html import embed, page_files
from nearid_cli.results import ScoreResult
from tests.comparing import scored
from tests.pages import page_of
from tests.reporting import Open, card, page, report
from tests.viewing import Viewing

__all__ = ["page", "report"]

SHAPES = {
    "square": (300, 300),
    "portrait": (200, 500),
    "landscape": (600, 200),
    "tiny": (32, 24),
    "huge": (4000, 3000),
}


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> ScoreResult:
    """A subject with a generation and a reference of each shape."""
    root = tmp_path_factory.mktemp("shapes")
    names = list(SHAPES)
    result = scored(
        {"cat": [0.1 * i for i in range(1, 6)]},
        image=lambda _, i: {"path": f"cat/{names[i]}.png"},
        references=5,
    )
    for role, ending, colour in (("refs", "jpg", "red"), ("gens", "png", "blue")):
        for name, size in SHAPES.items():
            (root / role / "cat").mkdir(parents=True, exist_ok=True)
            Picture.new("RGB", size, colour).save(root / role / "cat" / f"{name}.{ending}")
    subject = dataclasses.replace(
        result.subjects[0], reference_paths=tuple(f"cat/{name}.jpg" for name in names)
    )
    inputs = dataclasses.replace(result.inputs, references=str(root / "refs"), generations=str(root / "gens"))
    return dataclasses.replace(result, inputs=inputs, subjects=(subject,))


def boxes(dialog: Locator) -> list[dict[str, float]]:
    """Of both large pictures where they are, once they are there."""
    # At one moment, and after the page was laid out with them: a loaded machine may take a frame more.
    found: list[dict[str, float]] = dialog.locator(".look img").evaluate_all(
        """async (all) => {
            await Promise.all(all.map((one) => one.decode()));
            await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
            return all.map((one) => one.getBoundingClientRect().toJSON());
        }"""
    )
    assert len(found) == 2
    return found


def walk(page: Page) -> list[tuple[str, list[dict[str, float]]]]:
    """Every generation beside every reference, by keyboard."""
    card(page, "cat").locator(".tile:has(.number)").first.click()
    dialog = page.get_by_role("dialog")
    seen = []
    for number in range(5):
        for reference in range(5):
            expect(dialog.locator(".look figcaption").last).to_contain_text(f"Reference {reference + 1} of 5")
            seen.append((dialog.locator(".look figcaption").first.inner_text(), boxes(dialog)))
            page.keyboard.press("ArrowDown")
        for _ in range(4):
            page.keyboard.press("ArrowUp")
        page.keyboard.press("ArrowRight")
        if number < 4:
            expect(dialog.locator(".place")).to_have_text(f"{number + 2} of 5")
    assert len({caption for caption, _ in seen}) == 5
    return seen


def test_side_by_side_and_as_high_as_each_other(open_page: Open, shapes: ScoreResult, tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text(page_of(shapes, embed(page_files(shapes))), "utf-8")
    page = open_page(tmp_path / "report.html")
    for caption, (own, reference) in walk(page):
        assert own["height"] == pytest.approx(reference["height"], abs=1), caption
        assert own["y"] == pytest.approx(reference["y"], abs=1)
        assert own["x"] + own["width"] <= reference["x"]
        assert 100 < own["height"] < 0.6 * 720 + 1
        for box in (own, reference):
            assert box["width"] / box["height"] == pytest.approx(1.5, abs=1.6)  # from 1 : 3 to 3 : 1
    assert page.evaluate(
        "document.querySelector('dialog').scrollWidth <= document.querySelector('dialog').clientWidth"
    )


def test_one_above_the_other_on_a_phone(open_page: Open, shapes: ScoreResult, tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text(page_of(shapes, embed(page_files(shapes))), "utf-8")
    page = open_page(tmp_path / "report.html", viewport={"width": 360, "height": 740})
    for caption, (own, reference) in walk(page):
        assert own["height"] == pytest.approx(reference["height"], abs=1), caption
        assert own["width"] == pytest.approx(reference["width"], abs=1)
        assert own["y"] + own["height"] <= reference["y"]
        assert reference["y"] + reference["height"] <= 740


def test_full_size_beside_full_size(
    shapes: ScoreResult, tmp_path: Path, view: Callable[..., Viewing], open_page: Open
) -> None:
    write(shapes, tmp_path / "run.json")
    page = open_page(view(tmp_path / "run.json").url)
    card(page, "cat").locator(".tile:has(.number)").last.click()  # the huge one
    dialog = page.get_by_role("dialog")
    own, reference = boxes(dialog)
    assert own["height"] == pytest.approx(reference["height"], abs=1)
    assert dialog.locator(".look img").first.evaluate("one => one.naturalWidth") == 4000
    dialog.locator(".choices button").nth(3).click()
    own, reference = boxes(dialog)
    assert dialog.locator(".look img").last.evaluate("one => one.naturalWidth") == 32
    assert own["height"] == pytest.approx(reference["height"], abs=1)


def test_references_are_chosen_and_kept(page: Page) -> None:
    card(page, "mug").locator(".tile:has(.number)").nth(4).click()  # no copy
    dialog = page.get_by_role("dialog")
    said = dialog.get_by_role("status")
    expect(said).to_have_text("Reference 1 of 2: mug/0.jpg")
    dialog.get_by_role("button", name="mug, reference mug/1.jpg").click()
    expect(said).to_have_text("Reference 2 of 2: mug/1.jpg")
    pressed = [one.get_attribute("aria-pressed") for one in dialog.locator(".choices button").all()]
    assert pressed == ["false", "true"]
    page.keyboard.press("ArrowRight")  # another generation of the same subject
    expect(dialog.locator(".place")).to_have_text("6 of 8")
    expect(said).to_have_text("Reference 2 of 2: mug/1.jpg")
    page.keyboard.press("ArrowDown")  # there is no third
    expect(said).to_have_text("Reference 2 of 2: mug/1.jpg")
    page.keyboard.press("ArrowUp")
    expect(said).to_have_text("Reference 1 of 2: mug/0.jpg")


def test_a_copy_is_shown_beside_what_it_copies(page: Page) -> None:
    card(page, "Suspected copies of a reference").locator(".tile").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("status")).to_have_text("Reference 2 of 2: mug/1.jpg")
    expect(dialog.locator(".look img").last).to_have_attribute("alt", "mug, reference mug/1.jpg")


def test_a_reference_is_alone(page: Page) -> None:
    card(page, "mug").locator(".tile").first.click()
    dialog = page.get_by_role("dialog")
    expect(dialog.locator(".look")).to_have_count(1)
    expect(dialog.locator(".choices")).to_have_count(0)
    assert dialog.locator("dt").all_inner_texts() == ["file"]


def test_a_map_takes_the_place_of_its_generation_and_gives_it_back(
    open_page: Open, shapes: ScoreResult, tmp_path: Path
) -> None:
    (tmp_path / "maps").mkdir()
    Picture.new("RGB", (300, 300), "magenta").save(tmp_path / "maps/square.png")
    first, *others = shapes.images
    inputs = dataclasses.replace(shapes.inputs, maps=str(tmp_path / "maps"))
    metric = shapes.metrics[0].name
    images = (dataclasses.replace(first, maps={metric: "square.png"}), *others)
    result = dataclasses.replace(shapes, inputs=inputs, images=images)
    (tmp_path / "report.html").write_text(page_of(result, embed(page_files(result))), "utf-8")
    page = open_page(tmp_path / "report.html")
    card(page, "cat").locator(".tile:has(.number)").first.click()
    dialog = page.get_by_role("dialog")
    button = dialog.get_by_role("button", name=f"Where identity broke: {metric}")
    own = dialog.locator(".look img").first
    before = own.get_attribute("src")
    button.click()
    expect(button).to_have_attribute("aria-pressed", "true")
    expect(own).not_to_have_attribute("src", before or "")
    expect(own).to_have_attribute("alt", re.compile(", where identity broke$"))
    assert len(boxes(dialog)) == 2
    button.click()
    expect(own).to_have_attribute("src", before or "")
    page.keyboard.press("ArrowRight")
    expect(dialog.locator(".place")).to_have_text("2 of 5")
    expect(button).to_have_count(0)
