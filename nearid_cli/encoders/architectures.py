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
    kind, tower = _tower(config)
    if ARCHITECTURES[kind].any_size:
        return None
    return _edges(tower.get("image_size", 224))  # transformers' own default, for all of these


def takes(config: Mapping[str, Any], size: tuple[int, int]) -> bool:
    """Whether a checkpoint takes pictures of this height and width.

    SigLIP's towers pass over what is left beside whole patches, so pictures that differ by that are alike to them.

    >>> tower = {"model_type": "siglip_vision_model", "image_size": 384, "patch_size": 14}
    >>> takes(tower, (378, 378)), takes(tower, (364, 392))
    (True, False)
    """
    expected = picture_size(config)
    if expected is None:
        return True
    kind, tower = _tower(config)
    patch = _edges(tower.get("patch_size", 16)) if kind.startswith("siglip") else None
    rows, columns = patch or (1, 1)
    return (size[0] // rows, size[1] // columns) == (expected[0] // rows, expected[1] // columns)


def _tower(config: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """The architecture of a checkpoint's vision tower, and the tower's settings."""
    kind, tower = config["model_type"], config.get("vision_config")
    if kind == "nearid":
        kind = tower.get("model_type", "siglip_vision_model") if isinstance(tower, Mapping) else "siglip"
    return (kind if kind in ARCHITECTURES else "siglip"), tower if isinstance(tower, Mapping) else config


def _edges(value: object) -> tuple[int, int] | None:
    """A size as height and width; None for anything that transformers will refuse."""
    edges = value if isinstance(value, (list, tuple)) else (value, value)
    if len(edges) != 2 or not all(isinstance(edge, int) and edge > 0 for edge in edges):
        return None
    return edges[0], edges[1]
