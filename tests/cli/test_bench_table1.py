"""`nearid bench table1`: the numbers of the three benchmarks in one table, and what is missing by name."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nearid_cli.benchmarks.table1.result import COLUMNS, published
from tests.benchmarks.nearid_sets import made
from tests.benchmarks.part_edits import Columns, part_edits
from tests.commandline import Nearid
from tests.nearid_data.making import table
from tests.rating import group_file, metric_key, save

ITEMS = [f"object_{subject:02d}_thing{subject}-{prompt}" for subject in range(6) for prompt in range(2)]


@pytest.fixture
def sets(tmp_path: Path, photographs: dict[str, Image.Image]) -> Path:
    """The data of all three benchmarks, small."""
    made(photographs).save(tmp_path)
    write_mtg(tmp_path, part_edits())
    random = np.random.default_rng(2)
    for method in ("emu2", "dreambooth_sd"):
        for number, item in enumerate(ITEMS):
            subject, _, prompt = metric_key(item).rpartition("-")
            source = list(photographs.values())[number % 4]
            for side, shift in (("src_image", 0), ("tgt_image", 7 * number)):
                path = tmp_path / "samples" / method / side / subject / f"{prompt}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                source.crop((shift, shift, source.width, source.height)).resize((40, 40)).save(path)
        for group in (1, 2):
            save(
                group_file(tmp_path / "ratings", group, method),
                {i: int(random.integers(0, 5)) for i in ITEMS},
            )
    return tmp_path


def write_mtg(folder: Path, columns: Columns) -> None:
    (folder / "mtg").mkdir(exist_ok=True)
    table(columns).to_parquet(folder / "mtg" / "test-00000-of-00001.parquet")


DATA = ("--positives", "NearID", "--distractors", "NearID-Flux_1024", "--distractors", "NearID-Qwen")
REST = ("--mtg", "mtg", "--samples", "samples", "--ratings", "ratings")


def test_all_benchmarks_in_one_table(nearid: Nearid, sets: Path) -> None:
    finished = nearid("bench", "table1", "-o", "out", *DATA, *REST, "--metric", "hog,nearid-mini")
    assert finished.code == 0, finished.err
    result = json.loads((sets / "out/table1.json").read_text())
    hog, mini = result["rows"]
    assert (hog["metric"], mini["metric"]) == ("hog", "nearid-mini")
    assert set(hog["ours"]) == set(COLUMNS)
    assert result["missing"] == []
    assert result["sources"] == ["flux_1024", "qwen"]

    # Each number is that of the benchmark by itself.
    assert nearid("bench", "nearid", *DATA, "--metric", "hog", "--mode", "fullneg", "-o", "alone").code == 0
    cells = json.loads((sets / "alone/summary.json").read_text())["cells"]
    (pool,) = [c for c in cells if (c["scope"], c["name"], c["category"]) == ("group", "all", None)]
    assert hog["ours"]["ssr"] == pytest.approx(100 * pool["ssr"])
    assert hog["ours"]["pa"] == pytest.approx(100 * pool["pa_published"])
    mtg = json.loads(nearid("bench", "mtg", "--data", "mtg", "--metric", "hog", "--format", "json").out)
    assert hog["ours"]["mtg_mo"] == mtg["scores"]["hog"]["mo"]
    people = nearid("bench", "dreambench", *REST[2:], "--metric", "hog", "--format", "json")
    (alignment,) = json.loads(people.out)["alignments"]
    assert hog["ours"]["mh"] == alignment["categories"][0]["mh"]
    assert f"hog: {pool['samples']} samples of NearID-Bench, Table 1 has 3,500" in finished.out
    assert "NearID-Bench pools 2 of the 7 sources of Table 1: flux_1024, qwen" in finished.out
    for ending in ("csv", "md", "tex"):
        assert "hog" in (sets / f"out/table1.{ending}").read_text()


def test_rows_of_the_data_set_s_own_split(nearid: Nearid, sets: Path) -> None:
    asked = nearid(
        "bench", "table1", "-o", "out", *DATA, "--mtg", "mtg", "-m", "hog", "--rows", "category=cup"
    )
    assert asked.code == 0, asked.err
    (row,) = json.loads((sets / "out/table1.json").read_text())["rows"]
    alone = (
        "bench",
        "nearid",
        *DATA,
        "-m",
        "hog",
        "--mode",
        "fullneg",
        "--rows",
        "category=cup",
        "-o",
        "alone",
    )
    assert nearid(*alone).code == 0
    cells = json.loads((sets / "alone/summary.json").read_text())["cells"]
    (pool,) = [c for c in cells if (c["scope"], c["name"], c["category"]) == ("group", "all", None)]
    assert row["ours"]["ssr"] == pytest.approx(100 * pool["ssr"])
    gone = nearid("bench", "table1", "-o", "out", *DATA, "-m", "hog", "--rows", "splits/test.json")
    assert (gone.code, gone.err) == (2, "error: no such file or folder\n  splits/test.json\n")


def test_a_second_run_reads_what_the_first_one_made(nearid: Nearid, sets: Path) -> None:
    command = ("bench", "table1", "-o", "out", *DATA, "--mtg", "mtg", "--metric", "hog")
    first = nearid(*command, "--format", "json")
    made_at = {path: path.stat().st_mtime_ns for path in (sets / "out").rglob("sims_*.csv")}
    assert len(made_at) == 3
    again = nearid(*command, "--format", "json", "--no-cache")
    assert {path: path.stat().st_mtime_ns for path in made_at} == made_at
    assert json.loads(again.out)["rows"] == json.loads(first.out)["rows"]


def test_what_is_missing_is_named_and_the_rest_is_done(nearid: Nearid, sets: Path) -> None:
    shutil.rmtree(sets / "NearID-Qwen")
    finished = nearid("bench", "table1", "-o", "out", *DATA, "--mtg", "nowhere", "--metric", "hog,clip-i")
    assert finished.code == 0, finished.err
    missing = [line for line in finished.out.splitlines() if line.startswith("missing: ")]
    assert [line.split(":")[1].strip() for line in missing] == [
        "NearID-Bench, NearID-Qwen", "clip-i", "MTG", "DreamBench++",
    ]  # fmt: skip
    with (sets / "out/table1.csv").open() as file:
        hog, clip = csv.DictReader(file)
    assert hog["ssr"]
    assert hog["mh"] == clip["ssr"] == clip["ssr_difference"] == ""
    assert float(clip["ssr_published"]) == 10.31


def test_a_missing_checkpoint_is_named_with_its_reason(nearid: Nearid, sets: Path) -> None:
    finished = nearid(
        "bench", "table1", "-o", "out", *DATA, "--mtg", "mtg", "-m", "hog,clip-i,mine=/no/where"
    )
    missing = [line for line in finished.out.splitlines() if line.startswith("missing: ")]
    assert missing[0].startswith("missing: clip-i: openai/clip-vit-large-patch14 is no folder here")
    assert missing[1].startswith("missing: mine: expected a folder with config.json")


def test_data_sets_are_named_even_where_no_checkpoint_is_here(nearid: Nearid, sets: Path) -> None:
    finished = nearid("bench", "table1", "-o", "out", *DATA, "--distractors", "o/NearID-SDXL", "-m", "clip-i")
    assert finished.code == 0, finished.err
    assert "missing: NearID-Bench: not here either: o/NearID-SDXL\n" in finished.out
    assert "missing: MTG: not here either: abdo-eldesokey/mtg-dataset\n" in finished.out


def test_what_stops_every_source_is_said_once(nearid: Nearid, sets: Path) -> None:
    finished = nearid("bench", "table1", "-o", "out", "--positives", "nowhere", *DATA[2:], "-m", "hog")
    assert finished.out.count("nowhere") == 1
    assert "missing: NearID-Bench: no data set nowhere" in finished.out


def test_differences_are_ours_minus_published(nearid: Nearid, sets: Path, checkpoint: Path) -> None:
    finished = nearid("bench", "table1", "-o", "out", *DATA, "--mtg", "mtg", "-m", "nearid=checkpoint")
    assert finished.code == 0, finished.err
    (row,) = json.loads((sets / "out/table1.json").read_text())["rows"]
    assert row["name"] == "NearID"
    with (sets / "out/table1.csv").open() as file:
        (cells,) = csv.DictReader(file)
    assert float(cells["ssr_difference"]) == pytest.approx(row["ours"]["ssr"] - 99.17)
    assert "NearID, published" in finished.out
    # What the authors find in float32 stands below, for the four numbers of MTG alone.
    float32 = {"mtg_mo": 0.454, "mtg_mo_pair": 0.475, "mtg_ssr": 34.0, "mtg_pa": 46.0}
    assert row["published_float32"] == float32
    for column, value in float32.items():
        assert float(cells[f"{column}_published_float32"]) == value
        assert float(cells[f"{column}_difference_float32"]) == pytest.approx(row["ours"][column] - value)
    assert "ssr_published_float32" not in cells
    shown = [line.split() for line in finished.out.splitlines()]
    (place,) = [n for n, line in enumerate(shown) if line[:4] == ["NearID,", "published", "in", "float32"]]
    assert shown[place][4:] == ["-", "-", "0.454", "0.475", "34.00", "46.00", "-"]
    assert shown[place + 1][0] == "difference"
    assert shown[place + 1][3] == f"{row['ours']['mtg_mo'] - 0.454:+.3f}"


def test_data_of_other_sources_are_not_pooled_in_silence(nearid: Nearid, sets: Path) -> None:
    (sets / "NearID-Qwen").rename(sets / "mine")
    finished = nearid(
        "bench", "table1", "-o", "out", *DATA[:2], "--distractors", "mine", "--mtg", "mtg", "--metric", "hog"
    )
    assert "and not mine" in finished.out


def test_a_bad_picture_is_no_missing_data(nearid: Nearid, sets: Path) -> None:
    columns = part_edits()
    columns["image_1_original"][0] = b"no picture"
    write_mtg(sets, columns)
    finished = nearid("bench", "table1", "-o", "out", *DATA, "--mtg", "mtg", "--metric", "hog")
    assert finished.code == 2
    assert "cannot be used" in finished.error


def test_a_folder_is_needed(nearid: Nearid, tmp_path: Path) -> None:
    finished = nearid("bench", "table1", "-o", tmp_path / "table1.md")
    assert finished.error == "Table 1 needs a folder for all that is computed: -o DIR"
    assert not list(tmp_path.glob("table1*"))


def test_a_usage_error_makes_no_folder(nearid: Nearid, tmp_path: Path) -> None:
    for name, wrong in (("mtg", "--masks"), ("nearid", "--mode"), ("tables", "--prefer")):
        given = {"nearid": ["--positives", "nowhere"], "tables": [tmp_path]}.get(name, [])
        assert nearid("bench", name, *given, wrong, "no", "-o", tmp_path / "out").code == 2
        assert not (tmp_path / "out").exists()


def test_the_published_numbers_are_those_of_the_paper() -> None:
    rows = published()["rows"]
    assert list(rows) == ["clip-i", "dino", "siglip2", "vsm", "nearid"]
    assert all(set(row) - {"float32"} == {"name", *COLUMNS} for row in rows.values())
    assert [name for name, row in rows.items() if "float32" in row] == ["nearid"]
    assert [row["mh"] for row in rows.values()] == [0.493, 0.492, 0.516, 0.190, 0.545]
