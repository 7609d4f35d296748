"""Metrics compared with the first one on NearID-Bench, from files of similarities."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from nearid_cli.benchmarks.differences import compared, differences_table
from nearid_cli.benchmarks.tables.report import report
from nearid_cli.benchmarks.tables.similarities import Similarities, file_name, write_similarities
from nearid_cli.benchmarks.tables.tabulate import tabulate
from nearid_cli.metrics.margins import share_difference

SOURCES = ("NearID-Flux", "NearID-SDXL")


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """The file of the first source of three metrics, of 30 samples in two sources."""
    random = np.random.default_rng(0)
    three, found = np.full(30, 3), {}
    for checkpoint, shift in (("org/first", 0.1), ("org/better", 0.4), ("org/alike", 0.1)):
        for source in SOURCES:
            similarities = Similarities(
                sample_ids=tuple(map(str, range(30))),
                categories=("",) * 30,
                n_pos=three,
                n_neg=three,
                sim=random.normal(0.3 + shift, 0.1, (30, 3)),
                cross=random.normal(0.3, 0.1, (30, 3, 3)),
                neg_sim=np.full((30, 3), np.nan),
            )
            (tmp_path / source).mkdir(exist_ok=True)
            path = tmp_path / source / file_name("", "image", "test", None, "full", checkpoint)
            write_similarities(path, similarities)
            found.setdefault(checkpoint, path)
    return found


def test_each_method_minus_the_first_in_every_pool(files: dict[str, Path], tmp_path: Path) -> None:
    result = tabulate([tmp_path], against=files["org/first"])
    outcomes = {
        (cell.name, cell.method): cell.outcome
        for cell in result.cells
        if cell.scope == "group" and cell.category is None
    }
    assert {one.pool for one in result.differences} == set(result.groups)
    for one in result.differences:
        assert one.against == "org/first"
        ours, theirs = outcomes[one.pool, one.method], outcomes[one.pool, "org/first"]
        assert one.delta == pytest.approx(getattr(ours, one.number) - getattr(theirs, one.number), abs=1e-12)
        assert one.samples == 30  # sources share their samples
        assert one.ci95[0] < one.delta < one.ci95[1]
        assert one.p_adjusted >= max(one.p_holm, one.p_studentised)
        assert (one.method == "org/better") == (one.p_adjusted < 0.05)
    assert tabulate([tmp_path]).differences == ()


def test_differences_are_written(files: dict[str, Path], tmp_path: Path) -> None:
    result = tabulate([tmp_path], against=files["org/first"])
    (tmp_path / "out").mkdir()
    report(result).write(tmp_path / "out")
    with (tmp_path / "out/differences.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    held = json.loads((tmp_path / "out/summary.json").read_text(encoding="utf-8"))["differences"]
    assert len(rows) == len(held) == len(result.differences)
    assert [float(row["p_adjusted"]) for row in rows] == [one["p_adjusted"] for one in held]
    text = (tmp_path / "out/differences.md").read_text(encoding="utf-8")
    assert "Each metric minus org/first, in percent points" in text


def test_several_metrics_are_adjusted_by_holm() -> None:
    clear = share_difference([1] * 12, [0] * 10 + [1] * 2, [1] * 12)
    six = share_difference([1] * 12, [0] * 6 + [1] * 6, [1] * 12)
    none = share_difference([1] * 12, [1] * 12, [1] * 12)
    rows = compared("all", "a", {"b": {"ssr": six}, "c": {"ssr": clear}, "d": {"ssr": none}})
    assert [row.p_holm for row in rows] == [2 * six.p, 3 * clear.p, 1.0]
    assert rows[0].p_adjusted == max(2 * six.p, 2 * six.p_studentised)
    table = differences_table(rows[:1])
    assert [column.spelled(0) for column in table.shown_names] == ["all", "b", "SSR"]
    samples, difference, _ = (column.spelled(0) for column in table.shown)
    assert samples == "12"
    assert difference.startswith("+50.00 [+")
