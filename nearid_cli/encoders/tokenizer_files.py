"""The files of a tokenizer, which lie beside the weights of a model that embeds texts, too: what of them is read.

Whatever their settings say becomes an argument or an attribute of the class that they name. So the class is one of
few, and only what decides about tokens is passed on.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from nearid_cli.errors import ModelError
from nearid_cli.opening import MalformedError, parse_json, read_regular
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
_SETTINGS, _SPECIAL = "tokenizer_config.json", "special_tokens_map.json"
_CLASSES = ("CLIPTokenizer", "CLIPTokenizerFast", "PreTrainedTokenizerFast", "TokenizersBackend")
_KEYS = re.compile(
    r"[a-z]+(_[a-z]+)*_token|added_tokens_decoder|(additional|extra)_special_tokens|add_prefix_space|do_lower_case|"
    r"errors|model_max_length|max_len|split_special_tokens|tokenizer_class|(padding|truncation)_side"
)


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
        ModelError: there is none, a file cannot be read, or the settings are of another kind of tokenizer.
    """
    try:
        found = {file.name: read_regular(file) for file in tokenizer_files(folder)}
    except OSError as error:
        raise ModelError(f"cannot read {printable(str(error.filename))}: {error.strerror}") from error
    settings, where = tokenizer_settings(found), printable(folder / _SETTINGS)
    kind = settings.get("tokenizer_class")
    if kind is not None and kind not in _CLASSES:
        raise ModelError(
            f"expected a tokenizer_class of {', '.join(_CLASSES)} in {where}, found {printable(repr(kind)[:60])}"
        )
    for key in ("model_max_length", "max_len"):
        if not isinstance(most := settings.get(key), (int, float, type(None))):
            raise ModelError(
                f"expected a number of tokens in {key} of {where}, found {printable(repr(most)[:60])}"
            )
    return found


def tokenizer_settings(contents: Mapping[str, bytes], name: str = _SETTINGS) -> dict[str, Any]:
    """The settings of a tokenizer; none where they are damaged, of which whoever makes one of them complains.

    Args:
        contents: of its files.
        name: of the file of settings.
    """
    try:
        found = parse_json(contents.get(name, b"{}"))
    except MalformedError:
        return {}
    return found if isinstance(found, dict) else {}


def passed_on(contents: Mapping[str, bytes]) -> dict[str, bytes]:
    """The files of a tokenizer, from `read_tokenizer`, without settings that do not decide about tokens."""
    passed = dict(contents)
    for name in (_SETTINGS, _SPECIAL):
        settings = tokenizer_settings(contents, name)
        if any(not _KEYS.fullmatch(key) for key in settings):
            used = {key: value for key, value in settings.items() if _KEYS.fullmatch(key)}
            passed[name] = json.dumps(used).encode()
    return passed


def no_tokenizer(absent: str, where: str) -> str:
    """How a checkpoint without a tokenizer is refused."""
    return f"expected {absent} in {where}, found none: prompts are read with the checkpoint's own tokenizer"
