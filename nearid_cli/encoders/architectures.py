"""Which architectures can be read, and how: facts that need neither torch nor transformers.

A checkpoint's `config.json` names its architecture (`model_type`). This table says which readouts
an architecture has, which of its output tokens are patches, and which of its weights are not used.
The names follow transformers, where the architectures are implemented.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

TEXT = "text"
"""Stands where a readout does, and is none: of texts, projected into the shared space of text and image."""

READOUTS = {
    "projected": "image features after the projection into the shared space of text and image (CLIP)",
    "pooled": "the pooler's output: SigLIP's attention-pooling (MAP) head, the normalised CLS token of CLIP "
    "and DINO, ViT's dense pooler",
    "cls": "the CLS token of the last layer",
    "mean": "the mean over the patch tokens of the last layer",
}


_POSITIONS = r"(.+\.)?position_ids$"  # older versions of transformers kept them among the weights


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
        unused_by_text: likewise what a text embedding does not need; None where texts are not embedded.
    """

    readouts: tuple[str, ...]
    prefix_tokens: int
    any_size: bool = False
    unused: str = r"(?!)"
    unused_by_text: str | None = None

    def unused_weights(self, readout: str | None = None) -> str:
        """Regular expression of the weights that `readout` (or `TEXT`), or every readout, does not need."""
        if readout == TEXT and self.unused_by_text is not None:
            return f"{self.unused_by_text}|{_POSITIONS}"
        for_readout = {"projected": r"visual_projection\.", "pooled": r"(vit\.)?pooler\."}
        others = [pattern for name, pattern in for_readout.items() if readout not in (name, None)]
        return "|".join([self.unused, _POSITIONS, *(others if self.prefix_tokens else ())])


_CLIP = Architecture(
    readouts=("projected", "pooled", "cls", "mean"),
    prefix_tokens=1,
    unused=r"text_model\.|text_projection\.|logit_scale$|classifier\.",
)
_SIGLIP = Architecture(
    readouts=("pooled", "mean"), prefix_tokens=0, unused=r"text_model\.|logit_scale$|logit_bias$|classifier\."
)
_VIT = Architecture(readouts=("cls", "pooled", "mean"), prefix_tokens=1, unused=r"classifier\.")
_DINO = Architecture(
    readouts=("cls", "pooled", "mean"), prefix_tokens=1, any_size=True, unused=r"classifier\."
)

ARCHITECTURES = {
    "nearid": Architecture(readouts=("pooled", "mean"), prefix_tokens=0),
    "clip": replace(_CLIP, unused_by_text=r"vision_model\.|visual_projection\.|logit_scale$|classifier\."),
    "clip_vision_model": _CLIP,
    "siglip": _SIGLIP,
    "siglip_vision_model": _SIGLIP,
    "dinov2": _DINO,
    "dinov2_with_registers": _DINO,
    "dinov3_vit": _DINO,
    "vit": _VIT,
}
