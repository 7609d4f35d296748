"""The HTML report without a browser: its numbers, its words, its structure, and names that attack it."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import itertools
import json
import re
import time
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nearid_cli.evaluate.compare import compare
from nearid_cli.reports.blocks import Panel, Prose, Topic
from nearid_cli.reports.document import document
from nearid_cli.reports.html import Gallery, PagePicture, embed, page_files, plots, served, to_html
from nearid_cli.reports.html.data import page_data
from nearid_cli.reports.html.page import environment, parts
from nearid_cli.reports.html.plots import BAND, HEATS, heatmap
from nearid_cli.reports.html.svg import Scale, ticks
from nearid_cli.reports.labels import Label
from nearid_cli.reports.locations import anchored, map_file
from nearid_cli.reports.table import COUNT, TEXT, Column, Table, named
from nearid_cli.results import GateResult, Moved, Rule, ScoreResult, Skipped, Tool, Verdict
from tests.comparing import random_methods, scored
from tests.pages import ATTACK, METHODS, comparison, page_of, with_pictures

NONE = Gallery((), {}, "no thumbnails")
VOID = {"meta", "input", "img", "link", "br", "hr"}


class Page(HTMLParser):
    """Every element with its attributes, that they nest, and the text of scripts and headings."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.texts: dict[str, list[str]] = {}
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        assert len(dict(attrs)) == len(attrs)
        self.elements.append((tag, dict(attrs)))
        self.texts.setdefault(tag, []).append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        for tag in set(self.open):
            self.texts[tag][-1] += data

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]


def data_of(html: str) -> dict:
    return json.loads(
        re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.S).group(1)
    )


@pytest.fixture
def result(tmp_path: Path):
    return comparison(tmp_path)


@pytest.fixture
def html(result) -> str:
    return page_of(result, embed(page_files(result)))


# Safety


def test_a_name_from_disk_stays_text(html: str) -> None:
    page = Page(html)
    assert [attributes.get("type") for attributes in page.all("script")] == ["application/json", None]
    assert page.all("img") == []  # all pictures are made by the script, of the document's data
    assert page.all("b") == []
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]
    assert not [attributes for _, attributes in page.elements if "style" in attributes]
    assert METHODS[1] in page.texts["th"]
    assert any(row[2] == f"mug/{ATTACK}" for row in data_of(html)["generations"])


def test_any_text_of_a_result_stays_text(gate: GateResult) -> None:
    attack = '<b id="x">&'
    metric = dataclasses.replace(
        scored({"a": [0.5]}).metrics[0], **dict.fromkeys(("checkpoint", "readout"), attack)
    )
    one = scored({attack: [0.5, 0.6], "c": [0.5]}, (attack, "other"), unmatched=(attack,))
    inputs = dataclasses.replace(
        one.inputs, references=attack, layout=attack, distractors=attack, skipped=(Skipped(attack, attack),)
    )
    metrics = (dataclasses.replace(metric, name=attack), dataclasses.replace(metric, name="other"))
    one = dataclasses.replace(one, inputs=inputs, metrics=metrics, tool=Tool(attack, attack), created=attack)
    verdict = dataclasses.replace(
        gate.verdicts[1], metric=attack, subject=attack, method=attack, reason=attack, expected=attack
    )
    gate = dataclasses.replace(gate, run=attack, verdicts=(verdict,))
    for result in (one, compare({attack: one, "second": one})):
        page = Page(page_of(result, Gallery((), {}, attack), gate))
        assert page.all("b") == []
        assert "x" not in [attributes.get("id") for _, attributes in page.elements]
        assert sum(attack in text for tag in ("th", "td", "li", "p") for text in page.texts[tag]) > 10


def test_the_whole_name_of_a_short_label_is_an_attribute_and_stays_text() -> None:
    long = '<b a="x">' * 10
    page = Page(page_of(compare({long: scored({"a": [0.5]}), "cat": scored({"a": [0.4]})}), NONE))
    rows = [attributes for attributes in page.all("th") if attributes.get("scope") == "row"]
    assert any(row.get("title") == row.get("aria-label") == long for row in rows)
    assert {"scope": "row"} in rows  # a name that is shown whole needs no tooltip
    assert page.all("b") == []


def test_nothing_is_asked_of_anybody(html: str) -> None:
    page = Page(html)
    targets = [
        value
        for _, attributes in page.elements
        for key, value in attributes.items()
        if key in ("href", "src")
    ]
    assert targets
    assert all(target.startswith("#") for target in targets)
    assert re.findall(r"url\([^)]*", html) == ['url("${mask}"']  # of a picture that the page itself holds
    assert "@import" not in html


def test_the_policy_allows_this_style_and_this_script_only(html: str) -> None:
    (policy,) = (
        m["content"] for m in Page(html).all("meta") if m.get("http-equiv") == "Content-Security-Policy"
    )
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules["default-src"] == "'none'"
    for kind, pattern in (("style-src", "<style>(.*?)</style>"), ("script-src", "<script>(.*?)</script>")):
        (text,) = re.findall(pattern, html, re.S)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert rules[kind] == f"'sha256-{digest}'"


@given(st.recursive(st.text() | st.none() | st.floats(allow_nan=False, allow_infinity=False), st.lists))
def test_data_comes_back_from_the_page_and_cannot_leave_its_element(value) -> None:
    text = environment().from_string("{{ value | tojson }}").render(value=value)
    assert json.loads(text) == value
    assert not set("<>&\u2028\u2029") & set(text)
    assert text.isascii()


def test_names_that_no_utf8_file_can_hold(tmp_path: Path) -> None:
    image = {"path": "cat/\udcff\u202e\n.png"}
    one = scored({"cat\udc80": [0.5]}, image=lambda subject, i: image)
    html = page_of(one, NONE)
    html.encode("utf-8")
    assert data_of(html)["generations"][0][2] == "cat/\\xff\\u202e\\n.png"


# Structure


@pytest.fixture
def gate() -> GateResult:
    rule = Rule("*", "score", "aggregate", 0.6, None, 0.02, None, "error")
    verdicts = (
        Verdict(rule, "nearid", None, None, "passed", "fine", "score >= 0.600", 0.7, 0.71, 0.01, None, ()),
        Verdict(
            rule,
            "hog",
            "mug",
            "lora",
            "failed",
            "too low",
            "score >= 0.600",
            0.5,
            0.6,
            0.1,
            None,
            (Moved("mug", -0.1),),
        ),
    )
    return GateResult(
        Tool("nearid-cli", "0.1.0"), "2026-04-02T10:00:00+00:00", "run.json", None, False, verdicts
    )


def test_headings_come_in_order_and_names_point_somewhere(result, gate: GateResult) -> None:
    page = Page(page_of(result, NONE, gate))
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(set(ids)) == len(ids)
    links = [attributes["href"][1:] for attributes in page.all("a")]
    labels = [name for a in page.all("svg") for name in a["aria-labelledby"].split()]
    assert set(links) | set(labels) <= set(ids)
    assert len(labels) == 2 * len(page.all("svg"))
    assert all(attributes["role"] == "img" for attributes in page.all("svg"))
    assert all(page.texts["desc"])
    assert page.texts["h2"][0] == "Gate"


def test_every_plot_is_well_formed_and_has_a_table(html: str) -> None:
    svgs = re.findall("<svg.*?</svg>", html, re.S)
    assert len(svgs) == 2 + 2 + 2 + 2 + 1  # scores, differences, heatmaps, distributions, a scatter
    for svg in svgs:
        ElementTree.fromstring(svg)
    captions = Page(html).texts["caption"]
    for what in ("Mean cosine similarity over subjects.", "Rank correlation between metrics"):
        assert what in captions
    for metric in ("nearid", "hog"):
        assert f"Differences by {metric}" in captions
        assert f"{metric} by subject and method" in captions


def test_numbers_of_the_result_are_on_the_page(html: str, result) -> None:
    cells = Page(html).texts["td"]
    for method in result.methods:
        scores = method.common["nearid"]
        assert f"{scores.score:.3f} [{scores.ci95[0]:.3f}, {scores.ci95[1]:.3f}]" in cells
        for subject in method.result.subjects:
            assert f"{subject.scores['hog'].score:.3f}" in cells
    for one in result.comparisons:
        assert f"{one.wins}/{one.ties}/{one.losses}" in cells
    for metric in result.metrics:
        assert any(metric.fingerprint in fact for fact in Page(html).texts["li"])


def test_gate_verdicts_stand_at_the_top_failures_first(result, gate: GateResult) -> None:
    page = Page(page_of(result, NONE, gate))
    assert page.texts["h3"][0] == "Failed"
    assert page.texts["li"][0] == "hog score, method lora, subject mug: too low; fell most: mug -0.100"
    failed = "hog score, method lora, subject mug" + "failed" + "0.500" + "0.600" + "0.100" + "score >= 0.600"
    assert page.texts["tbody"][0].strip() == failed
    assert page.texts["tbody"][1].startswith("nearid score" + "passed")
    assert page.texts["p"][2] == "Gate failed: 2 checks, 1 failed, 1 passed."
    assert {"class": "lead verdict failed"} in page.all("p")


@pytest.mark.parametrize(
    ("numbers", "words", "divided"),
    [(8, 0, [8]), (9, 0, [5, 4]), (16, 0, [8, 8]), (17, 0, [6, 6, 5]), (4, 5, [9]), (5, 4, [5, 4])],
)
def test_wide_tables_are_divided_evenly_unless_they_are_words(
    numbers: int, words: int, divided: list[int]
) -> None:
    columns = [Column(COUNT, [1], "n")] * numbers + [Column(TEXT, ["a"], "word")] * words
    table = Table((named("method", ["lora"]),), tuple(columns))
    assert [len(some) for _, some in parts(table)] == divided


def test_whatever_a_document_says_is_on_the_page(result) -> None:
    """A new column, block or mark needs no word in the page's code."""
    column = Column(COUNT, [1234, None], "so <new>", marks=[["second"], ["worse"]])
    table = Table((named("method", ["lora", "x"]),), (column,), foot=True, notes=("a note",), noun="methods")
    made = document(result)
    draft = made.draft._replace(
        blocks=(Panel(table), Prose(["a <sentence>"], topic=Topic.AGREEMENT, folded="more"))
    )
    html = to_html(dataclasses.replace(made, make=lambda: draft), NONE)
    page = Page(html)
    assert "so <new>" in page.texts["th"]
    assert page.texts["td"][:2] == ["1,234", "- ▼"]
    assert page.texts["u"] == ["1,234"]
    assert [row.get("class") for row in page.all("tr")][:3] == [None, None, "foot"]
    assert {"a note", "a <sentence>"} <= set(page.texts["p"])
    assert "more" in page.texts["summary"]
    assert html.index('id="agreement"') < html.index("a &lt;sentence&gt;") < html.index('id="pictures"')


def test_a_finding_names_all_that_it_is_about() -> None:
    missing = tuple(f"subject <{i}>" for i in range(5))
    page = Page(page_of(scored({"a": [0.5]}, unmatched=missing), NONE))
    assert "5 unmatched: subject <0>, subject <1>, subject <2> and 2 more" in page.texts["summary"]
    assert set(missing) <= {text.strip() for text in page.texts["li"]}


def test_one_method(tmp_path: Path) -> None:
    one = with_pictures(tmp_path)["lora"]
    page = Page(page_of(one, embed(page_files(one))))
    assert page.texts["h1"] == ["method 0 scores 0.644 by nearid"]
    assert not any("Differences" in text for text in page.texts["h2"])
    assert "Do the metrics agree?" in page.texts["h2"]


def test_a_result_in_which_hardly_anything_exists(make) -> None:
    page = Page(page_of(make({"cat": 0.5}, metrics=("hog",), full=False), NONE))
    assert page.texts["h1"] == ["gens scores 0.500 by hog"]
    assert page.texts["h2"] == ["Scores", "Subjects", "Pictures", "What made it", "Keys"]


def test_a_subject_that_a_method_lacks_is_an_empty_cell() -> None:
    both = {"a": [0.5, 0.6], "b": [0.6, 0.7]}
    page = page_of(compare({"x": scored(both), "y": scored({"a": [0.1, 0.2]})}), NONE)
    assert page.count('<g class="none">') == 2  # one a metric
    assert "y, b: -" in page
    assert data_of(page)["subjects"][1]["scores"] == [[0.65, 0.65], None]


# Words


def test_the_answer_names_the_best_and_what_was_left_out() -> None:
    planted = {
        "a": [0.9, 0.91],
        "b": [0.8, 0.8],
        "c": [0.7, 0.7],
        "d": [0.6, 0.6],
        "e": [0.5, 0.5],
        "f": [0.4, 0.4],
        "g": [0.3, 0.3],
    }
    worse = {name: [score - 0.1 for score in scores] for name, scores in planted.items()}
    result = compare({"good": scored(planted), "bad": scored(worse), "copied": scored(planted, copied=14)})
    told = document(result).story
    assert told.heading == "good keeps identity best"
    assert told.lead == [
        "By nearid it scores 0.601 [0.400, 0.803].",
        "The next, bad, is 0.100 behind, more than chance would do over 7 subjects (p = 0.016).",
        "Left out of the ranking: copied, 14 of whose 14 generations copy a reference.",
    ]


def test_the_answer_admits_what_cannot_be_told() -> None:
    result = compare({"x": scored({"a": [0.5], "b": [0.6]}), "y": scored({"a": [0.4], "b": [0.5]})})
    told = document(result).story
    assert told.heading == "x leads, but it may be chance"
    assert told.lead[1] == (
        "The next, y, is 0.100 behind, which 2 subjects cannot tell from chance (p = 1.000)."
    )
    three = {
        name: scored({"a": [score], "b": [score]}) for name, score in [("x", 0.6), ("y", 0.5), ("z", 0.4)]
    }
    told = document(compare(three, baseline="z")).story
    assert told.heading == "x scores highest"
    assert told.lead == [
        "By nearid it scores 0.600.",
        "It was not compared with y, because the baseline is z.",
    ]
    copies = compare({name: scored({"a": [0.5], "b": [0.6]}, copied=2) for name in ("x", "y")})
    assert "Not to be trusted: x, 2 of whose 2 generations copy a reference." in document(copies).story.lead


# Pictures and data


def test_what_matters_most_is_embedded_first(result, tmp_path: Path) -> None:
    files = page_files(result)
    images = [
        (image.scores["nearid"], number, image)
        for number, m in enumerate(result.methods)
        for image in m.result.images
    ]
    worst = [
        tmp_path / f"method {number}" / image.path
        for _, number, image in sorted(images, key=lambda one: one[0])
    ]
    assert files[:24] == worst  # all 24 of them
    assert len(files) == len(set(files)) == 24 + 6
    assert files[24] == tmp_path / "refs" / "mug" / "1.jpg"  # what the copy is of
    assert all(path.is_file() for path in files if path.name != "1.jpg" or path.exists())


def with_map(result: ScoreResult, folder: Path) -> ScoreResult:
    """The result with a map of its worst generation by `nearid`."""
    worst = min(result.images, key=lambda image: image.scores["nearid"])
    images = tuple(
        dataclasses.replace(image, maps={"nearid": "nearid/worst.png"}) if image is worst else image
        for image in result.images
    )
    return dataclasses.replace(
        result, inputs=dataclasses.replace(result.inputs, maps=str(folder)), images=images
    )


def test_maps_stand_beside_their_generations(tmp_path: Path) -> None:
    one = with_map(scored({"cat": [0.2, 0.1, 0.3]}), tmp_path)
    files = page_files(one)
    assert files[1] == tmp_path / "nearid/worst.png"
    assert len(files) == len(set(files)) == len(page_files(scored({"cat": [0.2, 0.1, 0.3]}))) + 1
    shown = tuple(PagePicture(f"/{number}", None) for number in range(len(files)))
    gallery = Gallery(shown, {path: number for number, path in enumerate(files)}, "")
    rows = page_data(document(one).story.result, gallery)["generations"]
    assert [row[11:] for row in rows] == [[], [[[0, 1]]], []]
    without = Gallery(shown, {path: number for path, number in gallery.index.items() if number != 1}, "")
    assert {len(row) for row in page_data(document(one).story.result, without)["generations"]} == {8}


def test_maps_that_lie_beside_the_result_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there/maps").mkdir(parents=True)
    one = anchored(with_map(scored({"cat": [0.1]}), Path("maps")), tmp_path / "there")
    assert map_file(one, "nearid/worst.png") == tmp_path / "there/maps/nearid/worst.png"
    assert anchored(scored({"cat": [0.1]}), tmp_path).inputs.maps is None


def test_every_subject_gets_its_turn() -> None:
    one = scored({f"s{i}": np.linspace(0.1, 0.9, 40) for i in range(3)})
    rest = [path.parent.name for path in page_files(one)[24:]]
    turns = [rest[i : i + 3] for i in range(0, len(rest) - 3, 3)]
    assert all(len(set(turn)) == 3 for turn in turns)


def test_the_page_knows_which_pictures_it_has(result) -> None:
    files = page_files(result)
    some = embed(files, limit=5)
    data = page_data(result, some)
    shown = [row for row in data["generations"] if row[3] >= 0]
    assert len(shown) == 5 == len(data["thumbnails"])
    for method, _, name, picture, *_ in shown:
        assert Path(data["roots"][method] + name) == files[picture]
    assert data["full"] == []
    addresses = page_data(result, served(files))
    assert addresses["full"][7] == "/picture/7"
    assert addresses["thumbnails"][7] == "/thumbnail/7"


def test_rows_hold_the_result(result) -> None:
    data = page_data(result, NONE)
    images = [image for method in result.methods for image in method.result.images]
    for row, image in zip(data["generations"], images, strict=True):
        method, subject, name, picture, copied, prompt, seed, scores, margins, labels = row
        assert (name, copied, prompt, seed, picture) == (
            image.path,
            image.copy_of,
            image.prompt,
            image.seed,
            -1,
        )
        assert data["subjects"][subject]["name"] == image.subject
        assert scores == pytest.approx([image.scores[m] for m in data["metrics"]], abs=1e-6)
        assert margins == pytest.approx([image.margins[m] for m in data["metrics"]], abs=1e-6)
        assert labels == [["step", "500"], ["<i>note</i>", image.labels["<i>note</i>"]]]
        assert data["methods"][method] in METHODS
    assert [len(subject["references"]) for subject in data["subjects"]] == [2, 2, 2]


@pytest.mark.parametrize(
    ("more", "end"),
    [
        ({}, []),
        ({"labels": {"a\n": "b\t"}}, [None, [[r"a\n", r"b\t"]]]),
        ({"margins": {"hog": 0.5}}, [[0.5]]),
    ],
)
def test_rows_end_early_where_there_is_no_more(more, end) -> None:
    image = {"path": "1.png", **more}
    one = scored({"cat": np.array([[0.5]])}, ("hog",), image=lambda *_: image)
    data = page_data(document(one).story.result, NONE)
    assert data["generations"] == [[0, 0, "1.png", -1, None, None, None, [0.5], *end]]


def test_disagreements_are_those_of_the_comparison() -> None:
    result = compare(random_methods({"a": 0.0, "b": 0.05}))
    data = page_data(result, NONE)
    images = [(m.name, image.path) for m in result.methods for image in m.result.images]
    for way, sign in enumerate((1, -1)):
        wanted = [
            (d.method, d.path)
            for d in result.disagreements
            if d.level == "images" and sign * d.difference > 0
        ]
        assert [images[row] for row in data["disagreements"][1][way]] == wanted
        assert wanted


def test_disagreements_of_one_method_are_by_rank() -> None:
    one = scored({"a": [[0.1, 0.9], [0.2, 0.2], [0.3, 0.3], [0.9, 0.1]]})
    assert page_data(document(one).story.result, NONE)["disagreements"] == [[[], []], [[0], [3]]]


def test_a_large_page_is_made_fast_and_small() -> None:
    """7 methods x 150 subjects x 9 generations; of the processor's time, because the machine is shared."""
    random = np.random.default_rng(0)
    methods = {
        f"method {i}": scored(
            {f"subject {s}": random.uniform(0.2, 0.9, (9, 3)) for s in range(150)}, ("a", "b", "c")
        )
        for i in range(7)
    }
    result = compare(methods)
    start = time.process_time()
    page_files(result)
    html = page_of(result, NONE)
    assert time.process_time() - start < 20
    assert len(html) < 2_500_000


# Plots


def svg_of(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(text)


def called(name: str) -> Label:
    return Label(name, name)


def test_whiskers_and_bands_are_where_the_numbers_are() -> None:
    rows = [
        plots.Whisker(called("a"), "m0", 0.5, (0.4, 0.6), (0.1, 0.9)),
        plots.Whisker(called("b"), "m1", 0.7, (0.65, 0.9), (None, 0.8), hollow=True),
    ]
    svg = svg_of(plots.interval_plot("x", "scores", rows, ends=("floor", "ceiling")))
    a, b = (float(circle.get("cx")) for circle in svg.iter("circle"))
    per_unit = (b - a) / 0.2
    first, second = (
        [float(x) for x in re.findall(r"[ML]([\d.]+)", p.get("d"))]
        for p in svg.iter("path")
        if p.get("class") == "whisker"
    )
    assert [(x - a) / per_unit + 0.5 for x in first + second] == pytest.approx(
        [0.4, 0.6, 0.65, 0.9], abs=0.002
    )
    (band,) = (rect for rect in svg.iter("rect") if rect.get("class") == "band")
    assert (float(band.get("x")) - a) / per_unit + 0.5 == pytest.approx(0.1, abs=0.002)
    assert float(band.get("width")) / per_unit == pytest.approx(0.8, abs=0.002)
    assert [g.get("class") for g in svg.iter("g") if g.get("class")] == ["m0", "m1 hollow"]
    assert svg.find("desc").text == "a: 0.500 [0.400, 0.600]; b: 0.700 [0.650, 0.900]"
    assert {"0.500", "0.700", "floor", "ceiling"} <= {text.text for text in svg.iter("text")}


def test_a_difference_shows_its_sign_and_zero() -> None:
    rows = [
        plots.Whisker(called("a"), "m0", 0.03, (0.01, 0.05), (-0.02, 0.02)),
        plots.Whisker(called("b"), "m1", None),
    ]
    svg = svg_of(plots.interval_plot("x", "differences", rows, zero=True))
    assert {"+0.030", "-"} <= {text.text for text in svg.iter("text")}
    assert [p for p in svg.iter("path") if p.get("class") == "zero"]
    assert len(list(svg.iter("circle"))) == 1


@given(st.floats(-1, 1), st.floats(1e-4, 2))
def test_ticks_are_few_round_and_inside(low: float, width: float) -> None:
    marks = ticks(low, low + width)
    assert 1 <= len(marks) <= 7
    assert all(low - 1e-6 <= mark <= low + width + 1e-6 for mark in marks)
    steps = np.diff(marks)
    assert np.allclose(steps, steps[0] if len(steps) else 0)


@given(st.floats(-5, 5), st.floats(0.01, 5), st.floats(0, 1))
def test_a_scale_is_linear(low: float, width: float, share: float) -> None:
    assert Scale(low, low + width, 10, 110)(low + share * width) == pytest.approx(10 + 100 * share, abs=1e-6)


@pytest.mark.parametrize("values", [[0.5], [0.5] * 10, [0.2, 0.25, 0.3, 0.7, 0.71, 0.9]])
def test_a_hill_holds_everything(values) -> None:
    points, density = plots.smoothed(np.array(values), -1.0, 2.0)
    assert density.sum() * (points[1] - points[0]) == pytest.approx(1)
    assert (density >= 0).all()
    assert np.average(points, weights=density) == pytest.approx(np.mean(values), abs=0.01)


def test_a_hill_equals_scipys() -> None:
    from scipy.stats import gaussian_kde

    values = np.random.default_rng(0).normal(0.6, 0.1, 300)
    points, density = plots.smoothed(values, 0.0, 1.2)
    spread, quartiles = values.std(ddof=1), np.percentile(values, [25, 75])
    width = 0.9 * min(spread, (quartiles[1] - quartiles[0]) / 1.34) * 300**-0.2
    reference = gaussian_kde(values, bw_method=width / spread)(points)
    assert np.abs(density - reference).max() < 0.02 * reference.max()


def cloud(colour: str, n: int, seed: int, copies: int = 0) -> plots.Cloud:
    random = np.random.default_rng(seed)
    return plots.Cloud(
        colour, random.uniform(0.2, 0.9, n), random.uniform(-0.1, 0.9, n), np.arange(n) < copies
    )


def test_every_point_is_in_the_scatter_at_its_place() -> None:
    clouds = [cloud("m0", 50, 0), cloud("m1", 30, 1, copies=10)]
    svg = svg_of(plots.scatter_plot("x", "clip-i", "nearid", clouds))
    x, y = (Scale(*map(float, svg.get(name).split())) for name in ("data-x", "data-y"))
    for one in clouds:
        (path,) = (p for p in svg.iter("path") if (p.get("class") or "").endswith(one.colour))
        drawn = np.array(re.findall(r"M([\d.-]+) ([\d.-]+)h0", path.get("d")), float)
        wanted = np.column_stack([[x(v) for v in one.x], [y(v) for v in one.y]])
        assert np.abs(drawn - wanted).max() <= 0.051
    all_x, all_y = (np.concatenate([getattr(one, axis)[~one.copies] for one in clouds]) for axis in "xy")
    inside = sum(
        a >= np.quantile(all_x, 0.75) and b <= np.quantile(all_y, 0.25)
        for a, b in zip(all_x, all_y, strict=True)
    )
    assert f"{inside} of them, copies aside," in svg.find("desc").text


def test_a_scatter_of_copies_only() -> None:
    svg = svg_of(plots.scatter_plot("x", "a", "b", [cloud("m0", 5, 0, copies=5)]))
    assert "0 of them" in svg.find("desc").text


def test_a_heatmap_has_a_cell_for_every_number() -> None:
    cells = [[0.1 * i + 0.005 * j for j in range(90)] for i in range(3)]
    cells[1][5] = None
    names = [called(f"subject {j}") for j in range(90)]
    svg = svg_of(
        f"<svg>{heatmap('x', 'heat', [called('a'), called('b'), called('<c>')], names, cells)}</svg>"
    )
    assert len(svg) == -(-90 // BAND)  # a picture that fits on a sheet of paper for every forty
    titles = [title.text for title in svg.iter("title") if ": " in title.text]
    assert len(titles) == 3 * 90
    assert "<c>, subject 89: 0.645" in titles
    assert "b, subject 5: -" in titles
    steps = {g.get("class") for g in svg.iter("g") if g.get("class")}
    assert steps == {"none", *(f"h{step}" for step in range(HEATS))}


def test_more_methods_than_colours_share_them() -> None:
    assert plots.colour(plots.COLOURS) == plots.colour(0)
    style = (Path(plots.__file__).parent / "style.css").read_text()
    for kind, number in (("m", plots.COLOURS), ("h", HEATS)):
        assert set(re.findall(rf"--({kind}\d+):", style)) == {f"{kind}{i}" for i in range(number)}
    script = (Path(plots.__file__).parent / "page.js").read_text()
    assert f"% {plots.COLOURS})" in script


def test_shown_without_a_thumbnail(result) -> None:
    files = page_files(result)
    data = page_data(result, Gallery((PagePicture(None, None),), {files[0]: 0}, ""))
    assert data["thumbnails"] == [None]


def test_a_plot_of_one_value_shows_the_value_and_no_spread() -> None:
    one = plots.Spread(called("x"), "m0", np.array([0.5]))
    assert "hill" not in plots.distribution_plot("d", "one", [one])
    assert 'class="median"' in plots.distribution_plot("d", "one", [one])
