"""Checkpoints in every format: sketch and table in a terminal, plots on a page, columns in data files."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pyarrow.parquet as pq
import pytest
from rich.console import Console

from nearid_cli.evaluate.compare import compare
from nearid_cli.reports.curves import Sketch
from nearid_cli.reports.document import document
from nearid_cli.reports.html import Gallery, to_html
from nearid_cli.reports.terminal import render
from nearid_cli.results import CompareResult, ScoreResult
from nearid_cli.results.reading import read_result
from tests.comparing import unscored
from tests.evaluate.test_curves import nearly, run, runs, text_run
from tests.printing import to_latex, to_markdown


@pytest.fixture(scope="module")
def result() -> CompareResult:
    """Six checkpoints, the third one best, the last two copy."""
    results = runs([0.4, 0.5, 0.6, 0.5, 0.9, 0.9])
    results |= {f"checkpoint-{step}": run(0.9, seed=step, copied=40) for step in (2500, 3000)}
    return compare({name: nearly(one, 0.1) for name, one in results.items()})


def printed(result: CompareResult, encoding: str = "utf-8", width: int = 80) -> str:
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding=encoding)
    render(document(result), Console(file=file, width=width))
    file.flush()
    return raw.getvalue().decode(encoding)


def page_of(result: CompareResult) -> str:
    return to_html(document(result), Gallery((), {}, "no thumbnails"))


def plot(page: str, ident: str) -> ElementTree.Element:
    (svg,) = re.findall(rf'<svg [^>]*aria-labelledby="{ident}-t {ident}-d".*?</svg>', page, re.DOTALL)
    return ElementTree.fromstring(svg)


def of_class(svg: ElementTree.Element, name: str) -> list[ElementTree.Element]:
    return [one for one in svg.iter() if name in one.get("class", "").split()]


def test_a_terminal_shows_a_sketch_a_table_and_one_answer(result: CompareResult) -> None:
    lines = [line.rstrip() for line in printed(result).splitlines()]
    assert lines[0] == "Checkpoints, step 500 to 3000"
    assert re.fullmatch(r"  nearid +[▁-█]{6}", lines[1])
    assert re.fullmatch(r"  copies +▁▁▁▁██", lines[2])
    rows = [line.split() for line in lines if re.match(r"\d+ +0\.", line)]
    assert [row[0] for row in rows] == ["500", "1000", "1500", "2000", "2500", "3000"]
    assert rows[2][-2:] == ["the", "best"]
    assert [row[-1] for row in rows] == ["worse", "worse", "best", "worse", "copies", "copies"]
    assert " ".join(" ".join(lines).split()).endswith(result.curves[0].answer)


@pytest.mark.parametrize("width", [30, 60, 80, 200])
def test_nothing_is_wider_than_the_terminal(result: CompareResult, width: int) -> None:
    assert max(map(len, printed(result, width=width).splitlines())) <= width


def test_a_terminal_without_blocks_has_a_sketch_in_ascii(result: CompareResult) -> None:
    lines = printed(result, encoding="ascii").splitlines()
    assert lines[2].split() == ["copies", "____##"]


def test_a_gap_is_a_gap(result: CompareResult) -> None:
    results = runs([0.4, 0.5, 0.6, 0.5])
    hole = results["checkpoint-1000"]
    results["checkpoint-1000"] = unscored(hole, [one.path for one in hole.images], ["nearid"])
    results = {
        name: replace(one, metrics=(replace(one.metrics[0], kind="pairwise"),))
        for name, one in results.items()
    }
    found = compare(results)
    assert re.fullmatch(r"  nearid  [▁-█] [▁-█]{2}", printed(found).splitlines()[1].rstrip())
    svg = plot(page_of(found), "steps-step-0")
    assert len(of_class(svg, "dot")) == 3
    assert [one.get("d", "").count("L") for one in of_class(svg, "line")] == [1]
    assert "step 1000: no number" in svg[1].text


def test_levels_are_even_and_within() -> None:
    assert Sketch("x", [0, 0.5, 1, 2, -1, None], (0, 1)).steps(8) == [0, 4, 7, 7, 0, None]


def test_the_plot_has_true_distances_marks_and_words() -> None:
    found = compare(
        {f"step_{step}": run(mean, seed=step) for step, mean in ((100, 0.4), (200, 0.6), (1000, 0.5))}
        | {"step_2000": run(0.9, copied=40)}
    )
    svg = plot(page_of(found), "steps-step-0")
    at = [float(one.get("cx", "0")) for one in of_class(svg, "dot")]
    assert (at[2] - at[0]) / (at[1] - at[0]) == pytest.approx(9, rel=0.01)
    (ring,) = of_class(svg, "ring")
    assert float(ring.get("cx", "0")) == at[1]
    assert len(of_class(svg, "cross")) == 1
    assert len(of_class(svg, "around")) == 1
    assert svg[0].text == "nearid by step"
    assert "step 200: 0.594" in svg[1].text
    assert "(the best)" in svg[1].text
    assert "step 2000: 0.895" in svg[1].text
    assert svg[1].text.count("(copies)") == 1


def test_a_last_one_without_a_number_has_its_name_on_the_axis() -> None:
    found = compare({name: run(0.5, seed=i) for i, name in enumerate(("step_1", "step_2", "final"))})
    svg = plot(page_of(found), "steps-step-0")
    at = [float(one.get("cx", "0")) for one in of_class(svg, "dot")]
    assert at[2] - at[1] == pytest.approx(at[1] - at[0], abs=0.2)
    assert "final" in [one.text for one in of_class(svg, "tick")]


def test_every_training_has_a_line_and_its_name(tmp_path: Path) -> None:
    results: Mapping[str, ScoreResult] = {
        f"{who}/step_{i}": text_run(0.4 + i / 10, 0.3, i) for who in ("<a>", "b") for i in range(1, 5)
    }
    found = compare(results)
    page = page_of(found)
    for number in (0, 1):
        svg = plot(page, f"steps-step-{number}")
        assert len(of_class(svg, "line")) == 2
        assert [one.text for one in of_class(svg, "beside-dot")] == ["<a>", "b"]
    assert "&lt;a&gt;: by nearid, step 4 scores best" in page
    rows = list(csv.DictReader(io.StringIO(_saved(found, tmp_path / "a.csv").read_text())))
    assert sorted(row["step"] for row in rows) == sorted(["1", "2", "3", "4"] * 2)


def _saved(result: CompareResult, path: Path) -> Path:
    result.save(path)
    return path


def test_data_files_have_steps_and_epochs(result: CompareResult, tmp_path: Path) -> None:
    rows = {
        row["method"]: row
        for row in csv.DictReader(io.StringIO(_saved(result, tmp_path / "a.csv").read_text()))
    }
    assert all(row["step"] == name.removeprefix("checkpoint-") for name, row in rows.items())
    table = pq.read_table(_saved(result, tmp_path / "a.parquet"))
    assert table.schema.field("step").type == "int64"
    epochs = compare({f"epoch={i}": run(0.5, seed=i) for i in range(3)} | {"other": run(0.5)})
    table = pq.read_table(_saved(epochs, tmp_path / "b.parquet")).to_pylist()
    assert sorted((row["method"], row["epoch"]) for row in table) == [
        ("epoch=0", 0),
        ("epoch=1", 1),
        ("epoch=2", 2),
        ("other", None),
    ]
    assert "step" not in table[0]


def test_json_holds_curves_and_gives_them_back(result: CompareResult, tmp_path: Path) -> None:
    path = _saved(result, tmp_path / "a.json")
    assert json.loads(path.read_text())["curves"][0]["answer"] == result.curves[0].answer
    assert read_result(path) == result


def test_pages_and_papers_have_the_table(result: CompareResult) -> None:
    markdown, latex = to_markdown(result), to_latex(result)
    assert "<summary>Checkpoints by step</summary>" in markdown
    assert "- By nearid, step 1500 scores best" in markdown
    assert r"\label{tab:nearid-checkpoints}" in latex
    assert latex.count(r"\begin{table}") == 2


def test_without_checkpoints_nothing_is_said_of_them() -> None:
    found = compare({"ours": run(0.5), "theirs": run(0.6), "others": run(0.7)})
    assert "Checkpoints" not in printed(found) + to_markdown(found) + to_latex(found) + page_of(found)
