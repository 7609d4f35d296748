"""A tiny Mind-the-Glitch checkpoint with random weights: all parts in one folder, laid out as their big counterparts.

The blocks are those of Stable Diffusion 2.1; channels are few.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

SIDE = 12
WIDTH = 32
GROUPS = 4
TAPS = tuple(f"us{number}" for number in range(1, 11))
CHANNELS = {
    "us1": 32,
    "us2": 32,
    "us3": 32,
    "us4": 32,
    "us5": 32,
    "us6": 32,
    "us7": 16,
    "us8": 16,
    "us9": 16,
    "us10": 8,
}
TIMESTEP = 257.25
PROMPT_WIDTH = 16

VAE = {
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
    "block_out_channels": [4, 4, 8, 8],
    "layers_per_block": 1,
    "norm_num_groups": 2,
    "latent_channels": 4,
}
UNET = {
    "sample_size": 96,
    "block_out_channels": [8, 16, 32, 32],
    "layers_per_block": 2,
    "norm_num_groups": 4,
    "cross_attention_dim": PROMPT_WIDTH,
    "attention_head_dim": [1, 2, 4, 4],
    "use_linear_projection": True,
}
TEXT = {
    "vocab_size": 6,
    "hidden_size": PROMPT_WIDTH,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "max_position_embeddings": 77,
    "bos_token_id": 4,
    "eos_token_id": 5,
    "pad_token_id": 0,
}


def tiny_vsm(folder: Path, seed: int = 0, taps: Iterable[str] = TAPS, blocks: int = 1) -> Path:
    """All parts as they are published: the diffusion model is in `mtg_weights.safetensors`."""
    import torch
    from diffusers import AutoencoderKL, UNet2DConditionModel

    taps = list(taps)
    torch.manual_seed(seed)
    unet, base, vae = UNet2DConditionModel(**UNET), UNet2DConditionModel(**UNET), AutoencoderKL(**VAE)
    for name, model in (("unet", unet), ("vae", vae)):
        model.save_config(folder / name)
    weights = {
        f"cleandift_model.unet_feature_extractor_cleandift.{key}": value
        for key, value in _shaken(unet).items()
    }
    weights |= {
        f"cleandift_model.unet_feature_extractor_base.{key}": value for key, value in _shaken(base).items()
    }
    posterior = _shaken(vae)
    posterior["quant_conv.bias"][4:] -= 10  # certain of its latents, as trained ones are
    weights |= {f"cleandift_model.ae.ae.{key}": value for key, value in posterior.items()}
    weights |= {
        "cleandift_model.timestep": torch.tensor(TIMESTEP),
        "cleandift_model.adapters.us6.layers.0.up_proj.weight": torch.randn(3, 3),
    }
    save(folder / "mtg_weights.safetensors", weights | aggregation(taps, blocks))
    write_recipe(folder, taps, blocks)
    _text_encoder(folder)
    return folder


def aggregation(taps: Iterable[str], blocks: int = 1) -> dict[str, Any]:
    """The weights of both networks in the key layout of the checkpoint."""
    import torch

    weights = {}
    for branch in ("semantic", "visual"):
        for place, tap in enumerate(taps):
            for block in range(blocks):
                channels = WIDTH if block else CHANNELS[tap]
                shapes = {
                    "conv1": (WIDTH // 4, channels, 1, 1),
                    "conv2": (WIDTH // 4, WIDTH // 4, 3, 3),
                    "conv3": (WIDTH, WIDTH // 4, 1, 1),
                }
                if channels != WIDTH:
                    shapes["shortcut"] = (WIDTH, channels, 1, 1)
                for name, shape in shapes.items():
                    prefix = f"bottleneck_layers_{branch}.{place}.{block}.{name}"
                    weights[f"{prefix}.weight"] = torch.randn(shape) / (shape[1] * shape[2] * shape[3]) ** 0.5
                    weights[f"{prefix}.norm.weight"] = 1 + 0.2 * torch.randn(shape[0])
                    # Below 0 where a ReLU comes last, so that vectors have zeros and differ enough for thresholds.
                    mean = -0.7 if name in ("conv3", "shortcut") else 0.0
                    weights[f"{prefix}.norm.bias"] = mean + 0.2 * torch.randn(shape[0])
        weights[f"mixing_weights_{branch}"] = torch.randn(len(list(taps)))
    return weights


def write_recipe(folder: Path, taps: Iterable[str] = TAPS, blocks: int = 1, **more: Any) -> None:
    """`experiment_cfg.yaml`, with settings that nobody reads."""
    content = {
        "dtype": "float32",
        "losses": ["semantic_in"],
        "model": {
            "name": "MindTheGlitchModel",
            "feat_type": list(taps),
            "final_feat_resolution": SIDE,
            "resnet": {"num_blocks": blocks, "projection_dim": WIDTH, "num_norm_groups": GROUPS},
        },
    }
    (folder / "experiment_cfg.yaml").write_text(json.dumps(content | more))  # JSON is YAML


def split(folder: Path) -> None:
    """Put the diffusion model into files of its own, as diffusers and CleanDIFT have them."""
    weights = read(folder / "mtg_weights.safetensors")
    for prefix, file in (
        ("cleandift_model.unet_feature_extractor_cleandift.", "cleandift_sd21_unet.safetensors"),
        ("cleandift_model.ae.ae.", "vae/diffusion_pytorch_model.safetensors"),
    ):
        save(
            folder / file,
            {key.removeprefix(prefix): value for key, value in weights.items() if key.startswith(prefix)},
        )
    save(
        folder / "mtg_weights.safetensors",
        {key: value for key, value in weights.items() if not key.startswith("cleandift_model.")},
    )


def change(file: Path, **changes: Any) -> None:
    """Write a file of weights again: with others, and without those that are None."""
    weights = read(file) | changes
    save(file, {key: value for key, value in weights.items() if value is not None})


def read(file: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    return dict(load_file(file))


def save(file: Path, weights: Mapping[str, Any]) -> None:
    from safetensors.torch import save_file

    file.parent.mkdir(parents=True, exist_ok=True)
    save_file({key: value.contiguous() for key, value in weights.items()}, file)


def _shaken(model: Any) -> dict[str, Any]:
    """Weights of which none is 0 or 1, as after training."""
    import torch

    return {key: value + 0.02 * torch.randn_like(value) for key, value in model.state_dict().items()}


def _text_encoder(folder: Path) -> None:
    from transformers import CLIPTextConfig, CLIPTextModel

    CLIPTextModel(CLIPTextConfig(**TEXT)).save_pretrained(folder / "text_encoder")
    tokenizer = folder / "tokenizer"
    tokenizer.mkdir()
    words = ["!", "a", "!</w>", "a</w>", "<|startoftext|>", "<|endoftext|>"]
    (tokenizer / "vocab.json").write_text(json.dumps({word: place for place, word in enumerate(words)}))
    (tokenizer / "merges.txt").write_text("#version: 0.2\n")
    (tokenizer / "tokenizer_config.json").write_text(
        json.dumps(
            {
                "tokenizer_class": "CLIPTokenizer",
                "model_max_length": 77,
                "bos_token": "<|startoftext|>",
                "eos_token": "<|endoftext|>",
                "unk_token": "<|endoftext|>",
                "pad_token": "!",
            }
        )
    )
