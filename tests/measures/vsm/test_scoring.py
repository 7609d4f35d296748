from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from nearid_cli.embedding.stamps import read_steadily
from nearid_cli.evaluate.maps import drawn
from nearid_cli.measures.vsm import VisualSemanticMatching
from nearid_cli.measures.vsm.features import DiffusionFeatures
from tests.commandline import Nearid
from tests.measures.vsm.tiny import change

pytestmark = pytest.mark.usefixtures("small_squares")


def opened(path: Path) -> Image.Image:
    with Image.open(path) as image:
        return image.convert("RGB")


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[Image.Image]:
    """The pictures that go through the networks."""
    seen: list[Image.Image] = []
    original = DiffusionFeatures.__call__

    def call(self: DiffusionFeatures, image: Image.Image, seed: int | None) -> Any:
        seen.append(image)
        return original(self, image, seed)

    monkeypatch.setattr(DiffusionFeatures, "__call__", call)
    return seen


@pytest.fixture
def pictures(tmp_path: Path, photographs: dict[str, Image.Image]) -> Path:
    """Two references and three generations of one subject."""
    for side, count, photograph in (("refs", 2, "astronaut"), ("gens", 3, "coffee")):
        for number in range(count):
            path = tmp_path / side / "one" / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            photographs[photograph].crop((0, 0, 300 + 20 * number, 300)).save(path)
    return tmp_path


def test_weights_of_a_folder_are_read_for_their_digest_once(
    nearid: Nearid, pictures: Path, vsm_copy: Callable[[], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint = vsm_copy()
    for file in checkpoint.rglob("*"):
        os.utime(file, (1e9, 1e9))
    read: list[str] = []

    def noting(path: Path, *how: Any) -> Any:
        read.append(path.name)
        return read_steadily(path, *how)

    monkeypatch.setattr("nearid_cli.embedding.memo.read_steadily", noting)
    run = ("score", "refs", "gens", "-m", f"vsm={checkpoint}", "--format", "json")
    first = json.loads(nearid(*run).out)
    assert "mtg_weights.safetensors" in read
    del read[:]
    assert json.loads(nearid(*run).out)["metrics"] == first["metrics"]
    assert read == []
    change(checkpoint / "mtg_weights.safetensors", **{"cleandift_model.timestep": torch.tensor(1.0)})
    nearid(*run)
    assert read == ["mtg_weights.safetensors"]


def test_each_picture_goes_through_the_networks_once(
    nearid: Nearid,
    pictures: Path,
    vsm_checkpoint: Path,
    passes: list[Image.Image],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = ("vsm", "vsm-0.5", "vsm-0.7")
    metrics = [word for name in names for word in ("-m", f"{name}={vsm_checkpoint}")]
    first = nearid("score", "refs", "gens", *metrics, "--format", "json")
    assert first.code == 0
    assert len(passes) == 2 + 3
    result = json.loads(first.out)
    by_name = {metric["name"]: metric for metric in result["metrics"]}
    assert [by_name[name]["kind"] for name in names] == ["pairwise"] * 3
    assert not by_name["vsm"]["symmetric"]
    assert "visual score > 0.5" in by_name["vsm-0.5"]["protocol"]
    assert len({metric["fingerprint"] for metric in by_name.values()}) == 3

    # Warm, nothing is loaded; with all pairs, too, for there is one subject.
    monkeypatch.setattr(VisualSemanticMatching, "load", lambda self, device: pytest.fail("loaded"))
    second = nearid("score", "refs", "gens", *metrics, "--format", "json", "--pairs", "all")
    assert json.loads(second.out)["aggregate"] == result["aggregate"]
    assert len(passes) == 2 + 3


def test_maps_show_what_the_score_counts(
    nearid: Nearid, pictures: Path, vsm_checkpoint: Path, passes: list[Image.Image]
) -> None:
    (pictures / "nearid.toml").write_text(
        '[metrics.strict]\nplugin = "nearid_cli.measures.vsm:VisualSemanticMatching"\n'
        f"checkpoint = {json.dumps(str(vsm_checkpoint))}\nsemantic_threshold = 0.8\nthreshold = 0.9\n"
    )
    finished = nearid("score", "refs", "gens", "-m", "strict", "--maps", "maps", "-o", "report.html")
    assert finished.code == 0, finished.err
    assert len(passes) == 2 + 3
    metric = VisualSemanticMatching(str(vsm_checkpoint), semantic_threshold=0.8, threshold=0.9)
    metric.load("cpu")
    with (pictures / "maps/maps.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["generation"] for row in rows] == [f"one/{number}.png" for number in range(3)]
    for row in rows[:1]:
        files = pictures / "refs" / row["reference"], pictures / "gens" / row["generation"]
        reference, generation = (metric.features(opened(file)) for file in files)
        score, grid = metric.compare(reference, generation), metric.map(reference, generation)
        assert float(row["score"]) == pytest.approx(score, abs=1e-9)
        shown = opened(pictures / "maps" / row["file"])
        assert np.array_equal(np.asarray(shown), np.asarray(drawn(opened(files[1]), grid)))
        assert 1 - np.nanmean(grid) == pytest.approx(score, abs=1e-6)


def test_masks_are_given_to_it_beside_whole_pictures(
    nearid: Nearid, pictures: Path, vsm_checkpoint: Path
) -> None:
    masks = {}
    for path in [*(pictures / "refs").rglob("*.png"), *(pictures / "gens").rglob("*.png")]:
        width, height = opened(path).size
        mask = Image.new("L", (width, height))
        mask.paste(255, (width // 4, height // 4, width, 3 * height // 4))
        target = pictures / "masks" / path.relative_to(pictures)
        target.parent.mkdir(parents=True, exist_ok=True)
        mask.save(target)
        masks[path] = mask
    metric = VisualSemanticMatching(str(vsm_checkpoint), semantic_threshold=0.8, threshold=0.9)
    metric.load("cpu")
    (pictures / "nearid.toml").write_text(
        '[metrics.strict]\nplugin = "nearid_cli.measures.vsm:VisualSemanticMatching"\n'
        f"checkpoint = {json.dumps(str(vsm_checkpoint))}\nsemantic_threshold = 0.8\nthreshold = 0.9\n"
    )
    finished = nearid(
        "score", "refs", "gens", "-m", "strict", "--masks", "masks", "--maps", "maps", "--format", "json"
    )
    assert finished.code == 0, finished.err
    result = json.loads(finished.out)
    features = {path: metric.features(opened(path), mask) for path, mask in masks.items()}
    references = [pictures / f"refs/one/{number}.png" for number in range(2)]
    for image in result["images"]:
        own = features[pictures / "gens" / image["path"]]
        expected = np.mean([metric.compare(features[reference], own) for reference in references])
        assert image["scores"]["strict"] == pytest.approx(expected, abs=1e-9)
    # Where nothing is said the whole picture is there, grey and dark.
    level = opened(pictures / "gens/one/0.png").convert("L").getpixel((0, 0))
    assert opened(pictures / "maps/strict/one/0.png").getpixel((0, 0)) == (round(0.4 * level),) * 3
