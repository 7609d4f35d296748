"""Which architectures can be read, and how: facts that need neither torch nor transformers.

A checkpoint's `config.json` names its architecture (`model_type`). This table says which readouts
an architecture has, which of its output tokens are patches, and which of its weights are not used.
The names follow transformers, where the architectures are implemented.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

READOUTS = {
    "projected": "image features after the projection into the shared space of text and image (CLIP)",
    "pooled": "the pooler's output: SigLIP's attention-pooling (MAP) head, the normalised CLS token of CLIP "
    "and DINO, ViT's dense pooler",
    "cls": "the CLS token of the last layer",
    "mean": "the mean over the patch tokens of the last layer",
}


@dataclass(frozen=True)
class Architecture:
    """One architecture.

    Attributes:
        readouts: the readouts that it has; the first is taken when none is asked for.
        prefix_tokens: tokens before the patch tokens (CLS), registers not counted.
        any_size: whether it takes pictures of any size; the others take the one that their position
            embeddings were made for.
        unused: regular expression, matched at the start of a weight's name, of weights that a
            checkpoint of this architecture may hold and an image embedding does not need.
    """

    readouts: tuple[str, ...]
    prefix_tokens: int
    any_size: bool = False
    unused: str = r"(?!)"

    def unused_weights(self, readout: str | None = None) -> str:
        """Regular expression of the weights that `readout`, or every readout, does not need."""
        for_readout = {"projected": r"visual_projection\.", "pooled": r"(vit\.)?pooler\."}
        others = [pattern for name, pattern in for_readout.items() if readout not in (name, None)]
        return "|".join([self.unused, r"(.+\.)?position_ids$", *(others if self.prefix_tokens else ())])


_CLIP = Architecture(
    readouts=("projected", "pooled", "cls", "mean"),
    prefix_tokens=1,
    unused=r"text_model\.|text_projection\.|logit_scale$|classifier\.",
)
_SIGLIP = Architecture(
    readouts=("pooled", "mean"),
    prefix_tokens=0,
    unused=r"text_model\.|logit_scale$|logit_bias$|classifier\.",
)
_VIT = Architecture(readouts=("cls", "pooled", "mean"), prefix_tokens=1, unused=r"classifier\.")
_DINO = Architecture(
    readouts=("cls", "pooled", "mean"), prefix_tokens=1, any_size=True, unused=r"classifier\."
)

ARCHITECTURES = {
    "nearid": Architecture(readouts=("pooled", "mean"), prefix_tokens=0),
    "clip": _CLIP,
    "clip_vision_model": _CLIP,
    "siglip": _SIGLIP,
    "siglip_vision_model": _SIGLIP,
    "dinov2": _DINO,
    "dinov2_with_registers": _DINO,
    "dinov3_vit": _DINO,
    "vit": _VIT,
}

_UNPROJECTED = {"CLIPVisionModel", "CLIPForImageClassification"}


def readouts(config: Mapping[str, Any]) -> tuple[str, ...]:
    """The readouts of a checkpoint with a known `model_type`, the suggested one first.

    A CLIP tower that was saved without the projection has the others only.

    >>> readouts({"model_type": "clip_vision_model", "architectures": ["CLIPVisionModel"]})
    ('pooled', 'cls', 'mean')
    """
    found = ARCHITECTURES[config["model_type"]].readouts
    if _UNPROJECTED.intersection(config.get("architectures") or ()):
        return tuple(readout for readout in found if readout != "projected")
    return found


def picture_size(config: Mapping[str, Any]) -> tuple[int, int] | None:
    """Height and width in pixels of the only pictures that a checkpoint takes; None where it takes many.

    >>> picture_size({"model_type": "clip", "vision_config": {"image_size": 336}})
    (336, 336)
    """
    tower = config.get("vision_config")
    tower = tower if isinstance(tower, Mapping) else config
    kinds = {config["model_type"], str(tower.get("model_type"))} & ARCHITECTURES.keys()
    if any(ARCHITECTURES[kind].any_size for kind in kinds):
        return None
    size = tower.get("image_size", 224)  # transformers' own default, for all of these
    if isinstance(size, int):
        return size, size
    if isinstance(size, (list, tuple)) and len(size) == 2 and all(isinstance(edge, int) for edge in size):
        return size[0], size[1]
    return None
