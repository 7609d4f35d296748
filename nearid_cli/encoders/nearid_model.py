"""The NearID model (Cvejic et al., 2026, arXiv 2604.01973): SigLIP2's vision tower with a retrained head."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from transformers import AutoModel, PreTrainedModel, SiglipVisionModel
from transformers.utils import ModelOutput

from nearid_cli.encoders.nearid_config import NearIDConfig

__all__ = ["NearIDConfig", "NearIDModel", "NearIDOutput"]


@dataclass
class NearIDOutput(ModelOutput):  # type: ignore[misc]
    """What `NearIDModel` returns.

    Attributes:
        image_embeds: [B, embed_dim], the embedding, of L2 norm 1 unless the configuration says otherwise.
        pooler_output: [B, embed_dim], the head's output before that.
        last_hidden_state: [B, patches, hidden_size].
    """

    image_embeds: torch.Tensor | None = None
    pooler_output: torch.Tensor | None = None
    last_hidden_state: torch.Tensor | None = None


class NearIDModel(PreTrainedModel):  # type: ignore[misc]
    """A SigLIP vision tower under `backbone`; its attention-pooling (MAP) head gives the embedding.

    Checkpoints written by transformers 4 (weights `backbone.vision_model.*`) and by transformers 5
    (`backbone.*`) both load: transformers' own renaming for `SiglipVisionModel` takes care of it.
    """

    config_class = NearIDConfig
    config: NearIDConfig
    main_input_name = "pixel_values"
    input_modalities = ("image",)
    supports_gradient_checkpointing = True
    _supports_sdpa = True
    _supports_flash_attn = True
    _supports_attention_backend = True
    _no_split_modules = SiglipVisionModel._no_split_modules

    def __init__(self, config: NearIDConfig) -> None:
        super().__init__(config)
        self.backbone = SiglipVisionModel._from_config(config.vision_config)
        self.post_init()

    def forward(self, pixel_values: torch.Tensor, **kwargs: Any) -> NearIDOutput:
        """Embed prepared pictures.

        Args:
            pixel_values: [B, 3, H, W], as the checkpoint's image processor makes them.
            **kwargs: passed on to the vision tower.
        """
        outputs = self.backbone(pixel_values=pixel_values, **kwargs)
        embeds = outputs.pooler_output
        if self.config.normalize_embeddings:
            embeds = torch.nn.functional.normalize(embeds, dim=-1)
        return NearIDOutput(embeds, outputs.pooler_output, outputs.last_hidden_state)

    def get_image_features(self, pixel_values: torch.Tensor, **kwargs: Any) -> torch.Tensor:
        """The embeddings of prepared pictures, [B, embed_dim], L2-normalised."""
        embeds: torch.Tensor = self(pixel_values, **kwargs).image_embeds
        return embeds


AutoModel.register(NearIDConfig, NearIDModel, exist_ok=True)
