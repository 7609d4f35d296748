"""Comparisons by metrics of all kinds: marks, orders, colours, axes and plots by what is better; what has no number."""

from __future__ import annotations

import csv
import dataclasses
import io
import itertools
import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from nearid_cli.evaluate.compare import compare
from nearid_cli.reports import formats
from nearid_cli.reports.comparison import compare_story, differences_table, disagreements_table, scores_table
from nearid_cli.reports.document import document
from nearid_cli.reports.gauge import COSINE, Gauge, gauges
from nearid_cli.reports.html import Gallery, page_files, plots
from nearid_cli.reports.html.sections import distributions, identity_against_text, scatters, subject_heatmaps
from nearid_cli.reports.labels import Label
from nearid_cli.reports.notes import missing_differences
from nearid_cli.reports.order import best_subjects_first, sorted_methods
from nearid_cli.results import CompareResult, Disagreement
from tests.kinds import CLIP_T, COSINES, FACE, KINDS, LPIPS, PSNR, VSM, result_of
from tests.pages import page_of

SUBJECTS = tuple(f"subject {i}" for i in range(8))
NO_PICTURES = Gallery((), {}, "no thumbnails")


def compared(*metrics, names=("worse", "better", "middle"), **options) -> CompareResult:
    """The second method is better by every metric, and surely so."""
    quality = (-2.0, 2.0, 0.0)
    results = {
        name: result_of(metrics, quality=one, seed=seed, subjects=SUBJECTS, **{"absent": {}} | options)
        for seed, (name, one) in enumerate(zip(names, quality, strict=True))
    }
    return compare(results)


def column(table, title):
    (found,) = [one for one in table.shown if one.title == title]
    return found


def svg(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(re.sub(r"&(?!amp;|lt;|gt;|#)", "&amp;", text))


# Distances


@pytest.mark.parametrize("one", [LPIPS, COSINES, CLIP_T, VSM, PSNR], ids=lambda one: one.name)
def test_the_best_comes_first_and_is_marked_whichever_way_numbers_run(one) -> None:
    result = compared(one)
    ordered = sorted_methods(result, one.name)
    assert [method.name for method in ordered] == ["better", "middle", "worse"]
    assert [method.name for method in sorted_methods(result, f"-{one.name}")] == ["worse", "middle", "better"]
    shown = column(scores_table(result, ordered), one.name)
    assert [sorted(marks) for marks in shown.marks] == [["best"], ["second", "worse"], ["worse"]]
    assert shown.lower is (one is LPIPS)


def test_differences_of_a_distance_have_their_own_sign_and_a_verdict() -> None:
    result = compared(LPIPS)
    table = differences_table(gauges(result)["lpips"], result.comparisons)
    (difference, verdict) = table.shown[:2]
    assert all(cell > 0 for cell in difference.cells)  # of what is worse than the best
    assert [sorted(marks) for marks in difference.marks] == [["worse"], ["worse"]]
    assert list(verdict.cells) == ["worse", "worse"]
    assert table.legend({}) == "↓: lower is better."
    assert table.shown_names[0].plain_title == "by lpips ↓"


def test_the_story_says_that_lower_is_better() -> None:
    story = compare_story(compared(LPIPS))
    assert story.lead[0].startswith("By lpips, where lower is better, it scores 0.34")
    assert "lower" not in compare_story(compared(COSINES)).lead[0]


def test_subjects_are_best_first() -> None:
    result = compared(LPIPS)
    ordered = best_subjects_first(result.methods, SUBJECTS, LPIPS)
    means = {
        name: np.mean([m.result.subjects[name].scores["lpips"].score for m in result.methods])
        for name in SUBJECTS
    }
    assert ordered == sorted(SUBJECTS, key=means.get)


def test_ranks_of_disagreements_go_from_worst_to_best() -> None:
    found = [Disagreement("images", "lpips", "nearid", "m", "cat", "cat/0.png", 1.0, 0.0, 1.0)]
    assert disagreements_table(LPIPS, COSINES, found).shown_names[0].title == "most apart (0 worst, 1 best)"
    assert (
        disagreements_table(FACE, COSINES, found).shown_names[0].title == "most apart (0 lowest, 1 highest)"
    )


def test_colours_of_a_distance_are_turned_round() -> None:
    def colours(gauge: Gauge) -> list[str]:
        names = [Label(name, name) for name in ("a", "b", "c")]
        drawn = plots.heatmap("x", "heat", names[:1], names, [[0.2, 0.5, 0.8]], gauge)
        return re.findall(
            r'<g class="(h\d)"><rect x="\d+\.\d" y="\d+\.\d" width="\d{2,3}\.\d" height="34', drawn
        )

    assert colours(COSINE) == ["h0", "h4", "h9"]
    assert colours(Gauge(LPIPS, 0.8)) == ["h9", "h5", "h0"]


def test_the_legend_of_colours_has_the_worst_at_its_pale_end() -> None:
    result = compared(LPIPS, COSINES)
    for name, worst_first in (("lpips", [1, 0]), ("nearid", [0, 1])):
        shown = gauges(result)[name]
        choice = subject_heatmaps(result.methods, SUBJECTS, [shown])
        cells = [
            method.result.subjects[subject].scores[name].score
            for method in result.methods
            for subject in SUBJECTS
        ]
        ends = [f"{min(cells):.3f}", f"{max(cells):.3f}"]
        legend = re.findall(r">(-?\d\.\d{3})</text>", choice.panels[0].svg)[-2:]
        assert legend == [ends[place] for place in worst_first]
        assert f"colours from {legend[0]} to {legend[1]}." in choice.panels[0].svg


def test_a_scatter_has_the_better_up_and_to_the_right() -> None:
    x = np.array([0.1, 0.9])
    cloud = plots.Cloud("m0", x, np.array([0.2, 0.8]), np.zeros(2, bool))

    def points(*gauges: Gauge) -> list[list[float]]:
        drawn = plots.scatter_plot("s", "a", "b", [cloud], gauges)
        return [
            list(map(float, pair)) for pair in re.findall(r"M(\d+\.\d) (\d+\.\d)h0", drawn)
        ]  # SVG's y runs down

    distance = Gauge(LPIPS, 0.9)
    (first, second) = points(COSINE, COSINE)
    assert (first[0] < second[0], first[1] > second[1]) == (True, True)
    (first, second) = points(distance, distance)
    assert (first[0] > second[0], first[1] < second[1]) == (True, True)
    drawn = plots.scatter_plot("s", "lpips", "nearid", [cloud], (distance, COSINE))
    assert "lpips, lower is better →" in drawn
    assert "good by lpips" in drawn
    assert "bad by nearid" in drawn


def test_the_corner_of_a_distance_holds_what_it_rates_good() -> None:
    """Good by the distance (low), bad by the similarity (low): one of four points, and three elsewhere."""
    cloud = plots.Cloud(
        "m0", np.array([0.1, 0.9, 0.9, 0.9]), np.array([0.1, 0.9, 0.8, 0.7]), np.zeros(4, bool)
    )
    drawn = plots.scatter_plot("s", "lpips", "nearid", [cloud], (Gauge(LPIPS, 0.9), COSINE))
    assert "1 good by lpips," in drawn
    assert "0 high by lpips," in plots.scatter_plot("s", "lpips", "nearid", [cloud])


@pytest.mark.parametrize("where", ["interval", "distribution"])
def test_axes_of_distances_say_so_and_others_do_not(where: str) -> None:
    def drawn(gauge: Gauge) -> str:
        name = Label("a", "a")
        if where == "interval":
            return plots.interval_plot("i", "t", [plots.Whisker(name, "m0", 0.4)], gauge)
        return plots.distribution_plot("d", "t", [plots.Spread(name, "m0", np.array([0.1, 0.4]))], gauge)

    assert "← lower is better" in drawn(Gauge(LPIPS, 0.4))
    assert "better" not in drawn(COSINE)


def test_the_band_of_a_distance_runs_from_its_ceiling_to_its_floor() -> None:
    result = compared(LPIPS)
    aggregate = {
        "lpips": dataclasses.replace(result.methods[0].result.aggregate["lpips"], ceiling=0.1, floor=0.8)
    }
    methods = [
        dataclasses.replace(
            one,
            result=dataclasses.replace(one.result, aggregate=aggregate),
            common={"lpips": dataclasses.replace(one.common["lpips"], ceiling=0.1, floor=0.8)},
        )
        for one in result.methods
    ]
    html = page_of(dataclasses.replace(result, methods=methods), NO_PICTURES)
    scores = html.partition('id="score-0-t"')[2].partition("</svg>")[0]
    assert scores.count('class="band"') == 3
    assert scores.index(">ceiling<") < scores.index(">floor<")


def test_a_cell_of_a_heatmap_has_its_number_only_where_it_is_wide_enough() -> None:
    row, columns = [Label("a", "a")], [Label(str(i), f"{i}") for i in range(22)]  # 42 wide each
    for largest, shown in ((30.0, 22), (-12_345.0, 0)):
        drawn = plots.heatmap("x", "t", row, columns, [[largest] * 22], Gauge(PSNR, 0.05))
        assert drawn.count(f">{Gauge(PSNR, 0.05).score.say(largest)}</text>") in (shown, shown + 2)


# Scores that do not exist


@pytest.fixture
def partly() -> CompareResult:
    """`middle` has no face at all, the others have none in the generations of subject 1."""
    some = {"face": {"subject 1": "no face"}}
    results = {
        name: result_of(
            (COSINES, FACE, CLIP_T),
            quality=quality,
            seed=seed,
            subjects=SUBJECTS,
            absent=some if name != "middle" else {"face": dict.fromkeys(SUBJECTS, "no face")},
        )
        for seed, (name, quality) in enumerate({"worse": -2.0, "better": 2.0, "middle": 0.0}.items())
    }
    return compare(results)


@pytest.mark.parametrize("sort", ["face", "-face"])
def test_a_method_without_a_score_is_last_both_ways(partly: CompareResult, sort: str) -> None:
    assert sorted_methods(partly, sort)[-1].name == "middle"


def test_a_method_without_a_score_is_a_dash_with_a_note(partly: CompareResult) -> None:
    table = scores_table(partly, partly.methods)
    face = column(table, "face")
    assert face.spelled(2) == "-"
    assert face.mark(2) == ()
    assert "-: no number by face: no face (24 generations)" in table.notes


@pytest.mark.parametrize("all_pairs", [False, True])
def test_only_without_all_pairs_it_is_said_what_they_would_give(all_pairs: bool) -> None:
    """The numbers that are ranked may lack a floor for another reason: generations that do not count."""
    result = compared(VSM)
    if all_pairs:
        subject = result.methods[0].result.subjects[0]
        scores = {"vsm": dataclasses.replace(subject.scores["vsm"], floor=0.1)}
        subjects = (dataclasses.replace(subject, scores=scores), *result.methods[0].result.subjects[1:])
        method = result.methods[0]
        method = dataclasses.replace(method, result=dataclasses.replace(method.result, subjects=subjects))
        result = dataclasses.replace(result, methods=(method, *result.methods[1:]))
    said = [note for note in scores_table(result, result.methods).notes if "--pairs all" in note]
    assert len(said) == (not all_pairs)


def test_a_copy_is_scored_too_well_by_a_distance() -> None:
    for one, word in ((LPIPS, "well"), (COSINES, "high")):
        result = result_of((one,))
        images = (dataclasses.replace(result.images[0], copy_of="cat/0.jpg"), *result.images[1:])
        result = dataclasses.replace(result, images=images)
        assert any(f"scored too {word}: cat/0.png" in line for line in document(result).findings)
        assert document(result).story.lead[-1].endswith(f"scored too {word}.")


def test_a_difference_that_needs_both_numbers_says_so(partly: CompareResult) -> None:
    assert missing_differences(partly) == ["-: no subject of which both have a score by face: middle"]


def test_findings_name_what_has_no_score_method_by_method(partly: CompareResult) -> None:
    lines = document(partly).findings
    assert (
        "middle: face: 24 of 24 generations without a score: no face: subject 0/0.png, subject 0/1.png, "
        "subject 0/2.png and 21 more"
    ) in lines
    assert any(line.startswith("worse, better: face: 3 of 24 generations") for line in lines)


def test_an_empty_cell_of_a_heatmap_says_why(partly: CompareResult) -> None:
    choice = subject_heatmaps(partly.methods, SUBJECTS, [gauges(partly)["face"]])
    drawn = choice.panels[0].svg
    assert "<title>worse, subject 1: no score: no face (3 generations)</title>" in drawn
    assert drawn.count('class="none"') == 1 + 1 + 8


def test_plots_leave_out_what_has_no_score(partly: CompareResult) -> None:
    shown = list(gauges(partly).values())
    figures, numbers = distributions(partly.methods, shown)
    face = dict(figures.plots)["face"]
    assert "nan" not in face.lower()
    assert "middle: no number" in face
    counts = dict(
        zip(
            zip(*(one.cells for one in numbers.table.names), strict=True),
            numbers.table.columns[0].cells,
            strict=True,
        )
    )
    assert counts["face", "worse"] == 21
    assert counts["face", "middle"] == 0
    panel = scatters(partly.methods, shown[:2]).panels[0]
    assert "nan" not in panel.svg.lower()
    assert panel.svg.count("h0") == 21 + 21


@pytest.mark.parametrize("extension", [".json", ".csv", ".parquet", ".md", ".tex", ".html"])
def test_no_format_says_nan(partly: CompareResult, extension: str) -> None:
    data = formats.render(document(partly), Path(f"run{extension}"))
    if extension != ".parquet":
        shown = data.decode().partition("<script>")[0]
        assert not re.search(r"\bnan\b", shown, re.IGNORECASE)
    if extension == ".csv":
        (row,) = [one for one in csv.DictReader(io.StringIO(data.decode())) if one["method"] == "middle"]
        assert (row["face_score"], row["face_rank"], row["face_missing"]) == ("", "", "24")


def test_a_page_says_what_plots_leave_out_only_where_they_do(partly: CompareResult) -> None:
    for result, times in ((partly, 1), (compared(COSINES, VSM), 0)):
        html = page_of(result, NO_PICTURES)
        assert html.count("Generations without a score are left out.") == times
        assert html.count("Generations without a score by either are left out.") == times


def test_pictures_without_a_score_are_on_the_page_after_those_with_one(tmp_path: Path) -> None:
    result = result_of((FACE,), generations=str(tmp_path))
    files = [str(path.relative_to(tmp_path)) for path in page_files(result) if path.is_relative_to(tmp_path)]
    assert len(files) == 12
    assert set(files[:8]).isdisjoint({"mug/0.png", "mug/1.png", "mug/2.png", "dog/0.png"})


def test_the_first_pictures_by_a_distance_are_those_with_the_highest_scores(tmp_path: Path) -> None:
    result = result_of((LPIPS,), generations=str(tmp_path))
    scores = {image.path: image.scores["lpips"] for image in result.images}
    first = [scores[str(path.relative_to(tmp_path))] for path in page_files(result)[:12]]
    assert first == sorted(scores.values(), reverse=True)


# Words


def test_a_page_speaks_of_similarities_only_where_all_numbers_are() -> None:
    usual, other = (page_of(compared(*metrics), NO_PICTURES) for metrics in ((COSINES,), (COSINES, LPIPS)))
    assert "its mean similarity to the references" in usual
    assert "covers less than\n0.1, so" in usual
    assert "its mean similarity to the references" not in other
    assert "a twentieth of what a metric can give" in other
    assert "by a metric with ↓ below 0" in other
    assert "↓ below 0" not in usual


def test_captions_for_papers_speak_of_cosines_only_where_all_numbers_are() -> None:
    for metrics, caption in (
        ((COSINES,), "Mean cosine similarity over"),
        ((COSINES, VSM), "Mean score over"),
    ):
        text = formats.render(document(compared(*metrics)), Path("table.tex")).decode()
        assert rf"\caption{{{caption} subjects." in text


def test_a_page_without_floors_and_ceilings_speaks_of_none() -> None:
    html = page_of(compared(CLIP_T), NO_PICTURES)
    for word in ("floor", "ceiling", "grey band runs"):
        assert word not in html.partition("<main")[2].partition("<script")[0]


def test_every_kind_goes_through_every_format() -> None:
    for one in KINDS:
        result = compared(one)
        for extension in formats.known("compare"):
            if extension != ".xml":
                assert formats.render(document(result), Path(f"run{extension}"))


# Identity against text


def test_methods_are_points_between_identity_and_text() -> None:
    result = compared(CLIP_T, COSINES, LPIPS, VSM)
    figures, numbers = identity_against_text(result, list(gauges(result).values()))
    assert [name for name, _ in figures.plots] == ["nearid and clip-t", "vsm and clip-t"]
    drawn = svg(figures.plots[0][1])
    dots = [one for one in drawn.iter() if one.get("class") == "dot"]
    assert len(dots) == 3
    assert len([one for one in drawn.iter() if one.get("class") == "whisker"]) == 6
    at = {}
    for group in drawn.findall("g"):
        for dot in group.findall("circle"):
            at[group.get("class")] = (float(dot.get("cx")), float(dot.get("cy")))
    worse, better, middle = at["m0"], at["m1"], at["m2"]
    assert worse[0] < middle[0] < better[0]
    assert worse[1] > middle[1] > better[1]  # SVG's y runs down
    description = drawn.find("desc").text
    score = result.methods["better"].common["nearid"].score
    assert f"better: nearid {score:.3f} [" in description
    assert [one.title for one in numbers.table.columns] == ["nearid", "vsm", "clip-t"]
    assert list(numbers.table.names[0].cells) == ["worse", "better", "middle"]


def test_names_of_points_do_not_lie_on_each_other() -> None:
    points = [
        plots.Point(Label(f"method number {i}", f"method number {i}"), f"m{i}", 0.3, 0.7 + 1e-6 * i)
        for i in range(6)
    ]
    drawn = svg(plots.point_plot("p", "clip-t", "nearid", points, (COSINE, COSINE)))
    heights = sorted(
        float(re.fullmatch(r"translate\(\S+ (\S+)\)", group.get("transform")).group(1))
        for group in drawn.iter("g")
        if (text := group.find("text")) is not None and text.get("class") == "beside-dot"
    )
    assert len(heights) == 6
    assert min(b - a for a, b in itertools.pairwise(heights)) >= 14


def test_a_point_at_the_edge_has_its_name_inside() -> None:
    name = Label("a-name-of-16-chars", "a-name-of-16-chars")
    points = [plots.Point(name, "m0", 0.1, 0.5), plots.Point(name, "m1", 0.9, 0.5)]
    drawn = plots.point_plot("p", "x", "y", points, (COSINE, COSINE))
    starts = [
        float(x)
        for x in re.findall(r'translate\((\d+\.\d) \d+\.\d\)"><text x="0.0" y="0.0" class="beside', drawn)
    ]
    assert len(starts) == 2
    assert all(52 <= start <= 560 - 7 * 18 for start in starts)


def test_a_distance_of_identity_has_the_better_up() -> None:
    distance = dataclasses.replace(LPIPS, against="references")
    points = [
        plots.Point(Label(name, name), colour, 0.3, y)
        for name, colour, y in (("low", "m0", 0.2), ("high", "m1", 0.8))
    ]
    drawn = svg(plots.point_plot("p", "clip-t", "lpips", points, (COSINE, Gauge(distance, 0.8))))
    (low, high) = [
        float(dot.get("cy"))
        for colour in ("m0", "m1")
        for group in drawn.findall("g")
        if group.get("class") == colour
        for dot in group.findall("circle")
    ]
    assert low < high


def test_a_method_that_lacks_what_is_ranked_is_no_point() -> None:
    result = compared(COSINES, CLIP_T)
    lacking = dataclasses.replace(result.methods[0], common={})
    result = dataclasses.replace(result, methods=(lacking, *result.methods[1:]))
    figures, numbers = identity_against_text(result, list(gauges(result).values()))
    assert figures.plots[0][1].count('class="dot"') == 2
    assert "nan" not in figures.plots[0][1].lower()
    assert numbers.table.columns[0].spelled(0) == "-"


@pytest.mark.parametrize("metrics", [(COSINES, LPIPS, VSM), (CLIP_T, PSNR)], ids=["no text", "no identity"])
def test_without_both_there_is_no_such_plot(metrics) -> None:
    result = compared(*metrics)
    assert list(identity_against_text(result, list(gauges(result).values()))) == []
    assert "Identity against text" not in page_of(result, NO_PICTURES)


def test_a_method_without_one_of_both_is_no_point() -> None:
    points = [
        plots.Point(Label("a", "a"), "m0", 0.3, 0.7),
        plots.Point(Label("b", "b"), "m1", None, 0.7),
    ]
    drawn = plots.point_plot("p", "clip-t", "nearid", points, (COSINE, COSINE))
    assert drawn.count('class="dot"') == 1
    assert "b: nearid 0.700, clip-t -" in drawn
    nothing = plots.point_plot("p", "clip-t", "nearid", points[1:], (COSINE, COSINE))
    assert 'class="dot"' not in nothing
