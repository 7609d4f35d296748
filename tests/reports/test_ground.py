"""A method that lacks the hard subjects, in every format: ranked over what all have, and by itself without a rank."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nearid_cli.evaluate.compare import compare
from nearid_cli.reports.conclusion import conclusion_line
from nearid_cli.reports.document import document
from nearid_cli.reports.files import write
from nearid_cli.reports.formats.data import to_csv
from nearid_cli.reports.html.pictures import Gallery
from nearid_cli.reports.order import apart, over_common
from nearid_cli.results import CompareResult
from tests.comparing import random_methods, scored
from tests.pages import page_of
from tests.printing import show as render_compare
from tests.printing import to_latex, to_markdown

NONE = Gallery((), {}, "no pictures")
BASE = {f"s{i:02d}": 0.95 - 0.02 * i for i in range(12)}


@pytest.fixture
def planted() -> CompareResult:
    """`picky` lacks the four hardest subjects, is worse on the others and has the higher mean."""
    random = np.random.default_rng(0)

    def method(shift: float, subjects: int = 12, copied: int = 0) -> object:
        own = list(BASE)[:subjects]
        return scored(
            {s: BASE[s] + shift + random.normal(0, 0.003, 3) for s in own}, ("nearid",), copied=copied
        )

    methods = {"picky": method(-0.014, 8), "whole": method(0), "copier": method(0.04, 6, copied=18)}
    return compare(methods)  # type: ignore[arg-type]


def test_the_planted_case(planted: CompareResult) -> None:
    own = {one.name: one.result.aggregate["nearid"].score for one in planted.methods}
    assert own["picky"] > own["whole"], "or it is no trap"
    assert conclusion_line(planted).startswith(
        "By nearid: whole keeps identity best; the next, picky, is 0.01"
    )
    assert [one.verdict for one in planted.comparisons] == ["worse", "not judged: it copies"]


def test_what_is_not_over_the_common_ground_is_not_known_of_it(planted: CompareResult) -> None:
    methods = over_common(planted).methods
    for one in planted.methods:
        ranked = methods[one.name].result.aggregate["nearid"]
        assert math.isnan(ranked.pair_mean)
        assert not math.isnan(one.result.aggregate["nearid"].pair_mean)
        assert ranked.identification_ci95 is None


@pytest.mark.parametrize("width", [40, 60, 80, 100, 160])
def test_terminal(planted: CompareResult, width: int, render: Callable[..., str]) -> None:
    printed = render(render_compare, planted, width=width)
    assert max(map(len, printed.splitlines())) <= width
    said = " ".join(printed.split())
    assert "* best, + second, over the 8 subjects that all ranked methods have; a method that copies" in said
    ranked, own = printed.split("Each method over its own")
    assert re.search(r"^whole[^+]*\*", ranked, re.MULTILINE)
    assert "*" not in own.split("Is the difference")[0]
    assert "ranked over what all ranked methods have: 8 of 12 subjects" in said


def test_markdown(planted: CompareResult) -> None:
    text = to_markdown(planted)
    ranked, own = text.split("Each method over its own subjects and generations, not ranked:")
    assert re.search(r"\| whole \| 0 \| \*\*0\.8", ranked)
    assert re.search(r"\| picky \| 0 \| <ins>0\.8[^|]*▼ \|", ranked)
    assert "| copier (copies references) | 18 | - |" in ranked
    assert "over the 8 subjects that all ranked methods have" in own.split("## Findings")[0] + ranked
    assert not re.search(r"\*\*|▼|<ins>", own.split("## Findings")[0])


def test_latex(planted: CompareResult) -> None:
    text = to_latex(planted)
    assert "Best in bold, second underlined, over the 8 subjects that all ranked methods have;" in text
    score = planted.methods["whole"].common["nearid"].score
    assert rf"whole & \textbf{{{score:.3f}}}" in text
    assert r"copier (copies references) & -- \\" in text


def test_sheets(planted: CompareResult, tmp_path: Path) -> None:
    rows = {row["method"]: row for row in csv.DictReader(io.StringIO(to_csv(document(planted).table)))}
    assert list(rows) == ["whole", "picky", "copier"]
    for one in planted.methods:
        row, own = rows[one.name], one.result.aggregate["nearid"]
        assert float(row["nearid_own_score"]) == pytest.approx(own.score)
        assert row["nearid_score"] == (str(one.common["nearid"].score) if one.common else "")
        assert (row["subjects"], row["common_subjects"], row["common_prompts"]) == (
            str(len(one.result.subjects)),
            "8",
            "0",
        )
        assert "nearid_pair_mean" not in row
    assert (rows["picky"]["nearid_verdict"], rows["picky"]["nearid_rank"]) == ("worse", "2")
    write(planted, tmp_path / "c.parquet")
    frame = planted.to_pandas()
    assert frame["nearid_score"].isna().tolist() == [False, False, True]


def test_page(planted: CompareResult) -> None:
    page = page_of(planted, NONE)
    assert "<h1>whole keeps identity best</h1>" in page
    assert "over the 8 subjects that all ranked methods have." in page
    ranked, own = page.split("Each method over its own subjects and generations, not ranked:")
    assert f"<strong>{planted.methods['whole'].common['nearid'].score:.3f}" in ranked
    assert "<strong>" not in own.split("</table>")[0]


def test_where_all_methods_have_the_same_there_is_one_table(render: Callable[..., str]) -> None:
    result = compare(random_methods({"a": 0.1, "b": 0.0}))
    assert apart(result) is None
    for before, after in zip(result.methods, over_common(result).methods, strict=True):
        assert after.result.aggregate["nearid"].pair_mean == before.result.aggregate["nearid"].pair_mean
        assert after.result.aggregate["nearid"].ci95 == before.common["nearid"].ci95
    assert "own subjects" not in render(render_compare, result)
    assert "own_score" not in to_csv(document(result).table)


def test_an_older_comparison_has_no_stars_and_says_why(
    planted: CompareResult, render: Callable[..., str]
) -> None:
    methods = tuple(replace(one, common={}, ranks=dict.fromkeys(one.ranks)) for one in planted.methods)
    old = replace(planted, methods=methods, common_subjects=(), remarks=(), schema="nearid.compare/1")
    printed = render(render_compare, old)
    assert not re.search(r"\] [*+]", printed)
    assert (
        "By nearid: No method can be ranked; the comparison is of an older nearid: compare anew"
        in " ".join(printed.split())
    )
