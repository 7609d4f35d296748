"""The configuration of a NearID model.

Apart from the model, because it is imported while transformers is still being imported (`autoregister`).
That is also why it takes what it needs from transformers' innermost modules.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any, ClassVar

from transformers.configuration_utils import PreTrainedConfig
from transformers.models.auto.configuration_auto import CONFIG_MAPPING, AutoConfig

from nearid_cli.errors import ModelError
from nearid_cli.text import did_you_mean, printable

TOWERS = ("siglip_vision_model", "clip_vision_model", "dinov2", "vit")
HEADS = ("map", "mlp")


class NearIDConfig(PreTrainedConfig):  # type: ignore[misc]
    """A vision tower, and the head that makes an embedding of its patch tokens.

    A SigLIP tower with head `map` and no projection is the released layout. The settings that only other
    models have (`head_type`, `head_hidden_dim`) are not written for it.

    Args:
        vision_config: the tower, as a configuration of transformers or its dictionary, whose `model_type` is one
            of `TOWERS`; SigLIP where it has none.
        embed_dim: length of the embedding; by default the tower's hidden size. With head `map`, a linear
            projection follows the head where the two differ.
        normalize_embeddings: whether `get_image_features` returns rows of L2 norm 1.
        head_type: `map`, SigLIP's attention pooling, or `mlp`, two linear layers on the mean token.
        head_hidden_dim: width between the two layers of head `mlp`; by default the tower's hidden size.
        **kwargs: as for every configuration of transformers.

    Raises:
        ModelError: a tower or head of another kind, or a dimension that is no positive whole number.
    """

    model_type = "nearid"
    sub_configs: ClassVar[dict[str, Any]] = {"vision_config": AutoConfig}

    def __init__(
        self,
        vision_config: dict[str, Any] | PreTrainedConfig | None = None,
        embed_dim: int | None = None,
        normalize_embeddings: bool = True,
        head_type: str = "map",
        head_hidden_dim: int | None = None,
        **kwargs: Any,
    ) -> None:
        import nearid_cli.encoders.nearid_model  # noqa: F401 (registers the model with AutoModel)

        if head_type not in HEADS:
            raise ModelError(f"unknown head_type {head_type!r} of a NearID model: {did_you_mean('', HEADS)}")
        for name, value in (("embed_dim", embed_dim), ("head_hidden_dim", head_hidden_dim)):
            if value is not None and (type(value) is not int or value < 1):
                raise ModelError(f"expected a positive whole number for {name}, found {value!r}")
        tower = _tower(vision_config)
        if tower.model_type == "siglip_vision_model":
            tower.vision_use_head = head_type == "map"  # one pooling head, and that is ours to train
        self.vision_config = tower
        self.embed_dim: int = embed_dim or tower.hidden_size
        self.normalize_embeddings = normalize_embeddings
        self.head_type = head_type
        self.head_hidden_dim = head_hidden_dim
        super().__init__(**kwargs)

    def to_dict(self) -> dict[str, Any]:
        """The settings, without those that the released layout lacks where they say nothing.

        Never with `auto_map`, which would name Python files that are not saved with a model.
        """
        settings: dict[str, Any] = super().to_dict()
        settings.pop("auto_map", None)
        for name, default in (("head_type", "map"), ("head_hidden_dim", None)):
            if name in settings and settings[name] == default:
                del settings[name]
        return settings


def _tower(config: dict[str, Any] | PreTrainedConfig | None) -> Any:
    """The tower's configuration, as a copy."""
    if isinstance(config, PreTrainedConfig):
        model_type, tower = config.model_type, deepcopy(config)
    else:
        model_type, tower = (config or {}).get("model_type", TOWERS[0]), None
    if model_type not in TOWERS:
        raise ModelError(
            f'expected a vision tower of a kind that NearID models have, found "{printable(str(model_type))}": '
            f"{did_you_mean(str(model_type), TOWERS)}"
        )
    return tower if tower is not None else CONFIG_MAPPING[model_type].from_dict(config or {})


AutoConfig.register(NearIDConfig.model_type, NearIDConfig, exist_ok=True)
