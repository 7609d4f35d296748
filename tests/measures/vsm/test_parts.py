from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from nearid_cli.errors import ModelError, NearIDError, UsageError
from nearid_cli.measures.vsm import VisualSemanticMatching
from tests.measures.vsm.tiny import change, read, save, split, write_recipe


def loaded(folder: Path, **settings: Any) -> VisualSemanticMatching:
    metric = VisualSemanticMatching(str(folder), **settings)
    metric.load("cpu")
    return metric


def test_all_weights_of_a_block_that_are_missing_are_named(vsm_copy: Callable[[], Path]) -> None:
    folder = vsm_copy()
    file = folder / "mtg_weights.safetensors"
    block = [name for name in read(file) if name.startswith("bottleneck_layers_visual.7.0.")]
    assert len(block) == 12
    change(file, **dict.fromkeys(block))
    with pytest.raises(ModelError) as error:
        loaded(folder)
    assert error.value.details == (f"{file}: 12 weights missing: {', '.join(sorted(block))}",)


def test_weights_that_do_not_fit_are_all_named(vsm_copy: Callable[[], Path]) -> None:
    folder = vsm_copy()
    change(
        folder / "mtg_weights.safetensors",
        **{
            "bottleneck_layers_visual.3.0.conv2.norm.bias": None,
            "mixing_weights_semantic": torch.zeros(9),
            "bottleneck_layers_semantic.10.0.conv1.weight": torch.zeros(1),
            "cleandift_model.unet_feature_extractor_cleandift.conv_in.weight": None,
            "cleandift_model.ae.ae.encoder.more.weight": torch.zeros(1),
        },
    )
    with pytest.raises(ModelError) as error:
        loaded(folder)
    file = folder / "mtg_weights.safetensors"
    assert error.value.details == (
        f"{file}: 1 weight missing: bottleneck_layers_visual.3.0.conv2.norm.bias",
        f"{file}: 1 weight unexpected: bottleneck_layers_semantic.10.0.conv1.weight",
        f"{file}: 1 weight mis-shaped: mixing_weights_semantic is [9], expected [10]",
        f"{file}, cleandift_model.unet_feature_extractor_cleandift.: 1 weight missing: conv_in.weight",
        f"{file}, cleandift_model.ae.ae.: 1 weight unexpected: encoder.more.weight",
    )


def test_weights_that_are_no_numbers_are_named(vsm_copy: Callable[[], Path]) -> None:
    folder = vsm_copy()
    change(folder / "mtg_weights.safetensors", mixing_weights_visual=torch.full((10,), float("nan")))
    with pytest.raises(ModelError, match=r"NaN or infinity in float32\s.*1 weight: mixing_weights_visual"):
        loaded(folder)
    change(
        folder / "mtg_weights.safetensors",
        mixing_weights_visual=torch.zeros(10),
        **{"cleandift_model.timestep": torch.ones(2)},
    )
    with pytest.raises(
        ModelError, match=r"expected one finite number in cleandift_model.timestep .* 2 numbers$"
    ):
        loaded(folder)


MTG, RECIPE, UNET, VAE = (
    "mtg_weights.safetensors",
    "experiment_cfg.yaml",
    "unet/config.json",
    "vae/config.json",
)
FINE = "cleandift_model.unet_feature_extractor_cleandift."
ENDS = "time_embedding.linear_1.weight"


def lose(*names: str) -> Callable[[Path], None]:
    return lambda folder: [(folder / name).unlink() for name in names] and None


def write(name: str, content: bytes) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_bytes(content) and None


def alter(name: str, **changes: Any) -> Callable[[Path], None]:
    return lambda folder: change(folder / name, **changes)


def configure(name: str, **changes: Any) -> Callable[[Path], None]:
    return lambda folder: (
        (folder / name).write_text(json.dumps(json.loads((folder / name).read_text()) | changes)) and None
    )


def recipe(*taps: str, **more: Any) -> Callable[[Path], None]:
    return lambda folder: write_recipe(folder, taps, **more)


def model(side: Any, **resnet: Any) -> dict[str, Any]:
    return {"feat_type": "us6", "final_feat_resolution": side, "resnet": resnet}


def lose_unet(folder: Path) -> None:
    split(folder)
    (folder / "cleandift_sd21_unet.safetensors").unlink()


WRONG: dict[str, tuple[Callable[[Path], None], str]] = {
    "no weights": (lose(MTG), "has no mtg_weights.safetensors$"),
    "no settings": (lose(RECIPE), "has no experiment_cfg.yaml$"),
    "weights damaged": (write(MTG, b"torn"), "expected safetensors weights in"),
    "half a VAE": (lose(VAE), "has no vae/config.json$"),
    "half of two": (lose(UNET, "tokenizer/merges.txt"), "has no unet/config.json, tokenizer/merges.txt$"),
    "no UNet": (
        lose_unet,
        "^cleandift_sd21_unet.safetensors of CompVis/cleandift: not in the Hub cache, and cannot be fetched: "
        "HF_HUB_OFFLINE is set$",
    ),
    "dtype": (
        recipe("us6", dtype="int8"),
        "dtype: expected float32 or float16 or bfloat16, found 'int8'",
    ),
    "unknown tap": (recipe("us1", "us12"), "feat_type: expected names of taps, .*found 'us12'"),
    "a tap twice": (recipe("us1", "us1"), "feat_type: expected each tap once"),
    "settings absent": (
        recipe(model={"resnet": 3}),
        "(?s)feat_type: expected a value, found none.*final_feat_resolution.*num_blocks.*num_norm_groups",
    ),
    "no numbers": (
        recipe(model=model("${res}", num_blocks=True, projection_dim=30, num_norm_groups=-1)),
        r"(?s)resolution: expected a positive whole number, found '\$\{res\}'.*found True.*groups.*found -1",
    ),
    "groups": (
        recipe(model=model(12, num_blocks=1, projection_dim=32, num_norm_groups=3)),
        "expected a multiple of num_norm_groups, 3, found 8",
    ),
    "YAML broken": (write(RECIPE, b"a: [1"), "expected plain YAML in"),
    "YAML with code": (
        write(RECIPE, b"!!python/object/apply:os.system ['true']"),
        "expected plain YAML in .*could not determine a constructor",
    ),
    "YAML binary": (write(RECIPE, b"\xff\xfe\x00"), "expected plain YAML in"),
    "YAML of words": (write(RECIPE, b"just words"), "(?s)model.feat_type.*dtype"),
    "JSON broken": (write(UNET, b"{"), "expected JSON in .*unet/config.json"),
    "JSON of a list": (write(UNET, b"[]"), "expected settings in .*found list"),
    "another network": (
        configure(UNET, _class_name="FluxTransformer"),
        "expected a UNet2DConditionModel in .*unet/config.json, found FluxTransformer",
    ),
    "layers without end": (
        configure(UNET, layers_per_block=[2, [10**9]]),
        "expected numbers up to 64 in layers_per_block of .*unet/config.json, found more",
    ),
    "a wide network": (
        configure(VAE, latent_channels=10**9),
        "expected numbers up to 65,536 in latent_channels of .*vae/config.json, found more",
    ),
    "texts that import": (
        configure("text_encoder/config.json", hidden_act="xielu"),
        "text_encoder/config.json describes no model .*hidden_act: expected one of gelu, .*found 'xielu'",
    ),
    "no network": (configure(VAE, norm_num_groups=3), "cannot make a AutoencoderKL of"),
    "other blocks": (
        configure(UNET, up_block_types=["UpBlock2D"] * 4),
        "has no up_blocks.1.attentions.0, which is us4 in",
    ),
    "text encoder damaged": (write("text_encoder/model.safetensors", b"torn"), "found a damaged file"),
    "text encoder not whole": (
        alter(
            "text_encoder/model.safetensors",
            **{"text_model.final_layer_norm.bias": None, "final_layer_norm.bias": None},
        ),
        r"(?s)text_encoder: the weights are not those.*1 weight missing: \S*final_layer_norm.bias",
    ),
    "another text encoder": (
        lambda folder: save(folder / "empty_prompt.safetensors", {"a": torch.zeros(1, 77, 3)}),
        "the UNet takes prompts of 16 numbers a token .* the text encoder gives 3",
    ),
    "two timesteps": (
        alter(MTG, **{"other.timestep": torch.tensor(1.0)}),
        "expected one timestep in .*, found 2: cleandift_model.timestep, other.timestep",
    ),
    "two UNets": (
        alter(MTG, **{f"a.{ENDS}": torch.zeros(1), FINE + ENDS: None}),
        r"expected one UNet in .*, found 2: a\., cleandift_model.unet_feature_extractor_base\.",
    ),
}


@pytest.mark.parametrize(("spoil", "words"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_with_a_checkpoint_is_one_error(
    vsm_copy: Callable[[], Path], no_hub: Path, spoil: Callable[[Path], object], words: str
) -> None:
    folder = vsm_copy()
    spoil(folder)
    with pytest.raises(ModelError, match=words):
        loaded(folder)


def test_nothing_that_the_yaml_says_is_run(vsm_copy: Callable[[], Path], tmp_path: Path) -> None:
    folder, witness = vsm_copy(), tmp_path / "witness"
    (folder / "experiment_cfg.yaml").write_text(f"!!python/object/apply:os.mkdir ['{witness}']")
    with pytest.raises(ModelError):
        VisualSemanticMatching(str(folder))
    assert not witness.exists()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"threshold": 1.0}, "expected threshold to be from 0 to below 1, found 1.0"),
        (
            {"semantic_threshold": float("nan")},
            "expected semantic_threshold to be from 0 to below 1, found nan",
        ),
        ({"threshold": "0.5"}, "found '0.5'"),
        ({"threshold": True}, "found True"),
        ({"vsm_latent": "mode"}, 'unknown latent "mode": known: sample, mean'),
        ({"dtype": "float8"}, 'unknown dtype "float8"'),
        ({"checkpoint": "./nowhere"}, "nowhere is no folder here and no Hub id"),
        ({"revision": "v1"}, "a revision .v1. is for a Hub id"),
    ],
)
def test_settings_that_are_none(vsm_checkpoint: Path, settings: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        VisualSemanticMatching(**({"checkpoint": str(vsm_checkpoint)} | settings))


@pytest.mark.parametrize(("module", "words"), [("yaml", "needs PyYAML"), ("diffusers", "needs diffusers")])
def test_a_missing_extra_is_one_line_that_names_it(
    vsm_checkpoint: Path, monkeypatch: pytest.MonkeyPatch, module: str, words: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(NearIDError, match=f'^metric "vsm" {words}: pip install "nearid-cli\\[vsm\\]"$'):
        loaded(vsm_checkpoint)


def test_nothing_heavy_is_imported_before_it_is_loaded(vsm_checkpoint: Path) -> None:
    code = (
        "import sys; from nearid_cli.measures.vsm import VisualSemanticMatching as V; "
        f"m = V({str(vsm_checkpoint)!r}); m.features_version; "
        "print([x for x in ('torch', 'diffusers', 'transformers', 'huggingface_hub') if x in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ
    )
    assert done.stdout.strip() == "[]"
