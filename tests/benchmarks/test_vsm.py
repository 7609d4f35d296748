"""Every benchmark, and Table 1, by Visual Semantic Matching with a tiny checkpoint: masks where the data have them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from nearid_cli.measures.vsm import features
from tests.benchmarks.nearid_sets import made
from tests.benchmarks.part_edits import part_edits
from tests.commandline import Nearid
from tests.measures.vsm.tiny import tiny_vsm
from tests.nearid_data.making import table


@pytest.fixture(autouse=True)
def small_squares(monkeypatch: pytest.MonkeyPatch) -> None:
    """What matters here is which pictures are compared; looking at large ones takes seconds."""
    monkeypatch.setattr(features, "SIZE", 192)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    return tiny_vsm(tmp_path_factory.mktemp("vsm") / "checkpoint")


@pytest.fixture
def sets(tmp_path: Path, photographs: dict[str, Image.Image], checkpoint: Path) -> Path:
    """Data of all three benchmarks, with few rows; the current folder of `nearid`."""
    made(photographs).save(tmp_path)
    (tmp_path / "mtg").mkdir()
    table(part_edits(rows=2)).to_parquet(tmp_path / "mtg/test-00000-of-00001.parquet")
    random = np.random.default_rng(0)
    for side in ("src_image", "tgt_image"):
        path = tmp_path / "samples/emu2" / side / "object_20_magic_cube/0_0.png"
        path.parent.mkdir(parents=True)
        Image.fromarray(random.integers(0, 255, (40, 40, 3), dtype=np.uint8)).save(path)
    (tmp_path / "nearid.toml").write_text(f'metric = ["vsm={checkpoint}"]\n')
    (tmp_path / "rows.json").write_text("[0]")
    return tmp_path


NEARID = ("--positives", "NearID", "--distractors", "NearID-Qwen")


def test_table_1_has_a_row_of_it(nearid: Nearid, sets: Path) -> None:
    rest = ("--mtg", "mtg", "--rows", "rows.json")
    finished = nearid("bench", "table1", "-o", "out", *NEARID, *rest)
    assert finished.code == 0, finished.err
    (row,) = json.loads((sets / "out/table1.json").read_text())["rows"]
    assert row["name"] == "VSM"
    assert all(row["ours"][column] is not None for column in ("ssr", "pa", "mtg_mo", "mtg_ssr", "mtg_pa"))
    records = [json.loads(path.read_text())["request"] for path in (sets / "out").rglob("*.made.json")]
    assert sorted(record["masks"] for record in records) == ["foreground", "object"]


def test_dreambench_takes_the_source_for_the_reference(nearid: Nearid, sets: Path, checkpoint: Path) -> None:
    finished = nearid("bench", "dreambench", "--samples", "samples", "-o", "out")
    assert finished.code == 0, finished.err
    (scored,) = json.loads((sets / "out/summary.json").read_text())["scored"]
    pair = [f"samples/emu2/{side}/object_20_magic_cube/0_0.png" for side in ("src_image", "tgt_image")]
    direct = json.loads(nearid("pair", *pair, "--format", "json").out)["similarity"]["vsm"]
    assert scored["mean"] == pytest.approx(100 * direct, abs=1e-9)
