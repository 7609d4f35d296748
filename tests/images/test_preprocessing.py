"""Parity to the bit with the PIL backend of transformers, called directly."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from transformers.models.bit.image_processing_pil_bit import BitImageProcessorPil
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

from nearid_cli.images.decode import UnreadableImage
from nearid_cli.images.preprocessing import Preprocessing, gather

PROCESSORS = {
    "CLIP": CLIPImageProcessorPil,
    "Siglip": SiglipImageProcessorPil,
    "Bit": BitImageProcessorPil,
    "ViT": ViTImageProcessorPil,
}

# preprocessor_config.json of the checkpoints that the default metrics name (facts, re-typed).
CHECKPOINTS = {
    "openai/clip-vit-large-patch14": (
        "CLIP",
        {
            "crop_size": 224,
            "do_center_crop": True,
            "do_normalize": True,
            "do_resize": True,
            "feature_extractor_type": "CLIPFeatureExtractor",
            "image_mean": [0.48145466, 0.4578275, 0.40821073],
            "image_std": [0.26862954, 0.26130258, 0.27577711],
            "resample": 3,
            "size": 224,
        },
        "resize shortest edge 224 bicubic, centre crop 224x224, rescale 1/255, normalise "
        "mean [0.48145466, 0.4578275, 0.40821073] std [0.26862954, 0.26130258, 0.27577711]",
    ),
    "facebook/dinov2-large": (
        "Bit",
        {
            "crop_size": {"height": 224, "width": 224},
            "do_center_crop": True,
            "do_convert_rgb": True,
            "do_normalize": True,
            "do_rescale": True,
            "do_resize": True,
            "image_mean": [0.485, 0.456, 0.406],
            "image_processor_type": "BitImageProcessor",
            "image_std": [0.229, 0.224, 0.225],
            "resample": 3,
            "rescale_factor": 0.00392156862745098,
            "size": {"shortest_edge": 256},
        },
        "resize shortest edge 256 bicubic, centre crop 224x224, rescale 1/255, normalise "
        "mean [0.485, 0.456, 0.406] std [0.229, 0.224, 0.225]",
    ),
    "facebook/dino-vits16": (
        "ViT",
        {
            "do_normalize": True,
            "do_resize": True,
            "feature_extractor_type": "ViTFeatureExtractor",
            "image_mean": [0.485, 0.456, 0.406],
            "image_std": [0.229, 0.224, 0.225],
            "resample": 2,
            "size": 224,
        },
        "resize 224x224 bilinear, rescale 1/255, normalise "
        "mean [0.485, 0.456, 0.406] std [0.229, 0.224, 0.225]",
    ),
    "Aleksandar/nearid-siglip2": (
        "Siglip",
        {
            "do_convert_rgb": None,
            "do_normalize": True,
            "do_rescale": True,
            "do_resize": True,
            "image_mean": [0.5, 0.5, 0.5],
            "image_processor_type": "SiglipImageProcessorFast",
            "image_std": [0.5, 0.5, 0.5],
            "resample": 2,
            "rescale_factor": 0.00392156862745098,
            "size": {"height": 384, "width": 384},
        },
        "resize 384x384 bilinear, rescale 1/255, normalise mean 0.5 std 0.5",
    ),
}


def ours(config: dict, image: Image.Image, model_type: str | None = None) -> np.ndarray:
    preprocessing = Preprocessing.from_config(config, model_type)
    assert preprocessing is not None
    pixels = preprocessing.to_uint8(image)
    assert pixels.dtype == np.uint8
    out = preprocessing.normalise([pixels], "cpu")
    assert out.dtype == torch.float32
    assert out.is_contiguous()
    return out.numpy()


def theirs(family: str, config: dict, image: Image.Image) -> np.ndarray:
    return PROCESSORS[family](**config)(image, return_tensors="np")["pixel_values"]


def noise(width: int, height: int) -> Image.Image:
    pixels = np.random.default_rng(width * 10_007 + height).integers(
        0, 256, (height, width, 3), dtype=np.uint8
    )
    return Image.fromarray(pixels)


@pytest.mark.parametrize("checkpoint", CHECKPOINTS)
def test_checkpoints_on_photographs(checkpoint, photographs):
    family, config, description = CHECKPOINTS[checkpoint]
    for name, image in photographs.items():
        assert np.array_equal(ours(config, image), theirs(family, config, image)), name
    assert Preprocessing.from_config(config, None).describe() == description


@pytest.mark.parametrize("checkpoint", CHECKPOINTS)
@pytest.mark.parametrize(
    "size",
    [(1, 1), (2, 1), (1, 3), (223, 224), (224, 223), (225, 224), (255, 257), (257, 255), (2000, 3), (3, 700)],
)
def test_checkpoints_on_odd_sizes(checkpoint, size):
    family, config, _ = CHECKPOINTS[checkpoint]
    assert np.array_equal(ours(config, noise(*size)), theirs(family, config, noise(*size)))


EDGE = st.integers(1, 40)
FIXED = st.fixed_dictionaries({"height": EDGE, "width": EDGE})
SIZE = st.one_of(
    EDGE,
    FIXED,
    st.lists(EDGE, min_size=2, max_size=2),
    st.fixed_dictionaries({"shortest_edge": EDGE}),
    st.fixed_dictionaries({"shortest_edge": EDGE, "longest_edge": EDGE}),
    st.fixed_dictionaries({"max_height": EDGE, "max_width": EDGE}),
)
STATISTIC = st.one_of(st.floats(0.05, 2), st.lists(st.floats(0.05, 2), min_size=3, max_size=3))
SWITCH = st.sampled_from([True, False, None])
CONFIG = st.fixed_dictionaries(
    {},
    optional={
        "do_resize": SWITCH,
        "size": SIZE,
        "default_to_square": SWITCH,
        "resample": st.sampled_from([0, 1, 2, 3, 4, 5]),
        "do_center_crop": SWITCH,
        "crop_size": st.one_of(EDGE, FIXED),
        "do_rescale": SWITCH,
        "rescale_factor": st.sampled_from([1 / 255, 1 / 127.5, 0.003, 1]),
        "do_normalize": SWITCH,
        "image_mean": STATISTIC,
        "image_std": STATISTIC,
        "do_convert_rgb": SWITCH,
        "do_pad": st.just(False),
        "a_key_of_the_future": st.just(True),
    },
)


@settings(max_examples=400)
@given(st.sampled_from(sorted(PROCESSORS)), CONFIG, st.integers(1, 70), st.integers(1, 70))
def test_any_configuration(family, config, width, height):
    image = noise(width, height)
    # Without a resize of their own, SigLIP and ViT have no crop size that a crop could use.
    if config.get("do_center_crop") and family in {"Siglip", "ViT"}:
        config.setdefault("crop_size", 20)
    named = {"image_processor_type": f"{family}ImageProcessor", **config}
    try:
        mine = ours(named, image)
    except UnreadableImage:
        with pytest.raises(ValueError, match="must be > 0"):
            theirs(family, config, image)
        return
    assert np.array_equal(mine, theirs(family, config, image).astype(np.float32))


@pytest.mark.parametrize(
    ("named", "model_type", "family"),
    [
        ({"image_processor_type": "SiglipImageProcessorFast"}, "clip", "Siglip"),
        ({"image_processor_type": "CLIPImageProcessorPil"}, None, "CLIP"),
        ({"image_processor_type": "BitImageProcessor"}, "dinov2", "Bit"),
        ({"feature_extractor_type": "ViTFeatureExtractor"}, None, "ViT"),
        ({}, "clip", "CLIP"),
        ({}, "siglip", "Siglip"),
        ({}, "siglip_vision_model", "Siglip"),
        ({}, "nearid", "Siglip"),
        ({}, "dinov2", "Bit"),
        ({}, "vit", "ViT"),
    ],
)
def test_which_processor(named, model_type, family, photographs):
    image = photographs["chelsea.png"]
    assert np.array_equal(ours(named, image, model_type), theirs(family, {}, image))


@pytest.mark.parametrize(
    ("config", "model_type"),
    [
        ({}, None),
        ({}, "dinov3_vit"),
        ({"image_processor_type": "Siglip2ImageProcessor"}, "siglip"),
        ({"image_processor_type": "ConvNextImageProcessor"}, "vit"),
        ({"do_pad": True}, "clip"),
        ({"do_flip_channel_order": True}, "clip"),
        ({"use_square_size": True}, "clip"),
        ({"size": {"longest_edge": 224}}, "clip"),
        ({"size": {"height": 224}}, "clip"),
        ({"size": {"min_pixels": 1, "max_pixels": 2}}, "clip"),
        ({"size": 0}, "clip"),
        ({"size": True}, "clip"),
        ({"size": 224.5}, "clip"),
        ({"size": "224"}, "clip"),
        ({"crop_size": {"shortest_edge": 224}}, "clip"),
        ({"do_center_crop": True}, "vit"),
        ({"size": None}, "clip"),
        ({"resample": None}, "clip"),
        ({"image_mean": None}, "clip"),
        ({"resample": 9}, "clip"),
        ({"resample": "bicubic"}, "clip"),
        ({"rescale_factor": "1/255"}, "clip"),
        ({"rescale_factor": float("nan")}, "clip"),
        ({"image_mean": [0.5]}, "clip"),
        ({"image_std": [0.5, 0.0, 0.5]}, "clip"),
    ],
)
def test_what_is_left_to_transformers(config, model_type):
    assert Preprocessing.from_config(config, model_type) is None


def test_off_switches_leave_levels_as_floats(photographs):
    config = {"do_rescale": False, "do_normalize": False}
    assert Preprocessing.from_config(config, "clip").lookup()[:, 1].tolist() == list(range(256))


def test_too_elongated_pictures_are_refused_before_memory_is_taken():
    clip = Preprocessing.from_config({}, "clip")
    with pytest.raises(UnreadableImage, match=r"5000000x1 px is too elongated.*1120000000x224"):
        clip.to_uint8(Image.new("RGB", (5_000_000, 1)))


def test_equal_means_hashable_and_described_alike():
    spelled = Preprocessing.from_config({"size": 224, "crop_size": 224, "resample": 3}, "clip")
    assert spelled == Preprocessing.from_config({}, "clip")
    assert len({spelled, Preprocessing.from_config({}, "clip"), Preprocessing.from_config({}, "vit")}) == 2


DIFFERENT = [
    {},
    {"resample": 2},
    {"size": 225},
    {"size": {"shortest_edge": 224, "longest_edge": 300}},
    {"size": {"height": 224, "width": 225}},
    {"size": {"height": 225, "width": 224}},
    {"size": {"max_height": 225, "max_width": 224}},
    {"do_resize": False},
    {"do_center_crop": False},
    {"crop_size": 223},
    {"do_rescale": False},
    {"rescale_factor": 1 / 256},
    {"do_normalize": False},
    {"image_mean": [0.5, 0.5, 0.50000001]},
    {"image_std": 0.5},
]


def test_description_tells_preprocessings_apart():
    descriptions = {Preprocessing.from_config(config, "clip").describe() for config in DIFFERENT}
    assert len(descriptions) == len(DIFFERENT)


def test_no_step_at_all():
    off = dict.fromkeys(("do_resize", "do_center_crop", "do_rescale", "do_normalize"), False)
    assert Preprocessing.from_config(off, "clip").describe() == "none"


def test_the_look_up_of_a_gpu_equals_that_of_the_processor() -> None:
    preprocessing = Preprocessing.from_config({"image_processor_type": "CLIPImageProcessor"}, None)
    assert preprocessing is not None
    pixels = [np.asarray(noise(13, 9)) for _ in range(3)]
    gathered = gather(torch.from_numpy(preprocessing.lookup().T.copy()), torch.from_numpy(np.stack(pixels)))
    assert torch.equal(gathered, preprocessing.normalise(pixels, "cpu"))
