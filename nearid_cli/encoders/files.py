"""The files of a checkpoint: which ones are read, and reading and checking them without torch."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from nearid_cli.encoders.architectures import ARCHITECTURES, Architecture, picture_size, readouts, takes
from nearid_cli.encoders.kinds import check_config, kind_of
from nearid_cli.encoders.number_formats import check_formats, read_formats
from nearid_cli.errors import ModelError
from nearid_cli.text import count, printable

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
_LFS_POINTER = b"version https://git-lfs"
_EXPECTED = f"{WEIGHTS} or pytorch_model.bin"


@dataclass(frozen=True)
class CheckpointFiles:
    """What a checkpoint's folder holds, read and checked.

    Attributes:
        folder: where it lies.
        config: `config.json`.
        image_processor: the image processor's settings.
        weights: the weight files, all of which exist; none where they were not asked for.
    """

    folder: Path
    config: dict[str, Any]
    image_processor: dict[str, Any]
    weights: tuple[Path, ...]

    @property
    def model_type(self) -> str:
        """The architecture's name, a key of `ARCHITECTURES`."""
        return str(self.config["model_type"])

    @property
    def architecture(self) -> Architecture:
        """What is known about the architecture."""
        return ARCHITECTURES[self.model_type]

    @property
    def readouts(self) -> tuple[str, ...]:
        """The readouts that this checkpoint has, the suggested one first."""
        return readouts(self.config)

    @property
    def picture_size(self) -> tuple[int, int] | None:
        """Height and width of the only pictures that the model takes; None where it takes many sizes."""
        return picture_size(self.config)

    def takes(self, size: tuple[int, int]) -> bool:
        """Whether the model takes pictures of this height and width."""
        return takes(self.config, size)

    @property
    def pickled(self) -> bool:
        """Whether the weights are in torch's pickle format."""
        return any(file.suffix != SAFETENSORS for file in self.weights)


def read_files(folder: Path, weights: bool = True, safetensors_only: bool = False) -> CheckpointFiles:
    """Read and check the files of a checkpoint, all but the weights themselves.

    Args:
        folder: where they lie.
        weights: whether there must be weights; without, none are looked for.
        safetensors_only: refuse weights in torch's pickle format.

    Raises:
        ModelError: a file is absent, damaged, of an unknown architecture or of a format that is
            not read; the message names the file.
    """
    if not folder.is_dir():
        raise ModelError(f"expected a folder with {CONFIG}, found no folder {printable(folder)}")
    if not (folder / CONFIG).exists():
        raise ModelError(_no_checkpoint(_names(folder), folder, CONFIG))
    config = _read_json(folder / CONFIG)
    check_config(config, printable(folder / CONFIG))
    found = _find_weights(folder, safetensors_only) if weights else ()
    _refuse_unreadable_formats(found, ARCHITECTURES[config["model_type"]])
    return CheckpointFiles(folder, config, _read_image_processor(folder), found)


def is_complete(folder: Path) -> bool:
    """Whether no file that an encoder reads is absent (as after an interrupted download)."""
    names = _names(folder)
    form = _form(names)
    if CONFIG not in names or not names & {PREPROCESSOR, PROCESSOR} or form is None:
        return False
    try:
        return all(file.is_file() for file in _weight_files(folder, form))
    except ModelError:  # damaged, not absent: `read_files` says how
        return True


def select(names: Iterable[str], safetensors_only: bool = False) -> list[str]:
    """Of the files of a checkpoint's folder, those that an encoder reads: the settings, and one form of the weights.

    Pickled weights are among them only where there are no safetensors.

    Args:
        names: file names relative to the folder, further folders' files too.
        safetensors_only: never choose pickled weights.

    >>> select(["config.json", "pytorch_model.bin", "tf_model.h5", "README.md"])
    ['config.json', 'pytorch_model.bin']
    >>> select(["config.json", "pytorch_model.bin", "model.safetensors"])
    ['config.json', 'model.safetensors']
    """
    found = set(names)
    form = _form(found, safetensors_only)
    main, parts = form or ("", "")
    return sorted(name for name in found if name in (*_SETTINGS, main) or (parts and fnmatch(name, parts)))


def no_checkpoint(names: Iterable[str], where: str, safetensors_only: bool = False) -> str | None:
    """Why the files of a folder or repository are no checkpoint, as far as their names tell; None if they are one.

    Args:
        names: file names relative to the folder.
        where: what to call the folder.
        safetensors_only: pickled weights do not count.
    """
    found = set(names)
    if CONFIG not in found:
        return _no_checkpoint(found, where, CONFIG)
    if _form(found, safetensors_only) is not None:
        return None
    if form := _form(found):
        return f"{where} has its weights in {form[0]} only, which --safetensors-only refuses (docs/guides/offline.md)"
    return _no_checkpoint(found, where, _EXPECTED)


def has_weights(folder: Path) -> bool:
    """Whether a folder holds weights, in whatever format."""
    names = _names(folder) - set(_SETTINGS)
    return _form(names) is not None or kind_of(names) is not None


def _no_checkpoint(names: Iterable[str], where: object, expected: str) -> str:
    """How a folder that lacks a file is refused: by the name of what it is, if that is known."""
    place = printable(str(where))
    known = {main for main, _ in _FORMS}  # tell nothing
    if kind := kind_of(name for name in names if name not in known):
        return f"expected a checkpoint of transformers in {place}, found {kind}"
    hint = ""
    if isinstance(where, Path) and ((inner := where / "model") / expected).is_file():
        hint = f"; did you mean {printable(inner)}?"  # where nearid train keeps the model of a checkpoint
    return f"expected {expected} in {place}, found none{hint}"


def _names(folder: Path) -> set[str]:
    """The names of the files in a folder."""
    return {file.name for file in folder.iterdir() if file.is_file()} if folder.is_dir() else set()


def _form(names: set[str], safetensors_only: bool = False) -> tuple[str, str] | None:
    """The preferred form of weights among files: its main file, and the pattern of the files that belong to it."""
    return next(
        (
            (main, parts)
            for main, parts in _FORMS
            if main in names and (SAFETENSORS in main or not safetensors_only)
        ),
        None,
    )


def _read_json(file: Path) -> dict[str, Any]:
    """A JSON object from a file."""
    try:
        content = json.loads(file.read_bytes())
    except FileNotFoundError as error:
        raise ModelError(f"expected {file.name} in {printable(file.parent)}, found none") from error
    except OSError as error:
        raise ModelError(f"cannot read {printable(file)}: {error.strerror}") from error
    except ValueError as error:
        raise ModelError(f"expected JSON in {printable(file)}: {error}") from error
    if not isinstance(content, dict):
        raise ModelError(f"expected a JSON object in {printable(file)}, found {type(content).__name__}")
    return content


def _read_image_processor(folder: Path) -> dict[str, Any]:
    """The image processor's settings, looked for in the order in which transformers does."""
    if (folder / PROCESSOR).is_file():
        nested = _read_json(folder / PROCESSOR).get("image_processor")
        if isinstance(nested, dict):
            return nested
    return _read_json(folder / PREPROCESSOR)


def _find_weights(folder: Path, safetensors_only: bool) -> tuple[Path, ...]:
    """The weight files of a folder."""
    names = _names(folder)
    form = _form(names, safetensors_only)
    if form is None:
        raise ModelError(
            no_checkpoint(names, printable(folder), safetensors_only) or f"expected {_EXPECTED} in {folder}"
        )
    files = _weight_files(folder, form)
    absent = [file.name for file in files if not file.is_file()]
    if absent:
        raise ModelError(
            f"{form[0]} names {count(len(absent), 'weight file')} not in {printable(folder)}: "
            f"{', '.join(map(printable, absent[:3]))}"
        )
    for file in files:
        _refuse_pointer(file)
    return files


def _weight_files(folder: Path, form: tuple[str, str]) -> tuple[Path, ...]:
    """The files that hold the weights of a form: its main file, or those that it names."""
    main = folder / form[0]
    if main.suffix != ".json":
        return (main,)
    weight_map = _read_json(main).get("weight_map")
    names = set(weight_map.values()) if isinstance(weight_map, dict) else set()
    if not names or not all(isinstance(name, str) and Path(name).name == name for name in names):
        raise ModelError(f"expected a weight_map from weights to file names in {printable(main)}, found none")
    return tuple(folder / name for name in sorted(names))


def _refuse_unreadable_formats(files: Iterable[Path], architecture: Architecture) -> None:
    """Refuse quantised weights, as far as a look at the head of safetensors files tells."""
    for file in files:
        if file.suffix == SAFETENSORS:
            check_formats(read_formats(file), architecture.unused_weights(), printable(file))


def _refuse_pointer(file: Path) -> None:
    """A repository cloned without git-lfs has small text files in place of its weights."""
    try:
        with file.open("rb") as stream:
            start = stream.read(len(_LFS_POINTER))
    except OSError as error:
        raise ModelError(f"cannot read {printable(file)}: {error.strerror}") from error
    if start == _LFS_POINTER:
        raise ModelError(
            f"expected weights in {printable(file)}, found a git-lfs pointer; fetch them with `git lfs pull`"
        )
