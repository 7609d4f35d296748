"""--preprocessing fast: other embeddings by their fingerprints, said wherever they are, and the same verdicts."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

import nearid_cli
from tests.commandline import Nearid

FAST = ("--preprocessing", "fast")


def test_the_result_and_the_cache_say_so_and_nothing_mixes(nearid: Nearid, data: Path, checkpoint: Path):
    metrics = ("-m", "mine=checkpoint")
    results = {}
    for name, options in (("exact", ()), ("fast", FAST)):
        done = nearid("score", "refs", "gens", *metrics, "-o", f"{name}.json", *options)
        assert done.code == 0, done.err
        results[name] = json.loads(Path(f"{name}.json").read_bytes())
    before, after = (results[name]["metrics"][0] for name in ("exact", "fast"))
    assert after["preprocessing"] == f"fast: {before['preprocessing']}"
    assert after["fingerprint"] != before["fingerprint"]
    near = [results[name]["aggregate"]["mine"]["score"] for name in ("exact", "fast")]
    assert near[0] == pytest.approx(near[1], abs=2e-4)
    assert near[0] != near[1]
    assert nearid("cache", "info").out.count("float32, fast") == 2  # with the perceptual hash
    assert nearid("cache", "verify", "--recompute", "1000").out.splitlines()[1:] == [
        "60 embeddings came out the same again to the last bit"
    ]
    refused = nearid("compare", "exact.json", "fast.json")
    assert "1 metric not the same as in exact; score all methods with the same" in refused.error
    assert all("preprocessing (fast: " in line for line in refused.details)
    Path("nearid.toml").write_text('[[gate.rules]]\nmetric = "mine"\nmax_drop = 0.5\n')
    gate = nearid("gate", "fast.json", "--baseline", "exact.json")
    assert gate.code == 1
    assert "mine is of pictures prepared otherwise: run fast: resize" in " ".join(gate.out.split())


def test_without_the_package_it_says_what_to_install(nearid: Nearid, data: Path, monkeypatch):
    monkeypatch.setitem(sys.modules, "cykooz_resizer", None)
    for arguments in (
        ("score", "refs", "gens"),
        ("embed", "refs", "-o", "x.parquet"),
        ("pair", "refs/cat/0.jpg", "refs/cat/1.jpg"),
    ):
        done = nearid(*arguments, "-m", "hog", *FAST)
        assert done.error == "--preprocessing fast needs its package: pip install 'nearid-cli[fast]'"


def test_words_environment_and_configuration(nearid: Nearid, data: Path, checkpoint: Path, monkeypatch):
    pair = ("pair", "refs/cat/0.jpg", "refs/cat/1.jpg", "-m", "mine=checkpoint")
    assert nearid(*pair, "--preprocessing", "quick").error == (
        "--preprocessing must be exact or fast, found 'quick'"
    )
    Path("nearid.toml").write_text('preprocessing = "fast"\n')
    assert ["fast: " in nearid(*pair, "--format", "json").out] == [True]
    monkeypatch.setenv("NEARID_PREPROCESSING", "exact")
    assert ["fast: " in nearid(*pair, "--format", "json").out] == [False]


def test_an_encoder_in_python_embeds_as_the_command_does(
    nearid: Nearid, checkpoint: Path, photographs, tmp_path
):
    for name in ("astronaut", "coffee"):
        photographs[name].resize((640, 480)).save(tmp_path / f"{name}.jpg")
    pictures = sorted(tmp_path.glob("*.jpg"))
    done = nearid("embed", *pictures, "-m", "mine=checkpoint", "-o", "x.parquet", *FAST)
    assert done.code == 0, done.err
    encoder = nearid_cli.load_encoder(f"mine={checkpoint}", device="cpu", preprocessing="fast")
    exact = nearid_cli.load_encoder(f"mine={checkpoint}", device="cpu")
    found = encoder.embed(pictures)
    written = pq.read_table("x.parquet").column("embedding").to_pylist()
    assert np.array_equal(found, np.array(written, np.float32))
    assert not np.array_equal(found, exact.embed(pictures))
    held = encoder.embed([Image.open(path).convert("RGB") for path in pictures])
    assert not np.array_equal(found, held)  # pictures in memory come whole
