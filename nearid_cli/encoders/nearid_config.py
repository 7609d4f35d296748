"""The configuration of a NearID model.

Apart from the model, because it is imported while transformers is still being imported (`autoregister`).
That is also why it takes what it needs from transformers' innermost modules.
"""

from __future__ import annotations

from typing import Any, ClassVar

from transformers.configuration_utils import PreTrainedConfig
from transformers.models.auto.configuration_auto import AutoConfig

from nearid_cli.errors import ModelError


class NearIDConfig(PreTrainedConfig):  # type: ignore[misc]
    """A SigLIP vision tower whose attention-pooling head gives the embedding.

    Args:
        vision_config: the tower, as a `SiglipVisionConfig` or its dictionary.
        embed_dim: length of the embedding. The released layout has no projection, so it must be the
            tower's hidden size, which is also the default.
        normalize_embeddings: whether `get_image_features` returns rows of L2 norm 1.
        **kwargs: as for every configuration of transformers.

    Raises:
        ModelError: `embed_dim` is not the tower's hidden size.
    """

    model_type = "nearid"
    sub_configs: ClassVar[dict[str, Any]] = {"vision_config": AutoConfig}

    def __init__(
        self,
        vision_config: dict[str, Any] | PreTrainedConfig | None = None,
        embed_dim: int | None = None,
        normalize_embeddings: bool = True,
        **kwargs: Any,
    ) -> None:
        from transformers import SiglipVisionConfig

        import nearid_cli.encoders.nearid_model  # noqa: F401 (registers the model with AutoModel)

        tower: Any = vision_config
        if not isinstance(tower, PreTrainedConfig):
            tower = SiglipVisionConfig(**(tower or {}))
        if embed_dim not in (None, tower.hidden_size):
            raise ModelError(
                f"expected a NearID checkpoint without a projection, found embed_dim {embed_dim} "
                f"with hidden_size {tower.hidden_size}"
            )
        self.vision_config = tower
        self.embed_dim = tower.hidden_size
        self.normalize_embeddings = normalize_embeddings
        super().__init__(**kwargs)


AutoConfig.register(NearIDConfig.model_type, NearIDConfig, exist_ok=True)
