"""The files of a checkpoint: which ones are read, and reading and checking them without torch."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from nearid_cli.encoders.architectures import ARCHITECTURES, Architecture
from nearid_cli.errors import ModelError
from nearid_cli.text import did_you_mean, printable

CONFIG = "config.json"
PREPROCESSOR = "preprocessor_config.json"
PROCESSOR = "processor_config.json"  # transformers 5 may keep the image processor's settings in here
WEIGHTS = "model.safetensors"
WEIGHTS_INDEX = "model.safetensors.index.json"

WANTED = (CONFIG, PREPROCESSOR, PROCESSOR, WEIGHTS, WEIGHTS_INDEX, "model-*-of-*.safetensors")
_OTHER_FORMATS = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.h5", "*.msgpack", "*.pkl")
_LFS_POINTER = b"version https://git-lfs"


@dataclass(frozen=True)
class CheckpointFiles:
    """What a checkpoint's folder holds, read and checked.

    Attributes:
        folder: where it lies.
        config: `config.json`.
        image_processor: the image processor's settings.
        weights: the safetensors files, all of which exist; none where they were not asked for.
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


def read_files(folder: Path, weights: bool = True) -> CheckpointFiles:
    """Read and check the files of a checkpoint, all but the weights themselves.

    Args:
        folder: where they lie.
        weights: whether there must be weights; without, none are looked for.

    Raises:
        ModelError: a file is absent, damaged, of an unknown architecture or of a format that is
            not read; the message names the file.
    """
    if not folder.is_dir():
        raise ModelError(f"expected a folder with {CONFIG}, found no folder {printable(folder)}")
    config = _read_json(folder / CONFIG)
    model_type = config.get("model_type")
    if not isinstance(model_type, str) or model_type not in ARCHITECTURES:
        found = f'"{printable(str(model_type))}"' if model_type else "none"
        raise ModelError(
            f"expected a known model_type in {printable(folder / CONFIG)}, found {found}: "
            f"{did_you_mean(str(model_type or ''), ARCHITECTURES)}"
        )
    if config.get("quantization_config"):
        raise ModelError(f"expected plain weights, found a quantised model in {printable(folder)}")
    return CheckpointFiles(
        folder, config, _read_image_processor(folder), _find_weights(folder) if weights else ()
    )


def is_complete(folder: Path) -> bool:
    """Whether no file that an encoder reads is absent (as after an interrupted download)."""
    if not (folder / CONFIG).is_file() or not any(
        (folder / name).is_file() for name in (PREPROCESSOR, PROCESSOR)
    ):
        return False
    if (folder / WEIGHTS).is_file():
        return True
    if not (folder / WEIGHTS_INDEX).is_file():
        return False
    try:
        return all(shard.is_file() for shard in _shards(folder))
    except ModelError:  # damaged, not absent: `read_files` says how
        return True


def wanted(names: Iterable[str]) -> list[str]:
    """Of a repository's files, those that an encoder reads."""
    return [name for name in names if any(fnmatch(name, pattern) for pattern in WANTED)]


def other_format(names: Iterable[str]) -> str | None:
    """Why a set of files holds weights that are not read; None when it holds safetensors or no weights."""
    names = sorted(names)
    if any(fnmatch(name, "model*.safetensors") for name in names):
        return None
    found = next((name for pattern in _OTHER_FORMATS for name in names if fnmatch(name, pattern)), None)
    if found is None:
        return None
    return (
        f"only safetensors weights are read, and it has {printable(found)}, which can run code when it is "
        "loaded; convert it where you trust it (docs/offline.md), or look for a converted copy among the "
        "repository's pull requests: ID@refs/pr/N"
    )


def _read_json(file: Path) -> dict[str, Any]:
    """A JSON object from a file."""
    try:
        content = json.loads(file.read_bytes())
    except FileNotFoundError as error:
        inner = file.parent / "model"  # where nearid train keeps the model of a checkpoint
        hint = f"; did you mean {printable(inner)}?" if (inner / file.name).is_file() else ""
        raise ModelError(f"expected {file.name} in {printable(file.parent)}, found none{hint}") from error
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


def _find_weights(folder: Path) -> tuple[Path, ...]:
    """The safetensors files of a folder."""
    if (folder / WEIGHTS).is_file():
        files: tuple[Path, ...] = (folder / WEIGHTS,)
    elif (folder / WEIGHTS_INDEX).is_file():
        files = _shards(folder)
        absent = [file.name for file in files if not file.is_file()]
        if absent:
            raise ModelError(
                f"{WEIGHTS_INDEX} names {len(absent)} weight files that are not in {printable(folder)}: "
                f"{', '.join(map(printable, absent[:3]))}"
            )
    else:
        reason = other_format(file.name for file in folder.iterdir())
        raise ModelError(
            f"{printable(folder)}: {reason}"
            if reason
            else f"expected {WEIGHTS} in {printable(folder)}, found none"
        )
    for file in files:
        _refuse_pointer(file)
    return files


def _shards(folder: Path) -> tuple[Path, ...]:
    """The files that a weight index names."""
    index = folder / WEIGHTS_INDEX
    weight_map = _read_json(index).get("weight_map")
    names = set(weight_map.values()) if isinstance(weight_map, dict) else set()
    if not names or not all(isinstance(name, str) and Path(name).name == name for name in names):
        raise ModelError(
            f"expected a weight_map from weights to file names in {printable(index)}, found none"
        )
    return tuple(folder / name for name in sorted(names))


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
