"""What of a checkpoint's settings counts: the keys that decide about numbers, and the values that each may have.

A config.json may say anything, and libraries do much of what it says: import a module that it names, fetch code or
kernels, count labels, choose another way to compute. So nothing of it is passed on but the keys of this table, those of
the architectures that are read, with values within bounds that no model in use comes near. The bounds hold before
anything is built: what would take forever, or all memory, is refused by its number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nearid_cli.errors import ModelError
from nearid_cli.text import few, file_size, printable

MOST_PIXELS = 2048
"""Of an edge of what models and image processors take; the largest in use take 1,024."""

MOST_PATCHES = 2**15
"""Of a picture; memory and time of a model grow with them."""

ACTIVATIONS = (
    "gelu", "gelu_10", "gelu_accurate", "gelu_fast", "gelu_new", "gelu_python", "gelu_pytorch_tanh", "hardswish",
    "laplace", "leaky_relu", "linear", "mish", "quick_gelu", "relu", "relu2", "relu6", "sigmoid", "silu", "swish",
    "tanh",
)  # fmt: skip
"""Those of transformers that import nothing."""

_HALVES = ("text_config", "vision_config", "text_config_dict", "vision_config_dict")
_FLAGS = (
    "apply_layernorm", "key_bias", "mlp_bias", "normalize_embeddings", "proj_bias", "qkv_bias", "query_bias",
    "use_gated_mlp", "use_mask_token", "use_swiglu_ffn", "value_bias", "vision_use_head",
)  # fmt: skip
_WORDS = {"hidden_act": ACTIVATIONS, "pooler_act": ACTIVATIONS, "head_type": ("map", "mlp")}
_WHOLE = {
    "embed_dim": (1, 65_536),
    "encoder_stride": (1, 4096),
    "head_hidden_dim": (1, 65_536),
    "hidden_size": (1, 16_384),
    "intermediate_size": (1, 65_536),
    "max_position_embeddings": (1, 100_000),
    "num_attention_heads": (1, 256),
    "num_channels": (3, 3),
    "num_hidden_layers": (1, 256),
    "num_register_tokens": (0, 1024),
    "pooler_output_size": (1, 16_384),
    "projection_dim": (1, 16_384),
    "projection_size": (1, 16_384),
    "vocab_size": (1, 2_000_000),
    "bos_token_id": (0, 2_000_000),
    "pad_token_id": (0, 2_000_000),
}
_EDGES = {"image_size": MOST_PIXELS, "patch_size": 256}
_REAL = {
    "attention_dropout": (0.0, 1.0),
    "attention_probs_dropout_prob": (0.0, 1.0),
    "drop_path_rate": (0.0, 1.0),
    "hidden_dropout_prob": (0.0, 1.0),
    "initializer_factor": (0.0, 1e4),
    "initializer_range": (0.0, 1e4),
    "layer_norm_eps": (0.0, 1.0),
    "layerscale_value": (-1e4, 1e4),
    "logit_scale_init_value": (-1e4, 1e4),
    "mlp_ratio": (0.1, 64.0),
    "pos_embed_jitter": (0.0, 1e4),
    "pos_embed_rescale": (0.0, 1e4),
    "pos_embed_shift": (0.0, 1e4),
    "rope_theta": (1e-4, 1e12),
}
_OPTIONAL = {
    *_HALVES, "embed_dim", "head_hidden_dim", "pooler_output_size", "projection_dim", "projection_size", "bos_token_id",
    "eos_token_id", "pad_token_id", "pos_embed_jitter", "pos_embed_rescale", "pos_embed_shift",
}  # fmt: skip
"""What may be null."""

KEYS = frozenset({*_HALVES, *_FLAGS, *_WORDS, *_WHOLE, *_EDGES, *_REAL, "eos_token_id", "model_type"})


def used_settings(config: Mapping[str, Any], where: str) -> dict[str, Any]:
    """What of a `config.json` is passed on to whatever makes a model of it.

    Args:
        config: its content.
        where: the file, for the message.

    Raises:
        ModelError: values that cannot be, or that no model in use comes near; the message names all.
    """
    problems: list[str] = []
    used = _used(config, "", problems)
    if problems:
        raise ModelError(f"{where} describes no model that is read: {few(problems, 4, str)}")
    return used


def _used(config: Mapping[str, Any], prefix: str, problems: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in config.items():
        if key not in KEYS:
            continue
        if value is None and key in _OPTIONAL:
            found[key] = None
        elif key in _HALVES and isinstance(value, Mapping) and not prefix:
            found[key] = _used(value, f"{key}.", problems)
        elif expected := _lacks(key, value):
            problems.append(f"{prefix}{key}: expected {expected}, found {_shown(value)}")
        else:
            found[key] = value
    width, heads = found.get("hidden_size"), found.get("num_attention_heads")
    if width and heads and width % heads:
        problems.append(
            f"{prefix}hidden_size: expected a multiple of num_attention_heads {heads}, found {width:,}"
        )
    return found


def _lacks(key: str, value: object) -> str | None:
    """What a value of a key should be, in words; None if it is."""
    if key in _WHOLE:
        least, most = _WHOLE[key]
        return None if _is_whole(value, least, most) else _span("a whole number", least, most)
    if key in _EDGES:
        both = isinstance(value, (list, tuple)) and len(value) == 2
        edges: Sequence[Any] = value if both else [value]  # type: ignore[assignment]
        fit = all(_is_whole(edge, 1, _EDGES[key]) for edge in edges)
        return None if fit else _span("a whole number, or two,", 1, _EDGES[key])
    if key in _REAL:
        low, high = _REAL[key]
        real = isinstance(value, (int, float)) and not isinstance(value, bool) and low <= value <= high
        return None if real else f"a number from {low:g} to {high:g}"
    if key in _WORDS:
        return None if isinstance(value, str) and value in _WORDS[key] else f"one of {', '.join(_WORDS[key])}"
    if key in _FLAGS:
        return None if isinstance(value, bool) else "true or false"
    if key == "eos_token_id":
        ids: Sequence[Any] = value if isinstance(value, list) and 0 < len(value) <= 16 else [value]
        return None if all(_is_whole(one, 0, 2_000_000) for one in ids) else "the number of a token"
    if key in _HALVES:
        return "settings"
    return None if isinstance(value, str) else "a name"


def _is_whole(value: object, least: int, most: int) -> bool:
    return type(value) is int and least <= value <= most


def _span(what: str, least: int, most: int) -> str:
    return f"{what} of {least}" if least == most else f"{what} from {least:,} to {most:,}"


def _shown(value: object) -> str:
    """A value from the outside world, in few characters."""
    if isinstance(value, int) and abs(value) >= 10**15:
        return "one of more than 15 digits"
    if isinstance(value, Mapping):
        return "settings"
    if isinstance(value, (list, tuple)):
        return f"a list of {len(value):,}"
    return printable(repr(value)[:60])


_SLACK = 10**7
"""Numbers that a model may lack in its files: of a small one's parts that are not used."""


def check_size(settings: Mapping[str, Any], text: bool, size: int, where: str) -> None:
    """Refuse settings of a model that is much larger than its files, before it is made.

    Args:
        settings: from `used_settings`.
        text: whether its text half is made, too.
        size: bytes of the files.
        where: the file of the settings, for the message.

    Raises:
        ModelError: saying both sizes.
    """
    halves = ["vision_config", "vision_config_dict", *(["text_config", "text_config_dict"] if text else [])]
    parts = [half for name in halves if isinstance(half := settings.get(name), Mapping)] or [settings]
    least = max(_least_numbers(settings, part) for part in parts)
    if least > size + _SLACK:  # a number takes two bytes or more
        raise ModelError(
            f"{where} describes a model of at least {least:,} numbers, and its weights, which have {file_size(size)}, "
            "cannot be those"
        )


def check_patches(size: tuple[int, int], settings: Mapping[str, Any], where: str) -> None:
    """Refuse pictures of no patch, or of more than a model can be run with.

    Args:
        size: height and width in pixels.
        settings: of the vision tower.
        where: what makes them so large, for the message.

    Raises:
        ModelError: saying how many there are.
    """
    rows, columns = patch_size(settings)
    patches = (size[0] // rows) * (size[1] // columns)
    if not 0 < patches <= MOST_PATCHES:
        raise ModelError(
            f"{where}: expected at least one patch of a picture and at most {MOST_PATCHES:,}, found {patches:,} "
            f"({size[1]}x{size[0]} px in patches of {columns}x{rows} px)"
        )


def patch_size(settings: Mapping[str, Any]) -> tuple[int, int]:
    """Height and width in pixels of a patch of the vision tower with these settings."""
    rows, columns = _pair(settings.get("patch_size"), 14)
    return max(1, rows), max(1, columns)


def _least_numbers(settings: Mapping[str, Any], tower: Mapping[str, Any]) -> int:
    """How many numbers a tower has at least: its attention, perceptrons, positions and projections."""

    def number(key: str) -> int:
        return int(tower.get(key) or settings.get(key) or 0)

    width, layers = number("hidden_size"), number("num_hidden_layers")
    inner = number("intermediate_size") or int(width * (tower.get("mlp_ratio") or 0))
    (height, breadth), (rows, columns) = _pair(tower.get("image_size"), 0), _pair(tower.get("patch_size"), 16)
    positions = (height // rows) * (breadth // columns) + number("max_position_embeddings")
    tokens = positions + number("vocab_size") + number("num_register_tokens")
    outside = (
        number("projection_dim") + number("projection_size") + number("embed_dim") + number("head_hidden_dim")
    )
    return layers * (4 * width * width + 2 * width * inner) + width * (tokens + outside)


def _pair(value: Any, default: int) -> tuple[int, int]:
    """A size as height and width."""
    edges = value if isinstance(value, (list, tuple)) else (value or default,) * 2
    return edges[0], edges[1]
