"""Names and prompts made to do harm, in every format: by a reader of its own they are text and nothing else."""

from __future__ import annotations

import csv
import io
import json
import re
from contextlib import suppress
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pyarrow.parquet as pq
import pyte
import pytest
import yaml
from markdown_it import MarkdownIt
from pylatexenc.latex2text import LatexNodes2Text
from pylatexenc.latexwalker import LatexEnvironmentNode, LatexWalker
from rich.console import Console

from nearid_cli.errors import UsageError
from nearid_cli.evaluate.compare import compare
from nearid_cli.gate.judge import judge
from nearid_cli.reports.document import document
from nearid_cli.reports.formats import render as rendered
from nearid_cli.reports.terminal import render
from nearid_cli.results import CompareResult
from nearid_cli.text import printable, storable
from tests.gating import make_rule
from tests.hostile import HOSTILE, NAMES, run

_HARMFUL = re.compile(
    r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\U000e0000-\U000e007f]"
)
_COMMAND = re.compile(r"^\s*::|##(\[|vso\[|teamcity\[)", re.MULTILINE)


@pytest.fixture(scope="module")
def result() -> CompareResult:
    return compare({HOSTILE["workflow command"]: run(1), HOSTILE["formula"]: run(2)})


@pytest.fixture(scope="module")
def documents(result: CompareResult) -> list[Any]:
    one = run(1)
    rules = [make_rule(level="subject", min=0.5)]
    gate = judge(one, None, rules, run_name=NAMES[0], baseline_name=None)
    return [document(one), document(result), document(one, gate=gate)]


def written(documents: list[Any], extension: str) -> list[bytes]:
    """Every document that can be written in this format."""
    found = []
    for one in documents:
        with suppress(UsageError):  # not every format takes every result
            found.append(rendered(one, Path(f"result{extension}")))
    assert found
    return found


@pytest.mark.parametrize("extension", [".json", ".csv", ".md", ".tex", ".xml", ".yaml", ".html"])
def test_no_file_holds_what_turns_text_round_or_moves_a_cursor(documents: list[Any], extension: str) -> None:
    for content in written(documents, extension):
        text = content.decode()
        assert not [text[max(0, at.start() - 40) : at.end() + 9] for at in _HARMFUL.finditer(text)][:3]


@pytest.mark.parametrize("extension", [".json", ".csv", ".md", ".tex", ".yaml"])
def test_no_line_of_a_text_that_may_be_printed_is_a_command_of_ci(
    documents: list[Any], extension: str
) -> None:
    for content in written(documents, extension):
        text = content.decode()
        assert not [text[at.start() : at.end() + 20] for at in _COMMAND.finditer(text)][:3]


def test_json_holds_names_as_they_are(documents: list[Any]) -> None:
    for content in written(documents[:1], ".json"):
        found = json.loads(content)
        assert {one["subject"] for one in found["subjects"]} == set(map(storable, NAMES))
        assert {one["prompt"] for one in found["images"]} == set(map(storable, NAMES))
        assert {one["labels"]["note"] for one in found["images"]} == set(map(storable, NAMES))


def test_parquet_holds_names_as_they_are(documents: list[Any]) -> None:
    (content,) = written(documents[:1], ".parquet")
    table = pq.read_table(io.BytesIO(content))
    assert set(table.column("subject").to_pylist()) == set(map(storable, NAMES))


def test_a_spreadsheet_runs_nothing_whatever_it_parts_cells_by(documents: list[Any]) -> None:
    for content in written(documents, ".csv"):
        text = content.decode()
        rows = list(csv.reader(io.StringIO(text, newline="")))
        assert len({len(row) for row in rows}) == 1
        for delimiter in ",;\t":
            cells = [
                cell for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) for cell in row
            ]
            # A lone minus or plus before digits is a number.
            formulas = [
                one
                for one in cells
                if re.match(r"[=@\uff0b\uff0d\uff1d\uff20\t\r]|[+-](?![\d.])|[+-]\d+[+]", one)
            ]
            assert formulas == []
    (own, *_) = written(documents[:1], ".csv")
    names = [row["subject"] for row in csv.DictReader(io.StringIO(own.decode(), newline=""))]
    assert [name.replace("'", "") for name in names] == [printable(name).replace("'", "") for name in NAMES]


_OURS = r"/?(?:h[1-6]|p|table|thead|tbody|tr|t[hd]|ul|li|strong|em|ins|details|summary)\b[^>]*"


def test_markdown_links_calls_and_runs_nothing(documents: list[Any]) -> None:
    renderer = MarkdownIt("gfm-like", {"html": True, "linkify": True})
    for content in written(documents, ".md"):
        html = renderer.render(content.decode())
        # This renderer also links what merely looks like a host (a.py), which GitHub does not.
        html = re.sub(
            r'<a href="http://([^"]*)">\1</a>', lambda found: "LINKED" if "www" in found[1] else "", html
        )
        assert not re.findall(f"<(?!{_OURS}>)[^>]*>", html)
        shown = re.sub(r"<[^>]*>", "", html)
        for live in ("LINKED", "@team", "repo#1", "GH-2", r"www\.", "https?:", "a@evil"):
            assert not re.findall(live, shown), live


def test_latex_shows_names_and_reads_no_file(documents: list[Any]) -> None:
    for content in written(documents, ".tex"):
        text = "\n".join(line for line in content.decode().splitlines() if not line.startswith("%"))
        nodes, _, _ = LatexWalker(text, tolerant_parsing=False).get_latex_nodes()
        assert any(isinstance(node, LatexEnvironmentNode) for node in nodes)
        assert not re.search(r"\\(?:input|write|include|openin|def|catcode|csname)\b", text)
    (own, *_) = written(documents[:1], ".tex")
    shown = LatexNodes2Text().latex_to_text(own.decode())
    assert "stop-commands" in shown
    assert "/etc/passwd" in shown


def test_junit_is_one_case_a_verdict(documents: list[Any]) -> None:
    (content,) = written(documents[2:], ".xml")
    cases = list(ElementTree.fromstring(content).iter("testcase"))
    names = [case.get("name", "") for case in cases]
    assert len(cases) == len(NAMES)
    for name in NAMES:
        assert any(printable(f"subject {name}") in one for one in names), name


def test_yaml_of_a_model_card_is_plain(documents: list[Any]) -> None:
    for content in written(documents[:1], ".yaml"):
        assert yaml.safe_load(content)["model-index"]


@pytest.mark.parametrize("width", [80, 200, None])
def test_a_terminal_shows_names_and_obeys_none(documents: list[Any], width: int | None) -> None:
    """By an emulator: no title, no colour of theirs, no line of a log that is a command."""
    for one in documents:
        out = io.StringIO()
        console = Console(
            file=out,
            width=width or 10_000,
            force_terminal=width is not None,
            color_system=None,
            soft_wrap=width is None,
        )
        render(one, console)
        text = out.getvalue()
        if width is None:
            assert not [text[at.start() : at.end() + 20] for at in _COMMAND.finditer(text)][:3]
            continue
        screen = pyte.HistoryScreen(width, 50, history=100_000)
        stream = pyte.Stream(screen)
        stream.feed(text.replace("\n", "\r\n"))
        lines = [*screen.history.top, *(screen.buffer[y] for y in range(screen.lines))]
        assert screen.title == ""
        assert all(
            cell.fg in ("default",) and cell.bg == "default" for line in lines for cell in line.values()
        )
        shown = ["".join(line[x].data for x in range(width)).rstrip() for line in lines]
        expected = [line.rstrip() for line in re.sub(r"\x1b\[[\d;]*m", "", text).splitlines()]
        assert shown[: len(expected)] == expected
