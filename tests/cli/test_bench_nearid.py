"""`nearid bench nearid` as its users meet it."""

from __future__ import annotations

import csv
import json
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from nearid_cli.cli.app import main
from tests.commandline import Nearid
from tests.faces import write_face_models

DATA = ("--positives", "data/positives", "--distractors", "data/distractors")
METRICS = ("--metric", "nearid-mini", "--metric", "hog")


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rendered") / "data"
    assert (
        main(["synth", str(folder), "--as", "dataset", "--identities", "6", "--size", "24", "--workers", "1"])
        == 0
    )
    return folder


@pytest.fixture
def data(rendered: Path, tmp_path: Path) -> Path:
    """The folder in which `nearid` runs, with rendered data sets in `data/`."""
    shutil.copytree(rendered, tmp_path / "data")
    return tmp_path


def test_rendered_data_from_end_to_end(nearid: Nearid, data: Path) -> None:
    finished = nearid(
        "bench", "nearid", *DATA, *METRICS, "--mode", "fullneg", "--masks", "foreground", "-o", "out"
    )
    assert finished.code == 0, finished.err
    names = sorted(path.relative_to(data / "out").as_posix() for path in (data / "out").rglob("*.*"))
    stems = [f"distractors/sims_foreground_trainall_fullneg_{metric}" for metric in ("hog", "nearid-mini")]
    tables = ("categories", "differences", "groups", "similarities", "sources")
    assert names == sorted(
        [f"{stem}{end}" for stem in stems for end in (".csv", ".csv.made.json", ".parquet")]
        + [f"{table}.{end}" for table in tables for end in ("csv", "md", "tex")]
        + ["summary.json"]
    )
    with (data / "out" / f"{stems[1]}.csv").open(newline="") as file:
        header, *samples = csv.reader(file)
    assert header == (
        ["sample_id", "category", "n_pos", "n_neg", "sim_01", "sim_02", "sim_12"]
        + [f"cross_{i}{j}" for i in range(3) for j in range(3)]
        + ["neg_sim_01", "neg_sim_02", "neg_sim_12"]
    )
    assert len(samples) == 6
    assert all(len(sample) == len(header) and all(sample) for sample in samples)
    summary = json.loads((data / "out/summary.json").read_bytes())
    assert {cell["method"] for cell in summary["cells"]} == {"nearid-mini", "hog"}
    assert [(one["against"], one["number"]) for one in summary["differences"]] == [
        (summary["metrics"][0]["name"], "ssr"),
        (summary["metrics"][0]["name"], "pa"),
    ]
    assert "in percent points, over the trials that both had" in finished.out
    assert "nearid-mini" in finished.out
    assert finished.out.endswith(
        "\nsplit train, rows all; mode fullneg, masks foreground, slots as in the data\n"
    )
    # Done before: the same numbers, from the files. Another command reads them too.
    again = nearid(
        "bench", "nearid", *DATA, *METRICS, "--mode", "fullneg", "--masks", "foreground", "-o", "out"
    )
    assert (again.code, again.out, again.err) == (0, finished.out, "")
    assert finished.out.startswith(nearid("bench", "tables", "out").out)


def test_json_on_stdout_and_no_files(nearid: Nearid, data: Path) -> None:
    before = sorted(data.iterdir())
    finished = nearid("bench", "nearid", *DATA, "--metric", "hog", "--format", "json", "--max-samples", "4")
    assert finished.code == 0, finished.err
    result = json.loads(finished.out)
    assert result["schema"] == "nearid.bench.nearid/2"
    assert result["inputs"]["max_samples"] == 4
    assert [one["samples"] for one in result["similarities"]] == [4]
    assert sorted(data.iterdir()) == before


def test_views_alone(nearid: Nearid, data: Path) -> None:
    positives = ("--positives", "data/positives", "--mode", "positives", "--metric", "hog", "-o", "out")
    finished = nearid("bench", "nearid", *positives)
    assert finished.code == 0, finished.err
    assert "two views" in finished.out
    assert "6 of 6" in finished.out
    found = pd.read_csv(data / "out/positives/sims_image_trainall_positives_hog.csv")
    assert list(found.columns) == ["sample_id", "category", "n_pos", "n_neg", "sim_01", "sim_02", "sim_12"]
    assert found["n_neg"].tolist() == [0] * 6
    table = pd.read_csv(data / "out/similarities.csv")
    sims = found[["sim_01", "sim_02", "sim_12"]].to_numpy()
    assert table["mean_sim"].tolist() == [pytest.approx(sims.mean())]


def test_a_process_that_is_killed_goes_on(
    nearid: Nearid, process: Callable[..., subprocess.Popen[str]], data: Path
) -> None:
    """Killed at any moment, what is there is whole, and the next run gives what an undisturbed one gives."""
    command = ("bench", "nearid", *DATA, "--metric", "hog")
    started = process(*command, "-o", "out", NEARID_CACHE=str(data / "cache"), OMP_NUM_THREADS="1")
    deadline = time.monotonic() + 60
    while (
        not list(data.glob("cache/embeddings/*/*")) and started.poll() is None and time.monotonic() < deadline
    ):
        time.sleep(0.005)
    started.kill()
    started.communicate()
    whole = nearid(*command, "-o", "whole")
    finished = nearid(*command, "-o", "out", "--cache", "cache")
    assert (finished.code, finished.out) == (0, whole.out)
    name = "distractors/sims_image_trainall_full_hog.csv"
    assert (data / "out" / name).read_bytes() == (data / "whole" / name).read_bytes()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((*DATA, "--mode", "all"), 'unknown mode "all"'),
        ((*DATA, "--masks", "black"), 'unknown masks "black"'),
        ((*DATA, "--format", "yaml"), 'unknown format "yaml"'),
        (DATA[:2], "mode full compares views with distractors: add --distractors, or --mode positives"),
        ((*DATA, "--distractors", "other/distractors"), "every --distractors needs a source of its own"),
        ((*DATA, "--split", "test"), 'data/positives has no split "test"; it has train'),
        ((*DATA, "--rows", "rows.json"), "rows.json lists 1 row that the data set does not have"),
        ((*DATA[:3], "data/positives"), "data/positives: expected picture columns nimg1 to nimg3"),
        ((*DATA[:3], "nothing"), "no data set nothing: no such file or folder, and not a Hub id"),
    ],
)
def test_what_cannot_be_done(nearid: Nearid, data: Path, arguments: tuple[str, ...], message: str) -> None:
    (data / "rows.json").write_text("[0, 6]")
    finished = nearid("bench", "nearid", *arguments, "--metric", "hog")
    assert finished.error.startswith(message)


def test_an_output_folder_that_cannot_be(nearid: Nearid, data: Path) -> None:
    (data / "out").write_text("")
    finished = nearid("bench", "nearid", *DATA, "--metric", "hog", "-o", "out")
    assert finished.error.startswith("cannot make the folder out: ")


def test_what_has_no_embedding_stops_it_in_a_sentence(nearid: Nearid, data: Path) -> None:
    write_face_models(data / "faces")
    finished = nearid("bench", "nearid", *DATA, "-m", "face=faces", "-o", "out")
    assert finished.error == "a benchmark needs every picture, and some have no embedding"
    (line,) = finished.details
    assert re.match(r"face: \d+ pictures \(no face\), such as ", line)


def test_by_label(nearid: Nearid, data: Path) -> None:
    command = ("bench", "nearid", "--positives", "data/positives", "--distractors", "data/distractors")
    hog = ("--metric", "hog", "-o", "out")
    wrong = nearid(*command, *hog, "--by", "categry")
    assert (wrong.code, wrong.out) == (2, "")
    assert 'unknown label "categry": did you mean category?' in wrong.err
    finished = nearid(*command, *hog, "--by", "category", "-o", "all.json")
    assert finished.code == 0, finished.err
    groups = json.loads((data / "all.json").read_text())["label_groups"]
    assert sum(one["samples"] for one in groups) == 6
    for one in groups:
        assert f"category {one['labels']['category']}" in finished.out
        assert one["scores"]["hog"]["ssr_ci95"] is None or one["samples"] > 2
