"""The report of metrics of all kinds in a real browser: distances, scores that do not exist, identity against text."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page, expect

from nearid_cli.results import ScoreResult
from tests.kinds import CLIP_T, COSINES, FACE, LPIPS, PSNR, result_of
from tests.reporting import Open, card, without_pictures


def shown(open_page: Open, path: Path, result: ScoreResult, **options: object) -> Page:
    page = open_page(without_pictures(path / "report.html", result), **options)
    page.evaluate("location.hash = '#pictures'")
    return page


def said(part) -> list[str]:
    return part.locator(".number span").all_inner_texts()


def test_worst_first_is_highest_first_by_a_distance(open_page: Open, tmp_path: Path) -> None:
    page = shown(open_page, tmp_path, result_of((LPIPS, COSINES)))
    worst = list(map(float, said(card(page, "Worst generations"))))
    assert worst == sorted(worst, reverse=True)
    assert len(worst) == 12
    falling = list(map(float, said(card(page, "mug"))))
    assert falling == sorted(falling, reverse=True)
    order = page.locator("#order")
    expect(order).to_have_text("Descending")
    expect(order).to_have_attribute("aria-pressed", "false")
    order.click()
    expect(order).to_have_text("Ascending")
    assert list(map(float, said(card(page, "mug")))) == falling[::-1]
    page.get_by_label("Sort by").select_option("nearid")
    expect(order).to_have_text("Descending")  # best first still
    page.get_by_label("Sort by").select_option("lpips ↓")
    expect(page.locator("#filter")).to_contain_text("by lpips ↓, ascending.")


def test_what_has_no_score_is_last_both_ways_and_says_why(open_page: Open, tmp_path: Path) -> None:
    page = shown(open_page, tmp_path, result_of((COSINES, FACE)))
    page.get_by_label("Sort by").select_option("face")
    assert said(card(page, "dog"))[-1] == "no face"
    page.locator("#order").click()
    dog = said(card(page, "dog"))
    assert dog[-1] == "no face"
    assert list(map(float, dog[:-1])) == sorted(map(float, dog[:-1]), reverse=True)
    mug = card(page, "mug")
    assert said(mug) == ["no face"] * 3
    expect(mug.locator(".means")).to_have_text("face: gens -")
    expect(mug.locator(".tile:has(.number) [role=img]").first).to_have_attribute(
        "aria-label", "mug, gens, face no face"
    )
    mug.locator(".tile:has(.number)").first.click()
    dialog = page.get_by_role("dialog")
    facts = dict(
        zip(dialog.locator("dt").all_inner_texts(), dialog.locator("dd").all_inner_texts(), strict=True)
    )
    assert facts["face"] == "no face"
    assert facts["nearid"].startswith("0.")


def test_the_worst_are_those_that_have_a_score(open_page: Open, tmp_path: Path) -> None:
    page = shown(open_page, tmp_path, result_of((FACE, COSINES)))
    worst = said(card(page, "Worst generations"))
    assert len(worst) == 8
    assert "no face" not in worst
    means = page.locator(".card .means").first
    expect(means).to_have_text("by face, but for 4 generations without a score")
    page.get_by_role("searchbox").fill("cat")
    expect(means).to_have_text("by face")


def test_a_click_never_opens_a_generation_that_is_no_point(open_page: Open, tmp_path: Path) -> None:
    """Without a score there is no place in a scatter, and least of all that of 0."""
    result = result_of((COSINES, PSNR), absent={"psnr": {"mug": "not in the file"}})
    page = shown(open_page, tmp_path, result)
    svg = page.locator("figure[data-metric] svg")
    assert svg.locator(".cloud").get_attribute("d").count("M") == 9
    svg.scroll_into_view_if_needed()
    box = svg.bounding_box()
    found = set()
    for x in range(0, 100, 4):
        for y in range(0, 100, 10):
            page.mouse.move(box["x"] + box["width"] * x / 100, box["y"] + box["height"] * y / 100)
            found.add(page.locator(".readout").inner_text())
    names = [text for text in found if " · " in text]
    assert names
    assert not [text for text in names if "mug" in text]
    assert all(" · psnr 2" in text for text in names)


def test_numbers_have_as_many_decimals_as_tables(open_page: Open, tmp_path: Path) -> None:
    page = shown(open_page, tmp_path, result_of((PSNR,)))
    assert all(len(text.partition(".")[2]) == 2 for text in said(card(page, "Worst generations")))


def test_identity_against_text_is_a_plot_with_a_name_and_its_numbers(open_page: Open, tmp_path: Path) -> None:
    page = shown(open_page, tmp_path, result_of((CLIP_T, COSINES, LPIPS)))
    section = page.locator("section#text")
    svg = section.locator("svg")
    expect(svg).to_have_count(1)  # lpips is of nothing known
    expect(svg).to_have_attribute("role", "img")
    ident, described = svg.get_attribute("aria-labelledby").split()
    expect(page.locator(f"#{ident}")).to_have_text("nearid against clip-t")
    assert page.locator(f"#{described}").text_content().startswith("gens: nearid 0.")
    expect(svg.locator(".dot")).to_have_count(1)
    expect(svg.locator(".whisker")).to_have_count(2)
    section.locator("summary").click()
    assert section.locator("table th").all_inner_texts() == ["method", "nearid", "clip-t", "gens"]
    assert page.locator("nav a", has_text="Identity against text").count() == 1


def test_a_page_for_a_phone_does_not_scroll_sideways(open_page: Open, tmp_path: Path) -> None:
    phone = {"width": 390, "height": 800}
    page = shown(open_page, tmp_path, result_of(), viewport=phone)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
