"""Long names on the page: labels that stay apart, and the whole name for a mouse and for a screen reader."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from nearid_cli.text import printable
from tests.comparing import scored
from tests.hostile import NAMES
from tests.hostile import run as hostile
from tests.reporting import BEGINNING, END, Open, without_pictures

METHODS = [f"{BEGINNING}{middle}{END}" for middle in ("r4", "r16")]
SUBJECTS = [f"{BEGINNING}{middle}{END}" for middle in ("red", "blue", "green")]


@pytest.fixture
def named(open_page: Open, tmp_path: Path) -> Page:
    scores = {subject: [0.5 + i / 10, 0.6 + i / 10] for i, subject in enumerate(SUBJECTS)}
    results = {method: scored(scores) for method in METHODS}
    return open_page(without_pictures(tmp_path / "report.html", results))


def test_labels_of_a_plot_stay_apart(named: Page) -> None:
    for svg in named.locator("svg:has(.name)").all():
        shown = svg.locator(".name").all_text_contents()
        assert len(set(shown)) == len(shown) <= 2
        assert all(len(name) <= 19 for name in shown)
    titles = named.locator("svg").first.locator("g:has(> .name) > title").all_text_contents()
    assert titles == METHODS
    assert all(method in named.locator("svg").first.locator("desc").text_content() for method in METHODS)


def test_labels_fit_beside_their_plot(open_page: Open, tmp_path: Path) -> None:
    names = ["m" * 60, "WWW" * 9, "馬克杯" * 20, *METHODS]
    page = open_page(
        without_pictures(tmp_path / "report.html", {name: scored({"a": [0.5]}) for name in names})
    )
    for name in page.locator(".figures .name").all():
        assert name.evaluate("one => one.getBBox().width") <= 141


def test_columns_of_the_heatmap_stay_apart(named: Page) -> None:
    heatmap = named.locator("svg.heatmap").first
    shown = heatmap.locator("g:has(> .tick):not(:has(rect)) > text").all_text_contents()
    assert len(set(shown)) == 3
    assert heatmap.locator("g:has(> .tick) > title").all_text_contents() == SUBJECTS[::-1]  # the best first


def test_rows_of_a_table_stay_apart_and_say_their_whole_name(named: Page) -> None:
    named.locator("summary").first.click()
    for rows, whole in (("#scores tbody th", METHODS), ("#subjects details tbody th", SUBJECTS)):
        headers = named.locator(rows)
        texts = headers.all_text_contents()
        assert len(set(texts)) >= 2
        assert all(len(text) <= 32 for text in texts)
        assert headers.evaluate_all("all => all.map((one) => one.title)")[: len(whole)] == whole
    table = named.get_by_role("table", name="Mean cosine similarity over subjects")
    for method in METHODS:
        expect(table.get_by_role("rowheader", name=method, exact=True)).to_be_visible()
    for subject in SUBJECTS:
        expect(named.locator("h3").get_by_text(subject, exact=True)).to_have_count(1)


def test_names_that_cannot_be_told_apart_are_numbered(open_page: Open, tmp_path: Path) -> None:
    names = ["lora\n", "lora\\n"]  # a line break, and how it is printed
    page = open_page(
        without_pictures(tmp_path / "report.html", {name: scored({"a": [0.5]}) for name in names})
    )
    shown = page.locator("svg").first.locator(".name").all_text_contents()
    assert shown == [r"lora\n #1", r"lora\n #2"]


def test_rows_come_best_first_and_copiers_last(open_page: Open, tmp_path: Path) -> None:
    subjects = ["mug", "cat", "dog", "cup", "hat"]

    def method(by: float, copied: int = 0):
        return scored({name: [by + place / 50] * 4 for place, name in enumerate(subjects)}, copied=copied)

    results = {
        "worse": method(0.5),
        "copier": method(0.8, 8),
        "equal 2": method(0.6),
        "best": method(0.7),
        "equal 1": method(0.6),
    }
    page = open_page(without_pictures(tmp_path / "report.html", results))
    best_first = ["best", "equal 2", "equal 1", "worse", "copier"]
    rows = page.locator("#scores tbody th").all_text_contents()
    assert rows == [*best_first[:-1], "copier (copies references)"]
    assert page.locator("svg").first.locator(".name").all_text_contents() == best_first
    assert page.locator("#scores tbody tr:has(strong) th").all_text_contents() == ["best"]
    assert page.locator("#differences tbody").first.locator("th").all_text_contents() == best_first[1:]
    page.locator("#subjects summary").first.click()
    assert page.locator("#subjects details[open] tbody th").all_text_contents() == subjects  # easy to look up
    columns = page.locator("svg.heatmap").first.locator("g:has(> .tick):not(:has(rect)) > text")
    assert columns.all_text_contents() == subjects[::-1]
    expect(page.locator("h1")).to_contain_text("best")
    expect(page.locator("#scores .about").first).to_contain_text(
        "copy references last, equal ones in the order given"
    )


@pytest.mark.parametrize("subjects", [1, 3])
def test_noise_does_not_fill_an_axis(open_page: Open, tmp_path: Path, subjects: int) -> None:
    """Scores that differ in the fourth decimal lie close together, and colours hardly differ."""
    one = scored({f"subject {s}": [0.5, 0.5001, 0.5003 + s / 10_000] for s in range(subjects)})
    page = open_page(without_pictures(tmp_path / "report.html", one))
    expect(page.locator("#scores .about").first).to_contain_text("covers less than 0.1")
    low, high, *_ = map(float, page.locator("svg.scatter").get_attribute("data-x").split())
    assert high - low >= 0.1
    labels = page.locator("svg.scatter .tick").all_text_contents()
    assert len(set(labels)) >= 4
    shades = page.locator("svg.heatmap").first.locator("g:has(> rect):has(title)")
    steps = [int(kind[1:]) for kind in shades.evaluate_all("all => all.map((one) => one.className.baseVal)")]
    assert max(steps) - min(steps) <= 1
    legend = page.locator("svg.heatmap").first.locator("> text.tick").all_text_contents()
    assert float(legend[1]) - float(legend[0]) == pytest.approx(0.1, abs=0.0011)


def test_names_made_to_do_harm_are_text(open_page: Open, tmp_path: Path) -> None:
    page = open_page(without_pictures(tmp_path / "report.html", {"a": hostile(1), NAMES[-9]: hostile(2)}))
    for summary in page.locator("summary").all():
        summary.click()
    assert page.title() != "owned"
    shown = page.locator("body").inner_text()
    assert not re.findall(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]", shown)
    headings = page.locator("#subjects details tbody th").evaluate_all(
        "all => all.map((one) => one.title || one.textContent)"
    )
    assert set(headings) >= set(map(printable, NAMES))
