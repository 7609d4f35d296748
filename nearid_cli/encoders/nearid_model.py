"""The NearID model (Cvejic et al., ECCV 2026, arXiv 2604.01973): a vision tower whose head tells identities apart.

Weights are named as the released checkpoint names them, which is how transformers 4 names its towers:
`backbone.vision_model.*` (SigLIP, CLIP) or `backbone.*` (DINOv2, ViT), SigLIP's pooling head within the tower.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from transformers import AutoModel, PreTrainedModel, SiglipVisionConfig, SiglipVisionModel
from transformers import initialization as init
from transformers.models.siglip.modeling_siglip import SiglipMultiheadAttentionPoolingHead
from transformers.utils import ModelOutput

from nearid_cli.encoders.architectures import ARCHITECTURES
from nearid_cli.encoders.nearid_config import NearIDConfig

__all__ = ["NearIDConfig", "NearIDModel", "NearIDOutput"]


@dataclass
class NearIDOutput(ModelOutput):  # type: ignore[misc]
    """What `NearIDModel` returns.

    Attributes:
        image_embeds: [B, embed_dim], the embedding, of L2 norm 1 unless the configuration says otherwise. Float32
            in every precision, because cosines are made of it.
        pooler_output: [B, embed_dim], the head's output before that.
        last_hidden_state: [B, patches, hidden_size], the patch tokens that the head saw.
    """

    image_embeds: torch.Tensor | None = None
    pooler_output: torch.Tensor | None = None
    last_hidden_state: torch.Tensor | None = None


_ATTENTION = (
    (".attention.q_proj.", ".attention.attention.query."),
    (".attention.k_proj.", ".attention.attention.key."),
    (".attention.v_proj.", ".attention.attention.value."),
    (".attention.o_proj.", ".attention.output.dense."),
)
# The towers' weights in transformers 5, and how transformers 4 names them. Transformers 5 knows the way back.
_OLDER_NAMES = {
    "siglip_vision_model": (("backbone.", "backbone.vision_model."),),
    "clip_vision_model": (("backbone.", "backbone.vision_model."),),
    "dinov2": (*_ATTENTION, (".mlp.down_proj.", ".mlp.weights_out.")),
    "vit": (
        *_ATTENTION,
        ("backbone.layers.", "backbone.encoder.layer."),
        (".mlp.fc1.", ".intermediate.dense."),
        (".mlp.fc2.", ".output.dense."),
    ),
}


class NearIDModel(PreTrainedModel):  # type: ignore[misc]
    """A vision tower under `backbone`, and a head on its patch tokens.

    Checkpoints written by transformers 4 (weights `backbone.vision_model.*`) and by transformers 5
    (`backbone.*`) both load: transformers' own renaming for the towers takes care of it.
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
        tower = config.vision_config
        options = {"add_pooling_layer": False} if tower.model_type == "vit" else {}
        self.backbone = AutoModel.from_config(tower, **options)
        self._prefix_tokens = ARCHITECTURES[tower.model_type].prefix_tokens
        if config.head_type == "mlp":
            hidden = config.head_hidden_dim or tower.hidden_size
            self.head = nn.Sequential(
                nn.Linear(tower.hidden_size, hidden), nn.GELU(), nn.Linear(hidden, config.embed_dim)
            )
        else:
            if tower.model_type == "siglip_vision_model":
                self.backbone.use_head = False  # called here instead, on tokens in the head's own precision
            else:
                self.head = SiglipMultiheadAttentionPoolingHead(_pooling_config(tower))
            if config.embed_dim != tower.hidden_size:
                self.projection = nn.Linear(tower.hidden_size, config.embed_dim)
        self.post_init()

    def forward(
        self, pixel_values: torch.Tensor | None = None, *, tokens: torch.Tensor | None = None, **kwargs: Any
    ) -> NearIDOutput:
        """Embed prepared pictures, or patch tokens that were computed before.

        Args:
            pixel_values: [B, 3, H, W], as the checkpoint's image processor makes them.
            tokens: [B, patches, hidden_size] from `patch_tokens`, in place of `pixel_values`.
            **kwargs: passed on to the vision tower.
        """
        if tokens is None:
            assert pixel_values is not None, "expected pixel_values or tokens"
            tokens = self.patch_tokens(pixel_values, **kwargs)
        pooled = self._pool(tokens)
        embeds = pooled.float()
        if self.config.normalize_embeddings:
            embeds = nn.functional.normalize(embeds, dim=-1)
        return NearIDOutput(embeds, pooled, tokens)

    def get_image_features(self, pixel_values: torch.Tensor, **kwargs: Any) -> torch.Tensor:
        """The embeddings of prepared pictures, float32 [B, embed_dim], L2-normalised."""
        embeds: torch.Tensor = self(pixel_values, **kwargs).image_embeds
        return embeds

    def patch_tokens(self, pixel_values: torch.Tensor, **kwargs: Any) -> torch.Tensor:
        """The tower's normalised patch tokens of the last layer, [B, patches, hidden_size].

        A tower in half precision runs in that precision, whatever autocast says: it is there to be fast already.
        """
        dtype: torch.dtype = self.backbone.dtype
        half = dtype in (torch.float16, torch.bfloat16)
        with torch.autocast(pixel_values.device.type, enabled=False) if half else nullcontext():
            outputs = self.backbone(pixel_values=pixel_values.to(dtype), **kwargs)
            tokens: torch.Tensor = outputs.last_hidden_state[:, self._prefix_tokens :]
            if self.config.vision_config.model_type == "clip_vision_model":
                # The other towers end with their last norm; CLIP's applies it to the CLS token only.
                tokens = self.backbone.post_layernorm(tokens)
        return tokens

    def freeze_backbone(self, dtype: torch.dtype) -> None:
        """Stop training the tower, and keep it in `dtype`; the head stays as it is."""
        for _, parameter in self.tower_weights():
            parameter.requires_grad_(False)
            parameter.data = parameter.data.to(dtype)
        self.train(self.training)

    def tower_weights(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Names and parameters of the tower, without the head that SigLIP's has in it."""
        for name, parameter in self.backbone.named_parameters():
            if not (self._head_in_tower and name.startswith("head.")):
                yield name, parameter

    def train(self, mode: bool = True) -> NearIDModel:
        """Set the mode; a frozen tower stays in evaluation."""
        super().train(mode)
        if not any(parameter.requires_grad for _, parameter in self.tower_weights()):
            self.backbone.eval()
            if self._head_in_tower:
                self.backbone.head.train(mode)
        return self

    def release_state_dict(self) -> dict[str, torch.Tensor]:
        """The weights under the names of the released layout."""
        renamings = _OLDER_NAMES[self.config.vision_config.model_type]
        weights = {}
        for name, tensor in self.state_dict().items():
            if name.startswith("backbone."):
                for ours, older in renamings:
                    name = name.replace(ours, older)
            weights[name] = tensor
        # Transformers 4 holds the two halves of a gated layer (DINOv2 giant) as one.
        for name in [name for name in weights if ".mlp.gate_proj." in name]:
            halves = weights.pop(name), weights.pop(name.replace("gate_proj", "up_proj"))
            weights[name.replace("gate_proj", "weights_in")] = torch.cat(halves)
        return weights

    def save_pretrained(self, save_directory: Any, **kwargs: Any) -> None:
        """As every model of transformers, with the weights named as in the released layout."""
        names = {"state_dict": self.release_state_dict(), "save_original_format": False}
        super().save_pretrained(save_directory, **(names | kwargs))

    def _pool(self, tokens: torch.Tensor) -> torch.Tensor:
        """The head: [B, patches, hidden_size] to [B, embed_dim]."""
        head: nn.Module = self.backbone.head if self._head_in_tower else self.head
        tokens = tokens.to(next(head.parameters()).dtype)
        if self.config.head_type == "mlp":
            tokens = tokens.mean(dim=1)
        pooled: torch.Tensor = head(tokens)
        return self.projection(pooled) if hasattr(self, "projection") else pooled

    @property
    def _head_in_tower(self) -> bool:
        return not hasattr(self, "head")

    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        if isinstance(module, SiglipMultiheadAttentionPoolingHead):
            init.xavier_uniform_(module.probe)


def _pooling_config(tower: Any) -> SiglipVisionConfig:
    """SigLIP's pooling head with the sizes of another tower."""
    width: int = tower.hidden_size
    ratio = getattr(tower, "mlp_ratio", None)  # DINOv2's way to say it
    return SiglipVisionConfig(
        hidden_size=width,
        num_attention_heads=tower.num_attention_heads,
        intermediate_size=int(width * ratio) if ratio else tower.intermediate_size,
    )


AutoModel.register(NearIDConfig, NearIDModel, exist_ok=True)
