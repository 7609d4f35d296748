"""`vsm` and the Hub: its parts are fetched from three repositories, and only those that are needed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from nearid_cli.measures.vsm import VisualSemanticMatching
from nearid_cli.measures.vsm.parts import CLEANDIFT, MIND_THE_GLITCH, STABLE_DIFFUSION
from tests.commandline import Nearid
from tests.hub.conftest import Here
from tests.hub.simulated import SimulatedHub
from tests.measures.vsm.tiny import split, tiny_vsm

OWN = ("mtg_weights.safetensors", "experiment_cfg.yaml")
UNET = "cleandift_sd21_unet.safetensors"


@pytest.fixture(scope="module")
def _made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_vsm(tmp_path_factory.mktemp("vsm"))


@pytest.fixture
def parts(_made: Path, tmp_path: Path, hub: SimulatedHub, here: Here) -> Path:
    """All parts in a folder, and on the Hub in the repositories that published computations use."""
    folder = Path(shutil.copytree(_made, tmp_path / "parts"))
    split(folder)
    files = {
        file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()
    }
    hub.add(MIND_THE_GLITCH, {name: files.pop(name) for name in OWN} | {"README.md": b"# weights"})
    hub.add(CLEANDIFT, {UNET: files.pop(UNET), "cleandift_sd21_full.safetensors": b"much more"})
    hub.add(STABLE_DIFFUSION, files | {"unet/diffusion_pytorch_model.safetensors": b"not CleanDIFT's"})
    return folder


def test_pull_fetches_what_is_read_and_nothing_else(
    nearid: Nearid, parts: Path, hub: SimulatedHub, here: Here
) -> None:
    listed = nearid("models", "list").out
    assert [line.split()[:4] for line in listed.splitlines() if line.startswith("vsm ")] == [
        ["vsm", MIND_THE_GLITCH, "none", "no"]
    ]
    assert nearid("models", "pull", "vsm").code == 0
    fetched = {path.name for path in here.cache.rglob("*") if path.is_symlink()}
    wanted = {path.name for path in parts.rglob("*") if path.is_file()}
    assert fetched == wanted
    hub.requests.clear()
    here.offline()
    assert "vsm-0.7" in nearid("models", "list").out
    shown = nearid("models", "info", "vsm").out
    assert "latent: sample" in shown
    verified = nearid("models", "verify", "vsm")
    assert (verified.code, verified.err) == (0, "")
    metric, local = VisualSemanticMatching(), VisualSemanticMatching(str(parts))
    assert metric.revision == hub.repositories[MIND_THE_GLITCH].branches["main"]
    assert metric.features_version != local.features_version
    assert hub.requests == []


def test_each_part_that_cannot_be_had_is_named(nearid: Nearid, parts: Path, hub: SimulatedHub) -> None:
    hub.repositories.pop(CLEANDIFT)
    main = hub.repositories[STABLE_DIFFUSION].branches["main"]
    hub.repositories[STABLE_DIFFUSION].commits[main].pop("vae/config.json")
    finished = nearid("models", "pull", "vsm")
    assert finished.code == 2
    assert f"{UNET} of {CLEANDIFT}: not in the Hub cache, and cannot be fetched: " in finished.err
    assert f"of {STABLE_DIFFUSION}: not in the Hub cache, and cannot be fetched: " in finished.err
    assert f"{STABLE_DIFFUSION} has no vae/config.json" in finished.err


def test_a_new_commit_of_any_part_is_another_metric(
    nearid: Nearid, parts: Path, hub: SimulatedHub, here: Here
) -> None:
    first = VisualSemanticMatching().features_version
    hub.add(CLEANDIFT, {UNET: (parts / UNET).read_bytes(), "more": b"1"})
    assert VisualSemanticMatching().features_version == first
    finished = nearid("models", "pull", "vsm")
    assert "scores may change" in finished.err
    assert VisualSemanticMatching().features_version != first
    here.offline()
    again = nearid("models", "pull", "vsm")
    assert again.code == 0
    assert f"{CLEANDIFT} is here and stays as it is: " in again.err


def test_a_folder_lacking_parts_takes_them_from_the_hub(parts: Path, hub: SimulatedHub) -> None:
    shutil.rmtree(parts / "text_encoder")
    shutil.rmtree(parts / "tokenizer")
    metric = VisualSemanticMatching(str(parts))
    metric.load("cpu")
    asked = [request.split("/resolve/")[0] for request in hub.asked("hub GET") if "/resolve/" in request]
    assert asked
    assert all(STABLE_DIFFUSION in request for request in asked)
