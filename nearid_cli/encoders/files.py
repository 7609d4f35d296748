"""The files of a checkpoint: which ones are read, reading and checking them without torch, and naming the others."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from blake3 import blake3

from nearid_cli.encoders.architectures import ARCHITECTURES, Architecture
from nearid_cli.encoders.heads import read_head
from nearid_cli.encoders.processors import check_processor
from nearid_cli.encoders.settings import check_size, used_settings
from nearid_cli.encoders.tokenizer_files import TOKENIZER_FILES, lacking, no_tokenizer, tokenizer_files
from nearid_cli.errors import ModelError
from nearid_cli.opening import MalformedError, open_regular, parse_json, read_regular
from nearid_cli.text import count, did_you_mean, few, printable

_PLAIN = ("F64", "F32", "F16", "BF16")

# Ends of weights' names that one tool alone writes.
_TOOLS = (
    (r"\.SCB$|\.absmax$|\.quant_map$|\.quant_state\.bitsandbytes", "bitsandbytes"),
    (r"\.g_idx$", "GPTQ"),
    (r"\.qweight$|\.qzeros$", "AWQ or GPTQ"),
    (r"_weight_qdata$|:_data$|\.int_data$", "torchao"),
    (r"\._data$|\._scale$", "quanto"),
    (r"\.weight_packed$|\.weight_scale$|\.weight_scale_inv$", "compressed-tensors or FP8"),
    (r"\.W_q$", "HQQ"),
)


def check_formats(formats: Mapping[str, str], unused: str, where: str) -> None:
    """Refuse weights that are not plain floating-point numbers.

    Args:
        formats: by the names of the weights, see `heads.Head.formats`.
        unused: regular expression, matched at the start of a name, of weights that do not matter.
        where: the file, for the message.

    Raises:
        ModelError: naming the formats, and the tool that quantised the model where the names of its weights tell.
    """
    ignored = re.compile(unused)
    odd = {name: kind for name, kind in formats.items() if kind not in _PLAIN and not ignored.match(name)}
    if not odd:
        return
    kinds = few(sorted({_spelled(kind) for kind in odd.values()}), 5, str)
    tool = next((tool for end, tool in _TOOLS if any(re.search(end, name) for name in formats)), None)
    raise ModelError(
        f"expected weights in float32, float16, bfloat16 or float64, found {kinds} in {where}: "
        f"{count(len(odd), 'weight')} such as {printable(min(odd)[:200])}; the model is quantised"
        f"{f' ({tool})' if tool else ''}, use the one that it was made from"
    )


def _spelled(kind: str) -> str:
    """A format of safetensors by torch's name.

    >>> _spelled("I8"), _spelled("U8"), _spelled("F8_E4M3"), _spelled("F4")
    ('int8', 'uint8', 'float8_e4m3', 'float4')
    """
    match = re.fullmatch(r"(I|U|F|C)(\d+)(_\w+)?", kind)
    if match is None:
        return printable(kind[:80].lower())
    family = {"I": "int", "U": "uint", "F": "float", "C": "complex"}[match[1]]
    return f"{family}{match[2]}{(match[3] or '').lower()}"


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
_UNPROJECTED = ("CLIPVisionModel", "CLIPForImageClassification")
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
        raise ModelError(_no_checkpoint(_names(folder), folder, CONFIG))
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
    names = _names(folder)
    form = _form(names)
    if CONFIG not in names or not names & {PREPROCESSOR, PROCESSOR} or form is None:
        return False
    if text and lacking(names):
        return False
    try:
        return all(file.is_file() for file in _weight_files(folder, form))
    except ModelError:  # damaged, not absent: `read_files` says how
        return True


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
    form = _form(found, safetensors_only)
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
        return _no_checkpoint(found, where, CONFIG)
    if _form(found, safetensors_only) is not None:
        return no_tokenizer(absent, where) if text and (absent := lacking(found)) else None
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
