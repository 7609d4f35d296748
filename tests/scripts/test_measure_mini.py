"""The measurement of docs/explanation/nearid-mini.md, on a tiny run."""

from __future__ import annotations

import json
import runpy
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.fixture
def main(monkeypatch: pytest.MonkeyPatch) -> Callable[[list[str]], None]:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    found: Callable[[list[str]], None] = runpy.run_path(str(SCRIPTS / "measure_mini.py"))["main"]
    return found


def test_a_tiny_run(
    main: Callable[[list[str]], None],
    checkpoint: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    data, file = tmp_path / "data", tmp_path / "figures.json"
    arguments = [
        *("--data", str(data), "--identities", "6", "--size", "32", "--workers", "1"),
        *("--metric", f"tiny={checkpoint}", "--metric", "hog", "--json", str(file)),
    ]
    main(arguments)
    first = capsys.readouterr().out
    figures = {(row["test"], row["metric"]): row for row in json.loads(file.read_text())["figures"]}
    tests = {test for test, _ in figures}
    assert {(test, metric) for test in tests for metric in ("tiny", "hog")} == set(figures)
    assert {"easy, seen families", "easy, unseen families", "photographs, region"} <= tests
    levels = [
        figures[f"mixed, seen families: {level}", "hog"]["samples"] for level in ("easy", "medium", "hard")
    ]
    assert sum(levels) == figures["mixed, seen families", "hog"]["samples"] == 6
    # The context is shared to the pixel, which is all that HOG sees.
    assert figures["easy, seen families", "hog"]["pa"] < 0.5
    rows = [line.split(" | ")[0].removeprefix("| ") for line in first.splitlines()[2:]]
    assert rows == [test for test, _ in figures]

    made = sorted(path.stat().st_mtime_ns for path in data.glob("*/manifest.csv"))
    main(arguments)
    assert capsys.readouterr().out == first
    assert sorted(path.stat().st_mtime_ns for path in data.glob("*/manifest.csv")) == made


def test_a_look_alike_shares_the_context_of_its_view(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    runpy.run_path(str(SCRIPTS / "photograph_cutouts.py"))["write_cutouts"](tmp_path / "set", 48, 5)
    views = sorted((tmp_path / "set" / "references").glob("*/*.png"))
    assert len(views) == 3 * 3 * 5
    for view in views:
        other = tmp_path / "set" / "distractors" / view.relative_to(tmp_path / "set" / "references")
        one, two = (np.asarray(Image.open(path)) for path in (view, other))
        differs = (one != two).any(axis=-1)
        rows, columns = np.flatnonzero(differs.any(axis=1)), np.flatnonzero(differs.any(axis=0))
        side = round(48 * 0.75) + 1
        assert 0 < rows[-1] - rows[0] <= side
        assert 0 < columns[-1] - columns[0] <= side
        assert differs.mean() > 0.04
