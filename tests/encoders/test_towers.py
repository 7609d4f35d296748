"""Checkpoints of less common kinds against transformers called directly: towers, classifiers, registers, subfolders."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from PIL import Image
from skimage import data

from nearid_cli.encoders.checkpoints import resolve
from nearid_cli.encoders.load import load_encoder
from nearid_cli.encoders.registry import parse_metrics
from nearid_cli.errors import ModelError, UsageError
from nearid_cli.images.preprocessing import FloatPreprocessing
from tests.encoders.test_load import assert_same, embed, load, opened, reference, stock_processor
from tests.tiny import (
    CLIP_MEAN,
    IMAGENET_MEAN,
    IMAGENET_STD,
    change_weights,
    pickle_weights,
    tiny_classifier,
    tiny_clip_tower,
    tiny_registers,
    write_json,
)

Checkpoint = Callable[[str], Path]


def test_registers(photos: list[Path], tmp_path: Path) -> None:
    folder, images = tiny_registers(tmp_path / "model"), opened(photos)
    processor = stock_processor("vit", "ViTImageProcessorPil", folder)
    model = transformers.Dinov2WithRegistersModel.from_pretrained(folder).eval()
    assert model(torch.zeros(1, 3, 32, 32)).last_hidden_state.shape[1] == 1 + 3 + 16
    cls = reference(processor, images, lambda pixels: model(pixels).pooler_output)
    assert_same(embed(load(folder), images), cls)
    mean = reference(processor, images, lambda pixels: model(pixels).last_hidden_state[:, 4:].mean(1))
    assert_same(embed(load(folder, "mean"), images), mean)


def test_a_clip_tower_without_projection_is_read_by_its_pooled_readout(
    photos: list[Path], tmp_path: Path
) -> None:
    folder, images = tiny_clip_tower(tmp_path / "model"), opened(photos)
    processor = stock_processor("clip", "CLIPImageProcessorPil", folder)
    model = transformers.CLIPVisionModel.from_pretrained(folder).eval()
    encoder = load(folder)
    assert encoder.spec.readout == "pooled"
    pooled = reference(processor, images, lambda pixels: model(pixels).pooler_output)
    assert_same(embed(encoder, images), pooled)
    with pytest.raises(UsageError, match=r"have no readout projected: .*pooled"):
        resolve(parse_metrics([f"clip-i={folder}"]), "float32")

    config = json.loads((folder / "config.json").read_bytes())
    del config["architectures"]  # nothing says that there is no projection
    write_json(folder, "config.json", config)
    with pytest.raises(ModelError) as error:
        load(folder)
    assert error.value.details[-1].startswith("the tower was saved without its projection: ::pooled")
    assert_same(embed(load(folder, "pooled"), images), pooled)


@pytest.mark.parametrize(
    ("kind", "readout"), [("clip", "pooled"), ("clip", "mean"), ("siglip", "pooled"), ("siglip", "mean")]
)
def test_the_tower_of_a_classifier(photos: list[Path], tmp_path: Path, kind: str, readout: str) -> None:
    folder, images = tiny_classifier(tmp_path / "model", kind), opened(photos)
    name = {"clip": "CLIP", "siglip": "Siglip"}[kind]
    model = getattr(transformers, f"{name}ForImageClassification").from_pretrained(folder).eval().vision_model
    processor = stock_processor("vit", "ViTImageProcessorPil", folder)

    def features(pixels: torch.Tensor) -> torch.Tensor:
        outputs = model(pixels)
        if readout == "pooled":
            return outputs.pooler_output
        return outputs.last_hidden_state[:, 1 if kind == "clip" else 0 :].mean(1)

    assert load(folder).spec.readout == "pooled"
    assert_same(embed(load(folder, readout), images), reference(processor, images, features))


def test_the_tower_of_a_dino_classifier(photos: list[Path], tmp_path: Path) -> None:
    folder, images = tiny_classifier(tmp_path / "model", "dinov2"), opened(photos)
    model = transformers.Dinov2ForImageClassification.from_pretrained(folder).eval().dinov2
    processor = stock_processor("vit", "ViTImageProcessorPil", folder)
    cls = reference(processor, images, lambda pixels: model(pixels).last_hidden_state[:, 0])
    assert_same(embed(load(folder), images), cls)


FAST = {"image_processor_type": "DINOv3ViTImageProcessorFast", "size": {"height": 32, "width": 32}}


def triangle(length: int, target: int) -> np.ndarray:
    """Weights [target, length] of an antialiased bilinear resize, in float64."""
    scale = length / target
    centres = (np.arange(target) + 0.5)[:, None] * scale
    weights = np.maximum(0, 1 - np.abs(np.arange(length) + 0.5 - centres) / max(scale, 1))
    return weights / weights.sum(1, keepdims=True)


def prepared_by_hand(image: Image.Image, size: int) -> np.ndarray:
    levels = np.asarray(image, np.float64) / 255
    rows, columns = triangle(image.height, size), triangle(image.width, size)
    resized = np.einsum("yh,hwc,xw->cyx", rows, levels, columns, optimize=True)
    return (resized - np.reshape(IMAGENET_MEAN, (3, 1, 1))) / np.reshape(IMAGENET_STD, (3, 1, 1))


@pytest.mark.parametrize(
    "settings",
    [FAST, FAST | {"image_processor_type": "DINOv3ViTImageProcessor"}, {"size": {"height": 32, "width": 32}}],
)
def test_dinov3_is_prepared_in_floats_without_torchvision(
    checkpoint: Checkpoint, photos: list[Path], settings: dict[str, object]
) -> None:
    folder, images = checkpoint("dinov3"), opened(photos)
    write_json(folder, "preprocessor_config.json", settings)
    encoder = load(folder)
    assert "resize 32x32 bilinear of floats by torch" in encoder.spec.preprocessing
    for image in images:
        np.testing.assert_allclose(encoder.prepare(image), prepared_by_hand(image, 32), atol=2e-5)
    model = transformers.DINOv3ViTModel.from_pretrained(folder).eval()
    with torch.no_grad():
        pixels = torch.from_numpy(np.stack([prepared_by_hand(image, 32) for image in images])).float()
        theirs = torch.nn.functional.normalize(model(pixels).pooler_output, dim=1).numpy()
    assert_same(embed(encoder, images), theirs, 1e-6)


def test_dinov3_is_prepared_as_by_transformers_with_torchvision() -> None:
    # What transformers 5.24 with torchvision 0.28 makes of two pictures, at two places and summed.
    expected = {
        "chelsea": (
            [0.4670362174510956, 0.2118382304906845, 0.1955580711364746],
            [0.5855768322944641, 0.04639995098114014, -0.3314478099346161],
            1449.0237124355917,
        ),
        "astronaut": (
            [-0.20681340992450714, -0.20192323625087738, 0.22297078371047974],
            [1.6299407482147217, 0.11374588310718536, -0.2815691828727722],
            3228.7664481211687,
        ),
    }
    preprocessing = FloatPreprocessing.from_config(FAST, None)
    assert preprocessing is not None
    for name, (corner, inside, total) in expected.items():
        prepared = preprocessing.to_float(Image.fromarray(getattr(data, name)()))
        # Near zero, what is left of a difference of mean and level is right to the float32 step of these.
        np.testing.assert_allclose(prepared[:, 0, 0], corner, rtol=1e-6, atol=3e-7)
        np.testing.assert_allclose(prepared[:, 16, 20], inside, rtol=1e-6, atol=3e-7)
        assert np.abs(prepared.astype(np.float64)).sum() == pytest.approx(total, rel=1e-7)


def test_the_crop_of_dinov3_pads_and_rounds_as_torchvision() -> None:
    settings = FAST | {"do_resize": False, "do_center_crop": True, "do_normalize": False}
    image = Image.fromarray(np.arange(5 * 4 * 3, dtype=np.uint8).reshape(5, 4, 3))
    levels = np.moveaxis(np.asarray(image), 2, 0) / np.float32(255)
    small = FloatPreprocessing.from_config(settings | {"crop_size": {"height": 2, "width": 3}}, None)
    large = FloatPreprocessing.from_config(settings | {"crop_size": {"height": 8, "width": 7}}, None)
    assert small is not None
    assert large is not None
    np.testing.assert_allclose(small.to_float(image), levels[:, 1:3, 0:3], rtol=1e-6)
    np.testing.assert_allclose(large.to_float(image), np.pad(levels, ((0, 0), (1, 2), (1, 2))), rtol=1e-6)


@pytest.mark.parametrize("change", [{"do_rescale": False}, {"resample": 1}, {"do_pad": True}])
def test_what_torchvision_would_do_otherwise_is_left_to_it(change: dict[str, object]) -> None:
    assert FloatPreprocessing.from_config(FAST | change, None) is None


def test_dino_s16_is_prepared_as_the_dreambooth_paper_does(tmp_path: Path, photos: list[Path]) -> None:
    settings = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    torch.manual_seed(0)
    model = transformers.ViTModel(transformers.ViTConfig(**settings), add_pooling_layer=False).eval()
    folder = tmp_path / "dino"
    model.save_pretrained(folder)
    write_json(
        folder, "preprocessor_config.json", {"feature_extractor_type": "ViTFeatureExtractor", "size": 224}
    )
    pickle_weights(folder)
    images = [*opened(photos), Image.fromarray(data.rocket())]

    def prepare(image: Image.Image) -> torch.Tensor:
        scale = 256 / min(image.size)
        width, height = (256 if edge == min(image.size) else int(edge * scale) for edge in image.size)
        left, top = round((width - 224) / 2), round((height - 224) / 2)
        image = image.resize((width, height), Image.Resampling.BICUBIC).crop(
            (left, top, left + 224, top + 224)
        )
        pixels = np.moveaxis(np.asarray(image, np.float32) / 255, 2, 0)
        mean, std = (np.reshape(v, (3, 1, 1)).astype(np.float32) for v in (IMAGENET_MEAN, IMAGENET_STD))
        return torch.from_numpy((pixels - mean) / std)[None]

    with torch.no_grad():
        rows = torch.cat([model(prepare(image)).last_hidden_state[:, 0] for image in images])
    (paper,) = resolve(parse_metrics([f"dino-s16={folder}"]), "float32")
    encoder = load_encoder(paper)
    assert_same(embed(encoder, images), torch.nn.functional.normalize(rows, dim=1).numpy())
    assert "resize shortest edge 256 bicubic, centre crop 224x224" in paper.preprocessing

    (config,) = resolve(parse_metrics([f"dino-s16-hf={folder}"]), "float32")
    assert config.preprocessing.startswith("resize 224x224 bilinear")
    assert config.fingerprint != paper.fingerprint
    assert np.abs(embed(load_encoder(config), images) - embed(encoder, images)).max() > 1e-3


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        (
            {"size": 32, "do_center_crop": False},
            "pictures of many sizes, such as 42x32 px of one with 640x480 px",
        ),
        ({"size": 40, "crop_size": 40}, "pictures of 40x40 px"),
        (
            {"do_resize": False, "do_center_crop": False},
            "pictures of many sizes, such as 640x480 px of one with 640x480 px",
        ),
    ],
)
def test_a_preprocessor_that_does_not_fit_the_model_names_both_sizes(
    checkpoint: Checkpoint, settings: dict[str, object], found: str
) -> None:
    folder = checkpoint("clip")
    write_json(
        folder,
        "preprocessor_config.json",
        {
            "feature_extractor_type": "CLIPFeatureExtractor",
            "image_mean": CLIP_MEAN,
            "crop_size": 32,
            **settings,
        },
    )
    with pytest.raises(ModelError) as error:
        resolve(parse_metrics([f"mine={folder}"]), "float32")
    (line,) = error.value.details
    assert line.startswith(f"mine: {folder}/preprocessor_config.json makes {found}")
    assert "and the model takes 32x32 px only (image_size in config.json)" in line


def test_an_image_processor_of_transformers_that_does_not_fit(
    checkpoint: Checkpoint, photos: list[Path]
) -> None:
    folder = checkpoint("vit")
    settings = {
        "image_processor_type": "ConvNextImageProcessor",
        "size": {"shortest_edge": 48},
        "crop_pct": 1.0,
    }
    write_json(folder, "preprocessor_config.json", settings)
    with pytest.raises(
        ModelError, match=r'"x": .*makes pictures of 48x48 px, and the model takes 32x32 px only'
    ):
        embed(load(folder), opened(photos)[:1])


def test_siglip_takes_what_gives_the_same_patches(checkpoint: Checkpoint, photos: list[Path]) -> None:
    folder, images = checkpoint("siglip"), opened(photos)
    config = json.loads((folder / "config.json").read_bytes())
    config["vision_config"]["image_size"] = 37  # four patches of 8 px and a rest, as 384 px in patches of 14
    write_json(folder, "config.json", config)
    assert embed(load(folder), images).shape == (4, 32)
    settings = json.loads((folder / "preprocessor_config.json").read_bytes())
    write_json(folder, "preprocessor_config.json", settings | {"size": {"height": 16, "width": 64}})
    with pytest.raises(ModelError, match="1 checkpoint is not usable") as error:
        load(folder)
    assert "makes pictures of 64x16 px, and the model takes 37x37 px only" in error.value.details[0]


COMMIT = "0123456789abcdef0123456789abcdef01234567"


def test_a_subfolder_of_a_repository(
    checkpoint: Checkpoint, no_hub: Path, photos: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, images = checkpoint("vit"), opened(photos)
    expected = embed(load(folder), images)
    repository = no_hub / "models--org--model"
    shutil.copytree(folder, repository / "snapshots" / COMMIT / "parts" / "vision")
    for ref in ("main", "v2"):
        (repository / "refs").mkdir(exist_ok=True)
        (repository / "refs" / ref).write_text(COMMIT)
    for metric in (
        "org/model//parts/vision",
        "x=org/model@v2//parts/vision",
        "org/model//parts/vision@v2::cls",
    ):
        (spec,) = resolve(parse_metrics([metric]), "float32")
        assert (spec.checkpoint, spec.revision) == ("org/model//parts/vision", COMMIT)
        np.testing.assert_array_equal(embed(load_encoder(spec), images), expected)
    (configured,) = resolve(
        parse_metrics(["ours"], {"ours": {"checkpoint": "org/model//parts/vision"}}), "float32"
    )
    assert configured.fingerprint == spec.fingerprint
    with pytest.raises(ModelError, match="not here: org/model"):
        resolve(parse_metrics(["org/model"]), "float32")
    monkeypatch.chdir(folder.parent)
    (folder / "inner").mkdir()
    for file in list(folder.glob("*.*")):
        file.rename(folder / "inner" / file.name)
    (local,) = resolve(parse_metrics(["./vit//inner"]), "float32")
    np.testing.assert_array_equal(embed(load_encoder(local), images), expected)


def test_the_same_commit_with_its_weights_in_another_form_is_another_encoder(
    checkpoint: Checkpoint, no_hub: Path
) -> None:
    snapshot = no_hub / "models--org--model" / "snapshots" / COMMIT
    shutil.copytree(checkpoint("vit"), snapshot)
    before = resolve(parse_metrics([f"org/model@{COMMIT}"]), "float32")[0].fingerprint
    pickle_weights(snapshot)
    assert resolve(parse_metrics([f"org/model@{COMMIT}"]), "float32")[0].fingerprint != before


@pytest.mark.parametrize(
    "metric", ["org/model//", "org/model//../up", "org/model///etc", "org/model//a/../b"]
)
def test_a_subfolder_stays_in_its_repository(metric: str) -> None:
    with pytest.raises(UsageError, match="expected a folder of the repository after //"):
        parse_metrics([metric])


@pytest.mark.parametrize(
    ("prefix", "saved"),
    [("module.", "DataParallel"), ("_orig_mod.", "torch.compile"), ("_fsdp_wrapped_module.", "FSDP")],
)
def test_weights_saved_with_their_wrapper_say_so(checkpoint: Checkpoint, prefix: str, saved: str) -> None:
    def change(weights: dict[str, torch.Tensor]) -> None:
        for name in list(weights):
            weights[prefix + name] = weights.pop(name)

    with pytest.raises(ModelError) as error:
        load(change_weights(checkpoint("vit"), change))
    assert error.value.details[-1] == (
        f"all of them begin with {prefix}, as {saved} saves them: save the model inside it"
    )
