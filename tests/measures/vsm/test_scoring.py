from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from nearid_cli.measures.vsm import VisualSemanticMatching
from nearid_cli.measures.vsm.features import DiffusionFeatures
from tests.commandline import Nearid


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
