"""The HTML report in a real browser. `open_page` fails any test whose page complains or asks anybody for anything."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from nearid_cli.evaluate.compare import compare
from nearid_cli.reports.html import Gallery
from nearid_cli.results import ScoreResult
from tests.comparing import scored
from tests.pages import ATTACK, METHODS, SUBJECTS, page_of, with_pictures
from tests.reporting import Open, card, page, report

__all__ = ["page", "report"]


def numbers(part) -> list[float]:
    return [float(text) for text in part.locator(".number span").all_inner_texts()]


def names(part) -> list[str]:
    return [tile.get_attribute("title") for tile in part.locator(".tile:has(.number)").all()]


def test_every_picture_is_there_with_its_text(page: Page) -> None:
    mug = card(page, "mug")
    assert mug.locator("img").count() == 2 + 8
    assert mug.locator("img").evaluate_all("all => all.every(one => one.complete && one.naturalWidth === 80)")
    alts = [image.get_attribute("alt") for image in mug.locator("img").all()]
    assert alts[0] == "mug, reference mug/0.jpg"
    assert all(re.fullmatch(r"mug, (lora|adapter & <b>co</b>), nearid -?\d\.\d{3}", alt) for alt in alts[2:])


def test_worst_first_and_copies_by_themselves(page: Page) -> None:
    worst = numbers(card(page, "Worst generations"))
    assert worst == sorted(worst)
    assert len(worst) == 24
    copies = card(page, "Suspected copies of a reference")
    assert names(copies) == [f"mug/{ATTACK}"]
    expect(copies.locator("em")).to_have_text("copy")


def test_sorting(page: Page) -> None:
    mug = card(page, "mug")
    ascending = numbers(mug)
    assert ascending == sorted(ascending)
    page.get_by_role("button", name="Ascending").click()
    assert numbers(card(page, "mug")) == ascending[::-1]
    expect(page.locator("#order")).to_have_attribute("aria-pressed", "true")
    page.get_by_label("Sort by").select_option("name")
    in_order = names(card(page, "red dog"))
    assert [name.split("/")[1] for name in in_order] == [f"{i}.png" for i in (3, 3, 2, 2, 1, 1, 0, 0)]
    page.get_by_label("Sort by").select_option("hog")
    page.get_by_role("button", name="Descending").click()
    by_hog = numbers(card(page, "mug"))
    assert by_hog == sorted(by_hog)
    assert by_hog != ascending
    assert card(page, "mug").locator(".means").inner_text().startswith("hog: lora 0.")


def test_filtering(page: Page) -> None:
    expect(page.locator("#shown")).to_have_text("24 of 24 generations")
    page.locator("#method").select_option(METHODS[1])
    expect(page.locator("#shown")).to_have_text("12 of 24 generations")
    assert len(names(card(page, "mug"))) == 4
    page.get_by_role("searchbox").fill("RED")
    expect(page.locator("#shown")).to_have_text("4 of 24 generations")
    visible = [heading.inner_text() for heading in page.locator(".card h3").all() if heading.is_visible()]
    assert visible == ["Worst generations", "red dog"]
    page.get_by_role("searchbox").fill("nothing like it")
    expect(page.locator("#shown")).to_have_text("0 of 24 generations")
    page.get_by_role("searchbox").press("Enter")  # sends no form
    page.get_by_role("searchbox").fill("")
    page.locator("#method").select_option("all")
    expect(page.locator("#shown")).to_have_text("24 of 24 generations")


def test_enlarging_by_mouse(page: Page) -> None:
    card(page, "Suspected copies of a reference").locator(".tile").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    expect(dialog.get_by_role("heading", level=2)).to_have_text(f"mug · {METHODS[1]}")
    facts = dict(
        zip(dialog.locator("dt").all_inner_texts(), dialog.locator("dd").all_inner_texts(), strict=True)
    )
    assert facts["file"].endswith(f"/method 1/mug/{ATTACK}")
    assert Path(facts["file"]).is_file()
    assert facts["copy of"] == "mug/1.jpg"
    assert facts["prompt"] == "a photo of a mug & <i>prompt 0</i>"
    assert facts["seed"] == "0"
    assert facts["step"] == "500"
    assert facts["<i>note</i>"] == "no. 0 & <b>more</b>"
    assert re.fullmatch(r"0\.\d{3}, margin -0\.050", facts["nearid"])
    assert re.fullmatch(r"0\.\d{3}, margin -0\.050", facts["hog"])
    assert dialog.locator(".choices img").count() == 2  # the references, to compare with
    dialog.get_by_role("button", name="Close").click()
    expect(dialog).to_be_hidden()


def test_enlarging_by_keyboard(page: Page) -> None:
    tiles = card(page, "Worst generations").locator(".tile")
    tiles.first.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog.locator(".place")).to_have_text("1 of 24")
    expect(dialog.get_by_role("button", name="Previous")).to_be_disabled()
    page.keyboard.press("ArrowLeft")
    expect(dialog.locator(".place")).to_have_text("1 of 24")
    first = dialog.locator("dd").first.inner_text()
    page.keyboard.press("ArrowRight")
    expect(dialog.locator(".place")).to_have_text("2 of 24")
    assert dialog.locator("dd").first.inner_text() != first
    for _ in range(30):
        page.keyboard.press("ArrowRight")
    expect(dialog.locator(".place")).to_have_text("24 of 24")
    back = dialog.get_by_role("button", name="Previous")
    back.focus()
    for place in (23, 22):  # the button keeps the focus
        page.keyboard.press("Enter")
        expect(dialog.locator(".place")).to_have_text(f"{place} of 24")
    expect(back).to_be_focused()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    assert tiles.first.evaluate("tile => tile === document.activeElement")
    page.keyboard.press(" ")
    expect(dialog).to_be_visible()


def test_everything_is_reached_by_tab_with_a_visible_focus(open_page: Open, report: Path) -> None:
    page = open_page(report)
    seen = []
    for _ in range(200):
        page.keyboard.press("Tab")
        now = page.evaluate("""() => {
            const one = document.activeElement;
            const shown = one.matches(".choice input") ? one.nextElementSibling : one;
            return [one.id || one.className || one.tagName, getComputedStyle(shown).outlineWidth];
        }""")
        if now[0] == "BODY":
            break
        seen.append(now)
    reached = {name for name, _ in seen}
    assert {
        "skip",
        "theme",
        "method",
        "subject",
        "sort",
        "order",
        "tile",
        "scroll",
        "SUMMARY",
        "INPUT",
    } <= reached
    assert sum(name == "tile" for name, _ in seen) >= 24 + 1 + 3 * (2 + 8)
    assert {width for _, width in seen} == {"3px"}


def test_dark_and_light(open_page: Open, report: Path) -> None:
    def colours(page: Page) -> list[str]:
        script = "([one, name]) => getComputedStyle(document.querySelector(one))[name]"
        return [page.evaluate(script, what) for what in (["body", "backgroundColor"], [".dot", "fill"])]

    light, dark = open_page(report), open_page(report, dark=True)
    assert colours(light) == ["rgb(247, 247, 244)", "rgb(0, 114, 178)"]
    assert colours(dark) == ["rgb(20, 22, 26)", "rgb(86, 180, 233)"]
    expect(dark.locator("#theme")).to_have_attribute("aria-pressed", "true")
    light.locator("#theme").click()
    assert colours(light) == colours(dark)
    expect(light.locator("#theme")).to_have_attribute("aria-pressed", "true")
    light.locator("#theme").click()
    assert colours(light)[0] == "rgb(247, 247, 244)"
    dark.locator("#theme").click()
    assert colours(dark)[0] == "rgb(247, 247, 244)"


def test_text_has_contrast_in_both_themes(open_page: Open, report: Path) -> None:
    """WCAG: 4.5 : 1 for text, 3 : 1 for the methods' colours."""
    measure = """names => {
        const probe = document.body.appendChild(document.createElement("i"));
        const luminance = (name) => {
            probe.style.color = `var(${name})`;
            const [r, g, b] = getComputedStyle(probe).color.match(/[\\d.]+/g).slice(0, 3)
                .map(Number).map(v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
            return 0.2126 * r + 0.7152 * g + 0.0722 * b;
        };
        return names.map(([a, b]) => [luminance(a), luminance(b)].sort((x, y) => y - x))
            .map(([x, y]) => (x + 0.05) / (y + 0.05));
    }"""
    texts = [
        (text, ground)
        for text in ("--text", "--muted", "--bad", "--good", "--warn")
        for ground in ("--page", "--surface")
    ]
    cells = [("--text", f"--h{i}") for i in range(7)] + [("--strong", f"--h{i}") for i in range(7, 10)]
    methods = [(f"--m{i}", "--surface") for i in range(8)]
    for dark in (False, True):
        page = open_page(report, dark=dark)
        assert min(page.evaluate(measure, texts)) >= 4.5
        assert min(page.evaluate(measure, cells)) >= 4
        assert min(page.evaluate(measure, methods)) >= 3


def test_names_from_disk_do_nothing(open_page: Open, report: Path) -> None:
    page = open_page(report)
    said = []
    page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
    card(page, SUBJECTS[2])
    card(page, "mug").locator(f".tile[title='mug/{ATTACK}']").first.click()
    expect(page.get_by_role("dialog").locator("dd").first).to_contain_text(ATTACK)
    page.wait_for_timeout(100)
    assert said == []
    assert page.locator("script").count() == 2
    assert page.locator("b, i:not(.key)").count() == 0


def test_the_policy_stops_what_would_get_through(browser: Browser, report: Path, tmp_path: Path) -> None:
    """Were a name not escaped, still nothing of it would run."""
    attacked = tmp_path / "attacked.html"
    attacked.write_text(
        report.read_text("utf-8").replace("<h1>", "<h1><script>window.attacked = 1</script>", 1), "utf-8"
    )
    page = browser.new_page()
    page.goto(attacked.as_uri())
    assert page.evaluate("window.attacked") is None
    expect(page.locator("#shown")).to_have_text("24 of 24 generations")
    page.close()


def test_choosing_a_metric(page: Page) -> None:
    panels = page.locator("[data-panel=heat]")
    assert [panel.is_visible() for panel in panels.all()] == [True, False]
    # The button itself is hidden; what people click is its label, once it has stopped moving.
    page.locator("label:has(input[name=heat])", has_text="hog").click()
    expect(page.locator("input[name=heat][value='1']")).to_be_checked()
    assert [panel.is_visible() for panel in panels.all()] == [False, True]


def test_a_click_on_a_point_opens_its_picture(page: Page) -> None:
    scatter = page.locator("svg.scatter")
    page.evaluate("scrollTo({ top: scrollY, behavior: 'instant' })")  # no longer on its way
    scatter.scroll_into_view_if_needed()
    wanted = page.evaluate("""() => {
        const svg = document.querySelector("svg.scatter");
        const row = JSON.parse(document.getElementById("data").textContent).generations[5];
        const at = (text, value) => {
            const [low, high, start, end] = text.split(" ").map(Number);
            return start + (value - low) / (high - low) * (end - start);
        };
        const point = new DOMPoint(at(svg.dataset.x, row[7][1]), at(svg.dataset.y, row[7][0]));
        const { x, y } = point.matrixTransform(svg.getScreenCTM());
        return { x, y, name: row[2] };
    }""")
    page.mouse.move(wanted["x"] + 1, wanted["y"])
    expect(page.locator(".readout")).to_contain_text(wanted["name"])
    page.mouse.click(wanted["x"] + 1, wanted["y"])
    expect(page.get_by_role("dialog").locator("dd").first).to_contain_text(f"/{wanted['name']}")


def test_pictures_of_another_machine_are_named(open_page: Open, tmp_path: Path) -> None:
    result = with_pictures(tmp_path / "gone")["lora"]
    (tmp_path / "report.html").write_text(page_of(result, Gallery((), {}, "no thumbnails")), "utf-8")
    page = open_page(tmp_path / "report.html")
    page.evaluate("location.hash = '#pictures'")
    mug = card(page, "mug")
    assert mug.locator("img").count() == 0
    expect(mug.locator(".missing").first).to_have_text("mug/0.jpg")
    expect(mug.get_by_role("img", name=re.compile("mug, method 0, nearid")).first).to_be_visible()
    mug.locator(".tile").last.click()
    expect(page.get_by_role("dialog").locator(".large .missing").first).to_be_visible()


def test_a_long_strip_shows_its_rest_when_asked(open_page: Open, tmp_path: Path) -> None:
    one = scored({"cat": [[i / 100, i / 200] for i in range(60)]})
    (tmp_path / "report.html").write_text(page_of(one, Gallery((), {}, "no thumbnails")), "utf-8")
    page = open_page(tmp_path / "report.html")
    page.evaluate("location.hash = '#pictures'")
    cat = card(page, "cat")
    assert cat.locator(".tile").count() == 24
    cat.get_by_role("button", name="36 more").press("Enter")
    assert cat.locator(".tile").count() == 60
    assert cat.locator(".tile").nth(24).evaluate("tile => tile === document.activeElement")
    assert numbers(cat) == [i / 100 for i in range(60)]


@pytest.mark.parametrize("width", [320, 480, 1280])
def test_nothing_sticks_out_of_the_window(open_page: Open, report: Path, width: int) -> None:
    page = open_page(report, viewport={"width": width, "height": 800})
    page.evaluate("location.hash = '#pictures'")
    card(page, SUBJECTS[2])
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_without_scripts_the_numbers_are_there(open_page: Open, report: Path) -> None:
    page = open_page(report, java_script_enabled=False)
    expect(page.get_by_text("The pictures need JavaScript")).to_be_visible()
    expect(page.get_by_role("table", name=re.compile("Mean cosine similarity"))).to_be_visible()


def test_a_large_page_opens_at_once(open_page: Open, tmp_path: Path) -> None:
    """5,000 generations. The bound is generous, as the machine is shared; docs/guides/report.md has measurements."""
    one = scored({f"subject {s}": [[(s * g) % 97 / 97, g / 50] for g in range(50)] for s in range(100)})
    (tmp_path / "report.html").write_text(page_of(one, Gallery((), {}, "no thumbnails")), "utf-8")
    page = open_page(tmp_path / "report.html")
    expect(page.locator("#shown")).to_have_text("5,000 of 5,000 generations")
    assert page.evaluate("performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd") < 5000
    assert page.locator(".tile").count() < 500  # what is far away is not made yet


def test_the_plot_of_groups_stands_apart_from_their_table(open_page: Open, tmp_path: Path) -> None:
    def run(by: float) -> ScoreResult:
        return scored(
            {f"s{i}": [0.5 + by + i / 100] * 2 for i in range(4)},
            image=lambda subject, i: {"path": f"{subject}/{i}.png", "labels": {"category": "ab"[i]}},
        )

    path = tmp_path / "report.html"
    compared = compare({"x": run(0), "y": run(0.1)}, by=["category"])
    path.write_text(page_of(compared, Gallery((), {}, "no thumbnails")), "utf-8")
    gaps = open_page(
        path
    ).evaluate("""() => [...document.querySelectorAll("#groups .scroll + .figures")].map(
        (one) => one.getBoundingClientRect().top - one.previousElementSibling.getBoundingClientRect().bottom)""")
    assert gaps
    assert min(gaps) > 10
