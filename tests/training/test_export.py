"""Releases: what is in them, that they are what was trained, and that nothing half-done is left."""

from __future__ import annotations

import errno
import json
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from skimage import data

from nearid_cli.encoders.checkpoints import resolve
from nearid_cli.encoders.load import load_encoder
from nearid_cli.encoders.nearid_model import NearIDModel
from nearid_cli.encoders.registry import MetricRequest
from nearid_cli.errors import InputError, ModelError, UsageError
from nearid_cli.files import sweep_leftovers
from nearid_cli.images.preprocessing import Preprocessing
from nearid_cli.training import export as module
from nearid_cli.training.export import TOLERANCE, export, model_card, write_model
from nearid_cli.training.model import build_model, load_preprocessing, read_preprocessor
from tests.tiny import BUILDERS, change_weights, tiny_nearid, tiny_siglip, write_json

SUCCESS: dict[str, Any] = {
    "samples": 96,
    "trials": 570,
    "ssr": 0.71875,
    "pa": 0.925,
    "ssr_ci95": [0.62, 0.8],
    "pa_ci95": [0.9, 0.95],
    "mean_margin": 0.1234,
}


def checkpoint(
    folder: Path, backbone: Path, metrics: dict[str, Any] | None = None, **options: Any
) -> NearIDModel:
    """A checkpoint of training in `folder`, and the model in it."""
    model = build_model(str(backbone), **options)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.requires_grad:
                weight.add_(torch.linspace(-0.05, 0.05, weight.numel()).view(weight.shape))
    (folder / "model").mkdir(parents=True)
    write_model(model, folder / "model", read_preprocessor(str(backbone)))
    if metrics is not None:
        write_json(folder, "metrics.json", metrics)
    return model.eval()


def embeddings(model: NearIDModel, preprocessing: Preprocessing, pictures: list[Image.Image]) -> np.ndarray:
    values = preprocessing.normalise([preprocessing.to_uint8(picture) for picture in pictures], "cpu")
    with torch.no_grad():
        return model(values).image_embeds.numpy()


def photographs() -> list[Image.Image]:
    return [Image.fromarray(picture) for picture in (data.chelsea(), data.astronaut(), data.coffee())]


@pytest.mark.parametrize("backbone", ["nearid", "siglip", "clip", "dinov2", "vit"])
@pytest.mark.parametrize("dtype", TOLERANCE)
def test_a_release_embeds_as_the_trained_model(tmp_path: Path, backbone: str, dtype: str) -> None:
    source = BUILDERS[backbone](tmp_path / backbone)
    options = {} if backbone == "nearid" else {"embed_dim": 24}
    model = checkpoint(tmp_path / "checkpoint", source, unfreeze=True, **options)
    done = export(tmp_path / "checkpoint", tmp_path / "out", dtype)
    assert done.cosine >= 1 - TOLERANCE[dtype]
    assert done.embed_dim == model.config.embed_dim
    weights = load_file(tmp_path / "out" / "model.safetensors")
    assert {tensor.dtype for tensor in weights.values()} == {getattr(torch, dtype)}
    assert done.size == (tmp_path / "out" / "model.safetensors").stat().st_size
    assert json.loads((tmp_path / "out" / "config.json").read_bytes())["dtype"] == dtype
    (spec,) = resolve([MetricRequest("x", str(tmp_path / "out"))], "float32")
    encoder = load_encoder(spec)
    found = encoder.embed([encoder.prepare(picture) for picture in photographs()])
    expected = embeddings(model, load_preprocessing(str(source)), photographs())
    assert (found * expected).sum(axis=1).min() >= 1 - TOLERANCE[dtype]
    assert {path.name for path in tmp_path.iterdir()} == {"checkpoint", "out", backbone}


def test_auto_model_in_a_process_of_its_own(tmp_path: Path) -> None:
    source = tiny_siglip(tmp_path / "siglip")
    model = checkpoint(tmp_path / "checkpoint", source)
    export(tmp_path / "checkpoint", tmp_path / "out", "float32")
    values = torch.linspace(-1, 1, 3 * 32 * 32).reshape(1, 3, 32, 32)
    program = (
        "import nearid_cli, torch; from transformers import AutoModel, logging; logging.disable_progress_bar()\n"
        f"model = AutoModel.from_pretrained({str(tmp_path / 'out')!r})\n"
        "values = torch.linspace(-1, 1, 3 * 32 * 32).reshape(1, 3, 32, 32)\n"
        "print(model.get_image_features(values).tolist())"
    )
    printed = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True)
    assert printed.stderr == ""
    with torch.no_grad():
        assert torch.allclose(torch.tensor(json.loads(printed.stdout)), model(values).image_embeds, atol=1e-6)


def test_the_released_layout(tmp_path: Path) -> None:
    released = tiny_nearid(tmp_path / "nearid")
    checkpoint(tmp_path / "checkpoint", released, SUCCESS)
    export(tmp_path / "checkpoint", tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "config.json",
        "model.safetensors",
        "preprocessor_config.json",
        "metrics.json",
        "README.md",
    }
    one, other = (load_file(folder / "model.safetensors") for folder in (released, tmp_path / "out"))
    assert one.keys() == other.keys()
    assert {tensor.dtype for tensor in other.values()} == {torch.float16}
    frozen = [name for name in one if not name.startswith("backbone.vision_model.head.")]
    assert all(torch.equal(one[name], other[name]) for name in frozen)
    assert not torch.equal(one["backbone.vision_model.head.probe"], other["backbone.vision_model.head.probe"])
    settings = [json.loads((folder / "config.json").read_bytes()) for folder in (released, tmp_path / "out")]
    assert settings[1].keys() - {"transformers_version"} == settings[0].keys() - {"auto_map"}
    assert settings[1]["vision_config"].items() >= settings[0]["vision_config"].items()
    assert json.loads((tmp_path / "out" / "metrics.json").read_bytes()) == SUCCESS


@pytest.mark.parametrize(
    ("backbone", "names"),
    [
        ("clip", {"vision_model.encoder.layers.0.self_attn.q_proj.weight", "vision_model.pre_layrnorm.bias"}),
        ("vit", {f"encoder.layer.0.{name}.bias" for name in ("attention.attention.query", "output.dense")}),
        ("dinov2", {"encoder.layer.0.attention.output.dense.bias", "encoder.layer.1.mlp.fc2.weight"}),
    ],
)
def test_towers_are_named_as_in_transformers_4(tmp_path: Path, backbone: str, names: set[str]) -> None:
    # Release 4.57 was seen to load all of them, with the very features of 5.23.
    model = build_model(str(BUILDERS[backbone](tmp_path / "backbone")))
    found = {name.removeprefix("backbone.") for name in model.release_state_dict()}
    assert names <= found
    assert not any(".o_proj." in name or name.startswith("layers.") for name in found)


def test_a_release_of_a_release_is_the_same(tmp_path: Path) -> None:
    checkpoint(tmp_path / "checkpoint", tiny_nearid(tmp_path / "nearid"), SUCCESS)
    export(tmp_path / "checkpoint", tmp_path / "one")
    done = export(tmp_path / "one", tmp_path / "two")
    assert done.cosine == pytest.approx(1, abs=1e-6)
    for name in ("model.safetensors", "config.json", "preprocessor_config.json", "metrics.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_a_frozen_checkpoint_keeps_two_precisions(tmp_path: Path) -> None:
    checkpoint(tmp_path / "checkpoint", tiny_nearid(tmp_path / "nearid"))
    weights = load_file(tmp_path / "checkpoint" / "model" / "model.safetensors")
    head = {name for name in weights if ".head." in name}
    assert {weights[name].dtype for name in head} == {torch.float32}
    assert {tensor.dtype for name, tensor in weights.items() if name not in head} == {torch.float16}
    config = json.loads((tmp_path / "checkpoint" / "model" / "config.json").read_bytes())
    assert config["dtype"] == "float32"


def test_a_difference_is_an_error_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint(tmp_path / "checkpoint", tiny_nearid(tmp_path / "nearid"))

    def damaged(weights: dict[str, torch.Tensor], path: Path, metadata: dict[str, str]) -> None:
        weights["backbone.vision_model.head.mlp.fc2.bias"][0] += 3
        save_file(weights, path, metadata)

    monkeypatch.setattr("safetensors.torch.save_file", damaged)
    with pytest.raises(
        ModelError, match=r"does not give the embeddings of .*: lowest cosine of 8 pictures 0\.\d+"
    ):
        export(tmp_path / "checkpoint", tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint", "nearid"]


@pytest.mark.parametrize("lost", ["model.safetensors", "config.json", "preprocessor_config.json"])
def test_a_file_that_went_missing_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    checkpoint(tmp_path / "checkpoint", tiny_nearid(tmp_path / "nearid"))
    stock = module.write_model

    def losing(model: Any, folder: Path, *arguments: Any) -> None:
        stock(model, folder, *arguments)
        (folder / lost).unlink()

    monkeypatch.setattr(module, "write_model", losing)
    with pytest.raises(ModelError, match="found none"):
        export(tmp_path / "checkpoint", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_another_run_sweeps_no_release_that_is_being_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint(tmp_path / "checkpoint", tiny_nearid(tmp_path / "nearid"))
    compared = module._compare

    def swept(files: Any, model: Any, release: Path, dtype: str) -> float:
        os.utime(release, (1, 1))
        sweep_leftovers(release.parent)
        return compared(files, model, release, dtype)

    monkeypatch.setattr(module, "_compare", swept)
    export(tmp_path / "checkpoint", tmp_path / "out")
    assert (tmp_path / "out" / "model.safetensors").is_file()


def test_weights_too_large_for_the_dtype(tmp_path: Path) -> None:
    source = tiny_nearid(tmp_path / "nearid", layout="flat")
    change_weights(source, lambda weights: weights["backbone.head.mlp.fc2.bias"].fill_(1e6))
    with pytest.raises(
        ModelError, match=r"1 weights? are not finite in float16; choose float32: backbone\.vision"
    ):
        export(source, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert export(source, tmp_path / "out", "bfloat16").cosine > 0.995


def test_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tiny_nearid(tmp_path / "nearid")

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        export(source, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["nearid"]


def test_weights_that_the_disk_does_not_take(tmp_path: Path) -> None:
    source = tiny_nearid(tmp_path / "nearid")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large") as caught:
            export(source, tmp_path / "out")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert caught.value.errno == errno.EFBIG
    assert [path.name for path in tmp_path.iterdir()] == ["nearid"]


@pytest.mark.parametrize("damage", [b"", b"{", None])
@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_release_that_transformers_cannot_load(tmp_path: Path, name: str, damage: bytes | None) -> None:
    file = tiny_nearid(tmp_path / "nearid", layout="flat") / name
    file.unlink()
    if damage is not None:
        file.write_bytes(damage)
    with pytest.raises(
        ModelError, match=r"cannot be loaded by AutoModel.from_pretrained: .*; nothing was"
    ) as caught:
        module._load_automatically(tmp_path / "nearid")
    assert "\n" not in caught.value.message
    assert len(caught.value.message) < 500


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    source = tiny_nearid(tmp_path / "nearid")
    (tmp_path / "empty").mkdir()
    export(source, tmp_path / "empty")
    before = sorted((path, path.stat().st_mtime_ns) for path in (tmp_path / "empty").iterdir())
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to("nowhere")
    for name in ("empty", "file", "link"):
        with pytest.raises(InputError, match="expected a new or empty folder"):
            export(source, tmp_path / name)
    assert sorted((path, path.stat().st_mtime_ns) for path in (tmp_path / "empty").iterdir()) == before


def test_what_is_no_nearid_model(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"expected a NearID model in .*, found siglip"):
        export(tiny_siglip(tmp_path / "siglip"), tmp_path / "out")
    (tmp_path / "run" / "checkpoint-3").mkdir(parents=True)
    with pytest.raises(UsageError, match=r"found a run with 1 checkpoint in .*name one, as .*checkpoint-3"):
        export(tmp_path / "run", tmp_path / "out")
    with pytest.raises(ModelError, match="found no folder"):
        export(tmp_path / "nothing", tmp_path / "out")
    with pytest.raises(UsageError, match='unknown dtype "flaot16": did you mean float16'):
        export(tmp_path / "siglip", tmp_path / "out", "flaot16")


@pytest.mark.parametrize("content", ["[1]", "{"])
def test_metrics_that_are_no_object(tmp_path: Path, content: str) -> None:
    checkpoint(tmp_path / "checkpoint", tiny_nearid(tmp_path / "nearid"))
    (tmp_path / "checkpoint" / "metrics.json").write_text(content)
    with pytest.raises(InputError, match=r"expected (a )?JSON"):
        export(tmp_path / "checkpoint", tmp_path / "out")


def test_the_card_says_what_was_measured_and_how_it_was_made(tmp_path: Path) -> None:
    source = tiny_nearid(tmp_path / "nearid")
    sources = {"sdxl|x": SUCCESS | {"ssr": 0.5, "ssr_ci95": None}}
    checkpoint(tmp_path / "run" / "checkpoint-40", source, SUCCESS | {"sources": sources})
    training = {
        "tool": {"name": "nearid-cli", "version": "9.8"},
        "created": "2026-01-02T03:04:05+00:00",
        "options": {
            "backbone": "google/siglip2-so400m-patch14-384@main",
            "from_scratch": False,
            "loss": "infonce_ext:1.0",
            "lr": 0.0001,
            "output": "/home/me/secret",
            "distractors": ["a", "b"],
            "embed_dim": None,
            "augmentations": {"flip": 0.5, "jitter": 0.0},
        },
    }
    write_json(tmp_path / "run", "training.json", training)
    export(tmp_path / "run" / "checkpoint-40", tmp_path / "my model")
    card = (tmp_path / "my model" / "README.md").read_text(encoding="utf-8")
    assert card.startswith("---\nlibrary_name: transformers\n")
    assert 'base_model: "google/siglip2-so400m-patch14-384"\n---\n' in card
    assert "| all | 96 | 570 | 0.719 [0.620, 0.800] | 0.925 [0.900, 0.950] | 0.123 |" in card
    assert "| sdxl\\|x | 96 | 570 | 0.500 | 0.925 [0.900, 0.950] | 0.123 |" in card
    assert "nearid-cli 9.8" in card
    rows = [line for line in card.split("## Made with")[1].splitlines() if line.startswith("| ")]
    assert rows == [
        "| option | value |",
        "| backbone | google/siglip2-so400m-patch14-384@main |",
        "| loss | infonce\\_ext:1.0 |",
        "| lr | 0.0001 |",
        "| distractors | a, b |",
        "| augmentations: flip | 0.5 |",
    ]
    assert "secret" not in card
    assert "chosen" in card.split("## Limits")[1]


@pytest.mark.parametrize(
    ("options", "base"),
    [
        ({"backbone": "siglip2"}, '"google/siglip2-so400m-patch14-384"'),
        ({"backbone": "org/model", "from_scratch": True}, None),
        ({"backbone": "./here"}, None),
        ({"backbone": "folder/here"}, None),
        ({}, None),
    ],
)
def test_the_base_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], base: str | None
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder" / "here").mkdir(parents=True)
    config = build_model(str(tiny_nearid(tmp_path / "nearid"))).config
    lines = model_card("x", config, "float16", None, {"options": options}).splitlines()
    assert [line for line in lines if line.startswith("base_model")] == (
        [f"base_model: {base}"] if base else []
    )
    assert "Nothing was measured when this was exported." in lines


def test_another_folders_recipe_is_not_taken(tmp_path: Path) -> None:
    source = tiny_nearid(tmp_path / "nearid")
    write_json(tmp_path, "training.json", {"options": {"loss": "elsewhere"}})
    export(source, tmp_path / "out")
    assert "elsewhere" not in (tmp_path / "out" / "README.md").read_text()


def test_an_old_preprocessor_is_named_for_what_it_was(tmp_path: Path) -> None:
    source = BUILDERS["dinov2"](tmp_path / "dinov2")
    settings = json.loads((source / "preprocessor_config.json").read_bytes())
    del settings["image_processor_type"]
    write_json(source, "preprocessor_config.json", settings)
    checkpoint(tmp_path / "checkpoint", source)
    export(tmp_path / "checkpoint", tmp_path / "out")
    shutil.rmtree(tmp_path / "checkpoint")
    assert load_preprocessing(str(tmp_path / "out")).describe() == load_preprocessing(str(source)).describe()
