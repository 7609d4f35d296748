from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from nearid_cli.encoders.files import is_complete, other_format, read_files
from nearid_cli.errors import ModelError
from tests.tiny import write_json

Checkpoint = Callable[[str], Path]


def refuse(folder: Path, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        read_files(folder)


def test_reads_what_an_encoder_needs(checkpoint: Checkpoint) -> None:
    folder = checkpoint("nearid")
    files = read_files(folder)
    assert files.model_type == "nearid"
    assert files.image_processor["image_processor_type"] == "SiglipImageProcessorFast"
    assert files.weights == (folder / "model.safetensors",)
    assert is_complete(folder)


def test_no_folder(tmp_path: Path) -> None:
    refuse(tmp_path / "a\nb", r"found no folder .*a\\nb")


@pytest.mark.parametrize("name", ["config.json", "preprocessor_config.json", "model.safetensors"])
def test_an_absent_file_is_named(checkpoint: Checkpoint, name: str) -> None:
    folder = checkpoint("vit")
    (folder / name).unlink()
    refuse(folder, f"expected {name}")
    assert not is_complete(folder)


def test_the_folder_above_a_trained_model_leads_to_it(checkpoint: Checkpoint, tmp_path: Path) -> None:
    checkpoint("vit").rename(tmp_path / "model")
    refuse(tmp_path, "expected config.json in .*, found none; did you mean .*/model\\?")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "expected JSON in .*config.json"),
        ("[]", "expected a JSON object"),
        ("{}", "model_type .* found none"),
        ('{"model_type": "dinov"}', 'found "dinov": did you mean dinov2'),
        ('{"model_type": "bert"}', 'found "bert"'),
        ('{"model_type": ["x"]}', "known model_type"),
        ('{"model_type": "vit", "quantization_config": {"bits": 4}}', "quantised"),
    ],
)
def test_bad_config(checkpoint: Checkpoint, content: str, message: str) -> None:
    folder = checkpoint("vit")
    (folder / "config.json").write_text(content)
    refuse(folder, message)


def test_config_that_is_not_text(checkpoint: Checkpoint) -> None:
    folder = checkpoint("vit")
    (folder / "config.json").write_bytes(b"\xff\xfe\x00")
    refuse(folder, "expected JSON")
    (folder / "config.json").unlink()
    (folder / "config.json").mkdir()
    refuse(folder, "cannot read")


def test_image_processor_inside_processor_config(checkpoint: Checkpoint) -> None:
    folder = checkpoint("siglip")
    settings = json.loads((folder / "preprocessor_config.json").read_bytes())
    (folder / "preprocessor_config.json").unlink()
    write_json(folder, "processor_config.json", {"processor_class": "SiglipProcessor"})
    refuse(folder, "expected preprocessor_config.json")
    write_json(folder, "processor_config.json", {"image_processor": settings})
    assert read_files(folder).image_processor == settings


@pytest.mark.parametrize(
    "name", ["pytorch_model.bin", "pytorch_model-00001-of-00002.bin", "last.ckpt", "tf_model.h5"]
)
def test_other_weight_formats_are_named_and_refused(checkpoint: Checkpoint, name: str) -> None:
    folder = checkpoint("vit")
    (folder / "model.safetensors").rename(folder / name)
    refuse(folder, f"only safetensors weights are read, and it has {name}.*convert it")


def test_other_formats_next_to_safetensors_do_not_matter() -> None:
    assert other_format(["model.safetensors", "pytorch_model.bin"]) is None
    assert other_format(["README.md"]) is None


def test_git_lfs_pointer(checkpoint: Checkpoint) -> None:
    folder = checkpoint("vit")
    (folder / "model.safetensors").write_text(
        "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"
    )
    refuse(folder, "git-lfs pointer.*git lfs pull")


def test_sharded_weights(checkpoint: Checkpoint) -> None:
    folder = checkpoint("vit")
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    weight_map = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    write_json(folder, "model.safetensors.index.json", {"weight_map": weight_map})
    refuse(folder, "names 1 weight files that are not in .*model-00002-of-00002.safetensors")
    assert not is_complete(folder)
    (folder / "model-00002-of-00002.safetensors").touch()
    assert [file.name for file in read_files(folder).weights] == sorted(weight_map.values())
    assert is_complete(folder)


@pytest.mark.parametrize(
    "index", [{}, {"weight_map": {}}, {"weight_map": {"a": "../other.safetensors"}}, {"weight_map": {"a": 1}}]
)
def test_index_that_names_no_files_of_the_folder(checkpoint: Checkpoint, index: object) -> None:
    folder = checkpoint("vit")
    (folder / "model.safetensors").unlink()
    write_json(folder, "model.safetensors.index.json", index)
    refuse(folder, "expected a weight_map")
