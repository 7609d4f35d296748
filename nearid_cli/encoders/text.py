"""What the text half of a checkpoint is, before it is loaded: prompts become vectors in the space of its pictures."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from blake3 import blake3

from nearid_cli.encoders.files import read_files
from nearid_cli.encoders.spec import EncoderSpec
from nearid_cli.encoders.tokenizer_files import read_tokenizer, tokenizer_settings

# Part of every fingerprint. Raise it when a change of ours changes embeddings of texts.
TEXT_VERSION = 1


_POSITIONS = 77  # transformers' own default


def most_tokens(folder: Path) -> int:
    """`token_limit` of a checkpoint's folder.

    Raises:
        ModelError: its files cannot be read.
    """
    return token_limit(read_files(folder, weights=False).config, read_tokenizer(folder))


def token_limit(config: Mapping[str, Any], tokenizer: Mapping[str, bytes]) -> int:
    """How many tokens the model of a checkpoint takes of a text, its begin and end among them.

    Args:
        config: the content of its config.json.
        tokenizer: from `read_tokenizer`.
    """
    said = [half for half in map(config.get, ("text_config", "text_config_dict")) if isinstance(half, dict)]
    limits = [half.get("max_position_embeddings") for half in reversed(said)]  # as transformers has it
    model = next((limit for limit in limits if isinstance(limit, int)), _POSITIONS)
    limit = tokenizer_settings(tokenizer).get("model_max_length")
    return int(limit) if isinstance(limit, (int, float)) and 0 < limit < model else model


def text_spec(pictures: EncoderSpec) -> EncoderSpec:
    """The encoder of the texts that pictures of `pictures` are compared with.

    Its preprocessing and its fingerprint are of both: whatever decides about a vector of a picture, and the tokenizer.

    Args:
        pictures: of a request with `text`, from `resolve`.

    Raises:
        ModelError: a file of the tokenizer is absent or cannot be read.
    """
    assert pictures.folder is not None
    config = read_files(pictures.folder, weights=False).config
    tokenizer = read_tokenizer(pictures.folder)
    digests = {name: blake3(content).hexdigest() for name, content in tokenizer.items()}
    content = json.dumps([pictures.fingerprint, digests, TEXT_VERSION], sort_keys=True)
    return replace(
        pictures,
        preprocessing=f"{pictures.preprocessing}; prompts by the checkpoint's tokenizer, at most "
        f"{token_limit(config, tokenizer)} tokens",
        fingerprint=blake3(content.encode()).hexdigest(),
        image_processor=None,
        digests={**pictures.digests, **digests},
    )
