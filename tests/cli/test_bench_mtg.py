"""`nearid bench mtg`: what it prints, writes and refuses."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import nearid_cli
from tests.benchmarks.part_edits import by_hand, mask, part_edits, written
from tests.commandline import Nearid

COMMAND = ("bench", "mtg", "--data", "mtg", "--split", "train", "--metric", "hog")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    columns = part_edits()
    columns["image_1_original"][1] = None
    columns["image_2_part_mask"][4] = None
    written(columns, tmp_path / "mtg")
    return tmp_path


def test_the_table_and_the_files(data: Path, nearid: Nearid) -> None:
    finished = nearid(*COMMAND, "-o", "out")
    assert (finished.code, finished.err) == (0, "")
    lines = finished.out.splitlines()
    assert lines[0].startswith("Edits of parts (MTG). MO: ")
    header = lines.index("") + 1
    assert lines[header].split() == ["metric", "MO", "MOpair", "pairs", "SSR", "samples", "PA", "trials"]
    assert "hog: 1 of 8 samples without a trial" in lines
    assert "oracles that are 0: 1 of 16 (no mask, an empty object, or all of it edited)" in lines

    summary = json.loads((data / "out/summary.json").read_text())
    found = summary["scores"]["hog"]
    cells = lines[header + 2].split()
    assert cells[0] == "hog"
    assert cells[1] == f"{found['mo']:.3f}"
    assert f"{100 * found['pa']:.1f}" in cells
    assert summary["inputs"] == {
        "data": "mtg",
        "split": "train",
        "rows": None,
        "masks": "none",
        "samples": 8,
        "skipped": [],
        "oracles": 16,
        "zero_oracles": 1,
        "negative_oracles": 0,
    }
    assert summary["files"] == {"hog": "MTG-Dataset/sims_image_train_mtg_hog.csv"}
    with (data / "out/table.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert float(row["mo_pair"]) == found["mo_pair"]
    assert float(row["mo_low"]) == found["mo_ci95"][0]
    assert float(row["r_s21p_o1"]) == found["correlations"][3]["r"]
    assert (row["samples"], row["trials"], row["r_s12p_o2_n"]) == ("7", "14", "7")
    assert "| hog | " in (data / "out/table.md").read_text()
    assert r"\label{tab:nearid-mtg-table}" in (data / "out/table.tex").read_text()
    similarities = data / "out/MTG-Dataset/sims_image_train_mtg_hog.csv"
    assert similarities.read_text().startswith("sample_id,mtg_ratio_1,mtg_oracle_1,")
    assert pq.read_table(similarities.with_suffix(".parquet")).num_rows == 8


def test_json_on_stdout_and_warnings_on_stderr(data: Path, nearid: Nearid) -> None:
    finished = nearid(*COMMAND, "--masks", "object", "--format", "json")
    assert finished.code == 0
    found = json.loads(finished.out)
    assert (found["schema"], found["inputs"]["masks"], found["files"]) == ("nearid.bench.mtg/2", "object", {})
    assert finished.err.splitlines() == [
        "warning: oracles that are 0: 1 of 16 (no mask, an empty object, or all of it edited)",
        "warning: hog: 1 of 8 samples without a trial",
    ]
    assert list(data.iterdir()) == [data / "mtg"]  # no output folder was asked for


def test_a_second_run_needs_neither_torch_nor_the_data_sets_library(data: Path, nearid: Nearid) -> None:
    assert nearid(*COMMAND, "--metric", "nearid-mini", "-o", "out").code == 0
    program = (
        "import sys; from nearid_cli.cli.app import main; code = main(sys.argv[1:]);"
        "print('heavy:', code, sorted({'torch', 'datasets', 'pandas', 'scipy'} & set(sys.modules)), file=sys.stderr)"
    )
    arguments = [*COMMAND, "--metric", "nearid-mini", "-o", "out"]
    finished = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, cwd=data
    )
    assert finished.stderr.splitlines() == [
        "hog: similarities of an earlier run, out/MTG-Dataset/sims_image_train_mtg_hog.csv",
        "nearid-mini: similarities of an earlier run, out/MTG-Dataset/sims_image_train_mtg_nearid-mini.csv",
        "heavy: 0 []",
    ]


def test_a_new_metric_beside_a_finished_one(data: Path, nearid: Nearid) -> None:
    nearid(*COMMAND, "-o", "out")
    finished = nearid(*COMMAND, "--metric", "nearid-mini", "-o", "out")
    assert (
        finished.err == "hog: similarities of an earlier run, out/MTG-Dataset/sims_image_train_mtg_hog.csv\n"
    )
    assert list(json.loads((data / "out/summary.json").read_text())["scores"]) == ["hog", "nearid-mini"]


def test_bad_pictures(tmp_path: Path, nearid: Nearid) -> None:
    columns = part_edits(4)
    columns["image_2_inpainted"][3] = columns["image_1_object_mask"][2] = b"?"
    written(columns, tmp_path / "mtg")
    failed = nearid(*COMMAND, "-o", "out")
    assert failed.error == (
        "2 pictures of 32 cannot be used; the others are embedded and cached. "
        "Mend or remove these, or go on without them: --skip-bad"
    )
    assert failed.details == [
        "mtg, row 2, column image_1_object_mask: not an image: text",
        "mtg, row 3, column image_2_inpainted: not an image: text",
    ]
    assert not (tmp_path / "out/summary.json").exists()
    finished = nearid(*COMMAND, "-o", "out", "--skip-bad")
    assert finished.code == 0
    assert "2 pictures skipped: mtg, row 2, column image_1_object_mask" in finished.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--masks", "foreground"], 'unknown masks "foreground": known: none, object'),
        (["--data", "nowhere/to-be-found"], "no data set nowhere/to-be-found: no such folder here"),
        (["--rows", "rows.json"], "rows.json cannot be read: No such file or directory"),
        (["--format", "yaml"], 'unknown format "yaml"'),
        (["--metric", "naerid"], 'unknown metric "naerid": did you mean nearid'),
    ],
)
def test_what_is_refused(data: Path, nearid: Nearid, arguments: list[str], message: str) -> None:
    assert nearid(*COMMAND, *arguments).error.startswith(message)


def test_an_output_that_is_a_file(data: Path, nearid: Nearid) -> None:
    (data / "out").write_text("")
    assert nearid(*COMMAND, "-o", "out").error.startswith("cannot make the folder out/MTG-Dataset: ")


def test_all_numbers_through_the_command_alone(tmp_path: Path, nearid: Nearid) -> None:
    columns = part_edits(6, seed=5)
    columns["image_1_object_mask"][0] = mask(0, 1)
    written(columns, tmp_path / "mtg")
    expected = by_hand(columns, nearid_cli.load_encoder("hog").embed)
    found = json.loads(nearid(*COMMAND, "--format", "json").out)["scores"]["hog"]
    for name in ("mo", "mo_pair", "ssr", "pa"):
        assert found[name] == pytest.approx(expected[name], abs=1e-6)
