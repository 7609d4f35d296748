"""The metrics that docs/guides/extending.md shows, run as a reader would: one of each kind, through everything."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.commandline import Nearid
from tests.docs.markdown import blocks

PAGE = Path(__file__).parents[2] / "docs/guides/extending.md"
GENERATIONS = ("cat/at night.png", "cat/at noon.png", "cup/at night.png", "cup/at noon.png")


def pictures(folder: Path, names: list[str], seed: int) -> None:
    random = np.random.default_rng(seed)
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 255, (40, 40, 3), dtype=np.uint8)).save(path)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shown = blocks(PAGE)
    code = next(block for block in shown if block.language == "python")
    (tmp_path / "my_metrics.py").write_text(code.text)
    settings = next(block for block in shown if block.language == "toml")
    (tmp_path / "pyproject.toml").write_text(settings.text)
    pictures(tmp_path / "refs", ["cat/1.png", "cat/2.png", "cup/1.png", "cup/2.png"], 0)
    pictures(tmp_path / "gens", list(GENERATIONS), 1)
    votes = [{"path": name, "score": place + 1} for place, name in enumerate(GENERATIONS)]
    (tmp_path / "votes.json").write_text(json.dumps(votes))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_one_metric_of_each_kind(folder: Path, nearid: Nearid) -> None:
    pattern = ("--pattern", "{subject}/{prompt}.png")
    line = next(block for block in blocks(PAGE) if block.language == "console").text.strip()
    assert line.startswith("$ nearid score ")
    found = nearid(*line.removeprefix("$ nearid ").split(), *pattern)
    assert found.code == 0, found.err
    result = json.loads((folder / "run.json").read_text())
    assert [metric.get("kind", "embedding") for metric in result["metrics"]] == [
        "embedding",
        "pairwise",
        "text",
        "given",
    ]
    images = {image["path"]: image for image in result["images"]}
    assert set(images) == set(GENERATIONS)
    assert [images[name]["scores"]["votes"] for name in GENERATIONS] == [1, 2, 3, 4]
    assert result["aggregate"]["votes"]["score"] == 2.5
    assert images["cat/at noon.png"]["scores"]["night"] is None
    assert images["cat/at noon.png"]["reasons"] == {"night": "not about night"}
    assert result["aggregate"]["night"]["missing"] == 2
    grey = np.asarray(Image.open(folder / "gens/cat/at night.png").convert("L")).mean()
    assert images["cat/at night.png"]["scores"]["night"] == pytest.approx(1 - grey / 255, abs=1e-12)
    assert result["aggregate"]["colours"]["retention"] is None or "floor" in result["aggregate"]["colours"]
    assert result["aggregate"]["dssim"]["ceiling"] is not None
    assert result["aggregate"]["dssim"]["floor"] is None


def test_structural_dissimilarity_is_that_of_scikit_image(folder: Path, nearid: Nearid) -> None:
    from skimage.metrics import structural_similarity

    def grey(name: str) -> np.ndarray:
        return np.asarray(Image.open(folder / name).convert("L").resize((64, 64)))

    found = nearid("score", "refs", "gens", "-m", "dssim", "--format", "json")
    assert found.code == 0, found.err
    result = json.loads(found.out)
    for image in result["images"]:
        own = image["path"].split("/")[0]
        pairs = [
            (1 - structural_similarity(grey(f"refs/{own}/{n}.png"), grey(f"gens/{image['path']}"))) / 2
            for n in (1, 2)
        ]
        assert image["scores"]["dssim"] == pytest.approx(np.mean(pairs), abs=1e-12)
    ceiling = (1 - structural_similarity(grey("refs/cat/1.png"), grey("refs/cat/2.png"))) / 2
    (cat,) = (one for one in result["subjects"] if one["subject"] == "cat")
    assert cat["scores"]["dssim"]["ceiling"] == pytest.approx(ceiling, abs=1e-12)
