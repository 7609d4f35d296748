"""What the text half of a checkpoint is, before it is loaded: prompts become vectors in the space of its pictures."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from blake3 import blake3

from nearid_cli.encoders.files import CONFIG
from nearid_cli.encoders.spec import EncoderSpec
from nearid_cli.encoders.tokenizer_files import tokenizer_files
from nearid_cli.errors import ModelError
from nearid_cli.files import digest_file
from nearid_cli.text import printable

# Part of every fingerprint. Raise it when a change of ours changes embeddings of texts.
TEXT_VERSION = 1


_POSITIONS = 77  # transformers' own default


def most_tokens(folder: Path) -> int:
    """How many tokens the model of a checkpoint takes of a text, its begin and end among them."""
    config = _json(folder / CONFIG)
    said = [half for half in map(config.get, ("text_config", "text_config_dict")) if isinstance(half, dict)]
    limits = [half.get("max_position_embeddings") for half in reversed(said)]  # as transformers has it
    model = next((limit for limit in limits if isinstance(limit, int)), _POSITIONS)
    tokenizer = _json(folder / "tokenizer_config.json").get("model_max_length")
    return int(tokenizer) if isinstance(tokenizer, (int, float)) and 0 < tokenizer < model else model


def _json(file: Path) -> dict[str, Any]:
    """The object in a file; an empty one where there is none, of which whoever reads it in earnest complains."""
    try:
        content = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def text_spec(pictures: EncoderSpec) -> EncoderSpec:
    """The encoder of the texts that pictures of `pictures` are compared with.

    Its preprocessing and its fingerprint are of both: whatever decides about a vector of a picture, and the tokenizer.

    Args:
        pictures: of a request with `text`, from `resolve`.

    Raises:
        ModelError: a file of the tokenizer is absent or cannot be read.
    """
    assert pictures.folder is not None
    files = tokenizer_files(pictures.folder)
    try:
        digests = {file.name: digest_file(file) for file in files}
    except OSError as error:
        raise ModelError(
            f"cannot read the tokenizer in {printable(pictures.folder)}: {error.strerror}"
        ) from error
    content = json.dumps([pictures.fingerprint, digests, TEXT_VERSION], sort_keys=True)
    return replace(
        pictures,
        preprocessing=f"{pictures.preprocessing}; prompts by the checkpoint's tokenizer, at most "
        f"{most_tokens(pictures.folder)} tokens",
        fingerprint=blake3(content.encode()).hexdigest(),
        image_processor=None,
    )
