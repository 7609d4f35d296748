"""What is no checkpoint of ours, told by the names of its files and by its config.json, before any weights are read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatch
from typing import Any

from nearid_cli.encoders.architectures import ARCHITECTURES
from nearid_cli.encoders.settings import used_settings
from nearid_cli.errors import ModelError
from nearid_cli.text import did_you_mean, printable

# The file that gives a kind of repository away, and what it is. The first that fits counts: formats that may stand
# beside each other come later than the tools whose repositories hold them.
_KINDS = (
    (
        "adapter_config.json",
        "a PEFT adapter, which is no model by itself: merge it into its base model and save that",
    ),
    (
        "adapter_model.*",
        "a PEFT adapter, which is no model by itself: merge it into its base model and save that",
    ),
    (
        "model_index.json",
        "a diffusers pipeline: name the folder of its image encoder, such as ID//image_encoder",
    ),
    ("modules.json", "a sentence-transformers model: name the folder of its tower, such as ID//0_CLIPModel"),
    (
        "open_clip_*",
        "an open_clip model, in open_clip's own layout: look for the same model in that of transformers",
    ),
    ("*.gguf", "a GGUF model, which is for llama.cpp"),
    ("*.onnx", "an ONNX model"),
    ("onnx/*.onnx", "an ONNX model"),
    ("flax_model*.msgpack", "a Flax model"),
    ("tf_model*.h5", "a TensorFlow model"),
    ("saved_model.pb", "a TensorFlow model"),
    ("*.mlpackage/*", "a Core ML model"),
    ("*.ckpt", "a training checkpoint"),
    ("*.pth", "a PyTorch file that is not in the layout of transformers"),
    ("*.pt", "a PyTorch file that is not in the layout of transformers"),
    ("*.bin", "a file of weights that is not in the layout of transformers"),
    ("*.safetensors", "a file of weights that is not in the layout of transformers"),
)

_NAFLEX = ("siglip2", "siglip2_vision_model")


def kind_of(names: Iterable[str]) -> str | None:
    """What files of these names are, and the one that tells; None for nothing that is known.

    >>> kind_of(["README.md", "model-q4.gguf"])
    'a GGUF model, which is for llama.cpp (model-q4.gguf)'
    """
    names = sorted(names)
    for pattern, kind in _KINDS:
        for name in names:
            if fnmatch(name, pattern):
                return f"{kind} ({printable(name)})"
    return None


def check_config(config: Mapping[str, Any], where: str) -> None:
    """Refuse a `config.json` that is not of an encoder of ours, before its weights are fetched or read.

    Args:
        config: its content.
        where: the file, for the message.

    Raises:
        ModelError: another architecture, library or number of channels, quantised weights, or values that cannot be;
            the message names it.
    """
    model_type = config.get("model_type")
    if not isinstance(model_type, str) or model_type not in ARCHITECTURES:
        raise ModelError(f"expected a known model_type in {where}, found {_other_model(config, model_type)}")
    tower = config.get("vision_config")
    for part in (config, tower if isinstance(tower, Mapping) else {}):
        if quantisation := part.get("quantization_config") or part.get("compression_config"):
            method = quantisation.get("quant_method") if isinstance(quantisation, Mapping) else None
            said = printable(str(method or "method not named")[:80])
            raise ModelError(
                f"expected plain weights, found a quantised model ({said}) "
                f"in {where}; use the model that it was made from"
            )
        channels = part.get("num_channels", 3)
        if channels != 3:
            raise ModelError(
                f"expected a model of RGB pictures, found num_channels {printable(repr(channels)[:60])} in {where}"
            )
    used_settings(config, where)


def _other_model(config: Mapping[str, Any], model_type: object) -> str:
    """What a config.json describes that is not of ours."""
    if model_type in _NAFLEX:
        return (
            f'"{model_type}", a NaFlex model, whose pictures keep their proportions, which is not read; '
            "take one of fixed size, such as google/siglip2-so400m-patch14-384"
        )
    if model_type is None and ("pretrained_cfg" in config or "architecture" in config):
        return "a timm model; look for the same model in the layout of transformers"
    if model_type is None and "_class_name" in config:
        return f"a diffusers model ({printable(str(config['_class_name'])[:80])}), which is no encoder of pictures"
    if model_type is None and "peft_type" in config:
        return "a PEFT adapter; merge it into its base model and save that"
    code = "; its own code (auto_map) is never run" if config.get("auto_map") else ""
    named = str(model_type or "")[:80]
    found = f'"{printable(named)}"' if named else "none"
    return f"{found}: {did_you_mean(named, ARCHITECTURES)}{code}"
