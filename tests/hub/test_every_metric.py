"""Every metric of the registry: pulled by its name, then scored with, without network."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from nearid_cli.encoders.registry import REGISTRY, SHIPPED
from tests.hub.conftest import Run
from tests.hub.repositories import REPOSITORIES, build
from tests.hub.simulated import SimulatedHub

NAMES = [name for name, metric in REGISTRY.items() if metric.text or not metric.plugin]
METRICS = {
    name: REGISTRY[name].checkpoint for name in NAMES if REGISTRY[name].checkpoint not in ("", SHIPPED)
}
TEXTS = [name for name in METRICS if REGISTRY[name].text]


def test_every_checkpoint_is_here() -> None:
    assert set(METRICS.values()) == set(REPOSITORIES)


def test_every_metric_can_be_pulled_and_scores(
    hub: SimulatedHub, run: Run, tmp_path: Path, data: Path, checkpoint: Callable[[str], Path]
) -> None:
    folders = {}
    for repo_id, (builder, _, _) in REPOSITORIES.items():
        hub.add(repo_id, build(repo_id, checkpoint))
        folders[repo_id] = shutil.move(
            tmp_path / "checkpoints" / builder, tmp_path / repo_id.replace("/", "-")
        )

    for subject in (tmp_path / "gens").iterdir():
        subject.rename(tmp_path / "aside")
        shutil.move(tmp_path / "aside", subject / f"a photo of a {subject.name}")  # prompts

    pulled = run("models", "pull", *(name for name in NAMES if name not in TEXTS))
    assert pulled.code == 0, pulled.err
    assert hub.asked("tokenizer") == hub.asked("merges") == []
    pulled = run("models", "pull", *NAMES)
    assert pulled.code == 0, pulled.err
    assert [line.partition(":")[0] for line in pulled.out.splitlines()] == NAMES
    fetched = {request.partition("name=")[2].partition("&")[0] for request in hub.asked("storage GET")}
    assert fetched == {"model.safetensors", "pytorch_model.bin"}
    assert len(hub.asked("storage GET")) == len(REPOSITORIES)  # once each, however many metrics read it
    assert hub.asked("README") == hub.asked(".py") == []
    assert len({*hub.asked("/vocab.json")}) == 2  # of both CLIPs, and of nobody else

    hub.requests.clear()
    scored = run("score", "refs", "gens", "-m", ",".join(NAMES), "--format", "json", HF_HUB_OFFLINE="1")
    assert scored.code == 0, scored.err
    result = json.loads(scored.out)
    assert [metric["name"] for metric in result["metrics"]] == NAMES
    scores = {name: figures["score"] for name, figures in result["aggregate"].items()}
    assert all(-1 <= scores[name] <= 1 for name in NAMES)
    assert hub.requests == []

    # The same weights as plain safetensors folders give the same numbers.
    local = [f"{name}={folders[repo_id]}" for name, repo_id in METRICS.items()]
    again = run("score", "refs", "gens", "-m", ",".join(local), "--format", "json", HF_HUB_OFFLINE="1")
    assert again.code == 0, again.err
    expected = {name: figures["score"] for name, figures in json.loads(again.out)["aggregate"].items()}
    assert {name: scores[name] for name in METRICS} == pytest.approx(expected, abs=1e-6)
