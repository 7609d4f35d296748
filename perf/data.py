"""Pictures and checkpoints to measure with, made on the spot."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from nearid_cli.encoders.spec import Encoder, EncoderSpec

SIGLIP_PROCESSOR = {
    "do_normalize": True,
    "do_rescale": True,
    "do_resize": True,
    "image_mean": [0.5, 0.5, 0.5],
    "image_processor_type": "SiglipImageProcessor",
    "image_std": [0.5, 0.5, 0.5],
    "resample": 2,
}
CLIP_PROCESSOR = {
    "crop_size": 224,
    "do_center_crop": True,
    "do_normalize": True,
    "do_resize": True,
    "feature_extractor_type": "CLIPFeatureExtractor",
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
    "resample": 3,
    "size": 224,
}


def siglip_processor(edge: int) -> dict[str, Any]:
    """The `preprocessor_config.json` of a SigLIP that takes squares of `edge` pixels."""
    return {**SIGLIP_PROCESSOR, "size": {"height": edge, "width": edge}}


def photographs(folder: Path, number: int, edge: int = 1024) -> list[Path]:
    """Different crops of real photographs as JPEGs of quality 90, `edge` pixels square."""
    from skimage import data

    originals = [
        Image.fromarray(getattr(data, name)()) for name in ("astronaut", "chelsea", "coffee", "rocket")
    ]
    random = np.random.default_rng(0)
    folder.mkdir(parents=True)
    paths = []
    for index in range(number):
        original = originals[index % len(originals)]
        side = int(min(original.size) * random.uniform(0.6, 0.95))
        left, top = (int(random.integers(edge - side + 1)) for edge in original.size)
        crop = original.resize(
            (edge, edge), Image.Resampling.BICUBIC, box=(left, top, left + side, top + side)
        )
        paths.append(folder / f"{index:06}.jpg")
        crop.save(paths[-1], quality=90)
    return paths


def small_encoder(folder: Path) -> tuple[EncoderSpec, Encoder]:
    """A SigLIP so small that reading pictures is the work: 2 layers of width 64 on 49 patches at 224 px."""
    import torch
    from transformers import SiglipVisionConfig, SiglipVisionModel

    from nearid_cli.encoders.checkpoints import resolve
    from nearid_cli.encoders.load import load_encoder
    from nearid_cli.encoders.registry import parse_metrics

    torch.manual_seed(0)
    config = SiglipVisionConfig(
        hidden_size=64,
        intermediate_size=256,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=224,
        patch_size=32,
    )
    SiglipVisionModel(config).save_pretrained(folder)
    write_json(folder / "preprocessor_config.json", siglip_processor(224))
    (spec,) = resolve(parse_metrics([f"small={folder}"], {}), "float32")
    return spec, load_encoder(spec)


def write_json(file: Path, content: object) -> None:
    """Write a JSON file, and the folders that it needs."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content))
