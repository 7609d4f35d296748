"""Every format of a gate's verdicts and their annotations, read back by what reads them."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from pathlib import Path

import junitparser
import lxml.html
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from markdown_it import MarkdownIt

from nearid_cli.reports import formats
from nearid_cli.reports.document import document
from nearid_cli.reports.formats.junit import to_junit
from nearid_cli.reports.formats.markdown import markdown
from nearid_cli.reports.gate import github_annotations
from nearid_cli.reports.terminal import render as print_document
from nearid_cli.results import GateResult, Moved, Verdict
from tests.gating import TOOL, make_rule

SCHEMA = etree.XMLSchema(etree.parse(Path(__file__).with_name("junit.xsd")))
LEGAL = re.compile("[\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]*")

TERMINAL = """\
FAILED nearid score, subject cat
  score fell by 0.030
  expected score >= 0.600, drop <= 0.020; found 0.800; baseline 0.810; drop 0.010 [0.000, 0.020]
  fell most: cat -0.030

WARNED nearid score, subject dog
  score fell by 0.025
  expected score >= 0.600, drop <= 0.020; found 0.800; baseline 0.810; drop 0.010 [0.000, 0.020]

check                      verdict  found  baseline                  drop  expected
────────────────────────────────────────────────────────────────────────────────────────────────────────
nearid score, subject cat  failed   0.800     0.810  0.010 [0.000, 0.020]  score >= 0.600, drop <= 0.020
nearid score, subject dog  warned   0.800     0.810  0.010 [0.000, 0.020]  score >= 0.600, drop <= 0.020
nearid score               passed   0.800     0.810  0.010 [0.000, 0.020]  score >= 0.600, drop <= 0.020

gate failed: 3 checks, 1 failed, 1 warned, 1 passed
"""


def make_verdict(status="passed", subject=None, reason="score is 0.800", metric="nearid", **numbers):
    rule = make_rule(metric, level="subject" if subject else "aggregate", min=0.6, max_drop=0.02)
    facts = {"found": 0.8, "baseline": 0.81, "drop": 0.01, "ci": (0.0, 0.02), "moved": ()} | numbers
    return Verdict(rule, metric, subject, None, status, reason, "score >= 0.600, drop <= 0.020", **facts)


def make_gate(*verdicts, run="run.json"):
    passed = all(one.status != "failed" for one in verdicts)
    return GateResult(TOOL, "2026-04-02T10:00:00+00:00", run, "base.json", passed, verdicts)


FAILED = make_verdict("failed", "cat", "score fell by 0.030", moved=(Moved("cat", -0.03),))
GATE = make_gate(FAILED, make_verdict("warned", "dog", "score fell by 0.025"), make_verdict())


def parsed(gate):
    document = etree.fromstring(to_junit(gate).encode())
    SCHEMA.assertValid(document)
    return document


class TestJUnit:
    def test_it_keeps_to_the_schema_and_counts_right(self):
        document = parsed(GATE)
        for element in (document, document[0]):
            counts = {key: element.get(key) for key in ("tests", "failures", "errors", "skipped")}
            assert counts == {"tests": "3", "failures": "1", "errors": "0", "skipped": "0"}

    def test_the_schema_can_fail(self):
        document = parsed(GATE)
        del document[0][0].attrib["classname"]
        assert not SCHEMA.validate(document)

    def test_junitparser_reads_it(self):
        xml = junitparser.JUnitXml.fromstring(to_junit(GATE).encode())
        (suite,) = xml
        assert (suite.name, suite.tests, suite.failures) == ("run.json against base.json", 3, 1)
        failed, warned, passed = suite
        assert (failed.classname, failed.name) == (
            "nearid score by subject",
            "nearid score, subject cat: score >= 0.600, drop <= 0.020",
        )
        (failure,) = failed.result
        assert failure.message == "score fell by 0.030"
        assert failure.text.splitlines() == [
            "score fell by 0.030",
            "expected score >= 0.600, drop <= 0.020; found 0.800; baseline 0.810; drop 0.010 [0.000, 0.020]",
            "fell most: cat -0.030",
        ]
        assert warned.is_passed
        assert warned.system_out == (
            "WARNING, which fails no gate (on_fail is warn)\nscore fell by 0.025\n"
            "expected score >= 0.600, drop <= 0.020; found 0.800; baseline 0.810; drop 0.010 [0.000, 0.020]"
        )
        assert passed.is_passed
        assert passed.system_out is None

    def test_a_check_keeps_its_name_whatever_was_found(self):
        names = [
            [
                case.get("name")
                for case in parsed(make_gate(make_verdict(status, "cat", reason, found=found)))[0]
            ]
            for status, reason, found in (("failed", "a", 0.1), ("passed", "b", 0.9))
        ]
        assert names[0] == names[1]

    def test_markup_and_control_characters(self):
        name = "<b>&\"'\x00\x1b[31m\n\ud800\ufffe\x85]]>"
        document = parsed(make_gate(make_verdict("failed", name, f"about {name}"), run=name))
        assert (
            document[0][0]
            .get("name")
            .startswith("nearid score, subject <b>&\"'\\x00\\x1b[31m\\n\\ud800\\ufffe")
        )

    @given(st.text(st.characters()), st.text(st.characters()))
    def test_any_names(self, name, metric):
        gate = make_gate(make_verdict("failed", name, metric=metric, moved=(Moved(name, -0.1),)), run=name)
        text = to_junit(gate)
        assert LEGAL.fullmatch(text)
        parsed(gate)


class TestMarkdown:
    def test_failures_come_first_and_what_passed_is_folded(self):
        text = markdown(document(GATE))
        assert text.startswith("# ❌ nearid gate failed: 3 checks, 1 failed, 1 warned, 1 passed\n")
        assert (
            text.index("score fell by 0.030")
            < text.index("score fell by 0.025")
            < text.index("1 passed</summary>")
        )
        assert "Fell most: cat -0.030." in text
        html = MarkdownIt("gfm-like", {"linkify": False}).render(text)
        assert html.count("<table>") == 2
        assert html.count("<tr>") == 2 + 3
        assert html.count("<details>") == html.count("</details>") == 1

    def test_passed(self):
        text = markdown(document(make_gate(make_verdict())))
        assert text.startswith("# ✅ nearid gate passed: 1 check, 1 passed\n")
        assert "Failed" not in text

    @pytest.mark.parametrize(
        "name", ["<script>alert(1)</script>", "a|b", "</details>", "`x`", "[a](b)", "a\nb"]
    )
    def test_names_are_shown_as_they_are(self, name):
        verdicts = [
            make_verdict(status, name, f"lacks {name}", moved=(Moved(name, -1.0),))
            for status in ("failed", "passed")
        ]
        html = MarkdownIt("gfm-like", {"linkify": False}).render(
            markdown(document(make_gate(*verdicts, run=name)))
        )
        shown = name.replace("\n", "\\n").replace("<", "&lt;").replace(">", "&gt;")
        assert html.count(shown) >= 4
        assert html.count("<table>") == 2
        for tag in ("<script", "<code", "<a "):
            assert tag not in html

    def test_it_fits_into_a_comment(self):
        gate = make_gate(*(make_verdict("failed", f"subject {i:05d}") for i in range(5000)))
        text = markdown(document(gate))
        assert len(text) < 65_536
        assert "more failures left out here" in text


class TestData:
    def test_a_row_has_the_verdict_its_rule_and_all_numbers(self):
        table = pq.read_table(io.BytesIO(formats.render(document(GATE), Path("g.parquet"))))
        first, second, third = table.to_pylist()
        assert first | {"moved": "", "reason": ""} == {
            "status": "failed",
            "metric": "nearid",
            "subject": "cat",
            "method": None,
            "statistic": "score",
            "level": "subject",
            "on_fail": "error",
            "found": 0.8,
            "baseline": 0.81,
            "drop": 0.01,
            "drop_low": 0.0,
            "drop_high": 0.02,
            "expected": "score >= 0.600, drop <= 0.020",
            "min": 0.6,
            "max": None,
            "max_drop": 0.02,
            "confidence": None,
            "moved": "",
            "reason": "",
        }
        assert (first["reason"], first["moved"]) == ("score fell by 0.030", "cat -0.030")
        assert (second["status"], third["status"], third["subject"]) == ("warned", "passed", None)
        facts = json.loads(table.schema.metadata[b"nearid"])
        assert (facts["schema"], facts["passed"], "verdicts" in facts) == ("nearid.gate/2", False, False)

    def test_csv_has_the_same_rows(self):
        rows = list(csv.DictReader(io.StringIO(formats.render(document(GATE), Path("g.csv")).decode())))
        assert [row["status"] for row in rows] == ["failed", "warned", "passed"]
        assert (rows[0]["drop_high"], rows[0]["max"]) == ("0.02", "")

    def test_latex_has_what_a_terminal_shows(self):
        text = formats.render(document(GATE), Path("g.tex")).decode()
        assert r"\caption{Verdicts of nearid gate on run.json against base.json.}" in text
        assert (
            r"nearid score, subject cat & failed & 0.800 & 0.810 & 0.010 {[}0.000, 0.020{]} & score" in text
        )

    def test_a_page_has_what_failed_and_why_and_every_verdict(self):
        odd = make_verdict("failed", "<b>cat</b>", reason="too <i>low</i>")
        page = lxml.html.fromstring(
            formats.render(document(make_gate(odd, make_verdict())), Path("gate.html"))
        )
        assert page.findtext(".//h1") == "❌ nearid gate failed: 2 checks, 1 failed, 1 passed"
        assert page.xpath("string(//li)") == "nearid score, subject <b>cat</b>: too <i>low</i>"
        assert page.xpath("//tbody/tr/th/bdi/text()") == ["nearid score, subject <b>cat</b>", "nearid score"]
        assert page.xpath("//tbody/tr/td[1]/text()") == ["failed", "passed"]
        assert page.xpath("string(//details/summary)") == "1 passed"
        assert not page.xpath("//script | //i | //b")

    def test_copies_are_counted(self):
        copies = replace(
            make_verdict(found=3.0), rule=make_rule(statistic="copies", max=0), baseline=None, drop=None
        )
        assert "| copies | passed | 3 | score" in markdown(document(make_gate(copies)))


class TestAnnotations:
    def test_one_a_failure_and_a_warning(self):
        error, warning = github_annotations(GATE)
        assert error == (
            "::error title=nearid gate%3A nearid score%2C subject cat::score fell by 0.030%0A"
            "expected score >= 0.600, drop <= 0.020; found 0.800; baseline 0.810; drop 0.010 [0.000, 0.020]"
        )
        assert warning.startswith("::warning title=")

    def test_of_more_than_github_shows_the_last_counts_the_rest(self):
        many = make_gate(*(make_verdict("failed", f"s{i}") for i in range(25)), make_verdict("warned"))
        lines = github_annotations(many)
        assert [line.split(" ")[0] for line in lines] == ["::error"] * 10 + ["::warning"]
        assert lines[9].startswith("::error title=nearid gate%3A 16 more failed::")
        ten = make_gate(*(make_verdict("failed", f"s{i}") for i in range(10)))
        assert "more failed" not in "".join(github_annotations(ten))

    @given(st.text(st.characters()))
    def test_no_name_ends_the_command(self, name):
        (line,) = github_annotations(make_gate(make_verdict("failed", name, f"about {name}")))
        assert len(line.splitlines()) == 1
        properties, message = line.removeprefix("::error title=").split("::", 1)
        assert not set(",:\n\r") & set(properties)
        assert not re.search(r"%(?!25|0A|0D)", message)
        assert not re.search(r"%(?!25|0A|0D|3A|2C)", properties)


class TestTerminal:
    def test_what_a_person_sees(self, render):
        text = render(print_document, document(GATE), width=120)
        assert [line.rstrip() for line in text.splitlines()] == TERMINAL.splitlines()

    def test_numbers_are_whole_in_a_narrow_terminal(self, render):
        text = render(print_document, document(GATE), width=60)
        assert text.count("0.010 [0.000, 0.020]") == 2 + 3

    def test_numbers_stay_together_where_the_bounds_need_a_table_of_their_own(self, render):
        lines = render(print_document, document(GATE), width=74).splitlines()
        headers = [line.split() for line in lines if line.startswith("check ")]
        assert headers == [["check", "verdict", "found", "baseline", "drop"], ["check", "expected"]]

    def test_colours_only_in_a_terminal(self):
        from rich.console import Console

        console = Console(width=100, force_terminal=True, color_system="truecolor")
        with console.capture() as capture:
            print_document(document(GATE), console)
        assert "\x1b[1;31mFAILED" in capture.get()
