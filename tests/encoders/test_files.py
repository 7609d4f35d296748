from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from nearid_cli.encoders.files import is_complete, read_files
from nearid_cli.encoders.layout import no_checkpoint, select
from nearid_cli.encoders.strangers import check_config
from nearid_cli.errors import ModelError
from tests.tiny import change_weights, write_json

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
    ("name", "kind"),
    [
        ("last.ckpt", "a training checkpoint"),
        ("tf_model.h5", "a TensorFlow model"),
        ("flax_model.msgpack", "a Flax model"),
        ("open_clip_model.safetensors", "an open_clip model"),
        ("adapter_model.safetensors", "a PEFT adapter"),
        ("model-Q4_K.gguf", "a GGUF model"),
        ("model.onnx", "an ONNX model"),
        ("model.fp16.safetensors", "a file of weights that is not in the layout of transformers"),
        ("training_args.bin", "a file of weights that is not in the layout of transformers"),
    ],
)
def test_what_is_no_checkpoint_of_transformers_is_named(checkpoint: Checkpoint, name: str, kind: str) -> None:
    folder = checkpoint("vit")
    (folder / "model.safetensors").rename(folder / name)
    refuse(folder, f"expected a checkpoint of transformers in .*, found {kind}.*{name}")
    (folder / "config.json").unlink()
    refuse(folder, f"expected a checkpoint of transformers in .*, found {kind}.*{name}")


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (
            ["open_clip_config.json", "open_clip_pytorch_model.bin", "open_clip_model.safetensors"],
            "open_clip",
        ),
        (["adapter_config.json", "adapter_model.bin", "README.md"], "a PEFT adapter"),
        (["model_index.json", "unet/config.json"], "a diffusers pipeline.*ID//image_encoder"),
        (["modules.json", "config_sentence_transformers.json", "0_CLIPModel/config.json"], "ID//0_CLIPModel"),
        (["config.json", "onnx/model.onnx"], "an ONNX model"),
        (["config.json", "tf_model.h5", "flax_model.msgpack"], "a Flax model"),
        (["README.md"], "expected config.json in org/model, found none"),
        (["config.json"], "expected model.safetensors or pytorch_model.bin in org/model, found none"),
    ],
)
def test_a_repository_that_is_no_checkpoint_is_named_by_its_files(names: list[str], found: str) -> None:
    reason = no_checkpoint(names, "org/model")
    assert reason is not None
    assert re.search(found, reason), reason


def test_one_form_of_the_weights_is_chosen() -> None:
    openai_clip = [".gitattributes", "README.md", "config.json", "flax_model.msgpack", "merges.txt"]
    openai_clip += ["preprocessor_config.json", "pytorch_model.bin", "special_tokens_map.json", "tf_model.h5"]
    openai_clip += ["tokenizer.json", "tokenizer_config.json", "vocab.json"]
    settings = ["config.json", "preprocessor_config.json"]
    assert select(openai_clip) == [*settings, "pytorch_model.bin"]
    assert no_checkpoint(openai_clip, "org/model") is None
    assert select(openai_clip, safetensors_only=True) == settings
    assert "--safetensors-only refuses" in str(no_checkpoint(openai_clip, "org/model", safetensors_only=True))
    shards = ["model.safetensors.index.json", "model-00001-of-00002.safetensors"]
    assert select([*openai_clip, *shards]) == sorted([*settings, *shards])
    assert select([*openai_clip, *shards, "model.safetensors"]) == [*sorted([*settings, "model.safetensors"])]
    pickled = ["pytorch_model.bin.index.json", "pytorch_model-00001-of-00002.bin", "training_args.bin"]
    assert select([*settings, *pickled]) == sorted([*settings, *pickled[:2]])


def test_pickled_weights_are_found_where_there_are_no_others(checkpoint: Checkpoint) -> None:
    folder = checkpoint("vit")
    (folder / "pytorch_model.bin").write_bytes(b"x")
    assert not read_files(folder).pickled
    (folder / "model.safetensors").unlink()
    files = read_files(folder)
    assert (files.weights, files.pickled) == ((folder / "pytorch_model.bin",), True)
    assert is_complete(folder)
    with pytest.raises(ModelError, match=r"pytorch_model\.bin only, which --safetensors-only refuses"):
        read_files(folder, safetensors_only=True)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"model_type": "siglip2"}, 'found "siglip2", a NaFlex model'),
        ({"architecture": "vit_base_patch16_224", "pretrained_cfg": {}}, "found a timm model"),
        ({"_class_name": "UNet2DConditionModel"}, r"found a diffusers model \(UNet2DConditionModel\)"),
        ({"peft_type": "LORA"}, "found a PEFT adapter"),
        ({"model_type": "mine", "auto_map": {"AutoModel": "m.M"}}, r"its own code \(auto_map\) is never run"),
        ({"model_type": "vit", "num_channels": 1}, "expected a model of RGB pictures, found num_channels 1"),
        (
            {"model_type": "vit", "quantization_config": {"quant_method": "bitsandbytes"}},
            r"found a quantised model \(bitsandbytes\)",
        ),
        (
            {"model_type": "clip", "vision_config": {"quantization_config": {"quant_method": "fp8"}}},
            r"found a quantised model \(fp8\)",
        ),
    ],
)
def test_a_configuration_of_something_else_is_named(config: dict[str, object], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        check_config(config, "config.json")


@pytest.mark.parametrize(
    ("dtype", "extra", "message"),
    [
        (
            "int8",
            "layernorm.SCB",
            r"found int8 in .*model\.safetensors: 1 weight such as layernorm\.weight.*bitsandbytes",
        ),
        ("uint8", "layernorm.weight.absmax", "found uint8.*bitsandbytes"),
        ("int32", "layernorm.g_idx", "found int32.*GPTQ"),
        ("float8_e4m3fn", "layernorm.weight_scale_inv", "found float8_e4m3.*FP8"),
        ("float8_e5m2", "layernorm.other", "found float8_e5m2"),
        ("int64", "layernorm.other", "found int64"),
    ],
)
def test_quantised_weights_are_refused_by_their_format(
    checkpoint: Checkpoint, dtype: str, extra: str, message: str
) -> None:
    def change(weights: dict[str, torch.Tensor]) -> None:
        weights["layernorm.weight"] = weights["layernorm.weight"].to(getattr(torch, dtype))
        weights[extra] = torch.ones(1)

    refuse(change_weights(checkpoint("vit"), change), message)


def test_whole_numbers_among_weights_that_are_not_used_do_not_matter(checkpoint: Checkpoint) -> None:
    def change(weights: dict[str, torch.Tensor]) -> None:
        weights["vision_model.embeddings.position_ids"] = torch.arange(17)
        weights["text_model.x"] = torch.ones(1, dtype=torch.int8)

    read_files(change_weights(checkpoint("clip"), change))


def test_git_lfs_pointer(checkpoint: Checkpoint) -> None:
    folder = checkpoint("vit")
    (folder / "model.safetensors").write_text(
        "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"
    )
    refuse(folder, "git-lfs pointer.*git lfs pull")


def test_sharded_weights(checkpoint: Checkpoint) -> None:
    folder = checkpoint("vit")
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    weight_map = {"a": "model-00001-of-00002.safetensors", "b": "a" * 5000}
    write_json(folder, "model.safetensors.index.json", {"weight_map": weight_map})
    refuse(folder, r"names 1 weight file not in .*a{80}\.\.\.$")
    weight_map["b"] = "model-00002-of-00002.safetensors"
    write_json(folder, "model.safetensors.index.json", {"weight_map": weight_map})
    refuse(folder, "names 1 weight file not in .*model-00002-of-00002.safetensors")
    assert not is_complete(folder)
    save_file({}, folder / "model-00002-of-00002.safetensors")
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
