"""The table of docs/explanation/statistics.md names the test of every claim."""

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
PAGE = TESTS.parent / "docs" / "explanation" / "statistics.md"
TABLE = "## What is promised and what was measured"


def rows():
    section = PAGE.read_text(encoding="utf-8").partition(TABLE)[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_every_claim_says_what_is_promised_what_was_measured_and_where():
    found = rows()
    assert len(found) >= 15
    assert {len(row) for row in found} == {5}
    assert found[0][0]
    assert found[0][1]
    assert found[0][4]
    for _, _, shape, measured, _ in found:
        assert shape
        assert measured


def test_every_test_named_is_there_and_every_simulation_is_named():
    named = {name for *_, test in rows() for name in re.findall(r"[\w/]+\.py", test)}
    assert [name for name in sorted(named) if not (TESTS / name).is_file()] == []
    simulations = {f"simulations/{path.name}" for path in Path(__file__).parent.glob("test_*.py")}
    assert simulations - named == {"simulations/test_page.py"}
