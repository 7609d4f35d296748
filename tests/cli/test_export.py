"""`nearid export`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import utils

from tests.commandline import Nearid
from tests.tiny import tiny_siglip

httpx: Any = utils.httpx  # of the generation that the Hub's library runs on


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    """A Hub that takes everything; returns what it was told."""
    told: list[tuple[str, dict[str, Any]]] = []

    def create_repo(self: Any, repo_id: str, **options: Any) -> str:
        told.append((repo_id, options))
        return f"https://huggingface.co/{repo_id}"

    def upload_folder(self: Any, repo_id: str, folder_path: Path, **options: Any) -> None:
        told.append((repo_id, {path.name: path for path in folder_path.iterdir()}))

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.get_token", lambda: "hf_token")
    monkeypatch.setattr("huggingface_hub.HfApi.create_repo", create_repo)
    monkeypatch.setattr("huggingface_hub.HfApi.upload_folder", upload_folder)
    return told


def refuse(error: Exception) -> Any:
    def call(self: Any, *arguments: Any, **options: Any) -> None:
        raise error

    return call


def http_error(status: int) -> Exception:
    from huggingface_hub.errors import HfHubHTTPError

    return HfHubHTTPError("no", response=httpx.Response(status, request=httpx.Request("POST", "https://hub")))


def test_a_release(checkpoint: Path, nearid: Nearid, data: Path) -> None:
    done = nearid("export", checkpoint, "out")
    assert (done.code, done.err) == (0, "")
    (line,) = done.out.splitlines()
    assert line.startswith(
        "out: float16, 70.3 kB, embeddings of 32; loaded back, 8 pictures embed as by the check"
    )
    scores = [
        nearid("score", "refs", "gens", "--metric", f"x={folder}", "--format", "json")
        for folder in ("out", checkpoint)
    ]
    assert [score.code for score in scores] == [0, 0]


def test_dtype(checkpoint: Path, nearid: Nearid) -> None:
    assert "out: float32, 135." in nearid("export", checkpoint, "out", "--dtype", "float32").out
    assert nearid("export", checkpoint, "o", "--dtype", "int8").error.startswith(
        'unknown dtype "int8": known: float32'
    )


def test_a_folder_that_is_not_empty(checkpoint: Path, nearid: Nearid) -> None:
    assert nearid("export", checkpoint, checkpoint).error.startswith("expected a new or empty folder")


def test_what_is_no_checkpoint(nearid: Nearid, tmp_path: Path) -> None:
    tiny_siglip(tmp_path / "siglip")
    assert "found siglip: `nearid train` makes one of it" in nearid("export", "siglip", "out").error
    assert (
        nearid("export", "nothing", "out").error
        == "expected a folder with config.json, found no folder nothing"
    )


def test_push(checkpoint: Path, nearid: Nearid, hub: list[tuple[str, dict[str, Any]]]) -> None:
    done = nearid("export", checkpoint, "out", "--push-to-hub", "me/mine")
    assert done.code == 0
    assert done.out.splitlines()[1] == "pushed to https://huggingface.co/me/mine"
    (first, options), (second, files) = hub
    assert first == second == "me/mine"
    assert options == {"private": True, "exist_ok": True}
    assert set(files) == {"config.json", "model.safetensors", "preprocessor_config.json", "README.md"}


@pytest.mark.parametrize("name", ["mine", "a/b/c", "me/"])
def test_push_to_what_is_no_repository(checkpoint: Path, nearid: Nearid, hub: list[Any], name: str) -> None:
    done = nearid("export", checkpoint, "out", "--push-to-hub", name)
    assert done.error.startswith("--push-to-hub takes a Hub id (organisation/model), found")
    assert not Path("out").exists()


def test_push_offline(checkpoint: Path, nearid: Nearid, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    done = nearid("export", checkpoint, "out", "--push-to-hub", "me/mine")
    assert done.error == "cannot push to me/mine: HF_HUB_OFFLINE is set"
    assert not Path("out").exists()


def test_push_without_a_login(
    checkpoint: Path, nearid: Nearid, hub: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    done = nearid("export", checkpoint, "out", "--push-to-hub", "me/mine")
    assert done.error == "cannot push to me/mine: nobody is logged in; `hf auth login`, or set HF_TOKEN"
    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (http_error(403), "the Hub refused access (403)"),
        (http_error(500), "the Hub answered with an error (500)"),
        (httpx.ConnectError("no route"), "the Hub cannot be reached at https://"),
    ],
)
@pytest.mark.parametrize("call", ["create_repo", "upload_folder"])
def test_a_push_that_fails_keeps_the_folder(
    checkpoint: Path,
    nearid: Nearid,
    hub: list[Any],
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    reason: str,
    call: str,
) -> None:
    monkeypatch.setattr(f"huggingface_hub.HfApi.{call}", refuse(error))
    done = nearid("export", checkpoint, "out", "--push-to-hub", "me/mine")
    assert done.code == 2
    (line,) = done.err.splitlines()
    assert line.startswith(f"error: cannot push to me/mine: {reason}")
    assert line.endswith("out is written: try again with `hf upload me/mine out`")
    assert Path("out", "model.safetensors").is_file()
