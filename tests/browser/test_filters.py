"""What the report shows alone: the worst, disagreements, what failed the gate, copies; and the address that says so."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from nearid_cli.evaluate.compare import compare
from nearid_cli.gate.judge import judge
from nearid_cli.reports.files import write
from nearid_cli.reports.html import embed
from nearid_cli.results import CompareResult, Rule
from tests.kinds import COSINES, LPIPS, result_of
from tests.pages import many, page_of
from tests.reporting import Open, page, report, without_pictures
from tests.viewing import Viewing

__all__ = ["page", "report"]

RULE = Rule("nearid", "score", "subject", 0.5, None, None, None, "error")


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> CompareResult:
    """Three methods, six subjects and five prompts; with copies and near copies."""
    runs = many(tmp_path_factory.mktemp("pictures"), methods=3, subjects=6, prompts=5)
    first = runs["method 0"]
    images = list(first.images)
    images[3] = dataclasses.replace(images[3], copy_of=f"{images[3].subject}/1.jpg")
    for i in (7, 8):
        images[i] = dataclasses.replace(images[i], near_copy_of={"hog": f"{images[i].subject}/0.jpg"})
    return compare({**runs, "method 0": dataclasses.replace(first, images=tuple(images))})


@pytest.fixture(scope="module")
def judged(result: CompareResult, tmp_path_factory: pytest.TempPathFactory) -> Path:
    gate = judge(result, None, [RULE], run_name="run.json", baseline_name=None)
    path = tmp_path_factory.mktemp("judged") / "report.html"
    path.write_text(page_of(result, embed([]), gate), "utf-8")
    return path


def generations(result: CompareResult) -> list[tuple[str, str, float]]:
    """Method, path and score of all."""
    return [(m.name, one.path, one.scores["nearid"]) for m in result.methods for one in m.result.images]


def framed(page: Page) -> set[tuple[str, str]]:
    """Method and file of what the grid marks as asked for, of all rows, whether they are in sight or not."""
    page.emulate_media(media="print")
    expect(page.locator("#grid .rows [role=row]")).to_have_count(row_count(page))
    found = page.locator("#grid .cell.wanted").evaluate_all(
        """all => all.map((one) => [one.dataset.paper, one.title.split("\\n")[0]])"""
    )
    page.emulate_media(media="screen")
    return {tuple(one) for one in found}


def shown(page: Page) -> int:
    return int(page.locator("#shown").inner_text().split(" of ")[0].replace(",", ""))


def row_count(page: Page) -> int:
    return int(page.locator("#grid").get_attribute("aria-rowcount")) - 1


def expected(result: CompareResult) -> dict[str, set[tuple[str, str]]]:
    """What each filter keeps, found without the page."""
    every = generations(result)
    worst = sorted(every, key=lambda one: one[2])[: math.ceil(len(every) / 10)]
    low = {
        (method.name, subject.subject)
        for method in result.methods
        for subject in method.result.subjects
        if subject.scores["nearid"].score < 0.5
    }
    images = [(method.name, one) for method in result.methods for one in method.result.images]
    return {
        "the worst tenth": {one[:2] for one in worst},
        "what metrics disagree about": {(one.method, one.path) for one in result.disagreements if one.path},
        "what failed the gate": {(name, one.path) for name, one in images if (name, one.subject) in low},
        "copies of a reference": {(name, one.path) for name, one in images if one.copy_of},
        "near copies of a reference": {(name, one.path) for name, one in images if one.near_copy_of},
    }


def rows_of(kept: Iterable[tuple[str, str]]) -> int:
    """Rows are by the same file name here."""
    return len({path for _, path in kept})


def test_each_filter_keeps_what_it_says(open_page: Open, judged: Path, result: CompareResult) -> None:
    page = open_page(judged)
    kinds = expected(result)
    assert page.locator("#show option").all_inner_texts() == ["all", *kinds]
    assert all(kinds.values())
    for kind, kept in kinds.items():
        page.locator("#show").select_option(kind)
        assert framed(page) == kept, kind
        assert shown(page) == len(kept)
        assert row_count(page) == rows_of(kept)
        expect(page.locator("#grid-rows")).to_have_text(re.compile(rf"^{rows_of(kept)} rows? of 30$"))
    page.get_by_role("button", name="Show all").click()
    expect(page.locator("#show")).to_be_focused()
    expect(page.locator("#shown")).to_have_text("90 of 90 generations")
    assert row_count(page) == 30
    assert framed(page) == set()
    expect(page.get_by_role("button", name="Show all")).to_be_hidden()


def test_the_worst_come_worst_first(open_page: Open, judged: Path, result: CompareResult) -> None:
    page = open_page(judged)
    page.locator("#show").select_option("the worst tenth")
    order = [path for _, path, _ in sorted(generations(result), key=lambda one: one[2])[:9]]
    titles = page.locator("#grid .rows [role=row]").evaluate_all(
        """all => all.map((row) => row.querySelector(".cell.wanted").title.split("\\n")[0])"""
    )
    assert titles == list(dict.fromkeys(order))[: len(titles)]


def test_the_worst_by_a_distance_are_the_highest(open_page: Open, tmp_path: Path) -> None:
    result = result_of((COSINES, LPIPS))
    page = open_page(without_pictures(tmp_path / "report.html", result))
    page.locator("#show").select_option("the worst tenth")
    page.get_by_label("Sort by").select_option("lpips ↓")
    highest = sorted(result.images, key=lambda one: -one.scores["lpips"])[:2]
    assert {path for _, path in framed(page)} == {one.path for one in highest}


def test_filters_combine_with_search_and_method(open_page: Open, judged: Path, result: CompareResult) -> None:
    page = open_page(judged)
    page.locator("#show").select_option("what metrics disagree about")
    page.get_by_role("searchbox").fill("SUBJECT 0")
    page.locator("#method").select_option("method 1")
    kept = expected(result)["what metrics disagree about"]
    assert framed(page) == {one for one in kept if one[0] == "method 1"}
    page.get_by_role("searchbox").fill("03")
    assert shown(page) == len([one for one in kept if one[0] == "method 1" and "03" in one[1]])
    page.get_by_role("searchbox").fill("nothing like it")
    expect(page.locator("#shown")).to_have_text("0 of 90 generations")
    expect(page.locator("#grid")).to_be_hidden()
    page.get_by_role("button", name="Show all").click()
    expect(page.locator("#grid")).to_be_visible()
    assert page.locator("#grid .rows [role=row]").count() > 3


def test_what_is_asked_for_is_on_top_of_its_seeds(open_page: Open, tmp_path: Path) -> None:
    one = result_of((COSINES,), subjects=("cat",), absent={}, per_subject=4)
    images = tuple(
        dataclasses.replace(image, prompt="a cat", copy_of="cat/0.jpg" if i == 2 else None)
        for i, image in enumerate(one.images)
    )
    page = open_page(without_pictures(tmp_path / "report.html", dataclasses.replace(one, images=images)))
    expect(page.locator("#grid .pages")).to_contain_text("seed 0, 1 of 4")
    page.locator("#show").select_option("copies of a reference")
    expect(page.locator("#grid .pages")).to_contain_text("seed 2, 3 of 4")
    expect(page.locator("#grid .cell.wanted")).to_have_count(1)


def test_a_page_offers_only_what_it_has(open_page: Open, tmp_path: Path) -> None:
    page = open_page(without_pictures(tmp_path / "report.html", result_of((COSINES,))))
    assert page.locator("#show option").all_inner_texts() == ["all", "the worst tenth"]


def test_strips_are_filtered_too(open_page: Open, judged: Path) -> None:
    page = open_page(judged)
    page.locator("#show").select_option("copies of a reference")
    titles = page.locator(".card:not([hidden]) h3").all_text_contents()
    assert titles == ["Worst generations", "Suspected copies of a reference", "subject 00"]
    expect(page.locator("#filter")).to_contain_text("1 of 90 generations, copies of a reference, by nearid")


# Addresses


def address(page: Page) -> str:
    """The address of the page as it is now; Playwright hears of changes a moment later."""
    found: str = page.evaluate("location.href")
    return found


def state(page: Page) -> list[object]:
    """What controls say and the grid shows."""
    found: list[object] = page.evaluate("""() => [
        ...["method", "subject", "show", "sort", "flip-a", "flip-b"].map((id) => document.getElementById(id).value),
        document.getElementById("order").textContent, document.getElementById("shown").textContent,
        [...document.querySelectorAll("#grid .rows [role=row]")].map((one) => one.textContent),
    ]""")
    return found


def choose(page: Page) -> None:
    page.locator("#show").select_option("the worst tenth")
    page.get_by_role("searchbox").fill("subject 0")
    page.locator("#method").select_option("method 2")
    page.get_by_label("Sort by").select_option("hog")
    page.locator("#order").click()
    page.locator("#flip-b").select_option("method 2")


def test_a_link_shows_the_same(open_page: Open, judged: Path) -> None:
    page = open_page(judged)
    assert "#" not in address(page)
    choose(page)
    other = open_page(judged)
    assert state(other) != state(page)
    other.goto(address(page))  # in the same window: the page is not loaded again
    assert state(other) == state(page)
    fresh = open_page(judged)
    fresh.goto("about:blank")
    fresh.goto(address(page))
    assert state(fresh) == state(page)
    assert fresh.locator("#pictures").evaluate("one => one.getBoundingClientRect().top") < 200


def test_a_link_of_view_shows_the_same(
    result: CompareResult, tmp_path: Path, view: Callable[..., Viewing], open_page: Open
) -> None:
    write(result, tmp_path / "run.json")
    url = view(tmp_path / "run.json").url
    page = open_page(url)
    choose(page)
    assert address(page).startswith(url + "#pictures&")
    assert state(open_page(address(page))) == state(page)


def test_in_a_frame_without_an_address_filters_work_all_the_same(open_page: Open, judged: Path) -> None:
    page = open_page("about:blank")
    page.set_content("<iframe width=1000 height=700 sandbox='allow-scripts'></iframe>")
    page.evaluate("html => { document.querySelector('iframe').srcdoc = html; }", judged.read_text("utf-8"))
    frame = page.frame_locator("iframe")
    frame.locator("#show").select_option("the worst tenth")
    expect(frame.locator("#shown")).to_have_text("9 of 90 generations")
    frame.get_by_role("button", name="Show all").click()
    expect(frame.locator("#shown")).to_have_text("90 of 90 generations")
    expect(frame.locator("#show")).to_be_focused()


def test_an_address_goes_back_to_nothing(open_page: Open, judged: Path) -> None:
    page = open_page(judged)
    page.locator("#show").select_option("the worst tenth")
    assert address(page).endswith("#pictures&show=worst")
    page.get_by_role("button", name="Show all").click()
    assert address(page).endswith("#pictures")
    page.evaluate("location.hash = '#made'")  # other places are not the filter's
    expect(page.locator("#shown")).to_have_text("90 of 90 generations")


def test_names_in_an_address_may_hold_anything(page: Page) -> None:
    page.locator("#method").select_option("adapter & <b>co</b>")
    page.get_by_role("searchbox").fill("\"><img src=x onerror=alert('s')>&#%+ ")
    link = address(page)
    page.evaluate("location.hash = '#pictures&'")
    expect(page.locator("#shown")).to_have_text("24 of 24 generations")
    page.goto(link)
    expect(page.locator("#method")).to_have_value("1")
    expect(page.get_by_role("searchbox")).to_have_value("\"><img src=x onerror=alert('s')>&#%+")


@pytest.mark.parametrize(
    ("said", "named"),
    [
        ("show=failed", "failed"),
        ("show=__proto__", "__proto__"),
        ("method=gone&sort=lpips", "gone, lpips"),
        ('flip=["method","lora"]', "method"),
        ("flip=x", "x"),
        ("flip=[1]", "[1]"),
    ],
)
def test_what_a_link_asks_for_and_the_page_has_not_is_named(page: Page, said: str, named: str) -> None:
    page.evaluate(f"location.hash = {'#pictures&' + said!r}")
    expect(page.locator("#shown")).to_have_text(f"24 of 24 generations; not in this report: {named}")
