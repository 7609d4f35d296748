"""Benchmarks take metrics that go pair by pair: hog that way has the numbers of hog."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nearid_cli.cli.app import main
from tests.benchmarks.part_edits import part_edits, written
from tests.commandline import Nearid


@pytest.fixture(autouse=True)
def plugged(tmp_path: Path) -> None:
    (tmp_path / "nearid.toml").write_text(
        "".join(
            f'[metrics.{name}]\nplugin = "tests.plugged:{kind}"\n'
            for name, kind in (
                ("pairs", "HogPairs"),
                ("distance", "HogDistance"),
                ("lopsided", "Lopsided"),
                ("length", "Length"),
            )
        )
    )


def test_nearid_bench(nearid: Nearid, tmp_path: Path) -> None:
    made = ("synth", str(tmp_path / "data"), "--as", "dataset", "--identities", "5", "--size", "24")
    assert main([*made, "--workers", "1"]) == 0
    data = ("--positives", "data/positives", "--distractors", "data/distractors", "--mode", "fullneg")
    finished = nearid("bench", "nearid", *data, "-m", "hog,pairs,distance,lopsided", "-o", "out")
    assert finished.code == 0, finished.err
    summary = json.loads((tmp_path / "out/summary.json").read_text())
    hog, pairs, distance, lopsided = summary["similarities"]
    for number in ("mean_sim", "mean_cross", "mean_neg_sim"):
        assert pairs[number] == pytest.approx(hog[number], abs=1e-6)
        assert distance[number] == pytest.approx(hog[number] - 1, abs=1e-6)
        assert lopsided[number] == pytest.approx(0, abs=1e-12)  # the mean of both directions
    cells = {
        cell["method"]: (cell["ssr"], cell["pa"])
        for cell in summary["cells"]
        if cell["scope"] == "source" and cell["category"] is None
    }
    assert cells["hog"] == cells["pairs"] == cells["distance"]
    protocols = {metric["name"]: metric["protocol"] for metric in summary["metrics"]}
    assert protocols["distance"] == "cosine of hog, pair by pair; negated"
    assert protocols["lopsided"].endswith("; mean of both directions")
    again = nearid("bench", "nearid", *data, "-m", "hog,pairs", "-o", "out")
    assert again.code == 0
    refused = nearid("bench", "nearid", *data, "-m", "hog,length", "-o", "out")
    assert "length does not compare pictures" in refused.error


def test_mtg(nearid: Nearid, tmp_path: Path) -> None:
    written(part_edits(), tmp_path / "mtg")
    finished = nearid(
        "bench", "mtg", "--data", "mtg", "--split", "train", "-m", "hog,pairs,distance", "-o", "out"
    )
    assert finished.code == 0, finished.err
    scores = json.loads((tmp_path / "out/summary.json").read_text())["scores"]
    for name in ("pairs", "distance"):
        for number in ("mo", "mo_pair", "ssr", "pa"):
            assert scores[name][number] == pytest.approx(scores["hog"][number], abs=1e-6), (name, number)


def test_dreambench(nearid: Nearid, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for place in range(3):
        for side in ("src_image", "tgt_image"):
            path = tmp_path / "samples/emu2" / side / "object_20_magic_cube" / f"{place}_0.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(random.integers(0, 255, (40, 40, 3), dtype=np.uint8)).save(path)
    finished = nearid("bench", "dreambench", "--samples", "samples", "-m", "hog,pairs,lopsided", "-o", "out")
    assert finished.code == 0, finished.err
    summary = json.loads((tmp_path / "out/summary.json").read_text())
    scored = {one["metric"]: one["mean"] for one in summary["scored"]}
    assert scored["pairs"] == pytest.approx(scored["hog"], abs=1e-4)
    assert scored["lopsided"] != pytest.approx(
        0, abs=1e-6
    )  # the source is the reference, and not the target, too
