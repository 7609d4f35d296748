"""The repositories of the registry's metrics: files and forms as on the Hub, with small random weights."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

REPOSITORIES = {
    "Aleksandar/nearid-siglip2": (
        "nearid",
        ("model.safetensors",),
        ("README.md", ".gitattributes", "configuration_nearid.py", "modeling_nearid.py"),
    ),
    "openai/clip-vit-large-patch14": (
        "clip-with-text",
        ("model.safetensors", "pytorch_model.bin"),
        ("README.md", ".gitattributes", "tf_model.h5", "flax_model.msgpack"),
    ),
    "openai/clip-vit-base-patch32": (
        "clip-with-text",
        ("pytorch_model.bin",),
        ("README.md", ".gitattributes", "tf_model.h5", "flax_model.msgpack"),
    ),
    "facebook/dinov2-large": (
        "dinov2",
        ("model.safetensors", "pytorch_model.bin"),
        ("README.md", ".gitattributes"),
    ),
    "facebook/dino-vits16": ("vit", ("pytorch_model.bin",), ("README.md", ".gitattributes", "tf_model.h5")),
    "google/siglip2-so400m-patch14-384": (
        "siglip",
        ("model.safetensors",),
        (
            "README.md",
            ".gitattributes",
            "special_tokens_map.json",
            "spiece.model",
            "tokenizer.json",
            "tokenizer.model",
            "tokenizer_config.json",
        ),
    ),
}
"""By id: a builder of `tests/tiny.py`, the forms of the weights, and files that are not read."""


def build(repo_id: str, checkpoint: Callable[[str], Path]) -> dict[str, bytes]:
    """The files of a repository."""
    builder, forms, others = REPOSITORIES[repo_id]
    folder = checkpoint(builder)
    if repo_id == "facebook/dino-vits16":
        _enlarge(folder)
    files = {file.name: file.read_bytes() for file in folder.iterdir() if file.suffix in (".json", ".txt")}
    for form in forms:
        safe = folder / "model.safetensors"
        files[form] = safe.read_bytes() if form == safe.name else _pickled(safe)
    # What must not be fetched is not what it is called.
    return files | {name: f"not {name}".encode() for name in others if name not in files}


def _enlarge(folder: Path) -> None:
    """Make a ViT for pictures of 224 px, the size that the paper's preprocessing gives."""
    from transformers import ViTConfig, ViTModel

    config = ViTConfig.from_pretrained(folder, image_size=224, patch_size=56)
    ViTModel(config, add_pooling_layer=False).save_pretrained(folder)
    processor = json.loads((folder / "preprocessor_config.json").read_bytes())
    (folder / "preprocessor_config.json").write_text(json.dumps(processor | {"size": 224}))


def _pickled(weights: Path) -> bytes:
    """Weights as `pytorch_model.bin` has them: pickled, and with the buffers that transformers once kept."""
    import io

    import torch
    from safetensors.torch import load_file

    tensors = dict(load_file(weights))
    for name in [name for name in tensors if name.endswith("position_embedding.weight")]:
        positions = torch.arange(len(tensors[name])).reshape(1, -1)
        tensors[name.replace("position_embedding.weight", "position_ids")] = positions
    stream = io.BytesIO()
    torch.save(tensors, stream)
    return stream.getvalue()
