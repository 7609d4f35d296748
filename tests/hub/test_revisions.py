"""Which commit of a branch is used: the one that was used before, until it is asked to change."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from huggingface_hub import snapshot_download

from nearid_cli.encoders import models
from tests.hub.conftest import Here
from tests.hub.simulated import SimulatedHub

Checkpoint = Callable[[str], Path]
REF = "models--org--model/refs/main"


@pytest.fixture
def old(hub: SimulatedHub, checkpoint: Checkpoint) -> str:
    return hub.add("org/model", checkpoint("dinov2"))


def move(hub: SimulatedHub, checkpoint: Checkpoint, old: str) -> str:
    """A new commit on the main branch."""
    files = dict(hub.repositories["org/model"].commits[old])
    return hub.add(
        "org/model", files | {"preprocessor_config.json": files["preprocessor_config.json"] + b"\n"}
    )


def test_score_stays_and_pull_moves_and_says_so(
    hub: SimulatedHub, here: Here, checkpoint: Checkpoint, old: str
) -> None:
    assert here.resolve("org/model")[0].revision == old
    new = move(hub, checkpoint, old)
    here.lines.clear()
    hub.requests.clear()
    assert here.resolve("org/model")[0].revision == old
    assert (hub.requests, here.lines) == ([], [])

    models.pull(["org/model"], notify=here.lines.append)
    assert here.lines[0] == (
        f"org/model@main: {old[:8]} -> {new[:8]}; scores may change. To stay: org/model@{old}"
    )
    assert here.resolve("org/model")[0].revision == new
    assert here.resolve(f"org/model@{old}")[0].revision == old
    assert (here.cache / REF).read_text() == new

    here.lines.clear()
    models.pull(["org/model"], notify=here.lines.append)
    assert here.lines == []


@pytest.mark.parametrize("files", [["config.json"], None])
@pytest.mark.parametrize("offline", [True, False])
def test_another_tool_moves_the_branch(
    hub: SimulatedHub,
    here: Here,
    checkpoint: Checkpoint,
    old: str,
    files: list[str] | None,
    offline: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here.resolve("org/model")
    new = move(hub, checkpoint, old)
    monkeypatch.setenv("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    snapshot_download("org/model", allow_patterns=files, cache_dir=here.cache)
    assert (here.cache / REF).read_text() == new
    if offline:
        here.offline()
    here.lines.clear()
    assert here.resolve("org/model")[0].revision == old
    assert here.lines == [
        f"org/model: another tool has moved main to {new[:8]} in the Hub cache; using {old[:8]}, as before. "
        "To update: nearid models pull org/model"
    ]


def test_a_branch_that_another_tool_left_incomplete(
    hub: SimulatedHub, here: Here, checkpoint: Checkpoint, old: str
) -> None:
    # Everything by other tools: nearid has used neither commit.
    snapshot_download("org/model", cache_dir=here.cache)
    branch = hub.add("org/model", checkpoint("vit"), revision="other")
    snapshot_download("org/model", revision="other", cache_dir=here.cache)
    new = move(hub, checkpoint, old)
    snapshot_download("org/model", allow_patterns="config.json", cache_dir=here.cache)
    here.offline()
    # The newest complete snapshot is that of the other branch, which main never was.
    assert here.resolve("org/model")[0].revision == old
    assert here.lines[0] == (
        f"org/model: main is {new[:8]} in the Hub cache and not complete; using {old[:8]}, the newest that is. "
        "To update: nearid models pull org/model"
    )
    assert here.resolve("org/model@other")[0].revision == branch


def test_a_cache_without_the_branch_or_without_its_commit(
    hub: SimulatedHub, here: Here, checkpoint: Checkpoint, old: str
) -> None:
    here.resolve("org/model")
    new = move(hub, checkpoint, old)
    snapshot_download("org/model", cache_dir=here.cache)
    shutil.rmtree(here.cache / "models--org--model/snapshots" / old)
    here.offline()
    here.lines.clear()
    assert here.resolve("org/model")[0].revision == new
    assert here.lines[0].startswith(
        f"org/model: main was {old[:8]}, which is gone from the Hub cache; using {new[:8]}."
    )
    here.lines.clear()
    assert here.resolve("org/model")[0].revision == new
    assert here.lines == []

    (here.cache / REF).unlink()
    shutil.rmtree(here.cache / "models--org--model/.nearid")
    assert here.resolve("org/model")[0].revision == new
    assert here.lines[0].startswith(
        f"org/model: the Hub cache has no main; using {new[:8]}, the newest that is complete in it."
    )


def test_a_download_that_broke_leaves_the_branch_where_it_was(
    hub: SimulatedHub, here: Here, checkpoint: Checkpoint, old: str
) -> None:
    here.fetch()
    weights = dict(hub.repositories["org/model"].commits[old])
    new = hub.add("org/model", weights | {"model.safetensors": weights["model.safetensors"] + b" "})
    hub.fail("storage-expired")
    here.reason()
    assert (here.cache / REF).read_text() == old
    hub.fail("storage-expired", 0)
    assert here.fetch().name == new


def test_a_cache_that_cannot_be_written_is_used_all_the_same(
    here: Here, old: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    here.fetch()
    (here.cache / "models--org--model" / ".nearid" / "main").unlink()
    (here.cache / "models--org--model" / ".nearid").rmdir()
    (here.cache / "models--org--model" / ".nearid").write_text("in the way")
    assert here.resolve("org/model")[0].revision == old
