"""Which files a checkpoint's folder or repository must have, and which of them are read: by their names alone."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatch
from pathlib import Path

from nearid_cli.encoders.strangers import kind_of
from nearid_cli.encoders.tokenizer_files import TOKENIZER_FILES, lacking, no_tokenizer
from nearid_cli.text import printable

CONFIG = "config.json"
PREPROCESSOR = "preprocessor_config.json"
PROCESSOR = "processor_config.json"  # transformers 5 may keep the image processor's settings in here
WEIGHTS = "model.safetensors"
WEIGHTS_INDEX = "model.safetensors.index.json"
SAFETENSORS = ".safetensors"

_SETTINGS = (CONFIG, PREPROCESSOR, PROCESSOR)
# The forms that weights come in, the preferred first: the file that must be there, and what belongs to it.
_FORMS = (
    (WEIGHTS, ""),
    (WEIGHTS_INDEX, "model-*-of-*.safetensors"),
    ("pytorch_model.bin", ""),
    ("pytorch_model.bin.index.json", "pytorch_model-*-of-*.bin"),
    ("pytorch_model.pt", ""),
    ("model.pt", ""),
    ("model.bin", ""),
)
_EXPECTED = f"{WEIGHTS} or pytorch_model.bin"


def select(names: Iterable[str], safetensors_only: bool = False, text: bool = False) -> list[str]:
    """Of the files of a checkpoint's folder, those that an encoder reads: the settings, and one form of the weights.

    Pickled weights are among them only where there are no safetensors.

    Args:
        names: file names relative to the folder, further folders' files too.
        safetensors_only: never choose pickled weights.
        text: whether the tokenizer is read, too.

    >>> select(["config.json", "pytorch_model.bin", "tf_model.h5", "README.md"])
    ['config.json', 'pytorch_model.bin']
    >>> select(["config.json", "pytorch_model.bin", "model.safetensors"])
    ['config.json', 'model.safetensors']
    """
    found = set(names)
    form = form_of(found, safetensors_only)
    main, parts = form or ("", "")
    own = (*_SETTINGS, main, *(TOKENIZER_FILES if text else ()))
    return sorted(name for name in found if name in own or (parts and fnmatch(name, parts)))


def no_checkpoint(
    names: Iterable[str], where: str, safetensors_only: bool = False, text: bool = False
) -> str | None:
    """Why the files of a folder or repository are no checkpoint, as far as their names tell; None if they are one.

    Args:
        names: file names relative to the folder.
        where: what to call the folder.
        safetensors_only: pickled weights do not count.
        text: there must be a tokenizer, too.
    """
    found = set(names)
    if CONFIG not in found:
        return refusal(found, where, CONFIG)
    if form_of(found, safetensors_only) is not None:
        return no_tokenizer(absent, where) if text and (absent := lacking(found)) else None
    if form := form_of(found):
        return f"{where} has its weights in {form[0]} only, which --safetensors-only refuses (docs/guides/offline.md)"
    return refusal(found, where, _EXPECTED)


def has_weights(folder: Path) -> bool:
    """Whether a folder holds weights, in whatever format."""
    names = names_in(folder) - set(_SETTINGS)
    return form_of(names) is not None or kind_of(names) is not None


def refusal(names: Iterable[str], where: str | Path, expected: str) -> str:
    """How a folder that lacks a file is refused: by the name of what it is, if that is known.

    Args:
        names: of its files.
        where: the folder, or what to call it.
        expected: what is not there.
    """
    place = printable(str(where))
    known = {main for main, _ in _FORMS}  # tell nothing
    if kind := kind_of(name for name in names if name not in known):
        return f"expected a checkpoint of transformers in {place}, found {kind}"
    hint = ""
    if isinstance(where, Path) and ((inner := where / "model") / expected).is_file():
        hint = f"; did you mean {printable(inner)}?"  # where nearid train keeps the model of a checkpoint
    return f"expected {expected} in {place}, found none{hint}"


def names_in(folder: Path) -> set[str]:
    """The names of the files in a folder."""
    return {file.name for file in folder.iterdir() if file.is_file()} if folder.is_dir() else set()


def form_of(names: set[str], safetensors_only: bool = False) -> tuple[str, str] | None:
    """The preferred form of weights among files: its main file, and the pattern of the files that belong to it."""
    for main, parts in _FORMS:
        if main in names and (SAFETENSORS in main or not safetensors_only):
            return main, parts
    return None
