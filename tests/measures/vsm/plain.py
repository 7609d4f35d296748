"""Visual Semantic Matching once more, written down as it is described: other code, to compare with."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from blake3 import blake3
from diffusers import AutoencoderKL, UNet2DConditionModel
from PIL import Image
from torch.nn.functional import conv2d, group_norm, interpolate, relu
from transformers import CLIPTextModel

from tests.measures.vsm.tiny import GROUPS, SIDE, read


class Plain:
    """A checkpoint whose `mtg_weights.safetensors` holds the diffusion model."""

    def __init__(self, folder: Path, taps: list[str], blocks: int = 1) -> None:
        self.weights = read(folder / "mtg_weights.safetensors")
        self.taps, self.blocks = taps, blocks
        self.unet = UNet2DConditionModel.from_config(UNet2DConditionModel.load_config(folder / "unet"))
        self.unet.load_state_dict(self._part("cleandift_model.unet_feature_extractor_cleandift."))
        self.vae = AutoencoderKL.from_config(AutoencoderKL.load_config(folder / "vae"))
        self.vae.load_state_dict(self._part("cleandift_model.ae.ae."))
        self.unet.eval()
        self.vae.eval()
        text = CLIPTextModel.from_pretrained(folder / "text_encoder").eval()
        with torch.no_grad():
            self.prompt = text(torch.tensor([[4, 5] + [0] * 75])).last_hidden_state
        up = self.unet.up_blocks
        self.modules = {
            "us1": up[0].resnets[0],
            "us2": up[0].resnets[1],
            "us3": up[0].upsamplers[0],
            "us4": up[1].attentions[0],
            "us5": up[1].attentions[1],
            "us6": up[1].upsamplers[0],
            "us7": up[2].attentions[0],
            "us8": up[2].attentions[1],
            "us9": up[2].upsamplers[0],
            "us10": up[3].attentions[0],
        }

    def _part(self, prefix: str) -> dict[str, Any]:
        return {key[len(prefix) :]: value for key, value in self.weights.items() if key.startswith(prefix)}

    @torch.no_grad()
    def maps(self, image: Image.Image, latent: str, edge: int = 768) -> list[list[np.ndarray]]:
        """Semantic and visual vectors, [SIDE][SIDE] of arrays, not normalised, of a picture squashed to `edge`."""
        small = np.asarray(image.resize((edge, edge), Image.Resampling.BILINEAR))
        pixels = torch.tensor(small.transpose(2, 0, 1)[None].copy()).float() / 255 * 2 - 1
        moments = self.vae.quant_conv(self.vae.encoder(pixels))
        mean, logarithm = moments.chunk(2, dim=1)
        code = mean
        if latent == "sample":
            seed = int.from_bytes(blake3(image.tobytes()).digest(length=8), "big")
            noise = torch.randn(mean.shape, generator=torch.Generator().manual_seed(seed))
            code = mean + torch.exp(0.5 * logarithm) * noise
        seen: dict[str, torch.Tensor] = {}
        hooks = [
            module.register_forward_hook(
                lambda _, __, output, name=name: seen.update(
                    {name: output[0] if type(output) is tuple else output}
                )
            )
            for name, module in self.modules.items()
        ]
        self.unet(0.18215 * code, self.weights["cleandift_model.timestep"], self.prompt, return_dict=False)
        for hook in hooks:
            hook.remove()
        resized = [
            interpolate(seen[name], size=(SIDE, SIDE), mode="bilinear", align_corners=False)
            for name in self.taps
        ]
        return [self._aggregated(branch, resized) for branch in ("semantic", "visual")]

    def _aggregated(self, branch: str, taps: list[torch.Tensor]) -> np.ndarray:
        mixing = self.weights[f"mixing_weights_{branch}"]
        shares = torch.exp(mixing) / torch.exp(mixing).sum()
        total = self._stage(branch, 0, taps[0])
        for place in range(1, len(taps)):
            total = total + shares[place] * self._stage(branch, place, taps[place])
        return total[0].numpy().transpose(1, 2, 0)

    def _stage(self, branch: str, place: int, maps: torch.Tensor) -> torch.Tensor:
        for block in range(self.blocks):
            key = f"bottleneck_layers_{branch}.{place}.{block}"
            inner = relu(self._normed(f"{key}.conv1", maps))
            inner = relu(self._normed(f"{key}.conv2", inner))
            inner = self._normed(f"{key}.conv3", inner)
            has_shortcut = f"{key}.shortcut.weight" in self.weights
            maps = relu(inner + (self._normed(f"{key}.shortcut", maps) if has_shortcut else maps))
        return maps

    def _normed(self, key: str, maps: torch.Tensor) -> torch.Tensor:
        kernel = self.weights[f"{key}.weight"]
        found = conv2d(maps, kernel, padding=kernel.shape[-1] // 2)
        return group_norm(found, GROUPS, self.weights[f"{key}.norm.weight"], self.weights[f"{key}.norm.bias"])


def unit(vector: np.ndarray) -> np.ndarray:
    return vector / max(math.sqrt(float((vector.astype(np.float64) ** 2).sum())), 1e-12)


def plain_cells(mask: Image.Image | None) -> np.ndarray:
    """The grid of a mask."""
    if mask is None:
        return np.ones((SIDE, SIDE), bool)
    large = torch.tensor(np.asarray(mask.resize((768, 768), Image.Resampling.BILINEAR)))[None, None].float()
    return interpolate(large, size=(SIDE, SIDE), mode="nearest")[0, 0].numpy() != 0


def plain_vsm(
    reference: list[np.ndarray],
    generation: list[np.ndarray],
    semantic_threshold: float,
    threshold: float,
    reference_mask: Image.Image | None = None,
    generation_mask: Image.Image | None = None,
) -> tuple[float | None, np.ndarray]:
    """The score, and the map of the generation."""
    source_cells, target_cells = plain_cells(reference_mask), plain_cells(generation_mask)
    targets = [(y, x) for y in range(SIDE) for x in range(SIDE)]
    vectors = [[unit(generation[branch][cell]) * target_cells[cell] for cell in targets] for branch in (0, 1)]
    best: dict[tuple[int, int], tuple[float, float]] = {}
    for cell in targets:
        if not source_cells[cell]:
            continue
        semantic = [float(unit(reference[0][cell]) @ vector) for vector in vectors[0]]
        visual = max(float(unit(reference[1][cell]) @ vector) for vector in vectors[1])
        score = max(semantic)
        target = targets[semantic.index(score)]
        if score > semantic_threshold and (target not in best or score > best[target][0]):
            best[target] = (score, visual)
    grid = np.full((SIDE, SIDE), np.nan)
    for target, (_, visual) in best.items():
        grid[target] = 0.0 if visual > threshold else 1.0
    same = [visual > threshold for _, visual in best.values()]
    return (sum(same) / len(same) if same else None), grid
