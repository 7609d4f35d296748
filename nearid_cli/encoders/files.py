"""The files of a checkpoint, read and checked without torch: all of its settings, and the heads of its weights."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from blake3 import blake3

from nearid_cli.encoders.architectures import ARCHITECTURES, Architecture
from nearid_cli.encoders.heads import read_head
from nearid_cli.encoders.layout import (
    CONFIG,
    PREPROCESSOR,
    PROCESSOR,
    SAFETENSORS,
    form_of,
    names_in,
    no_checkpoint,
    refusal,
)
from nearid_cli.encoders.number_formats import check_formats
from nearid_cli.encoders.processors import check_processor
from nearid_cli.encoders.settings import check_size, used_settings
from nearid_cli.encoders.strangers import check_config
from nearid_cli.encoders.tokenizer_files import lacking, tokenizer_files
from nearid_cli.errors import ModelError
from nearid_cli.opening import MalformedError, open_regular, parse_json, read_regular
from nearid_cli.text import count, printable, shown

_UNPROJECTED = ("CLIPVisionModel", "CLIPForImageClassification")
_LFS_POINTER = b"version https://git-lfs"


@dataclass(frozen=True)
class CheckpointFiles:
    """What a checkpoint's folder holds, read and checked.

    Attributes:
        folder: where it lies.
        config: `config.json`.
        image_processor: the image processor's settings.
        weights: the weight files, all of which exist; none where they were not asked for.
        digests: the BLAKE3 digest of each file of settings, as it was read; hex, by the file's name.
    """

    folder: Path
    config: dict[str, Any]
    image_processor: dict[str, Any]
    weights: tuple[Path, ...]
    digests: Mapping[str, str] = field(default_factory=dict, compare=False)

    @property
    def settings(self) -> dict[str, Any]:
        """What of `config.json` is passed on to whatever makes a model of it."""
        return used_settings(self.config, printable(self.folder / CONFIG))

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
        """The readouts that this checkpoint has, the suggested one first.

        A CLIP tower that was saved without the projection has the others only.
        """
        said = self.config.get("architectures")
        unprojected = isinstance(said, list) and any(name in _UNPROJECTED for name in said)
        return tuple(one for one in self.architecture.readouts if not (unprojected and one == "projected"))

    @property
    def picture_size(self) -> tuple[int, int] | None:
        """Height and width in pixels of the only pictures that the model takes; None where it takes many."""
        kind, tower = self._tower
        if ARCHITECTURES[kind].any_size:
            return None
        return _edges(tower.get("image_size", 224))  # transformers' own default, for all of these

    def takes(self, size: tuple[int, int]) -> bool:
        """Whether the model takes pictures of this height and width.

        SigLIP's towers pass over what is left beside whole patches, so pictures that differ by that are alike to them.

        >>> tower = {"model_type": "siglip_vision_model", "image_size": 384, "patch_size": 14}
        >>> files = CheckpointFiles(Path(), tower, {}, ())
        >>> files.takes((378, 378)), files.takes((364, 392))
        (True, False)
        """
        expected = self.picture_size
        if expected is None:
            return True
        kind, tower = self._tower
        patch = _edges(tower.get("patch_size", 16)) if kind.startswith("siglip") else None
        rows, columns = patch or (1, 1)
        return (size[0] // rows, size[1] // columns) == (expected[0] // rows, expected[1] // columns)

    @property
    def tower(self) -> Mapping[str, Any]:
        """The settings of the vision tower."""
        return self._tower[1]

    @property
    def _tower(self) -> tuple[str, Mapping[str, Any]]:
        """The architecture of the vision tower, and the tower's settings."""
        kind, tower = self.model_type, self.config.get("vision_config")
        if kind == "nearid":
            kind = tower.get("model_type", "siglip_vision_model") if isinstance(tower, Mapping) else "siglip"
        return kind if kind in ARCHITECTURES else "siglip", tower if isinstance(
            tower, Mapping
        ) else self.config

    @property
    def pickled(self) -> bool:
        """Whether the weights are in torch's pickle format."""
        return any(file.suffix != SAFETENSORS for file in self.weights)


def _edges(value: object) -> tuple[int, int] | None:
    """A size as height and width; None for anything that transformers will refuse."""
    edges = value if isinstance(value, (list, tuple)) else (value, value)
    if len(edges) != 2 or not all(isinstance(edge, int) and edge > 0 for edge in edges):
        return None
    return edges[0], edges[1]


def read_files(
    folder: Path, weights: bool = True, safetensors_only: bool = False, text: bool = False
) -> CheckpointFiles:
    """Read and check the files of a checkpoint, all but the weights themselves.

    Args:
        folder: where they lie.
        weights: whether there must be weights; without, none are looked for.
        safetensors_only: refuse weights in torch's pickle format.
        text: whether texts shall be embedded, too.

    Raises:
        ModelError: a file is absent, damaged, of an unknown architecture or of a format that is
            not read; the message names the file.
    """
    if not folder.is_dir():
        raise ModelError(f"expected a folder with {CONFIG}, found no folder {printable(folder)}")
    if not (folder / CONFIG).exists():
        raise ModelError(refusal(names_in(folder), folder, CONFIG))
    digests: dict[str, str] = {}
    config = _read_json(folder / CONFIG, digests)
    check_config(config, printable(folder / CONFIG))
    if text:
        _refuse_without_text(config, printable(folder / CONFIG))
    found = _find_weights(folder, safetensors_only) if weights else ()
    if weights and text:
        tokenizer_files(folder)
    _refuse_unreadable_formats(found, ARCHITECTURES[config["model_type"]])
    files = CheckpointFiles(folder, config, _read_image_processor(folder, digests), found, digests)
    if weights:
        size = sum(file.stat().st_size for file in found)
        check_size(files.settings, text, size, printable(folder / CONFIG))
    return files


def _refuse_without_text(config: Mapping[str, Any], where: str) -> None:
    """Refuse a model whose texts are not embedded."""
    kind = config["model_type"]
    if ARCHITECTURES[kind].unused_by_text is None:
        others = "SigLIP's texts are not read" if kind.startswith("siglip") else "it has no text half"
        raise ModelError(
            f'expected a whole CLIP model, of texts and pictures, in {where}, found model_type "{kind}": {others}; '
            "take one such as openai/clip-vit-large-patch14"
        )


def is_complete(folder: Path, text: bool = False) -> bool:
    """Whether no file that an encoder reads is absent (as after an interrupted download).

    Args:
        folder: of the checkpoint.
        text: whether the tokenizer is read, too.
    """
    names = names_in(folder)
    form = form_of(names)
    if CONFIG not in names or not names & {PREPROCESSOR, PROCESSOR} or form is None:
        return False
    if text and lacking(names):
        return False
    try:
        return all(file.is_file() for file in _weight_files(folder, form))
    except ModelError:  # damaged, not absent: `read_files` says how
        return True


def _read_json(file: Path, digests: dict[str, str] | None = None) -> dict[str, Any]:
    """A JSON object from a file, whose digest is added to `digests`."""
    try:
        content = read_regular(file)
        found = parse_json(content)
    except FileNotFoundError as error:
        raise ModelError(f"expected {file.name} in {printable(file.parent)}, found none") from error
    except OSError as error:
        raise ModelError(f"cannot read {printable(file)}: {error.strerror}") from error
    except MalformedError as error:
        raise ModelError(f"expected JSON in {printable(file)}: {error}") from error
    if not isinstance(found, dict):
        raise ModelError(f"expected a JSON object in {printable(file)}, found {type(found).__name__}")
    if digests is not None:
        digests[file.name] = blake3(content).hexdigest()
    return found


def _read_image_processor(folder: Path, digests: dict[str, str]) -> dict[str, Any]:
    """The image processor's settings, looked for in the order in which transformers does."""
    file, found = folder / PROCESSOR, None
    if file.exists():
        found = _read_json(file, digests).get("image_processor")
    if not isinstance(found, dict):
        file = folder / PREPROCESSOR
        found = _read_json(file, digests)
    check_processor(found, printable(file))
    return found


def _find_weights(folder: Path, safetensors_only: bool) -> tuple[Path, ...]:
    """The weight files of a folder."""
    names = names_in(folder)
    if problem := no_checkpoint(names, printable(folder), safetensors_only):
        raise ModelError(problem)
    form = form_of(names, safetensors_only)
    assert form is not None
    files = _weight_files(folder, form)
    absent = [file.name for file in files if not os.path.isfile(file)]  # noqa: PTH113 - Path's fails for long names
    if absent:
        raise ModelError(
            f"{form[0]} names {count(len(absent), 'weight file')} not in {printable(folder)}: "
            f"{', '.join(shown(name, spelled=printable) for name in absent[:3])}"
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
    named = list(weight_map.values()) if isinstance(weight_map, dict) else []
    names = {name for name in named if isinstance(name, str) and Path(name).name == name and "\0" not in name}
    if not names or len(names) < len({str(name) for name in named}):
        raise ModelError(f"expected a weight_map from weights to file names in {printable(main)}, found none")
    return tuple(folder / name for name in sorted(names))


def _refuse_unreadable_formats(files: Iterable[Path], architecture: Architecture) -> None:
    """Refuse quantised weights, as far as a look at the head of safetensors files tells."""
    for file in files:
        if file.suffix == SAFETENSORS:
            check_formats(read_head(file).formats, architecture.unused_weights(), printable(file))


def _refuse_pointer(file: Path) -> None:
    """A repository cloned without git-lfs has small text files in place of its weights."""
    try:
        with open_regular(file) as stream:
            start = stream.read(len(_LFS_POINTER))
    except OSError as error:
        raise ModelError(f"cannot read {printable(file)}: {error.strerror}") from error
    if start == _LFS_POINTER:
        raise ModelError(
            f"expected weights in {printable(file)}, found a git-lfs pointer; fetch them with `git lfs pull`"
        )
