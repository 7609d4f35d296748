"""The plots of checkpoints in a browser: on a phone, in the dark, on paper, and with much to show."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import expect

from nearid_cli.results import ScoreResult
from tests.comparing import scored
from tests.reporting import Open, without_pictures


def seven(subjects: int = 30, prompts: int = 9) -> dict[str, ScoreResult]:
    random = np.random.default_rng(0)
    base = random.normal(0.6, 0.05, (subjects, 1))
    results = {}
    for place, mean in enumerate((-0.2, -0.1, -0.05, 0, -0.05, 0.2, 0.2)):
        values = base + mean + random.normal(0, 0.03, (subjects, prompts))
        own = {f"subject {i}": row for i, row in enumerate(values)}
        results[f"checkpoint-{500 * (place + 1)}"] = scored(own, copied=300 * (place > 4))
    return results


@pytest.fixture(scope="module")
def steps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return without_pictures(tmp_path_factory.mktemp("steps") / "report.html", seven())


@pytest.mark.parametrize("width", [360, 800, 1400])
@pytest.mark.parametrize("dark", [False, True])
def test_the_plot_is_there_at_every_size(open_page: Open, steps: Path, width: int, dark: bool) -> None:
    page = open_page(steps, dark=dark, viewport={"width": width, "height": 900})
    expect(page.locator("h1")).to_have_text(
        "Step 2000 scores best of the 5 of 7 checkpoints that do not copy"
    )
    plot = page.locator("#steps-step-0-t").locator("..")
    expect(plot).to_be_visible()
    expect(plot.locator(".ring")).to_have_count(1)
    expect(plot.locator(".cross")).to_have_count(2)
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    stroke = plot.locator(".line").evaluate("one => getComputedStyle(one).stroke")
    ground = plot.locator(".hollow .dot").first.evaluate("one => getComputedStyle(one).fill")
    assert stroke != ground


def test_a_screen_reader_hears_every_checkpoint(open_page: Open, steps: Path) -> None:
    page = open_page(steps)
    told = page.locator("#steps-step-0-d").text_content() or ""
    assert told.count("step ") == 7
    assert told.count("(copies)") == 2
    assert "(the best)" in told


@pytest.mark.parametrize("width", [360, 1400])
@pytest.mark.parametrize("last", [10**9, 10**12])
def test_numbers_of_long_steps_are_whole_and_apart(
    open_page: Open, tmp_path: Path, last: int, width: int
) -> None:
    results = {f"step_{step}": scored({"cat": [0.5], "dog": [0.6]}) for step in (0, 10, last)}
    page = open_page(
        without_pictures(tmp_path / "report.html", results), viewport={"width": width, "height": 900}
    )
    boxes = page.evaluate("""() => {
        const plot = document.querySelector("#steps-step-0-t").parentElement;
        const marks = [...plot.querySelectorAll("text.tick")].map((one) => one.getBoundingClientRect());
        const along = marks.filter((one) => one.bottom > plot.getBoundingClientRect().bottom - 50);
        return [plot.getBoundingClientRect().right, ...along.map((one) => [one.left, one.right])];
    }""")
    right, *marks = boxes
    assert len(marks) >= 2
    assert all(a[1] < b[0] for a, b in pairwise(marks))
    assert marks[-1][1] <= right


def test_each_training_has_its_numbers_under_its_name(open_page: Open, tmp_path: Path) -> None:
    results = {
        f"{run}/epoch={i}": scored({"cat": [0.5 + i / 10], "dog": [0.6]})
        for run in ("a <b>", "z")
        for i in range(3)
    }
    page = open_page(without_pictures(tmp_path / "report.html", results))
    folded = page.locator("#steps summary").all_text_contents()
    assert folded == ["Checkpoints of a <b> by epoch", "Checkpoints of z by epoch"]


def test_the_numbers_unfold(open_page: Open, steps: Path) -> None:
    page = open_page(steps)
    page.locator("#steps summary", has_text="Checkpoints by step").click()
    rows = page.locator("#steps table tbody tr")
    expect(rows).to_have_count(7)
    expect(rows.nth(3)).to_contain_text("the best")


def test_the_first_view_is_there_soon(open_page: Open, steps: Path) -> None:
    page = open_page(steps)
    expect(page.locator("#steps-step-0-t").locator("..")).to_be_visible()
    shown = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    assert shown < 10_000  # a second, on a machine that has nothing else to do
