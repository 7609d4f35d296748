"""The model of a training run: from every kind of checkpoint, from nothing, and from what makes none."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file

from nearid_cli.encoders.checkpoints import SHIPPED_FOLDER
from nearid_cli.encoders.nearid_model import NearIDModel
from nearid_cli.errors import ModelError, UsageError
from nearid_cli.training.model import build_model, load_preprocessing, read_preprocessor
from tests.tiny import BUILDERS, VISION, change_weights, drop_pooling_head, hub_cache, write_json

PIXELS = torch.linspace(-1, 1, 2 * 3 * 32 * 32).reshape(2, 3, 32, 32)
NAMES = ["nearid", "clip", "siglip", "dinov2", "vit"]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("backbones")
    return {name: BUILDERS[name](root / name) for name in (*NAMES, "dinov3")}


@pytest.fixture
def backbone(built: dict[str, Path], tmp_path: Path) -> Callable[[str], Path]:
    """A tiny checkpoint by name, as a copy that the test may change."""
    return lambda name: Path(shutil.copytree(built[name], tmp_path / name))


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    """config.json and preprocessor_config.json of a small SigLIP tower, and no weights."""
    write_json(tmp_path / "scratch", "config.json", VISION | {"model_type": "siglip_vision_model"})
    size = {"image_processor_type": "SiglipImageProcessor", "size": {"height": 32, "width": 32}}
    return write_json(tmp_path / "scratch", "preprocessor_config.json", size)


def stock_tokens(name: str, folder: Path) -> torch.Tensor:
    """Patch tokens by transformers alone."""
    classes = {
        "clip": "CLIPVisionModel",
        "siglip": "SiglipVisionModel",
        "dinov2": "Dinov2Model",
        "vit": "ViTModel",
    }
    options = {"add_pooling_layer": False} if name == "vit" else {}
    model = getattr(transformers, classes[name]).from_pretrained(folder, **options).eval()
    with torch.no_grad():
        tokens = model(PIXELS).last_hidden_state
        tokens = tokens if name == "siglip" else tokens[:, 1:]
        return model.post_layernorm(tokens) if name == "clip" else tokens


@pytest.mark.parametrize("name", ["clip", "siglip", "dinov2", "vit"])
@pytest.mark.parametrize(("head", "embed_dim"), [("map", None), ("map", 16), ("mlp", 16)])
def test_the_tower_is_the_checkpoints(
    built: dict[str, Path], name: str, head: str, embed_dim: int | None
) -> None:
    model = build_model(str(built[name]), head, embed_dim)
    assert torch.allclose(model.patch_tokens(PIXELS), stock_tokens(name, built[name]), atol=1e-6)
    assert model(PIXELS).image_embeds.shape == (2, embed_dim or 32)
    assert model.training
    assert not model.backbone.embeddings.training


def test_siglips_head_is_the_start(built: dict[str, Path]) -> None:
    stock = transformers.SiglipVisionModel.from_pretrained(built["siglip"]).eval()
    model = build_model(str(built["siglip"]), seed=5)
    with torch.no_grad():
        assert torch.allclose(model(PIXELS).pooler_output, stock(PIXELS).pooler_output, atol=1e-6)


def test_a_siglip_without_head_gets_a_fresh_one(backbone: Callable[[str], Path]) -> None:
    folder = backbone("siglip")
    drop_pooling_head(folder)
    one, other, third = (build_model(str(folder), seed=seed) for seed in (1, 1, 2))
    assert torch.equal(one(PIXELS).image_embeds, other(PIXELS).image_embeds)
    assert not torch.allclose(one(PIXELS).image_embeds, third(PIXELS).image_embeds, atol=1e-3)


@pytest.mark.parametrize("name", ["clip", "dinov2", "vit"])
def test_a_fresh_head_follows_from_the_seed(built: dict[str, Path], name: str) -> None:
    torch.manual_seed(7)
    state = torch.get_rng_state()
    one = build_model(str(built[name]), seed=1)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(8)
    other, third = (build_model(str(built[name]), seed=seed) for seed in (1, 2))
    assert torch.equal(one.head.probe, other.head.probe)
    assert not torch.equal(one.head.probe, third.head.probe)
    assert all(weight.isfinite().all() for weight in one.head.parameters())
    assert one.head.attention.in_proj_weight.std() > 0.05
    assert torch.equal(one.head.layernorm.weight, torch.ones(32))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32], ids=str)
def test_a_frozen_backbone_keeps_its_precision(backbone: Callable[[str], Path], dtype: torch.dtype) -> None:
    folder = backbone("vit")
    change_weights(
        folder, lambda weights: weights.update({name: tensor.to(dtype) for name, tensor in weights.items()})
    )
    frozen = build_model(str(folder))
    assert {weight.dtype for _, weight in frozen.tower_weights()} == {dtype}
    assert {weight.dtype for weight in frozen.head.parameters()} == {torch.float32}
    free = build_model(str(folder), unfreeze=True)
    assert {weight.dtype for weight in free.parameters()} == {torch.float32}
    assert all(weight.requires_grad for weight in free.parameters())
    assert free.backbone.embeddings.training


@pytest.mark.parametrize("name", NAMES)
def test_every_weight_of_an_unfrozen_model_gets_a_gradient(built: dict[str, Path], name: str) -> None:
    model = build_model(str(built[name]), unfreeze=True)
    model(PIXELS).image_embeds[:, 0].sum().backward()
    assert [n for n, weight in model.named_parameters() if weight.requires_grad and weight.grad is None] == []


def test_training_goes_on_with_a_nearid_model(built: dict[str, Path]) -> None:
    model = build_model(str(built["nearid"]))
    stock = NearIDModel.from_pretrained(built["nearid"], dtype=torch.float32)
    weights, expected = model.state_dict(), stock.state_dict()
    assert weights.keys() == expected.keys()
    assert all(torch.equal(weights[name].float(), expected[name]) for name in weights)
    for options in ({"head": "mlp"}, {"embed_dim": 16}):
        with pytest.raises(ModelError, match=r"is a NearID model with .*, which training goes on with"):
            build_model(str(built["nearid"]), **options)


def test_training_goes_on_with_the_model_in_the_package() -> None:
    model = build_model("nearid-mini", unfreeze=True)
    assert model.state_dict().keys() == build_model(str(SHIPPED_FOLDER), unfreeze=True).state_dict().keys()


def test_a_trained_head_is_not_rounded_when_training_goes_on(
    backbone: Callable[[str], Path], tmp_path: Path
) -> None:
    model = build_model(str(backbone("nearid")))
    with torch.no_grad():
        model.backbone.head.probe.add_(1e-6)
    model.save_pretrained(tmp_path / "saved")
    shutil.copy(tmp_path / "nearid" / "preprocessor_config.json", tmp_path / "saved")
    again = build_model(str(tmp_path / "saved"))
    assert torch.equal(again.backbone.head.probe, model.backbone.head.probe)
    assert again.backbone.dtype == torch.float16


def test_from_scratch_follows_from_the_seed(settings: Path) -> None:
    def build(seed: int) -> NearIDModel:
        return build_model(str(settings), from_scratch=True, unfreeze=True, seed=seed)

    one, other, third = build(1), build(1), build(2)
    weights = [model.state_dict() for model in (one, other, third)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    assert not torch.equal(one.backbone.head.probe, third.backbone.head.probe)
    assert {weight.dtype for weight in one.parameters()} == {torch.float32}
    assert all(weight.requires_grad for weight in one.parameters())


@pytest.mark.parametrize("name", NAMES)
def test_from_scratch_takes_no_weights_that_lie_there(built: dict[str, Path], name: str) -> None:
    scratch = build_model(str(built[name]), from_scratch=True, unfreeze=True)
    loaded = build_model(str(built[name]), unfreeze=True)
    assert not torch.allclose(scratch(PIXELS).image_embeds, loaded(PIXELS).image_embeds, atol=1e-2)


def test_no_weights_and_no_wish_for_random_ones(settings: Path) -> None:
    with pytest.raises(
        ModelError, match=r"found no model\.safetensors; to start from random weights, add --from-scr"
    ):
        build_model(str(settings))
    (settings / "pytorch_model.bin").write_bytes(b"x")
    with pytest.raises(ModelError, match="expected a file of tensors only, found a damaged or foreign file"):
        build_model(str(settings))


def test_a_backbone_in_the_hub_cache(
    built: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    hub_cache(tmp_path, "google/siglip2-so400m-patch14-384", built["siglip"])
    hub_cache(tmp_path, "org/model", built["vit"], ref="v2")
    assert (
        build_model("google/siglip2-so400m-patch14-384").config.vision_config.model_type
        == "siglip_vision_model"
    )
    assert build_model("siglip2").config.vision_config.model_type == "siglip_vision_model"
    assert build_model("org/model@v2").config.vision_config.model_type == "vit"
    with pytest.raises(ModelError, match=r"org/model is no folder here, is not in the Hub cache"):
        build_model("org/model")


@pytest.mark.parametrize("name", ["./nowhere", "naerid", "a/b/c", "a=b"])
def test_what_is_no_backbone(name: str) -> None:
    with pytest.raises(UsageError, match="is no folder here and no Hub id"):
        build_model(name)


def test_architectures_that_are_no_backbone(built: dict[str, Path]) -> None:
    with pytest.raises(
        ModelError, match="expected a SigLIP, CLIP, DINOv2, ViT or NearID backbone, found dinov3_vit"
    ):
        build_model(str(built["dinov3"]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image_size": 64}, r"makes pictures of 32x32 px, and the image_size of config.json is 64x64 px"),
        (
            {"hidden_size": "wide"},
            r"config\.json describes no model that is read: hidden_size: .*found 'wide'",
        ),
        ({"num_attention_heads": 5}, "hidden_size: expected a multiple of num_attention_heads 5, found 32"),
    ],
)
def test_settings_that_make_no_model(settings: Path, change: dict[str, Any], message: str) -> None:
    write_json(settings, "config.json", VISION | {"model_type": "siglip_vision_model"} | change)
    with pytest.raises(ModelError, match=message):
        build_model(str(settings), from_scratch=True, unfreeze=True)


def test_weights_that_do_not_fit_are_named(backbone: Callable[[str], Path]) -> None:
    folder = change_weights(backbone("vit"), lambda weights: weights.pop("layernorm.weight"))
    with pytest.raises(ModelError) as error:
        build_model(str(folder))
    assert error.value.details == ("1 weight missing: layernorm.weight",)


def test_preprocessing_travels_by_name(backbone: Callable[[str], Path]) -> None:
    folder = backbone("dinov2")
    described = load_preprocessing(str(folder)).describe()
    (folder / "model.safetensors").unlink()
    settings = read_preprocessor(str(folder))
    assert settings["image_processor_type"] == "BitImageProcessor"
    del settings["image_processor_type"]
    write_json(folder, "preprocessor_config.json", settings)
    assert read_preprocessor(str(folder))["image_processor_type"] == "BitImageProcessor"
    assert load_preprocessing(str(folder)).describe() == described


@pytest.mark.parametrize(
    "settings",
    [
        {"image_processor_type": "ConvNextImageProcessor"},
        {"image_processor_type": "BitImageProcessor", "do_center_crop": False},
    ],
)
def test_pictures_must_have_one_size(backbone: Callable[[str], Path], settings: dict[str, Any]) -> None:
    folder = write_json(backbone("dinov2"), "preprocessor_config.json", settings)
    with pytest.raises(ModelError, match="with a crop or a resize to one height and width"):
        load_preprocessing(str(folder))


def test_the_released_layout_comes_back(built: dict[str, Path], tmp_path: Path) -> None:
    build_model(str(built["nearid"])).save_pretrained(tmp_path)
    assert (
        load_file(tmp_path / "model.safetensors").keys()
        == load_file(built["nearid"] / "model.safetensors").keys()
    )
