"""Builders of tiny checkpoints with random weights, in the layouts of their big counterparts on the Hub."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

CLIP_MEAN, CLIP_STD = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]
IMAGENET_MEAN, IMAGENET_STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
SIZE = 32
VISION: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": SIZE,
    "patch_size": 8,
}
TEXT: dict[str, Any] = {
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "vocab_size": 50,
    "max_position_embeddings": 8,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": 1,
}


def tiny_clip(folder: Path, seed: int = 0, text: dict[str, Any] = TEXT) -> Path:
    """Text and vision, as openai/clip-vit-large-patch14, with a preprocessor_config.json of 2022."""
    from transformers import CLIPConfig, CLIPModel

    config = CLIPConfig(text_config=text, vision_config=VISION | {"projection_dim": 24}, projection_dim=24)
    _save(CLIPModel, config, folder, seed)
    # As openai/clip-vit-large-patch14 has it: every setting of a half twice.
    settings = json.loads((folder / "config.json").read_bytes())
    halves = {f"{half}_config_dict": settings[f"{half}_config"] for half in ("text", "vision")}
    write_json(folder, "config.json", settings | halves)
    return write_json(
        folder,
        "preprocessor_config.json",
        {
            "crop_size": SIZE,
            "do_center_crop": True,
            "do_normalize": True,
            "do_resize": True,
            "feature_extractor_type": "CLIPFeatureExtractor",
            "image_mean": CLIP_MEAN,
            "image_std": CLIP_STD,
            "resample": 3,
            "size": SIZE,
        },
    )


MERGES = ("t h", "th e</w>", "c a", "ca t</w>", "d o", "do g</w>", "s k", "sk s</w>", "o n</w>")


def tiny_clip_with_text(folder: Path, seed: int = 0, legacy: bool = True, positions: int = 16) -> Path:
    """As `tiny_clip`, with a tokenizer of all bytes and few merges as CLIP's own, in the files of 2021.

    Args:
        folder: where to write it.
        seed: of the weights.
        legacy: whether the configuration says 2 for the token that ends a text, as openai's own checkpoints.
        positions: how many tokens the model takes.
    """
    from tokenizers.pre_tokenizers import ByteLevel

    letters = sorted(ByteLevel.alphabet())
    words = [
        *letters,
        *(f"{letter}</w>" for letter in letters),
        *(merge.replace(" ", "") for merge in MERGES),
    ]
    vocabulary = {word: number for number, word in enumerate([*words, "<|startoftext|>", "<|endoftext|>"])}
    end = vocabulary["<|endoftext|>"]
    text = TEXT | {
        "vocab_size": len(vocabulary),
        "max_position_embeddings": positions,
        "bos_token_id": 0 if legacy else end - 1,
        "eos_token_id": 2 if legacy else end,
    }
    tiny_clip(folder, seed, text)
    write_json(folder, "vocab.json", vocabulary)
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *MERGES, ""]), encoding="utf-8")
    settings = {"tokenizer_class": "CLIPTokenizer", "model_max_length": positions, "errors": "replace"}
    return write_json(folder, "tokenizer_config.json", settings)


def tiny_siglip(folder: Path, seed: int = 0) -> Path:
    """Text and vision, as google/siglip2-so400m-patch14-384."""
    from transformers import SiglipConfig, SiglipModel

    _save(SiglipModel, SiglipConfig(text_config=TEXT, vision_config=VISION), folder, seed)
    return write_json(folder, "preprocessor_config.json", _siglip_processor("SiglipImageProcessor"))


def tiny_dinov2(folder: Path, seed: int = 0) -> Path:
    """As facebook/dinov2-large; its position embeddings are interpolated from 5x5 to the 4x4 in use."""
    from transformers import Dinov2Config, Dinov2Model

    vision = {key: value for key, value in VISION.items() if key != "intermediate_size"}
    _save(Dinov2Model, Dinov2Config(**(vision | {"image_size": 40, "layerscale_value": 0.7})), folder, seed)
    return write_json(
        folder,
        "preprocessor_config.json",
        {
            "crop_size": {"height": SIZE, "width": SIZE},
            "do_center_crop": True,
            "do_convert_rgb": True,
            "do_normalize": True,
            "do_rescale": True,
            "do_resize": True,
            "image_mean": IMAGENET_MEAN,
            "image_processor_type": "BitImageProcessor",
            "image_std": IMAGENET_STD,
            "resample": 3,
            "rescale_factor": 0.00392156862745098,
            "size": {"shortest_edge": 36},
        },
    )


def tiny_dinov3(folder: Path, seed: int = 0) -> Path:
    """Four register tokens between CLS and the patches, as DINOv3's ViTs."""
    from transformers import DINOv3ViTConfig, DINOv3ViTModel

    _save(DINOv3ViTModel, DINOv3ViTConfig(**VISION, num_register_tokens=4), folder, seed)
    return write_json(folder, "preprocessor_config.json", _vit_processor("ViTImageProcessor"))


def tiny_registers(folder: Path, seed: int = 0) -> Path:
    """As facebook/dinov2-with-registers-large."""
    from transformers import Dinov2WithRegistersConfig, Dinov2WithRegistersModel

    vision = {key: value for key, value in VISION.items() if key != "intermediate_size"}
    _save(Dinov2WithRegistersModel, Dinov2WithRegistersConfig(**vision, num_register_tokens=3), folder, seed)
    return write_json(folder, "preprocessor_config.json", _vit_processor("ViTImageProcessor"))


def tiny_clip_tower(folder: Path, seed: int = 0) -> Path:
    """CLIP's vision tower without its projection, as `CLIPVisionModel.save_pretrained` writes it."""
    from transformers import CLIPVisionConfig, CLIPVisionModel

    _save(CLIPVisionModel, CLIPVisionConfig(**VISION), folder, seed)
    settings = {"image_processor_type": "CLIPImageProcessor", "size": SIZE, "crop_size": SIZE}
    return write_json(folder, "preprocessor_config.json", settings)


def tiny_siglip_tower(folder: Path, seed: int = 0) -> Path:
    """SigLIP's vision tower, as `SiglipVisionModel.save_pretrained` writes it."""
    from transformers import SiglipVisionConfig, SiglipVisionModel

    _save(SiglipVisionModel, SiglipVisionConfig(**VISION), folder, seed)
    return write_json(folder, "preprocessor_config.json", _siglip_processor("SiglipImageProcessor"))


def tiny_classifier(folder: Path, kind: str, seed: int = 0) -> Path:
    """An image classifier on a `clip`, `siglip` or `dinov2` tower, as fine-tunes on the Hub."""
    import transformers

    vision = VISION if kind != "dinov2" else {k: v for k, v in VISION.items() if k != "intermediate_size"}
    halves = {"text_config": TEXT, "vision_config": VISION}
    name, settings = {
        "clip": ("CLIP", halves),
        "siglip": ("Siglip", halves),
        "dinov2": ("Dinov2", vision),
    }[kind]
    config = getattr(transformers, f"{name}Config")(**settings, num_labels=3)
    _save(getattr(transformers, f"{name}ForImageClassification"), config, folder, seed)
    return write_json(folder, "preprocessor_config.json", _vit_processor("ViTImageProcessor"))


def tiny_vit(folder: Path, seed: int = 0, pooler: bool = False) -> Path:
    """As facebook/dino-vits16, which has no pooler."""
    from transformers import ViTConfig, ViTModel

    _save(ViTModel, ViTConfig(**VISION), folder, seed, add_pooling_layer=pooler)
    config = _vit_processor("ViTImageProcessor")
    del config["image_processor_type"], config["do_rescale"], config["rescale_factor"]
    return write_json(
        folder,
        "preprocessor_config.json",
        config | {"feature_extractor_type": "ViTFeatureExtractor", "size": SIZE},
    )


def tiny_nearid(folder: Path, seed: int = 0, layout: str = "hub") -> Path:
    """As Aleksandar/nearid-siglip2.

    Args:
        folder: where to write it.
        seed: of the weights.
        layout: `hub` for float16 weights `backbone.vision_model.*` as transformers 4 wrote them,
            `flat` for float32 weights `backbone.*`.
    """
    import torch
    from safetensors.torch import save_file
    from transformers import SiglipVisionConfig, SiglipVisionModel

    torch.manual_seed(seed)
    tower = _shake(SiglipVisionModel(SiglipVisionConfig(**VISION)))
    prefix, dtype = {"hub": ("backbone.vision_model.", "float16"), "flat": ("backbone.", "float32")}[layout]
    weights = {
        prefix + name: tensor.to(getattr(torch, dtype)).contiguous()
        for name, tensor in tower.state_dict().items()
    }
    folder.mkdir(parents=True)
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    write_json(
        folder,
        "config.json",
        {
            "architectures": ["NearIDModel"],
            "auto_map": {
                "AutoConfig": "modeling_nearid.NearIDConfig",
                "AutoModel": "modeling_nearid.NearIDModel",
            },
            "dtype": dtype,
            "embed_dim": VISION["hidden_size"],
            "model_type": "nearid",
            "normalize_embeddings": True,
            "vision_config": VISION
            | {
                "hidden_act": "gelu_pytorch_tanh",
                "layer_norm_eps": 1e-06,
                "model_type": "siglip_vision_model",
            },
        },
    )
    return write_json(folder, "preprocessor_config.json", _siglip_processor("SiglipImageProcessorFast"))


BUILDERS = {
    "nearid": tiny_nearid,
    "clip": tiny_clip,
    "clip-with-text": tiny_clip_with_text,
    "siglip": tiny_siglip,
    "dinov2": tiny_dinov2,
    "dinov3": tiny_dinov3,
    "vit": tiny_vit,
}


def write_json(folder: Path, name: str, content: object) -> Path:
    """Write a JSON file into `folder`, which is returned."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(json.dumps(content, indent=2), encoding="utf-8")
    return folder


def pickle_weights(folder: Path, name: str = "pytorch_model.bin", **options: Any) -> dict[str, Any]:
    """Turn model.safetensors into a pickle of torch, as older repositories have it; returns the weights."""
    import torch
    from safetensors.torch import load_file

    weights = load_file(folder / "model.safetensors")
    torch.save(weights, folder / name, **options)
    (folder / "model.safetensors").unlink()
    return dict(weights)


def change_weights(folder: Path, change: Any) -> Path:
    """Rewrite model.safetensors with `change` applied to its dictionary of tensors."""
    from safetensors.torch import load, save_file

    weights = load((folder / "model.safetensors").read_bytes())
    change(weights)
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    return folder


def drop_pooling_head(folder: Path) -> Path:
    """Turn the checkpoint of `tiny_siglip` into one without attention pooling."""
    config = json.loads((folder / "config.json").read_bytes())
    config["vision_config"]["vision_use_head"] = False
    write_json(folder, "config.json", config)

    def change(weights: Any) -> None:
        for name in [name for name in weights if ".head." in name]:
            del weights[name]

    return change_weights(folder, change)


def hub_cache(cache: Path, repo_id: str, checkpoint: Path, commit: str = "c" * 40, ref: str = "main") -> Path:
    """Lay a checkpoint's files out as the Hub cache does (blobs, refs, snapshots); returns the snapshot."""
    import hashlib

    repository = cache / f"models--{repo_id.replace('/', '--')}"
    snapshot = repository / "snapshots" / commit
    for part in (repository / "blobs", (repository / "refs" / ref).parent, snapshot):
        part.mkdir(parents=True, exist_ok=True)
    (repository / "refs" / ref).write_text(commit, encoding="ascii")
    for file in checkpoint.iterdir():
        content = file.read_bytes()
        if file.suffix == ".safetensors":
            digest = hashlib.sha256(content).hexdigest()
        else:
            digest = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
        (repository / "blobs" / digest).write_bytes(content)
        (snapshot / file.name).symlink_to(Path("../../blobs") / digest)
    return snapshot


def _save(model_class: Any, config: Any, folder: Path, seed: int, **options: Any) -> None:
    import torch
    from transformers.utils import logging

    torch.manual_seed(seed)
    bars = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    _shake(model_class(config, **options)).save_pretrained(folder)
    if bars:
        logging.enable_progress_bar()


def _shake(model: Any) -> Any:
    """Make every weight matter: fresh models have biases of 0, norms of 1 and tiny random weights."""
    import torch

    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    return model


def _siglip_processor(kind: str) -> dict[str, Any]:
    return {
        "do_convert_rgb": None,
        "do_normalize": True,
        "do_rescale": True,
        "do_resize": True,
        "image_mean": [0.5, 0.5, 0.5],
        "image_processor_type": kind,
        "image_std": [0.5, 0.5, 0.5],
        "processor_class": "SiglipProcessor",
        "resample": 2,
        "rescale_factor": 0.00392156862745098,
        "size": {"height": SIZE, "width": SIZE},
    }


def _vit_processor(kind: str) -> dict[str, Any]:
    return {
        "do_normalize": True,
        "do_rescale": True,
        "do_resize": True,
        "image_mean": IMAGENET_MEAN,
        "image_processor_type": kind,
        "image_std": IMAGENET_STD,
        "resample": 2,
        "rescale_factor": 0.00392156862745098,
        "size": {"height": SIZE, "width": SIZE},
    }
