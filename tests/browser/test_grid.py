"""The grid of the report in a real browser: which pictures stand where, keys, bars, and what exists of many rows."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from nearid_cli.evaluate.compare import compare
from nearid_cli.reports.files import write
from nearid_cli.reports.html import embed, page_files
from nearid_cli.results import Metric, ScoreResult
from tests.comparing import scored
from tests.kinds import COSINES, LPIPS, result_of
from tests.pages import METHODS, SUBJECTS, many, page_of
from tests.reporting import Open, page, report, without_pictures
from tests.viewing import Viewing

from .conftest import settle, wait_until

__all__ = ["page", "report"]


NEAR = {"nearid": "cat/0.jpg"}
NARROW = {"width": 360, "height": 740}


def cells(page: Page, place: int) -> Locator:
    """The cells of a row, the reference first."""
    return page.locator(f"#grid .rows [role=row][aria-rowindex='{place + 2}'] [role=gridcell]")


def rows(page: Page) -> list[str]:
    return page.locator("#grid [role=rowheader]").all_text_contents()


def at(page: Page) -> list[int]:
    """Row and column of the cell that has the focus; the references are column -1."""
    return page.evaluate("""() => {
        const one = document.activeElement;
        return [one.closest("[role=row]").ariaRowIndex - 2, one.ariaColIndex - 3];
    }""")


def opened(
    open_page: Open, path: Path, results: ScoreResult | Mapping[str, ScoreResult], **options: object
) -> Page:
    page = open_page(without_pictures(path / "report.html", results), **options)
    page.evaluate("location.hash = '#pictures'")
    return page


def asked(prompts: str, seeds: str = "0") -> dict[str, object]:
    """Scores of a subject with these prompts, a letter each, and of each these seeds."""
    return {
        "generations": {"cat": [0.5] * len(prompts) * len(seeds)},
        "image": lambda _, i: {
            "path": f"cat/{prompts[i // len(seeds)]}{seeds[i % len(seeds)]}.png",
            "prompt": f"a cat, {prompts[i // len(seeds)]}",
            "seed": seeds[i % len(seeds)],
        },
    }


def test_a_row_has_the_reference_and_what_each_method_made_of_the_prompt(page: Page) -> None:
    grid = page.get_by_role("grid", name="Side by side")
    expect(grid).to_have_attribute("aria-rowcount", "13")
    expect(grid).to_have_attribute("aria-colcount", "4")
    heads = [head.strip() for head in grid.get_by_role("columnheader").all_text_contents()]
    assert heads == ["Subject and what was asked for", "References", *METHODS]
    first = page.locator("#grid [role=rowheader]").first
    expect(first).to_have_text(re.compile(r"^mug a photo of a mug & <i>prompt 0</i>"))
    alts = [one.get_attribute("alt") for one in cells(page, 1).locator("img").all()]
    assert alts[0] == "mug, reference mug/0.jpg"
    for alt, method in zip(alts[1:], METHODS, strict=True):
        assert re.fullmatch(
            rf"mug, {re.escape(method)}, nearid 0\.\d\d\d, "
            r"\d+ % of the way from the floor 0\.100 to the ceiling 0\.900",
            alt,
        )
    titles = [one.get_attribute("title") for one in cells(page, 1).all()]
    assert [title.splitlines()[0] for title in titles] == ["mug/0.jpg", "mug/1.png", "mug/1.png"]


def test_references_are_as_large_as_generations(page: Page) -> None:
    boxes = (
        cells(page, 1)
        .locator("img")
        .evaluate_all(
            """all => all.map((one) => one.getBoundingClientRect()).map((box) => [box.y, box.width, box.height])"""
        )
    )
    assert len(boxes) == 3
    assert boxes == [boxes[0]] * 3


def test_subjects_come_worst_first_by_what_is_sorted_by(page: Page) -> None:
    def first() -> str:
        return rows(page)[0]

    assert first().startswith("mug ")  # the worst
    page.get_by_role("button", name="Ascending").click()
    assert not first().startswith("mug ")
    page.get_by_label("Sort by").select_option("name")
    page.get_by_role("button", name="Descending").click()
    assert first().startswith(SUBJECTS[2])


def test_what_a_method_lacks_is_an_empty_cell_that_says_so(open_page: Open, tmp_path: Path) -> None:
    two = {"a": [0.5, 0.6], "b": [0.5, 0.6]}
    prompted = {"image": lambda subject, i: {"path": f"{subject}/{i}.png", "prompt": f"prompt {i}"}}
    whole = scored(two, **prompted)
    part = scored({"a": [0.4]}, **prompted)
    page = opened(open_page, tmp_path, {"whole": whole, "part": part})
    page.get_by_label("Sort by").select_option("name")
    said = [cells(page, place).nth(2).inner_text().strip() for place in range(4)]
    assert said[1:] == ["no generation", "not this subject", "not this subject"]
    assert said[0].endswith("0.400")


def test_prompts_decide_what_stands_beside_what(open_page: Open, tmp_path: Path) -> None:
    page = opened(open_page, tmp_path, {"one": scored(**asked("abc")), "two": scored(**asked("cbd"))})
    assert rows(page) == [f"cat a cat, {letter}" for letter in "abcd"]
    names = [
        [(one.get_attribute("title") or "").splitlines()[:1] for one in cells(page, i).all()[1:]]
        for i in range(4)
    ]
    assert names == [[["cat/a0.png"], []], [["cat/b0.png"]] * 2, [["cat/c0.png"]] * 2, [[], ["cat/d0.png"]]]


def test_without_prompts_and_names_what_stands_beside_what_is_said_to_be_chance(
    open_page: Open, tmp_path: Path
) -> None:
    other = scored({"cat": [0.5] * 3}, image=lambda _, i: {"path": f"cat/{'xyz'[i]}.png"})
    page = opened(open_page, tmp_path, {"one": scored({"cat": [0.5] * 4}), "two": other})
    assert rows(page) == [f"cat no. {i} of each" for i in range(1, 5)]
    expect(cells(page, 3).nth(2)).to_have_text("no generation")


def test_one_method_is_one_column(open_page: Open, tmp_path: Path) -> None:
    page = opened(open_page, tmp_path, scored({"cat": [0.5, 0.6]}))
    expect(page.locator("#grid")).to_have_attribute("aria-colcount", "3")
    assert rows(page) == ["cat 0.png", "cat 1.png"]
    expect(page.locator("#flip")).to_have_count(0)
    cells(page, 0).nth(1).focus()
    for key in "fabmvnp":  # nothing to flip, to mask and to turn
        page.keyboard.press(key)
    assert at(page) == [0, 0]


def test_seeds_of_a_prompt_are_shown_in_turn_the_same_of_each_method(open_page: Open, tmp_path: Path) -> None:
    page = opened(
        open_page, tmp_path, {"one": scored(**asked("ab", "123")), "two": scored(**asked("ab", "31"))}
    )
    pages = page.locator("#grid .pages").first

    def shown() -> list[str]:
        return [
            (one.get_attribute("title") or one.inner_text()).splitlines()[0]
            for one in cells(page, 0).all()[1:]
        ]

    expect(pages).to_contain_text("seed 1, 1 of 3")
    assert shown() == ["cat/a1.png", "cat/a1.png"]
    cells(page, 0).nth(2).focus()
    page.keyboard.press("n")
    expect(pages).to_contain_text("seed 2, 2 of 3")
    assert shown() == ["cat/a2.png", "not with seed 2"]
    assert at(page) == [0, 1]
    page.keyboard.press("n")
    assert shown() == ["cat/a3.png", "cat/a3.png"]
    page.get_by_role("button", name="Next of this row").first.click()
    assert shown() == ["cat/a1.png", "cat/a1.png"]
    cells(page, 0).nth(2).focus()
    page.keyboard.press("p")
    assert shown() == ["cat/a3.png", "cat/a3.png"]
    assert rows(page)[1].startswith("cat a cat, b")
    assert "1 of 3" in rows(page)[1]  # a row by itself


def test_other_seeds_are_shown_by_their_places(open_page: Open, tmp_path: Path) -> None:
    page = opened(
        open_page, tmp_path, {"one": scored(**asked("a", "12")), "two": scored(**asked("a", "789"))}
    )
    pages = page.locator("#grid .pages")
    expect(pages).to_contain_text("1 of 3")
    expect(pages).not_to_contain_text("seed")
    cells(page, 0).nth(1).focus()
    page.keyboard.press("p")
    expect(cells(page, 0).nth(1)).to_have_text("only 2 here")


# Keys


def test_arrows_go_from_cell_to_cell(page: Page) -> None:
    grid = page.locator("#grid")
    assert grid.locator("[tabindex='0']").count() == 1  # one stop of Tab
    grid.locator("[tabindex='0']").focus()
    for key, place in [
        ("ArrowRight", [0, 0]),
        ("ArrowDown", [1, 0]),
        ("ArrowUp", [0, 0]),
        ("ArrowUp", [0, 0]),
        ("End", [0, 1]),
        ("ArrowRight", [0, 1]),
        ("Home", [0, -1]),
        ("ArrowLeft", [0, -1]),
        ("Control+End", [11, 1]),
        ("ArrowDown", [11, 1]),
        ("Control+Home", [0, -1]),
    ]:
        page.keyboard.press(key)
        assert at(page) == place, key
    page.keyboard.press("PageDown")
    assert at(page)[0] >= 1
    assert grid.locator("[tabindex='0']").count() == 1
    focus = page.evaluate("getComputedStyle(document.activeElement).outlineWidth")
    assert focus == "3px"


def test_the_cell_with_the_focus_is_in_sight(page: Page) -> None:
    page.locator("#grid [tabindex='0']").focus()
    for _ in range(11):
        page.keyboard.press("ArrowDown")
        cell, box, head = page.evaluate("""() => [document.activeElement, document.getElementById("grid"),
            document.querySelector("#grid .heads")].map((one) => one.getBoundingClientRect().toJSON())""")
        assert head["bottom"] - 1 <= cell["top"]
        assert cell["bottom"] <= box["bottom"] + 12
        assert 0 <= cell["top"] < 720


def test_enter_enlarges_and_escape_comes_back(page: Page) -> None:
    cells(page, 2).nth(1).focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog.locator(".place")).to_have_text("5 of 24")
    expect(dialog.get_by_role("heading", level=2)).to_have_text(f"mug · {METHODS[0]}")
    page.keyboard.press("ArrowRight")  # the same prompt by the other method
    expect(dialog.get_by_role("heading", level=2)).to_have_text(f"mug · {METHODS[1]}")
    expect(dialog.locator("dd").first).to_contain_text("/method 1/mug/2.png")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    assert at(page) == [2, 0]
    page.keyboard.press("ArrowLeft")
    page.keyboard.press(" ")
    expect(dialog.get_by_role("heading", level=2)).to_have_text("mug · reference")


def test_another_reference_on_a_key(page: Page) -> None:
    cells(page, 1).nth(1).focus()
    page.keyboard.press("r")
    for place in (1, 2):
        expect(cells(page, place).first.locator("img")).to_have_attribute("alt", "mug, reference mug/1.jpg")
    expect(cells(page, 4).first.locator("img")).to_have_attribute("alt", "red dog, reference red dog/0.jpg")
    page.keyboard.press("r")
    expect(cells(page, 1).first.locator("img")).to_have_attribute("alt", "mug, reference mug/0.jpg")


def test_a_copy_stands_beside_what_it_copies(page: Page) -> None:
    expect(cells(page, 0).first.locator("img")).to_have_attribute("alt", "mug, reference mug/1.jpg")
    expect(cells(page, 0).nth(2)).to_contain_text("copy")
    assert cells(page, 0).nth(2).locator("img").get_attribute("alt").endswith(", copy of mug/1.jpg")


def test_near_copies_are_marked_by_the_metric_shown_and_told_by_all(open_page: Open, tmp_path: Path) -> None:
    one = scored({"cat": [0.5, 0.6]}, references=2)
    subject = dataclasses.replace(one.subjects[0], reference_paths=("cat/a.jpg", "cat/b.jpg"))
    near = (dataclasses.replace(one.images[0], near_copy_of={"hog": "cat/b.jpg"}), one.images[1])
    page = opened(open_page, tmp_path, dataclasses.replace(one, images=near, subjects=(subject,)))
    cell = cells(page, 0).nth(1)
    expect(cell.locator("em")).to_have_count(0)
    expect(cell).to_have_attribute("title", re.compile("by hog nearly a copy of cat/b.jpg$"))
    assert cells(page, 0).first.get_attribute("title") == "cat/a.jpg"
    page.get_by_label("Sort by").select_option("hog")
    expect(cells(page, 0).nth(1).locator("em")).to_have_text("near copy")
    assert cells(page, 0).first.get_attribute("title") == "cat/b.jpg"
    assert cells(page, 1).first.get_attribute("title") == "cat/a.jpg"


def test_a_question_mark_shows_the_keys_where_nothing_is_typed(page: Page) -> None:
    search = page.get_by_role("searchbox")
    search.press("?")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(search).to_have_value("?")
    search.fill("")
    page.locator("#theme").press("?")
    dialog = page.get_by_role("dialog", name="Keys")
    expect(dialog).to_be_visible()
    expect(dialog).to_contain_text("flip between the two methods")
    expect(dialog).not_to_contain_text("masked")  # this page has no masks
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    page.get_by_role("button", name="Keys").click()
    page.get_by_role("dialog").get_by_role("button", name="Close").click()
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_letters_do_nothing_away_from_the_grid(page: Page) -> None:
    page.locator("#theme").focus()
    page.keyboard.press("f")
    expect(page.locator("#flip")).to_have_attribute("aria-pressed", "false")
    page.get_by_role("searchbox").fill("")
    page.keyboard.type("f")
    expect(page.locator("#flip")).to_have_attribute("aria-pressed", "false")


# Bars


def with_ends(
    metric: Metric, scores: list[float | None], floor: float | None, ceiling: float | None, **more: object
) -> ScoreResult:
    """One subject with these scores by one metric."""
    result = result_of((metric,), subjects=("cat",), absent={}, per_subject=len(scores))
    images = tuple(
        dataclasses.replace(
            image, scores={metric.name: score}, reasons={} if score is not None else {metric.name: "no face"}
        )
        for image, score in zip(result.images, scores, strict=True)
    )
    ends = dataclasses.replace(result.subjects[0].scores[metric.name], floor=floor, ceiling=ceiling, **more)
    subject = dataclasses.replace(result.subjects[0], scores={metric.name: ends})
    return dataclasses.replace(result, images=images, subjects=(subject,))


def bar(page: Page, place: int) -> tuple[float, str, str]:
    """Where the tick is, 0 at the floor and 1 at the ceiling as drawn; which end it is beyond; what is said."""
    cell = cells(page, place).nth(1)
    ends = cell.locator(".level").evaluate("""one => {
        const tick = one.querySelector(".tick").getBoundingClientRect();
        const whole = one.getBoundingClientRect();
        const middle = getComputedStyle(one, "::after");
        const left = whole.left + parseFloat(middle.left);
        const right = whole.right - parseFloat(middle.right);
        return [((tick.left + tick.right) / 2 - left) / (right - left), one.className.replace("level", "").trim()];
    }""")
    alt = cell.get_by_role("img").first.get_attribute("aria-label")
    assert alt.split(", ", 3)[3] == cell.get_attribute("title").split("\n")[2]
    return (*ends, alt.split(", ", 3)[3])


@pytest.mark.parametrize(
    ("metric", "floor", "ceiling", "scores"),
    [(COSINES, 0.2, 0.8, [0.2, 0.5, 0.8, 0.1, 0.9]), (LPIPS, 0.8, 0.2, [0.8, 0.5, 0.2, 0.9, 0.1])],
)
def test_a_tick_is_where_the_score_is_between_floor_and_ceiling(
    open_page: Open, tmp_path: Path, metric: Metric, floor: float, ceiling: float, scores: list[float]
) -> None:
    page = opened(open_page, tmp_path, with_ends(metric, scores, floor, ceiling))
    for place, share in enumerate((0, 0.5, 1, -1 / 6, 7 / 6)):
        where, beyond, said = bar(page, place)
        assert where == pytest.approx(share, abs=0.02)
        assert beyond == ""
        assert (
            said
            == [
                f"0 % of the way from the floor {floor:.3f} to the ceiling {ceiling:.3f}",
                f"50 % of the way from the floor {floor:.3f} to the ceiling {ceiling:.3f}",
                f"100 % of the way from the floor {floor:.3f} to the ceiling {ceiling:.3f}",
                f"beyond the floor {floor:.3f}; the ceiling is {ceiling:.3f}",
                f"beyond the ceiling {ceiling:.3f}; the floor is {floor:.3f}",
            ][place]
        )


def test_what_is_off_the_bar_is_an_arrow_at_its_end(open_page: Open, tmp_path: Path) -> None:
    page = opened(open_page, tmp_path, with_ends(COSINES, [-0.5, 0.99], 0.4, 0.6))
    low, high = bar(page, 0), bar(page, 1)
    assert (low[1], high[1]) == ("under", "over")
    assert low[0] == pytest.approx(-0.25, abs=0.05)
    assert high[0] == pytest.approx(1.25, abs=0.05)


@pytest.mark.parametrize(("floor", "ceiling"), [(None, 0.8), (0.2, None), (None, None)])
def test_without_a_floor_or_a_ceiling_there_is_no_bar(
    open_page: Open, tmp_path: Path, floor: float | None, ceiling: float | None
) -> None:
    page = opened(open_page, tmp_path, with_ends(COSINES, [0.5, 0.6], floor, ceiling))
    expect(page.locator("#grid .tick")).to_have_count(0)
    expect(cells(page, 0).nth(1)).to_have_attribute("title", "cat/0.png\nnearid 0.500")


def test_without_a_score_there_is_no_bar_but_the_reason(open_page: Open, tmp_path: Path) -> None:
    page = opened(open_page, tmp_path, with_ends(COSINES, [0.5, None], 0.2, 0.8))
    expect(cells(page, 1).nth(1).locator(".tick")).to_have_count(0)
    expect(cells(page, 1).nth(1).locator(".number")).to_have_text("no face")


@pytest.mark.parametrize(
    ("ends", "more"), [((0.2, 0.8), {"within_noise": True}), ((0.8, 0.2), {}), ((0.5, 0.5), {})]
)
def test_ends_that_chance_may_have_put_there_are_said_and_not_drawn(
    open_page: Open, tmp_path: Path, ends: tuple[float, float], more: dict[str, bool]
) -> None:
    page = opened(open_page, tmp_path, with_ends(COSINES, [0.5, 0.6], *ends, **more))
    expect(page.locator("#grid .tick")).to_have_count(0)
    expect(cells(page, 0).nth(1)).to_have_attribute("title", re.compile("no farther apart than chance"))


def test_bars_are_seen_in_forced_colours(open_page: Open, report: Path) -> None:
    page = open_page(report, forced_colors="active")
    page.evaluate("location.hash = '#pictures'")
    seen = page.locator("#grid .tick").first.evaluate(
        "one => [getComputedStyle(one).backgroundColor, getComputedStyle(one.parentElement, '::after').backgroundColor,"
        " getComputedStyle(document.body).backgroundColor]"
    )
    assert len(set(seen)) == 3


# Many


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """7 methods, 30 subjects, 9 prompts and their 1,890 generations with pictures: the page, and the result."""
    root = tmp_path_factory.mktemp("large")
    result = compare(many(root, methods=7, subjects=30, prompts=9))
    (root / "report.html").write_text(page_of(result, embed(page_files(result))), "utf-8")
    write(result, root / "run.json")
    return root / "report.html", root / "run.json"


def near_only(page: Page) -> None:
    """Of 270 rows, those exist that are near the part that is seen."""
    expect(page.locator("#grid")).to_have_attribute("aria-rowcount", "271")
    made = page.locator("#grid .rows [role=row]").count()
    seen = page.evaluate("""() => {
        const box = document.getElementById("grid").getBoundingClientRect();
        return [...document.querySelectorAll("#grid .rows [role=row]")]
            .map((one) => one.getBoundingClientRect())
            .filter((one) => one.bottom > box.top && one.top < box.bottom).length;
    }""")
    assert seen <= made <= seen + 8  # some beyond each end, and the one that has the focus
    assert page.locator("#grid *").count() < 1500
    assert page.locator("#grid img").count() <= 8 * made


def test_of_many_rows_only_those_near_exist(open_page: Open, large: tuple[Path, Path]) -> None:
    page = open_page(large[0])
    expect(page.locator("#shown")).to_have_text("1,890 of 1,890 generations")
    assert page.locator("#grid img").count() >= 8
    near_only(page)
    page.evaluate("location.hash = '#pictures'")
    for share in (0.5, 1):
        page.locator("#grid").evaluate("(one, share) => { one.scrollTop = one.scrollHeight * share; }", share)
        settle(page)
        near_only(page)
    last = cells(page, 269)
    expect(last).to_have_count(8)
    assert last.last.locator("img").evaluate("one => one.complete && one.naturalWidth > 0")
    page.keyboard.press("Tab")
    page.locator("#grid [tabindex='0']").focus()
    page.keyboard.press("Control+End")
    assert at(page) == [269, 6]
    page.keyboard.press("Control+Home")
    assert at(page) == [0, -1]
    near_only(page)


def test_many_rows_in_view(view: Callable[..., Viewing], open_page: Open, large: tuple[Path, Path]) -> None:
    page = open_page(view(large[1]).url + "#pictures")
    wait_until(page, "document.querySelectorAll('#grid img').length >= 16")
    near_only(page)
    page.locator("#grid").scroll_into_view_if_needed()
    wait_until(
        page,
        "[...document.querySelectorAll('#grid [aria-rowindex=\"2\"] img')]"
        ".every((one) => one.complete && one.naturalWidth)",
    )


def test_rows_are_placed_without_gaps(open_page: Open, large: tuple[Path, Path]) -> None:
    page = open_page(large[0])
    tops, height = page.evaluate("""() => {
        const all = [...document.querySelectorAll("#grid .rows [role=row]")];
        return [all.map((one) => one.offsetTop), all[0].offsetHeight];
    }""")
    assert tops == pytest.approx([height * i for i in range(len(tops))], abs=1)
    whole = page.locator("#grid .rows").evaluate("one => one.offsetHeight")
    assert whole == pytest.approx(270 * height, abs=2)


# What lies over what


HIDDEN = """(inside) => {
    const box = document.querySelector(inside).getBoundingClientRect();
    const strange = [];
    for (let x = Math.max(box.left, 0) + 4; x < Math.min(box.right, innerWidth) - 4; x += 40) {
        for (let y = box.top + 4; y < Math.min(box.bottom, innerHeight) - 4; y += 15) {
            const found = document.elementFromPoint(x, y);
            if (!found.closest(inside)) strange.push([x, y, found.outerHTML.slice(0, 80)]);
        }
    }
    return strange;
}"""
"""Points of an element's box in which something else is seen."""


def test_nothing_of_the_page_lies_over_the_grid_and_nothing_of_the_grid_over_the_bar(
    open_page: Open, large: tuple[Path, Path]
) -> None:
    page = open_page(large[0], viewport={"width": 1000, "height": 900})
    page.locator("#grid").evaluate("one => one.scrollIntoView({ behavior: 'instant' })")
    settle(page)
    assert page.evaluate(HIDDEN, "#grid") == []
    page.evaluate("scrollBy({ top: 150, behavior: 'instant' })")
    settle(page)
    assert page.evaluate(HIDDEN, ".bar") == []


def test_what_scrolls_sideways_goes_below_the_references_with_its_bar(
    open_page: Open, large: tuple[Path, Path]
) -> None:
    page = open_page(large[0], viewport={"width": 360, "height": 740})
    page.evaluate("location.hash = '#pictures'")
    references = page.locator("#grid .reference").first.bounding_box()
    tick = cells(page, 0).nth(1).locator(".tick").bounding_box()
    by = tick["x"] - references["x"] - references["width"] / 2
    page.locator("#grid").evaluate(
        "(one, by) => { one.style.scrollSnapType = 'none'; one.scrollLeft = by; }", by
    )
    settle(page)
    page.locator("#grid").evaluate("one => one.scrollIntoView({ behavior: 'instant' })")
    tick = cells(page, 0).nth(1).locator(".tick").bounding_box()
    assert references["x"] < tick["x"] < references["x"] + references["width"]
    middle = [tick["x"] + tick["width"] / 2, tick["y"] + tick["height"] / 2]
    assert page.evaluate("([x, y]) => !!document.elementFromPoint(x, y).closest('.reference')", middle)


def test_in_narrow_columns_names_and_marks_are_whole(open_page: Open, tmp_path: Path) -> None:
    methods = {f"checkpoint-{step}": scored({"cat": [0.5] * 2}) for step in range(1000, 9000, 1000)}
    near = {
        name: dataclasses.replace(
            result, images=tuple(dataclasses.replace(one, near_copy_of=NEAR) for one in result.images)
        )
        for name, result in methods.items()
    }
    page = opened(open_page, tmp_path, near)
    heads = page.get_by_role("grid").get_by_role("columnheader").all()
    for shown in [*heads[2:], *page.locator("#grid .cell:not(.reference) .number").all()]:
        assert shown.evaluate("one => one.scrollWidth <= one.clientWidth")
    expect(cells(page, 0).nth(1).locator("em")).to_have_text("near copy")


def test_the_longest_prompt_leaves_the_subject_readable(open_page: Open, tmp_path: Path) -> None:
    image = lambda _, i: {"path": f"the cat/{i}.png", "prompt": "very " * 80 + str(i), "seed": "0"}  # noqa: E731
    page = opened(open_page, tmp_path, scored({"the cat": [0.5] * 2}, image=image), viewport=NARROW)
    subject = page.locator("#grid [role=rowheader] strong").first
    assert subject.evaluate("one => one.scrollWidth <= one.clientWidth + 1 && one.clientWidth > 20")


# Phones and paper


def test_a_phone_shows_a_reference_and_one_method_and_swipes_to_the_next(
    open_page: Open, large: tuple[Path, Path]
) -> None:
    page = open_page(large[0], viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    page.evaluate("location.hash = '#pictures'")
    grid = page.locator("#grid")
    box = grid.bounding_box()
    reference, first, second = (cells(page, 0).nth(i).bounding_box() for i in range(3))
    assert reference["width"] == pytest.approx(first["width"], abs=1)
    assert box["x"] <= reference["x"]
    assert first["x"] + first["width"] <= box["x"] + box["width"] + 1
    assert second["x"] >= box["x"] + box["width"]
    grid.evaluate("one => { one.scrollLeft = one.querySelectorAll('.cell')[2].offsetWidth + 10; }")
    settle(page)
    moved = cells(page, 0).nth(2).bounding_box()
    assert moved["x"] == pytest.approx(first["x"], abs=2)
    assert cells(page, 0).first.bounding_box()["x"] == pytest.approx(reference["x"], abs=1)  # stays in sight
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.locator("#method").select_option("method 3")
    expect(grid).to_have_attribute("aria-colcount", "3")
    assert grid.evaluate("one => one.scrollWidth <= one.clientWidth")


def test_when_the_window_changes_the_cell_with_the_focus_stays_in_sight(
    open_page: Open, tmp_path: Path
) -> None:
    page = opened(open_page, tmp_path, {f"m{i}": scored({"cat": [0.5] * 9}) for i in range(9)})
    cells(page, 0).first.focus()
    page.keyboard.press("Control+End")
    for width in (360, 1280):
        page.set_viewport_size({"width": width, "height": 740})
        settle(page)
        assert at(page) == [8, 8]
        box = page.evaluate("document.activeElement.getBoundingClientRect().toJSON()")
        assert 0 <= box["left"] < box["right"] <= width
        assert 0 <= box["top"] < box["bottom"] <= 741


@pytest.mark.parametrize("width", [320, 768, 1280])
def test_strange_names_stay_in_the_grid(open_page: Open, tmp_path: Path, width: int) -> None:
    strange = ["m" * 300, "<script>alert(1)</script>", "שיטה עם שם ארוך מאוד", "line\nbreak", "🐶🏽🐱" * 20]
    results = {
        method: scored(
            {subject: [0.5] for subject in strange},
            image=lambda subject, i: {"path": f"{subject}/{i}.png", "prompt": f"{subject}\n{subject}"},
        )
        for method in strange
    }
    page = opened(open_page, tmp_path, results, viewport={"width": width, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    heights = page.locator("#grid .rows [role=row]").evaluate_all("all => all.map((one) => one.offsetHeight)")
    assert len(set(heights)) == 1
    for label in page.locator("#grid .label").all():
        assert label.bounding_box()["width"] <= width


@pytest.mark.torture
def test_all_rows_are_on_paper_and_the_screen_is_as_before(open_page: Open, large: tuple[Path, Path]) -> None:
    page = open_page(large[0], viewport={"width": 703, "height": 1000})
    page.evaluate("location.hash = '#pictures'")
    page.locator("#grid").evaluate("one => { one.scrollTop = 5000; }")
    settle(page)
    before = page.locator("#grid .rows").inner_html()
    page.emulate_media(media="print")
    expect(page.locator("#grid .rows [role=row]")).to_have_count(270)
    sticking_out = page.evaluate("""() => [...document.querySelectorAll("#grid *")]
        .filter((one) => one.getBoundingClientRect().right > innerWidth + 1)
        .map((one) => one.outerHTML.slice(0, 80))""")
    assert sticking_out == []
    row = page.locator("#grid .rows [role=row]").nth(100)
    assert row.evaluate("one => [getComputedStyle(one).position, getComputedStyle(one).breakInside]") == [
        "static",
        "avoid",
    ]
    named = cells(page, 100).nth(3).evaluate("one => getComputedStyle(one, '::after').content")
    assert named == '"method 2"'
    page.emulate_media(media="screen")
    wait_until(page, "document.querySelectorAll('#grid .rows [role=row]').length < 30")
    assert page.locator("#grid").evaluate("one => one.scrollTop") == 5000
    assert page.locator("#grid .rows").inner_html() == before
