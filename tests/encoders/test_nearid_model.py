from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from PIL import Image
from safetensors.torch import load_file
from skimage import data

from nearid_cli.encoders import autoregister
from nearid_cli.encoders.checkpoints import resolve
from nearid_cli.encoders.load import load_encoder
from nearid_cli.encoders.nearid_model import NearIDConfig, NearIDModel
from nearid_cli.encoders.registry import MetricRequest
from nearid_cli.errors import ModelError
from tests.tiny import VISION, _shake, tiny_nearid, write_json

Checkpoint = Callable[[str], Path]
PIXELS = torch.linspace(-1, 1, 2 * 3 * 32 * 32).reshape(2, 3, 32, 32)


def features(model: NearIDModel) -> torch.Tensor:
    with torch.no_grad():
        return model.eval().get_image_features(PIXELS)


def run(code: str) -> subprocess.CompletedProcess[str]:
    # Versions of torch such as 2.6 leave a temporary folder for the end of the process to remove.
    strict = ["-W", "error", "-W", "ignore:Implicitly cleaning up:ResourceWarning"]
    return subprocess.run(
        [sys.executable, *strict, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        stdin=subprocess.DEVNULL,
    )


def test_both_key_layouts_load_alike(tmp_path: Path) -> None:
    hub = tiny_nearid(tmp_path / "hub", seed=3, layout="hub")
    flat = tiny_nearid(tmp_path / "flat", seed=3, layout="flat")
    models = []
    for folder in (hub, flat):
        model, report = NearIDModel.from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
        assert not any(report.values())
        models.append(model)
    one, other = map(features, models)
    assert torch.allclose(one, other, atol=1e-3)  # the hub's weights are rounded to float16
    assert not torch.allclose(one[0], one[1], atol=1e-2)


def test_round_trip(checkpoint: Checkpoint, tmp_path: Path) -> None:
    model = NearIDModel.from_pretrained(checkpoint("nearid"), dtype=torch.float32)
    model.save_pretrained(tmp_path / "saved")
    again = NearIDModel.from_pretrained(tmp_path / "saved")
    assert torch.equal(features(model), features(again))
    assert again.config.embed_dim == VISION["hidden_size"]
    assert again.config.vision_config.to_dict()["patch_size"] == VISION["patch_size"]


def test_outputs() -> None:
    model = NearIDModel(NearIDConfig(vision_config=VISION)).eval()
    assert isinstance(model.config.vision_config, transformers.SiglipVisionConfig)
    with torch.no_grad():
        output = model(PIXELS)
    assert output.image_embeds.shape == output.pooler_output.shape == (2, 32)
    assert output.last_hidden_state.shape == (2, 16, 32)
    assert torch.allclose(output.image_embeds.norm(dim=-1), torch.ones(2))
    assert torch.equal(features(model), output.image_embeds)

    model.config.normalize_embeddings = False
    assert torch.equal(features(model), output.pooler_output)


TOWERS: dict[str, dict[str, Any]] = {
    "siglip_vision_model": {"vision_use_head": True},
    "clip_vision_model": {},
    "dinov2": {"mlp_ratio": 2},
    "vit": {},
}
HEADS = [("map", None), ("map", 16), ("mlp", None), ("mlp", 16)]


def tiny(tower: str, head: str = "map", embed_dim: int | None = None) -> NearIDModel:
    torch.manual_seed(0)
    config = NearIDConfig(VISION | TOWERS[tower] | {"model_type": tower}, embed_dim, head_type=head)
    return _shake(NearIDModel(config)).eval()


@pytest.mark.parametrize("tower", TOWERS)
@pytest.mark.parametrize(("head", "embed_dim"), HEADS)
def test_every_tower_with_every_head_round_trips(
    tmp_path: Path, tower: str, head: str, embed_dim: int | None
) -> None:
    model = tiny(tower, head, embed_dim)
    model.save_pretrained(tmp_path)
    again, report = transformers.AutoModel.from_pretrained(tmp_path, output_loading_info=True)
    assert not any(report.values())
    assert torch.equal(features(model), features(again))
    assert again.config.embed_dim == (embed_dim or 32) == features(again).shape[1]
    with torch.no_grad():
        output = again(PIXELS)
        assert output.last_hidden_state.shape == (2, 16, 32)
        assert torch.equal(again(tokens=output.last_hidden_state).image_embeds, output.image_embeds)


@pytest.mark.parametrize(
    ("tower", "name", "options"),
    [
        ("siglip_vision_model", "SiglipVisionModel", {}),
        ("clip_vision_model", "CLIPVisionModel", {}),
        ("dinov2", "Dinov2Model", {}),
        ("vit", "ViTModel", {"add_pooling_layer": False}),
    ],
)
def test_heads_see_the_patch_tokens_only(tower: str, name: str, options: dict[str, Any]) -> None:
    model = tiny(tower, "mlp", 16)
    stock = getattr(transformers, name)(model.config.vision_config, **options).eval()
    stock.load_state_dict(model.backbone.state_dict())
    with torch.no_grad():
        tokens = stock(PIXELS).last_hidden_state
        if tower != "siglip_vision_model":
            tokens = tokens[:, 1:]
        if tower == "clip_vision_model":
            tokens = stock.post_layernorm(tokens)
        output = model(PIXELS)
        first, _, second = model.head
        hidden = torch.nn.functional.gelu(tokens.mean(dim=1) @ first.weight.T + first.bias)
        expected = hidden @ second.weight.T + second.bias
    assert torch.allclose(output.last_hidden_state, tokens, atol=1e-6)
    assert torch.allclose(output.pooler_output, expected, atol=1e-5)


def test_siglip_without_projection_is_siglips_own_pooling() -> None:
    model = tiny("siglip_vision_model")
    stock = transformers.SiglipVisionModel(model.config.vision_config).eval()
    stock.load_state_dict(model.backbone.state_dict())
    with torch.no_grad():
        assert torch.equal(model(PIXELS).pooler_output, stock(PIXELS).pooler_output)


def test_pooling_attends_and_does_not_only_average() -> None:
    model = tiny("vit")
    with torch.no_grad():
        tokens = model.patch_tokens(PIXELS)
        shuffled = tokens[:, torch.randperm(16)]
        weighted = torch.cat([tokens[:, :1].expand(-1, 15, -1), tokens[:, 1:2]], dim=1)
        assert torch.allclose(
            model(tokens=shuffled).image_embeds, model(tokens=tokens).image_embeds, atol=1e-5
        )
        assert not torch.allclose(
            model(tokens=weighted).image_embeds, model(tokens=tokens).image_embeds, atol=1e-3
        )


@pytest.mark.parametrize("scratch", [True, False], ids=["scratch", "loaded"])
def test_saved_as_released(tmp_path: Path, checkpoint: Checkpoint, scratch: bool) -> None:
    released = checkpoint("nearid")
    flat = tiny_nearid(tmp_path / "flat", layout="flat")
    model = tiny("siglip_vision_model") if scratch else NearIDModel.from_pretrained(flat)
    model.save_pretrained(tmp_path / "saved")
    names = [set(load_file(folder / "model.safetensors")) for folder in (released, tmp_path / "saved")]
    assert names[0] == names[1]
    settings = [
        json.loads((folder / "config.json").read_bytes()) for folder in (released, tmp_path / "saved")
    ]
    assert settings[1].keys() - {"transformers_version"} == settings[0].keys() - {"auto_map"}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"head_type": "cls"}, "unknown head_type 'cls'"),
        ({"embed_dim": 0}, "positive whole number for embed_dim, found 0"),
        ({"embed_dim": "64"}, "positive whole number for embed_dim, found '64'"),
        ({"head_hidden_dim": 1.5}, "positive whole number for head_hidden_dim, found 1.5"),
        ({"vision_config": VISION | {"model_type": "bert"}}, 'found "bert"'),
    ],
)
def test_a_configuration_that_makes_no_model(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        NearIDConfig(**({"vision_config": VISION} | settings))


def test_the_caller_keeps_its_tower_configuration() -> None:
    tower = transformers.SiglipVisionConfig(**VISION)
    before = tower.to_dict()
    assert NearIDConfig(tower, head_type="mlp").vision_config.vision_use_head is False
    assert tower.to_dict() == before
    assert NearIDConfig(vision_config=VISION).embed_dim == 32


@pytest.mark.parametrize("tower", TOWERS)
@pytest.mark.parametrize("head", ["map", "mlp"])
@pytest.mark.parametrize("backbone", [torch.float16, torch.bfloat16, torch.float32], ids=str)
@pytest.mark.parametrize("precision", [None, torch.float16, torch.bfloat16], ids=str)
def test_a_frozen_tower_in_any_precision(
    tower: str, head: str, backbone: torch.dtype, precision: torch.dtype | None
) -> None:
    model = tiny(tower, head)
    exact = features(model)
    model.freeze_backbone(backbone)
    model.train()
    assert not model.backbone.embeddings.training
    trained = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
    assert {weight.dtype for weight in trained.values()} == {torch.float32}
    assert all(name.startswith(("head.", "backbone.head.")) for name in trained)
    assert {weight.dtype for _, weight in model.tower_weights()} == {backbone}
    with torch.autocast("cpu", precision) if precision else nullcontext():
        embeds = model(PIXELS).image_embeds
    assert embeds.dtype == torch.float32
    assert torch.allclose(embeds, exact, atol=0.05)
    embeds[:, 0].sum().backward()
    assert all(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in trained.values())


@pytest.mark.parametrize("tower", TOWERS)
def test_readouts_of_the_encoder(tmp_path: Path, tower: str) -> None:
    model = tiny(tower, "map", 16)
    model.save_pretrained(tmp_path)
    write_json(tmp_path, "preprocessor_config.json", {"size": {"height": 32, "width": 32}})
    picture = Image.fromarray(data.chelsea())
    for readout in ("pooled", "mean"):
        (spec,) = resolve([MetricRequest("x", str(tmp_path), readout)], "float32")
        encoder = load_encoder(spec)
        prepared = encoder.prepare(picture)
        values = (torch.tensor(prepared).permute(2, 0, 1)[None] / 255 - 0.5) / 0.5
        with torch.no_grad():
            output = model(values)
            rows = output.pooler_output if readout == "pooled" else output.last_hidden_state.mean(dim=1)
        expected = torch.nn.functional.normalize(rows, dim=-1).numpy()
        assert np.abs(encoder.embed([prepared]) - expected).max() < 1e-5


def test_the_released_configuration() -> None:
    config = NearIDConfig.from_dict(
        {
            "model_type": "nearid",
            "embed_dim": 1152,
            "normalize_embeddings": True,
            "vision_config": {
                "hidden_size": 1152,
                "intermediate_size": 4304,
                "num_hidden_layers": 27,
                "num_attention_heads": 16,
                "image_size": 384,
                "patch_size": 14,
                "hidden_act": "gelu_pytorch_tanh",
            },
        }
    )
    with torch.device("meta"):
        model = NearIDModel(config)
    assert sum(parameter.numel() for parameter in model.parameters()) == 428_225_600


# Importing nearid_cli installs. The vision tower first is the order in which transformers' modules
# import the auto classes while they are incomplete themselves.
@pytest.mark.parametrize(
    "order",
    [
        "import nearid_cli; from transformers import SiglipVisionModel, AutoModel",
        pytest.param("from transformers import AutoModel; import nearid_cli", marks=pytest.mark.torture),
        "import nearid_cli.encoders.nearid_config; from transformers import AutoModel",
    ],
)
def test_auto_model_loads_without_remote_code(checkpoint: Checkpoint, order: str) -> None:
    folder = checkpoint("nearid")
    result = run(
        f"{order}; import torch, transformers; transformers.utils.logging.disable_progress_bar()\n"
        f"model = AutoModel.from_pretrained({str(folder)!r})\n"
        "features = model.float().get_image_features(torch.ones(2, 3, 32, 32))\n"
        "print(type(model).__module__, list(features.shape), features.norm(dim=-1).allclose(torch.ones(2)))"
    )
    assert result.stdout == "nearid_cli.encoders.nearid_model [2, 32] True\n"
    assert result.stderr == ""


def test_registering_imports_nothing() -> None:
    result = run(
        "import sys, nearid_cli\n"
        "print(sorted({'torch', 'transformers', 'numpy', 'huggingface_hub'} & set(sys.modules)))"
    )
    assert result.stdout == "[]\n"


def test_transformers_alone_does_not_load_the_model() -> None:
    result = run(
        "import sys, nearid_cli; from transformers import AutoConfig, AutoTokenizer\n"
        "print([name for name in sys.modules if name.startswith('nearid_cli.encoders.nearid')])"
    )
    assert result.stdout == "['nearid_cli.encoders.nearid_config']\n"


def test_installing_here_registers_at_once() -> None:
    autoregister.install()
    finders = [finder for finder in sys.meta_path if type(finder).__name__ == "_Finder"]
    autoregister.install()
    assert [finder for finder in sys.meta_path if type(finder).__name__ == "_Finder"] == finders
    assert len(finders) == 1
    assert transformers.AutoConfig.for_model("nearid").model_type == "nearid"
