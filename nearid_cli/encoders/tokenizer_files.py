"""The files of a tokenizer, which lie beside the weights of a model that embeds texts, too."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from nearid_cli.errors import ModelError
from nearid_cli.opening import read_regular
from nearid_cli.text import printable

TOKENIZER_FILES = (
    "added_tokens.json",
    "merges.txt",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.json",
)
"""Those that decide how a text becomes tokens, in the layout of transformers."""

_WHOLE, _VOCABULARY, _MERGES = "tokenizer.json", "vocab.json", "merges.txt"


def lacking(names: Collection[str]) -> str | None:
    """What is absent for there to be a tokenizer, in words; None where nothing is.

    Args:
        names: of the files of a checkpoint's folder.

    >>> lacking(["merges.txt"]), lacking(["config.json"])
    ('vocab.json', 'tokenizer.json, or vocab.json and merges.txt')
    >>> lacking(["vocab.json", "merges.txt"]) is lacking(["tokenizer.json"]) is None
    True
    """
    absent = [name for name in (_VOCABULARY, _MERGES) if name not in names]
    if _WHOLE in names or not absent:
        return None
    return absent[0] if len(absent) == 1 else f"{_WHOLE}, or {_VOCABULARY} and {_MERGES}"


def tokenizer_files(folder: Path) -> tuple[Path, ...]:
    """The files of the tokenizer in a checkpoint's folder.

    Raises:
        ModelError: there is none; the message names what is absent.
    """
    found = tuple(file for name in TOKENIZER_FILES if (file := folder / name).is_file())
    if absent := lacking([file.name for file in found]):
        raise ModelError(no_tokenizer(absent, printable(folder)))
    return found


def read_tokenizer(folder: Path) -> dict[str, bytes]:
    """The content of each file of the tokenizer in a checkpoint's folder, by name.

    Raises:
        ModelError: there is none, or a file cannot be read.
    """
    try:
        return {file.name: read_regular(file) for file in tokenizer_files(folder)}
    except OSError as error:
        raise ModelError(f"cannot read {printable(str(error.filename))}: {error.strerror}") from error


def no_tokenizer(absent: str, where: str) -> str:
    """How a checkpoint without a tokenizer is refused."""
    return f"expected {absent} in {where}, found none: prompts are read with the checkpoint's own tokenizer"
