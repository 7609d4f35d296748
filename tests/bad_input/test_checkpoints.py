"""Checkpoints that are missing, damaged, changed or overflowing, through the command line."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nearid_cli.embedding.cache import Cache
from tests.commandline import Finished, Nearid
from tests.tiny import change_weights, write_json

from .conftest import COMMAND

DEFAULTS = {
    "nearid": "Aleksandar/nearid-siglip2",
    "clip-i": "openai/clip-vit-large-patch14",
    "dino": "facebook/dinov2-large",
}
SCORE = ("score", "refs", "gens", "-m", "nearid=checkpoint", "--format", "json")


def parts() -> list[Path]:
    return sorted(Path(os.environ["NEARID_CACHE"]).glob("embeddings/*/*.parquet"))


@pytest.mark.parametrize(
    ("environment", "reason"),
    [
        ({"HF_HUB_OFFLINE": "1"}, "HF_HUB_OFFLINE is set"),
        (
            {"HF_HUB_OFFLINE": "0", "HF_ENDPOINT": "http://127.0.0.1:9"},
            "the Hub cannot be reached at http://127.0.0.1:9: the connection was refused",
        ),
    ],
    ids=["offline", "unreachable"],
)
def test_every_missing_checkpoint_is_named_at_once(
    data: Path, run: Callable[..., Finished], environment: dict[str, str], reason: str
) -> None:
    begun = time.monotonic()
    finished = run([*COMMAND, "score", "refs", "gens"], **environment)
    assert time.monotonic() - begun < 120
    assert finished.error == "3 checkpoints are not here: nearid, clip-i, dino"
    *missing, pull, local, hint = finished.details
    assert missing == [
        f"{name}: {checkpoint} is no folder here, is not in the Hub cache and cannot be fetched: {reason}"
        for name, checkpoint in DEFAULTS.items()
    ]
    assert pull.endswith("nearid models pull nearid clip-i dino")
    assert local.endswith("--metric nearid=PATH")
    assert hint == "for a smoke check, not for papers: --metric nearid-mini works offline"
    assert parts() == []


def test_nothing_is_swapped_for_a_missing_checkpoint(nearid: Nearid, data: Path, checkpoint: Path) -> None:
    finished = nearid("score", "refs", "gens", "-m", "nearid=checkpoint,clip-i,hog")
    assert finished.error == "1 checkpoint is not here: clip-i"
    assert nearid("score", "refs", "gens", "-m", "nearid=./nowhere").details


def drop(weights: dict[str, Any]) -> None:
    del weights["backbone.vision_model.head.probe"]


def add(weights: dict[str, Any]) -> None:
    weights["backbone.vision_model.head.surplus"] = weights["backbone.vision_model.head.probe"].clone()


def reshape(weights: dict[str, Any]) -> None:
    name = "backbone.vision_model.post_layernorm.weight"
    weights[name] = weights[name][:-1].clone()


def spoil(weights: dict[str, Any]) -> None:
    weights["backbone.vision_model.post_layernorm.bias"][3] = float("nan")


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (drop, ["1 weight missing", "head.probe"]),
        (add, ["1 weight unexpected", "head.surplus"]),
        (reshape, ["1 weight mis-shaped", "post_layernorm.weight is [31], expected [32]"]),
        (spoil, ["1 weight with NaN or infinity", "post_layernorm.bias"]),
    ],
)
def test_weights_that_do_not_fit(
    nearid: Nearid, data: Path, checkpoint: Path, change: Callable[[dict[str, Any]], None], found: list[str]
) -> None:
    change_weights(checkpoint, change)
    finished = nearid(*SCORE)
    message = " ".join([finished.error, *finished.details])
    assert all(words in message for words in found), message
    assert parts() == []


def test_files_that_are_damaged_or_of_another_format(nearid: Nearid, data: Path, checkpoint: Path) -> None:
    weights = checkpoint / "model.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content[: len(content) // 2])
    assert "checkpoint/model.safetensors, found a damaged file" in nearid(*SCORE).err
    weights.write_bytes(b"")
    assert "checkpoint/model.safetensors" in nearid(*SCORE).err
    weights.unlink()
    (checkpoint / "pytorch_model.bin").write_bytes(b"a pickle")
    message = " ".join([*(finished := nearid(*SCORE)).details, finished.error])
    assert "expected a file of tensors only, found a damaged or foreign file" in message
    (checkpoint / "pytorch_model.bin").rename(weights)
    (checkpoint / "config.json").write_text("{")
    message = " ".join([*(finished := nearid(*SCORE)).details, finished.error])
    assert "expected JSON in checkpoint/config.json" in message


def test_embeddings_that_overflow_name_the_picture_and_are_not_kept(
    nearid: Nearid, data: Path, checkpoint: Path
) -> None:
    def overflow(weights: dict[str, Any]) -> None:
        import torch

        for name, tensor in weights.items():
            weights[name] = tensor.float()
        head = weights["backbone.vision_model.head.mlp.fc2.weight"]
        weights["backbone.vision_model.head.mlp.fc2.weight"] = torch.full_like(head, 3e38)

    change_weights(checkpoint, overflow)
    finished = nearid(*SCORE)
    assert finished.error.startswith("embeddings that are not finite numbers, from nearid; ")
    assert len(finished.details) == 15
    assert "nearid: refs/cat/0.jpg" in finished.details
    cached = Cache(Path(os.environ["NEARID_CACHE"])).info()
    assert "nearid" not in [row.metric for row in cached]
    assert nearid("cache", "verify").code == 0


def test_what_changes_embeddings_never_shares_them(nearid: Nearid, data: Path, checkpoint: Path) -> None:
    def fingerprint(*arguments: str) -> str:
        before = len(parts())
        finished = nearid("score", "refs", "gens", "--format", "json", *arguments)
        assert finished.code == 0, finished.err
        (metric,) = json.loads(finished.out)["metrics"]
        assert len(parts()) > before, "nothing was embedded"
        return str(metric["fingerprint"])

    found = [
        fingerprint("-m", "nearid=checkpoint"),
        fingerprint("-m", "nearid=checkpoint", "--dtype", "bfloat16"),
        fingerprint("-m", "nearid=checkpoint::mean"),
    ]
    settings = json.loads((checkpoint / "preprocessor_config.json").read_text())
    write_json(checkpoint, "preprocessor_config.json", settings | {"resample": 3})
    found.append(fingerprint("-m", "nearid=checkpoint"))
    write_json(checkpoint, "preprocessor_config.json", settings)

    weights = checkpoint / "model.safetensors"
    size = weights.stat().st_size

    def negate(weights: dict[str, Any]) -> None:
        weights["backbone.vision_model.head.probe"] *= -1

    change_weights(checkpoint, negate)
    assert weights.stat().st_size == size
    found.append(fingerprint("-m", "nearid=checkpoint"))
    assert len(set(found)) == len(found)
    # The very same checkpoint elsewhere does share them.
    checkpoint.rename(checkpoint.with_name("moved"))
    before = parts()
    finished = nearid("score", "refs", "gens", "-m", "ours=moved", "--format", "json")
    assert json.loads(finished.out)["metrics"][0]["fingerprint"] == found[-1]
    assert parts() == before
