"""`--log` of every command, in real processes; what was kept is read back by the trackers' own packages."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from nearid_cli.results.reading import read_score
from nearid_cli.trackers.kinds.trackio import Trackio
from tests.benchmarks.similarity_files import published_rows, write_published
from tests.commandline import Nearid
from tests.trackers.conftest import Run
from tests.trackers.test_scalars import expected
from tests.tracking import Kept, event_folder, mlflow_runs, trackio_runs, wandb_runs

needs_trackio = pytest.mark.skipif(
    importlib.util.find_spec(Trackio.name) is None,
    reason="trackio takes Pillow 12, and is not among what the tests install",
)
RULES = """
[[gate.rules]]
metric = "hog"
min = 0.999
"""
SCORE = ("score", "refs", "gens", "--metric", "hog")


def all_of(tmp_path: Path) -> dict[str, Kept]:
    """The only run of each tracker."""
    (wandb,) = wandb_runs(tmp_path)
    (mlflow,) = mlflow_runs(f"sqlite:///{tmp_path}/mlflow.db")
    return {"wandb": wandb, "mlflow": mlflow, "tensorboard": event_folder(tmp_path / "events")}


def same(kept: Kept, numbers: dict[str, float]) -> None:
    """The scalars of a run, all at the first step, are these."""
    assert kept.scalars.keys() == numbers.keys()
    rounded = np.float32 if kept.name == "events" else float  # TensorBoard knows no other numbers
    for name, value in numbers.items():
        assert kept.scalars[name] == [(0, float(rounded(value)))], name


def test_a_score_result_with_a_failed_gate_is_in_all_of_them(run: Run, data: Path) -> None:
    (data / "rules.toml").write_text(RULES)
    logs = ("--log", "wandb,tensorboard=events", "--log", "mlflow")
    done = run(*SCORE, "--gate", "rules.toml", *logs, "--format", "json", "-o", "run.json", "-o", "run.csv")
    assert done.code == 1, done.err  # the gate's
    assert json.loads(done.out) == json.loads((data / "run.json").read_text())  # and nothing else
    result = read_score(data / "run.json")
    numbers = expected(result) | {"gate/passed": 0, "gate/failed": 1, "gate/warned": 0}
    numbers["gate/hog/score/found"] = result.aggregate["hog"].score or 0.0
    (metric,) = result.metrics
    found = all_of(data)
    for name, kept in found.items():
        same(kept, numbers)
        folder = "result/" if name == "mlflow" else ""
        assert kept.files[f"{folder}report.html"].startswith(b"<!doctype html>")
        assert kept.files[f"{folder}result.json"] == (data / "run.json").read_bytes()
        assert kept.files[f"{folder}score.csv"] == (data / "run.csv").read_bytes()
    wandb, mlflow, events = found["wandb"], found["mlflow"], found["tensorboard"]
    assert (wandb.project, wandb.name, mlflow.name) == ("nearid", "score gens", "score gens")
    for kept in (wandb, mlflow):
        assert kept.config["nearid/metrics/hog/fingerprint"] == metric.fingerprint
        assert kept.summary["nearid/gate"] == "failed"
        assert kept.summary["nearid/created"] == result.created
    assert metric.fingerprint in events.summary["result/made by"]
    assert "| failed |" in events.summary["result/made by"]
    columns, rows = wandb.tables["result/score table"]
    assert [row[columns.index("subject")] for row in rows] == ["cat", "cup", "ship"]
    assert [row[columns.index("hog_score")] for row in rows] == [
        one.scores["hog"].score for one in result.subjects
    ]
    assert "| cat | 2 | 3 |" in events.summary["result/score table"]
    worst = min(result.images, key=lambda image: image.scores["hog"] or 0)
    for kept in (wandb, events):
        assert sorted(kept.pictures) == [f"result/worst/{place}" for place in range(1, 9)]
    assert wandb.pictures["result/worst/1"].startswith(f"{worst.path}: hog ")
    assert f"| result/worst/1 | {worst.path}: hog " in events.summary["result/captions"]
    assert sum(name.endswith(".png") for name in mlflow.files) == 8
    assert mlflow.files["result/pictures.txt"].decode().startswith(f"worst/1.png  {worst.path}: hog ")
    assert mlflow.summary["status"] == "FINISHED"


def test_a_comparison_and_a_gate_are_logged(run: Run, data: Path) -> None:
    (data / "rules.toml").write_text(RULES)
    for subject in ("cat", "cup", "ship"):
        (data / "other" / subject).mkdir(parents=True)
        (data / "gens" / subject / "2.png").rename(data / "other" / subject / "0.png")
    methods = ("--method", "ours=gens", "--method", "theirs=other", "--refs", "refs", "--metric", "hog")
    done = run("compare", *methods, "--log", "tensorboard=compared", "-o", "run.json")
    assert done.code == 0, done.err
    whole = json.loads((data / "run.json").read_text())
    compared = event_folder(data / "compared")
    (one,) = whole["comparisons"]
    delta = compared.number(f"hog/against {one['baseline']}/{one['method']}/delta")
    assert delta == np.float32(one["delta"])
    for method in whole["methods"]:
        own = compared.number(f"hog/by method/{method['name']}/score")
        assert own == np.float32(method["result"]["aggregate"]["hog"]["score"])
    assert {name.split("/")[2] for name in compared.pictures} == {"ours", "theirs"}

    done = run("gate", "run.json", "--config", "rules.toml", "--log", "tensorboard=judged")
    assert done.code == 1, done.err
    judged = event_folder(data / "judged")
    assert (judged.number("gate/failed"), judged.number("gate/passed")) == (1, 0)
    assert "| failed |" in judged.summary["result/made by"]


def test_every_number_of_the_tables_of_a_benchmark(nearid: Nearid, tmp_path: Path) -> None:
    for seed, folder in enumerate(("NearID-Flux", "own")):
        name = "sims_image_testall_fullneg_org~model.csv"
        write_published(tmp_path / "sims" / folder / name, published_rows(np.random.default_rng(seed), 12))
    done = nearid("bench", "tables", "sims", "-o", "out", "--log", "tensorboard=events")
    assert done.code == 0, done.err
    kept = event_folder(tmp_path / "events")
    tables = {path.stem: pd.read_csv(path) for path in (tmp_path / "out").glob("*.csv")}
    assert len(tables) == 3
    for label, table in tables.items():
        assert f"result/{label} table" in kept.summary
        numbers = table.select_dtypes("number")
        for column in numbers:
            own = [value for name, value in of(kept, label, column)]
            assert sorted(own) == sorted(np.float32(numbers[column].dropna()).tolist()), column
    (pooled,) = [row for _, row in tables["groups"].iterrows() if row["name"] == "all"]
    (name,) = [name for name, _ in of(kept, "groups", "ssr") if "/all/" in name]
    assert name.startswith("nearid-bench/groups/all/org_model-")
    assert kept.number(name) == np.float32(pooled["ssr"])


def of(kept: Kept, label: str, column: str) -> list[tuple[str, float]]:
    """The numbers of a column of a table, by their names."""
    named = [name.split("/") for name in kept.scalars]
    found = ["/".join(name) for name in named if (name[1], name[-1]) == (label, column)]
    return [(name, kept.number(name)) for name in found]


def test_files_of_mlflow_are_read_by_its_client(
    run: Run, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")  # which MLflow itself asks for
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "identity of pets")
    monkeypatch.setenv("MLFLOW_RUN_NAME", "monday")
    for subject, name in (("cat", "Ünï & co"), ("cup", "a_b")):
        for side in ("refs", "gens"):
            (data / side / subject).rename(data / side / name)
    uri = (data / "store").as_uri()
    done = run(*SCORE, "--log", f"mlflow={uri}", "-o", "run.json")
    assert done.code == 0, done.err
    (kept,) = mlflow_runs(uri, "identity of pets")
    assert kept.name == "monday"
    result = read_score(data / "run.json")
    numbers = {
        name.replace("Ünï & co", "Ünï _ co-0f4c7d39"): value for name, value in expected(result).items()
    }
    (odd,) = {name.split("/")[2] for name in kept.scalars if "Ünï" in name}
    assert odd.startswith("Ünï _ co-")
    same(kept, {name.replace("Ünï _ co-0f4c7d39", odd): value for name, value in numbers.items()})


NAMES = [
    "a/b",
    "a_b",
    "a:b",
    "..",
    ".",
    "",
    "x" * 300,
    "x" * 299 + "y",
    "a\nb",
    "\udcff",
    "Cat",
    "cat",
    "|p|",
    "<b>",
    "馬",
]
AWKWARD = """
import sys
from dataclasses import replace
import nearid_cli
from nearid_cli.results import Subjects
from tests.trackers.test_kinds import NAMES
result = nearid_cli.score("refs", "gens", metrics=["hog"])
first = result.subjects[0]
scores = [{"ev/il": replace(first.scores["hog"], score=place / 64)} for place in range(len(NAMES))]
images = [replace(one, subject=name, scores={"ev/il": 0.5}) for one, name in zip(result.images, NAMES)]
result = replace(
    result,
    subjects=Subjects(replace(first, subject=name, scores=own) for name, own in zip(NAMES, scores)),
    images=tuple(images),
    metrics=(replace(result.metrics[0], name="ev/il", checkpoint="\\udcff"),),
    aggregate={"ev/il": result.aggregate["hog"]},
)
result.log("wandb", "mlflow", "tensorboard=events")
"""


def test_no_name_is_refused_or_lost(data: Path) -> None:
    done = subprocess.run([sys.executable, "-c", AWKWARD], cwd=data, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    for kept in all_of(data).values():
        found = {
            name: value
            for name in kept.scalars
            if name.startswith("ev_il-") and "/by subject/" in name and name.endswith("/score")
            for _, value in kept.scalars[name]
        }
        assert sorted(found.values()) == [place / 64 for place in range(len(NAMES))]


JOINING = """
import nearid_cli
from {package} import {start} as start
result = nearid_cli.score("refs", "gens", metrics=["hog"])
with start({arguments}) as run:
    log = {log}
    log({{"loss": 1.0}}, step=500)
    result.log("{package}", step=500)
    log({{"loss": 0.5}}, step=500)
    log({{"loss": 0.25}}, step=1000)
    result.log("{package}", step=750)  # late
    log({{"loss": 0.125}}, step=1001)
"""


@pytest.mark.parametrize("package", ["wandb", "mlflow"])
def test_an_open_run_is_joined_and_stays_open(data: Path, package: str) -> None:
    facts = {
        "wandb": {"start": "init", "arguments": "project='training'", "log": "run.log"},
        "mlflow": {"start": "start_run", "arguments": "", "log": "__import__('mlflow').log_metrics"},
    }[package]
    program = JOINING.format(package=package, **facts)
    done = subprocess.run([sys.executable, "-c", program], cwd=data, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert "less than the current step" not in done.stderr  # W&B would drop it
    if package == "wandb":
        (kept,) = wandb_runs(data)
        assert kept.project == "training"
        assert [value for _, value in kept.scalars["loss"]] == [
            0.5,
            0.25,
            0.125,
        ]  # one value a step, the last
    else:
        (kept,) = mlflow_runs(f"sqlite:///{data}/mlflow.db", "Default")
        assert kept.scalars["loss"] == [(500, 1.0), (500, 0.5), (1000, 0.25), (1001, 0.125)]
        assert kept.config == {}
        assert {name.split("/")[1] for name in kept.files} == {"step-500", "step-750"}
        assert "nearid/metrics/hog/fingerprint" in kept.summary
    assert [step for step, _ in kept.scalars["hog/score"]] == [500, 750]


@needs_trackio
def test_trackio_keeps_it_in_its_database(run: Run, data: Path) -> None:
    for _ in range(2):
        done = run(*SCORE, "--log", "trackio=pets", "--format", "json", "-o", "run.json")
        assert done.code == 0, done.err
        assert json.loads(done.out) == json.loads((data / "run.json").read_text())
    result = read_score(data / "run.json")
    kept = trackio_runs("pets")
    assert len(kept) == 2  # of one name, and yet two
    for one in kept:
        same(one, expected(result))
        assert one.config["nearid/metrics/hog/fingerprint"] == result.metrics[0].fingerprint
        assert len(one.pictures) == 8
        columns, rows = one.tables["result/score table"]
        assert [row[columns.index("subject")] for row in rows] == ["cat", "cup", "ship"]


def test_a_folder_of_events_grows_by_step(data: Path) -> None:
    import nearid_cli

    result = nearid_cli.score(data / "refs", data / "gens", metrics=["hog"])
    place = f"tensorboard={data / 'training'}"
    result.log(place, step=500)
    result.log(place, step=1000)
    found = event_folder(data / "training").scalars["hog/score"]
    assert [step for step, _ in found] == [500, 1000]
    reports = (data / "training").rglob("report.html")
    assert {path.parent.name for path in reports} == {"step-500", "step-1000"}


def test_two_at_once_are_two_runs(data: Path, process: Any) -> None:
    both = [process(*SCORE, "--log", "tensorboard") for _ in range(2)]
    for one in both:
        _, err = one.communicate()
        assert one.returncode == 0, err
    runs = list((data / "runs").iterdir())
    assert len(runs) == 2
    for folder in runs:
        assert len(event_folder(folder).scalars["hog/score"]) == 1


@pytest.mark.torture
def test_two_at_once_make_one_new_database(data: Path, process: Any) -> None:
    both = [process(*SCORE, "--log", "mlflow") for _ in range(2)]
    for one in both:
        _, err = one.communicate()
        assert one.returncode == 0, err
    kept = mlflow_runs(f"sqlite:///{data}/mlflow.db")
    assert len(kept) == 2
    assert all(len(one.scalars["hog/score"]) == 1 for one in kept)


def test_nothing_is_imported_or_written_without_it(run: Run, data: Path) -> None:
    done = run(*SCORE, "--format", "json")
    assert done.code == 0
    assert {path.name for path in data.iterdir()} == {"refs", "gens"}
    assert not list(Path(os.environ["HOME"]).iterdir())
