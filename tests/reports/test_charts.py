"""Charts of benchmarks: what is drawn lies where its number says, and what is missing or negative is seen to be."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from xml.etree import ElementTree as Xml

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nearid_cli.reports.blocks import Document, Draft
from nearid_cli.reports.charts import IntervalChart, RadarChart, Spokes, Spots, percent, rate
from nearid_cli.reports.formats.html import Html
from nearid_cli.reports.formats.markdown import markdown
from nearid_cli.reports.gauge import COSINE
from nearid_cli.reports.html.charts import drawn
from nearid_cli.reports.html.radar import MOST

AXES = ("object", "animal", "human", "style")
Values = Sequence[float | None]


def radar(*series: tuple[str, int | None, Values], axes: Sequence[str] = AXES) -> list[Xml.Element]:
    chart = RadarChart("r", "Agreement", COSINE, axes, [Spokes(*one) for one in series], where="page")
    return [Xml.fromstring(svg) for _, svg in drawn(chart).plots]


def centre(svg: Xml.Element) -> tuple[float, float]:
    circle = next(one for one in svg.iter("circle") if one.get("class") in ("ring", "zero"))
    return float(circle.get("cx", "")), float(circle.get("cy", ""))


def rings(svg: Xml.Element) -> dict[float, float]:
    """Numbers of the rings as they are written, by their distance from the centre, which is the first of them."""
    radii = [
        0.0,
        *(float(one.get("r", "")) for one in svg.iter("circle") if one.get("class") in ("ring", "zero")),
    ]
    marks = [float(one.text or "") for one in svg.iter("text") if one.get("class") == "tick halo"]
    return dict(zip(marks, radii, strict=True))


def dots(svg: Xml.Element) -> dict[tuple[str, str], tuple[float, float]]:
    """Where the mark of each number lies, by names of series and axis as its tooltip tells them."""
    found = {}
    for group in svg.iter("g"):
        title = group.find("title")
        if title is None or ": " not in (title.text or ""):
            continue
        name, _, rest = (title.text or "").rpartition(": ")
        shape = group[0]
        if shape.tag == "circle":
            place = float(shape.get("cx", "")), float(shape.get("cy", ""))
        else:
            corners = [tuple(map(float, pair.split(","))) for pair in shape.get("points", "").split()]
            xs, ys = ([one[side] for one in corners] for side in (0, 1))
            place = (max(xs) + min(xs)) / 2, (max(ys) + min(ys)) / 2
        found[name, rest.rpartition(" ")[0]] = place
    return found


def expected(svg: Xml.Element, axis: int, axes: int, value: float) -> tuple[float, float]:
    """By the rings: so far from the centre, clockwise from the top."""
    known = rings(svg)
    low, high = min(known), max(known)
    distance = known[high] * (value - low) / (high - low)
    x, y = centre(svg)
    angle = math.radians(360 * axis / axes)
    return x + distance * math.sin(angle), y - distance * math.cos(angle)


numbers = st.none() | st.floats(-1, 1).map(lambda value: round(value, 3))


@given(
    st.integers(3, 6).flatmap(
        lambda n: st.lists(st.lists(numbers, min_size=n, max_size=n), min_size=1, max_size=7)
    )
)
@settings(max_examples=60, deadline=None)
def test_every_number_lies_where_the_rings_say(rows: list[list[float | None]]) -> None:
    axes = [f"axis{index}" for index in range(len(rows[0]))]
    series = [(f"s{place}", place, values) for place, values in enumerate(rows)]
    svgs = radar(*series, axes=axes)
    assert len(svgs) == math.ceil(len(rows) / MOST)
    assert len({tuple(rings(svg)) for svg in svgs}) == 1  # one scale
    where = {key: (svg, place) for svg in svgs for key, place in dots(svg).items()}
    there = {
        (name, axes[k]): (k, v) for name, _, values in series for k, v in enumerate(values) if v is not None
    }
    assert where.keys() == there.keys()
    for key, (axis, value) in there.items():
        svg, place = where[key]
        assert place == pytest.approx(expected(svg, axis, len(axes), value), abs=0.6)
        if value < 0:  # inside the ring of 0, and never at the centre, where it would have no direction
            distance = math.dist(place, centre(svg))
            assert 2 < distance < rings(svg)[0.0] + 0.1  # places are written with one decimal


def test_a_missing_number_is_a_gap() -> None:
    whole, gap = radar(("a", 0, [0.5, 0.4, 0.3, 0.2])), radar(("a", 0, [0.5, None, 0.3, 0.2]))
    segments = [len(re.findall("M", _line(svg))) for (svg,) in (whole, gap)]
    assert segments == [4, 2]  # human to style, style to object
    assert ("a", "animal") not in dots(gap[0])
    (told,) = (one.text for one in gap[0].iter("desc"))
    assert told == "a: object 0.500, animal no number, human 0.300, style 0.200"
    said = [one.text for (svg,) in (whole, gap) for one in svg.iter("text") if one.get("class") == "label"]
    assert said == ["The centre is 0.0.", "The centre is 0.0. Open line: no number."]


def _line(svg: Xml.Element) -> str:
    return next(one.get("d", "") for one in svg.iter("path") if one.get("class") == "line")


def test_a_negative_number_is_said_and_has_a_ring_of_zero() -> None:
    (plain,), (negative,) = radar(("a", 0, [0.5, 0.4, 0.3, 0.2])), radar(("a", 0, [0.5, -0.2, 0.3, 0.2]))
    assert [sum(one.get("class") == "zero" for one in svg.iter("circle")) for svg in (plain, negative)] == [
        0,
        1,
    ]
    assert min(rings(negative)) < -0.2
    (said,) = (one.text for one in negative.iter("text") if one.get("class") == "label")
    assert said == "The centre is -0.4, the strong ring 0."


def test_nothing_at_all_is_no_picture_of_something() -> None:
    (svg,) = radar(("a", 0, [None] * 4))
    assert dots(svg) == {}
    assert "0.20" in {one.text for one in svg.iter("text")}


def test_what_others_are_seen_against_is_in_every_part() -> None:
    svgs = radar(("people", None, [0.8] * 4), *((f"m{n}", n, [0.1 * n] * 4) for n in range(8)))
    named = [{name for name, _ in dots(svg)} for svg in svgs]
    assert named == [{"people", "m0", "m1", "m2", "m3"}, {"people", "m4", "m5", "m6", "m7"}]


def test_names_are_only_text() -> None:
    name = "<script>alert('x')</script>"
    (svg,) = radar((name, 0, [0.5] * 4), axes=("a & b", '"', "<b>", "d"))
    assert (name, "a & b") in dots(svg)
    assert {one.tag for one in svg.iter()} <= {
        "svg",
        "title",
        "desc",
        "g",
        "circle",
        "polygon",
        "path",
        "text",
    }


def test_formats_that_draw_nothing_leave_charts_out() -> None:
    chart = IntervalChart(
        "i", [Spots("SSR", percent("SSR"), [rate("hog", 0, 0.5, (0.25, 0.75))])], where="page"
    )
    document = Document("benchmark", None, lambda: Draft("Title", (chart,)))
    assert markdown(document) == "# Title\n\n"
    page = Html().render(document)
    assert page.count("<svg") == 1
    assert "hog: 50.0 [25.0, 75.0]" in page


def test_rates_are_percent() -> None:
    assert rate("a", 0, 0.25, (0.125, 0.5)).value == 25
    assert rate("a", 0, 0.25, (0.125, 0.5)).interval == (12.5, 50)
    assert rate("a", 0, None, None).interval is None
