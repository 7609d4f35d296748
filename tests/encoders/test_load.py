"""Embeddings against transformers called directly, and every way in which weights can be wrong."""

from __future__ import annotations

import importlib
import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from PIL import Image, ImageOps

from nearid_cli.encoders.checkpoints import resolve
from nearid_cli.encoders.files import read_files
from nearid_cli.encoders.load import load_encoder, load_model
from nearid_cli.encoders.registry import parse_metrics
from nearid_cli.encoders.spec import Encoder
from nearid_cli.errors import ModelError
from tests.tiny import change_weights, drop_pooling_head, tiny_vit, write_json

Checkpoint = Callable[[str], Path]


def load(folder: Path, readout: str = "", dtype: str = "float32") -> Encoder:
    (spec,) = resolve(parse_metrics([f"x={folder}{'::' + readout if readout else ''}"]), dtype)
    return load_encoder(spec)


def opened(photos: list[Path]) -> list[Image.Image]:
    images = []
    for path in photos:
        with Image.open(path) as image:
            images.append(ImageOps.exif_transpose(image).convert("RGB"))
    return images


def embed(encoder: Encoder, images: list[Image.Image]) -> np.ndarray:
    return encoder.embed([encoder.prepare(image) for image in images])


def stock_processor(architecture: str, name: str, folder: Path) -> Any:
    """The image processor of transformers' PIL backend, constructed directly."""
    module = importlib.import_module(
        f"transformers.models.{architecture}.image_processing_pil_{architecture}"
    )
    return getattr(module, name).from_pretrained(folder)


def reference(
    processor: Any, images: list[Image.Image], features: Callable[[torch.Tensor], torch.Tensor]
) -> Any:
    """Normalised features, picture by picture, without any code of ours."""
    with torch.no_grad():
        rows = [features(processor(image, return_tensors="pt")["pixel_values"])[0] for image in images]
    return torch.nn.functional.normalize(torch.stack(rows).float(), dim=-1).numpy()


def assert_same(ours: np.ndarray, theirs: np.ndarray, tolerance: float = 1e-5) -> None:
    assert ours.dtype == np.float32
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max() < tolerance
    assert np.abs(ours @ ours.T - theirs @ theirs.T).max() < tolerance
    np.testing.assert_allclose(np.linalg.norm(ours, axis=1), 1, atol=1e-6)
    # The pictures are told apart, so agreement means something.
    assert np.abs(theirs[0] - theirs[1]).max() > 100 * tolerance


def test_nearid_in_the_hub_layout(checkpoint: Checkpoint, photos: list[Path]) -> None:
    folder = checkpoint("nearid")
    from safetensors.torch import load_file

    weights = load_file(folder / "model.safetensors")
    assert {tensor.dtype for tensor in weights.values()} == {torch.float16}
    assert all(name.startswith("backbone.vision_model.") for name in weights)
    config = transformers.SiglipVisionConfig(
        **transformers.PreTrainedConfig.get_config_dict(folder)[0]["vision_config"]
    )
    tower = transformers.SiglipVisionModel(config).eval()
    tower.load_state_dict(
        {name.removeprefix("backbone.vision_model."): tensor.float() for name, tensor in weights.items()}
    )
    processor = stock_processor("siglip", "SiglipImageProcessorPil", folder)
    images = opened(photos)
    theirs = reference(processor, images, lambda pixels: tower(pixels).pooler_output)
    assert_same(embed(load(folder), images), theirs)
    mean = reference(processor, images, lambda pixels: tower(pixels).last_hidden_state.mean(1))
    assert_same(embed(load(folder, "mean"), images), mean)


def test_clip(checkpoint: Checkpoint, photos: list[Path]) -> None:
    folder = checkpoint("clip")
    images = opened(photos)
    processor = stock_processor("clip", "CLIPImageProcessorPil", folder)
    model = transformers.CLIPModel.from_pretrained(folder).eval()
    readouts: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
        "projected": lambda pixels: model.visual_projection(model.vision_model(pixels).pooler_output),
        "pooled": lambda pixels: model.vision_model(pixels).pooler_output,
        "cls": lambda pixels: model.vision_model(pixels).last_hidden_state[:, 0],
        "mean": lambda pixels: model.vision_model(pixels).last_hidden_state[:, 1:].mean(1),
    }
    for readout, features in readouts.items():
        assert_same(embed(load(folder, readout), images), reference(processor, images, features))
    assert load(folder).spec.readout == "projected"


def test_clip_image_features_are_those_of_the_full_model(checkpoint: Checkpoint, photos: list[Path]) -> None:
    folder = checkpoint("clip")
    images = opened(photos)
    model = transformers.CLIPModel.from_pretrained(folder).eval()

    def features(pixels: torch.Tensor) -> torch.Tensor:
        output = model.get_image_features(pixel_values=pixels)
        return output if isinstance(output, torch.Tensor) else output.pooler_output

    processor = stock_processor("clip", "CLIPImageProcessorPil", folder)
    assert_same(embed(load(folder), images), reference(processor, images, features))


def test_clip_vision_tower_alone(checkpoint: Checkpoint, photos: list[Path], tmp_path: Path) -> None:
    folder, images = checkpoint("clip"), opened(photos)
    expected = embed(load(folder), images)
    tower = tmp_path / "tower"
    transformers.CLIPVisionModelWithProjection.from_pretrained(folder).save_pretrained(tower)
    (folder / "preprocessor_config.json").rename(tower / "preprocessor_config.json")
    assert load(tower).spec.readout == "projected"
    np.testing.assert_array_equal(embed(load(tower), images), expected)


def test_siglip_in_both_readouts(checkpoint: Checkpoint, photos: list[Path]) -> None:
    folder = checkpoint("siglip")
    images = opened(photos)
    processor = stock_processor("siglip", "SiglipImageProcessorPil", folder)
    model = transformers.SiglipModel.from_pretrained(folder).eval().vision_model
    assert_same(
        embed(load(folder), images),
        reference(processor, images, lambda pixels: model(pixels).pooler_output),
    )
    assert_same(
        embed(load(folder, "mean"), images),
        reference(processor, images, lambda pixels: model(pixels).last_hidden_state.mean(1)),
    )


def test_dinov2(checkpoint: Checkpoint, photos: list[Path]) -> None:
    folder = checkpoint("dinov2")
    images = opened(photos)
    processor = stock_processor("bit", "BitImageProcessorPil", folder)
    model = transformers.Dinov2Model.from_pretrained(folder).eval()
    pooled = reference(processor, images, lambda pixels: model(pixels).pooler_output)
    assert_same(embed(load(folder), images), pooled)
    np.testing.assert_array_equal(embed(load(folder, "pooled"), images), embed(load(folder, "cls"), images))
    mean = reference(processor, images, lambda pixels: model(pixels).last_hidden_state[:, 1:].mean(1))
    assert_same(embed(load(folder, "mean"), images), mean)


def test_dinov3_mean_leaves_out_the_register_tokens(checkpoint: Checkpoint, photos: list[Path]) -> None:
    folder = checkpoint("dinov3")
    images = opened(photos)
    processor = stock_processor("vit", "ViTImageProcessorPil", folder)
    model = transformers.DINOv3ViTModel.from_pretrained(folder).eval()
    assert_same(
        embed(load(folder), images),
        reference(processor, images, lambda pixels: model(pixels).pooler_output),
    )
    assert model(torch.zeros(1, 3, 32, 32)).last_hidden_state.shape[1] == 1 + 4 + 16
    mean = reference(processor, images, lambda pixels: model(pixels).last_hidden_state[:, 5:].mean(1))
    assert_same(embed(load(folder, "mean"), images), mean)


def test_vit(checkpoint: Checkpoint, photos: list[Path], tmp_path: Path) -> None:
    folder = checkpoint("vit")
    images = opened(photos)
    processor = stock_processor("vit", "ViTImageProcessorPil", folder)
    model = transformers.ViTModel.from_pretrained(folder, add_pooling_layer=False).eval()
    cls = reference(processor, images, lambda pixels: model(pixels).last_hidden_state[:, 0])
    assert_same(embed(load(folder), images), cls)

    with_pooler = tiny_vit(tmp_path / "pooler", pooler=True)
    model = transformers.ViTModel.from_pretrained(with_pooler).eval()
    pooled = reference(processor, images, lambda pixels: model(pixels).pooler_output)
    assert_same(embed(load(with_pooler, "pooled"), images), pooled)
    assert load(with_pooler).spec.readout == "cls"
    with pytest.raises(ModelError, match="are not those of the vit model") as error:
        load(folder, "pooled")
    assert error.value.details == ("2 weights missing: pooler.dense.bias, pooler.dense.weight",)


def test_vit_with_a_classification_head(checkpoint: Checkpoint, tmp_path: Path, photos: list[Path]) -> None:
    folder, images = checkpoint("vit"), opened(photos)
    config = transformers.ViTConfig.from_pretrained(folder)
    classifier = transformers.ViTForImageClassification(config)
    classifier.vit.load_state_dict(
        transformers.ViTModel.from_pretrained(folder, add_pooling_layer=False).state_dict()
    )
    classifier.save_pretrained(tmp_path / "classifier")
    (tmp_path / "classifier" / "preprocessor_config.json").write_bytes(
        (folder / "preprocessor_config.json").read_bytes()
    )
    np.testing.assert_array_equal(embed(load(tmp_path / "classifier"), images), embed(load(folder), images))


@pytest.mark.parametrize("name", ["nearid", "clip", "siglip", "dinov2", "dinov3", "vit"])
def test_batch_size_and_company_do_not_change_an_embedding(
    checkpoint: Checkpoint, photos: list[Path], name: str
) -> None:
    encoder = load(checkpoint(name))
    batch = [encoder.prepare(image) for image in opened(photos)] * 5
    together = encoder.embed(batch)
    for size in (1, 3, 16, 17):
        rows = [encoder.embed(batch[start : start + size]) for start in range(0, len(batch), size)]
        np.testing.assert_array_equal(np.concatenate(rows), together)  # to the last bit
    np.testing.assert_array_equal(encoder.embed(batch[::-1])[::-1], together)


def test_of_large_models_each_picture_is_a_pass(
    checkpoint: Checkpoint, photos: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nearid_cli.encoders.torch_encoder._SMALL", 0)
    encoder = load(checkpoint("clip"))
    batch = [encoder.prepare(image) for image in opened(photos)] * 5
    alone = np.concatenate([encoder.embed([pixels]) for pixels in batch])
    np.testing.assert_array_equal(encoder.embed(batch), alone)
    assert len({row.tobytes() for row in alone}) == len(photos)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float16", 5e-3), ("bfloat16", 5e-2)])
def test_half_precision_is_near_and_not_the_same(
    checkpoint: Checkpoint, photos: list[Path], dtype: str, tolerance: float
) -> None:
    folder, images = checkpoint("nearid"), opened(photos)
    exact, half = embed(load(folder), images), embed(load(folder, dtype=dtype), images)
    assert half.dtype == np.float32
    assert 0 < np.abs(exact - half).max() < tolerance
    np.testing.assert_allclose(np.linalg.norm(half, axis=1), 1, atol=1e-6)


def test_pictures_of_differing_prepared_shape_in_one_batch(
    checkpoint: Checkpoint, photos: list[Path]
) -> None:
    folder = checkpoint("dinov3")  # takes any size
    settings = {
        "image_processor_type": "BitImageProcessor",
        "size": {"shortest_edge": 32},
        "do_center_crop": False,
    }
    write_json(folder, "preprocessor_config.json", settings)
    encoder = load(folder)
    batch = [encoder.prepare(image) for image in opened(photos)]
    assert len({pixels.shape for pixels in batch}) > 1
    alone = np.concatenate([encoder.embed([pixels]) for pixels in batch])
    np.testing.assert_array_equal(encoder.embed(batch), alone)


def test_equal_preprocessing_is_shared_between_encoders(checkpoint: Checkpoint, photos: list[Path]) -> None:
    nearid, siglip, clip = (load(checkpoint(name)) for name in ("nearid", "siglip", "clip"))
    assert nearid.preparation == siglip.preparation
    assert hash(nearid.preparation) == hash(siglip.preparation)
    assert clip.preparation != nearid.preparation


def test_an_empty_batch_is_refused(checkpoint: Checkpoint) -> None:
    with pytest.raises(ValueError, match="at least one"):
        load(checkpoint("vit")).embed([])


def test_a_non_finite_row_stays_non_finite_and_harms_no_other(
    checkpoint: Checkpoint, photos: list[Path]
) -> None:
    folder = checkpoint("vit")
    # An unknown processor, whose arrays are floats, so that a picture can hold a NaN.
    settings = {
        "image_processor_type": "ConvNextImageProcessor",
        "size": {"shortest_edge": 32},
        "crop_pct": 1.0,
    }
    write_json(folder, "preprocessor_config.json", settings)
    encoder = load(folder)
    good, bad = (encoder.prepare(image) for image in opened(photos)[:2])
    bad = bad.copy()
    bad[0, 0, 0] = np.nan
    rows = encoder.embed([good, bad])
    assert np.isfinite(rows[0]).all()
    assert np.isnan(rows[1]).all()


def test_an_unknown_processor_is_transformers_own(checkpoint: Checkpoint, photos: list[Path]) -> None:
    folder, images = checkpoint("vit"), opened(photos)
    settings = {
        "image_processor_type": "ConvNextImageProcessor",
        "size": {"shortest_edge": 32},
        "crop_pct": 1.0,
    }
    write_json(folder, "preprocessor_config.json", settings)
    encoder = load(folder)
    assert encoder.spec.preprocessing == "transformers' ConvNextImageProcessor"
    prepared = encoder.prepare(images[0])
    assert (prepared.dtype, prepared.shape) == (np.float32, (3, 32, 32))
    processor = stock_processor("convnext", "ConvNextImageProcessorPil", folder)
    model = transformers.ViTModel.from_pretrained(folder, add_pooling_layer=False).eval()
    cls = reference(processor, images, lambda pixels: model(pixels).last_hidden_state[:, 0])
    assert_same(embed(encoder, images), cls)
    assert encoder.preparation == load(folder).preparation


def test_a_processor_that_cannot_run_here(checkpoint: Checkpoint) -> None:
    folder = checkpoint("vit")
    write_json(folder, "preprocessor_config.json", {"image_processor_type": "NoSuchImageProcessor"})
    with pytest.raises(ModelError, match="no image processor NoSuchImageProcessor that runs here"):
        load(folder)
    write_json(folder, "preprocessor_config.json", {"image_processor_type": "Sam2ImageProcessor"})
    with pytest.raises(ModelError, match="it needs `pip install torchvision`"):
        load(folder)


def _nan(weights: dict[str, torch.Tensor]) -> None:
    weights["layernorm.bias"][3] = float("nan")


def _infinity(weights: dict[str, torch.Tensor]) -> None:
    weights["layernorm.bias"][3] = -float("inf")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda weights: weights.pop("layernorm.weight"), "1 weight missing: layernorm.weight"),
        (lambda weights: weights.update(extra=torch.ones(2)), "1 weight unexpected: extra"),
        (
            lambda weights: weights.update({"layernorm.bias": torch.ones(5)}),
            r"1 weight mis-shaped: layernorm.bias is \[5\], expected \[32\]",
        ),
        (_nan, "1 weight with NaN or infinity in the checkpoint: layernorm.bias"),
        (_infinity, "1 weight with NaN or infinity in the checkpoint: layernorm.bias"),
        (lambda weights: weights.clear(), r"\d+ weights missing: .* and \d+ more"),
    ],
)
def test_weights_that_do_not_fit_are_named(
    checkpoint: Checkpoint, change: Callable[[dict[str, torch.Tensor]], None], message: str
) -> None:
    folder = change_weights(checkpoint("vit"), change)
    with pytest.raises(ModelError) as error:
        load(folder)
    text = "\n".join([error.value.message, *error.value.details])
    assert str(folder) in error.value.message
    assert re.search(message, text), text


def test_all_kinds_of_misfit_at_once(checkpoint: Checkpoint) -> None:
    def change(weights: dict[str, torch.Tensor]) -> None:
        weights["extra"] = weights.pop("layernorm.weight")
        weights["layernorm.bias"] = torch.ones(5)

    with pytest.raises(ModelError) as error:
        load(change_weights(checkpoint("dinov2"), change))
    assert len(error.value.details) == 3


@pytest.mark.parametrize("name", ["nearid", "clip", "siglip", "dinov3"])
def test_a_missing_weight_is_found_in_every_architecture(checkpoint: Checkpoint, name: str) -> None:
    folder = checkpoint(name)
    lost: list[str] = []

    def change(weights: dict[str, torch.Tensor]) -> None:
        lost.append(next(key for key in sorted(weights) if "layers.1" in key or "layer.1" in key))
        if name in ("clip", "siglip"):
            lost[0] = next(
                key for key in sorted(weights) if key.startswith("vision_model.") and "layers.1" in key
            )
        del weights[lost[0]]

    change_weights(folder, change)
    with pytest.raises(ModelError) as error:
        load(folder)
    assert error.value.details[0].startswith("1 weight missing:")
    assert lost[0].rpartition("layers.1.")[2] in error.value.details[0]


def test_weights_of_another_architecture(checkpoint: Checkpoint) -> None:
    folder = checkpoint("vit")
    (folder / "model.safetensors").write_bytes((checkpoint("dinov2") / "model.safetensors").read_bytes())
    with pytest.raises(ModelError, match="not those of the vit model"):
        load(folder)


def test_weights_too_large_for_the_dtype(checkpoint: Checkpoint) -> None:
    def change(weights: dict[str, torch.Tensor]) -> None:
        weights["layernorm.bias"][0] = 1e6

    folder = change_weights(checkpoint("vit"), change)
    assert np.isfinite(embed(load(folder), [Image.new("RGB", (40, 40))])).all()
    with pytest.raises(ModelError, match=r"after conversion to float16: layernorm\.bias"):
        load(folder, dtype="float16")


@pytest.mark.parametrize("keep", [0, 7, 100, -100])
def test_a_damaged_weight_file_is_named(checkpoint: Checkpoint, keep: int) -> None:
    file = checkpoint("vit") / "model.safetensors"
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(ModelError, match=rf"{re.escape(str(file))}, found a damaged file \("):
        load(file.parent)


def test_the_text_half_is_not_read(checkpoint: Checkpoint, photos: list[Path]) -> None:
    folder, images = checkpoint("clip"), opened(photos)
    expected = embed(load(folder), images)

    def change(weights: dict[str, torch.Tensor]) -> None:
        for name in [name for name in weights if name.startswith("text_model.")][1:]:
            del weights[name]
        weights["text_projection.weight"].fill_(float("nan"))
        weights["vision_model.embeddings.position_ids"] = torch.arange(17).unsqueeze(0)

    np.testing.assert_array_equal(embed(load(change_weights(folder, change)), images), expected)


def test_settings_that_make_no_model(checkpoint: Checkpoint) -> None:
    folder = checkpoint("clip")
    config = transformers.CLIPConfig.from_pretrained(folder).to_dict()
    config["vision_config"]["num_attention_heads"] = 3  # of a width of 32
    write_json(folder, "config.json", config)
    with pytest.raises(
        ModelError, match=r"config\.json describes no model that is read: vision_config.hidden_size"
    ):
        load(folder)


def test_siglip_without_a_pooling_head(checkpoint: Checkpoint, photos: list[Path]) -> None:
    folder = checkpoint("siglip")
    drop_pooling_head(folder)
    with pytest.raises(ModelError, match="no pooling head"):
        load(folder)
    assert embed(load(folder, "mean"), opened(photos)).shape == (4, 32)


def test_sharded_weights_load(checkpoint: Checkpoint, photos: list[Path]) -> None:
    folder, images = checkpoint("dinov2"), opened(photos)
    expected = embed(load(folder), images)
    model = transformers.Dinov2Model.from_pretrained(folder)
    (folder / "model.safetensors").unlink()
    model.save_pretrained(folder, max_shard_size="20KB")
    assert len(list(folder.glob("model-*-of-*.safetensors"))) > 1
    np.testing.assert_array_equal(embed(load(folder), images), expected)


def test_nothing_of_the_libraries_reaches_the_terminal(
    checkpoint: Checkpoint, photos: list[Path], capfd: pytest.CaptureFixture[str]
) -> None:
    good, bad = checkpoint("nearid"), change_weights(checkpoint("vit"), lambda weights: weights.clear())
    level = logging.getLogger("transformers").level
    bars = transformers.utils.logging.is_progress_bar_enabled()
    capfd.readouterr()
    embed(load(good), opened(photos))
    with pytest.raises(ModelError):
        load(bad)
    assert capfd.readouterr() == ("", "")
    assert logging.getLogger("transformers").level == level
    assert transformers.utils.logging.is_progress_bar_enabled() == bars


def test_code_in_the_checkpoint_is_not_run(checkpoint: Checkpoint, photos: list[Path]) -> None:
    folder = checkpoint("nearid")
    (folder / "modeling_nearid.py").write_text(f"open({str(folder / 'ran')!r}, 'w')")
    write_json(
        folder,
        "preprocessor_config.json",
        {"image_processor_type": "Mine", "auto_map": {"AutoImageProcessor": "modeling_nearid.Mine"}},
    )
    with pytest.raises(ModelError, match="no image processor Mine"):
        load(folder)
    assert not (folder / "ran").exists()


def test_weights_whose_sum_is_too_large_are_finite(checkpoint: Checkpoint) -> None:
    folder = change_weights(checkpoint("vit"), lambda weights: weights["layernorm.bias"].fill_(3e38))
    load_model(read_files(folder), "cls", "float32")
