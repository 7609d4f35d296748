"""Loading a checkpoint as an encoder: strictly, and running no code of it."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blake3 import blake3

from nearid_cli.encoders.architectures import TEXT
from nearid_cli.encoders.checkpoints import find_preprocessing
from nearid_cli.encoders.files import CheckpointFiles, read_files
from nearid_cli.encoders.heads import read_head, unreadable
from nearid_cli.encoders.layout import SAFETENSORS
from nearid_cli.encoders.libraries import out_of_memory, quiet_transformers, torchvision_problem
from nearid_cli.encoders.number_formats import check_formats
from nearid_cli.encoders.pickled import converted, digest_of, read_without_copy
from nearid_cli.encoders.spec import CHANGED, ChangedCheckpointError, Encoder, EncoderSpec, check_digest
from nearid_cli.encoders.tokenizer_files import read_tokenizer
from nearid_cli.errors import ModelError
from nearid_cli.files import default_cache_folder
from nearid_cli.images.preprocessing import FloatPreprocessing, Preprocessing
from nearid_cli.interrupts import interrupts_held
from nearid_cli.text import count, few, printable, said

# What programs that wrap a model put before the names of its weights.
_WRAPPERS = {
    "_orig_mod.": "torch.compile",
    "module.": "DataParallel",
    "_forward_module.": "Lightning",
    "_fsdp_wrapped_module.": "FSDP",
}

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    from nearid_cli.encoders.spec import Preparer
    from nearid_cli.encoders.text_encoder import TextEncoder


logger = logging.getLogger(__name__)


def load_encoder(spec: EncoderSpec, device: str = "cpu", cache: Path | None = None) -> Encoder:
    """Load an encoder.

    Args:
        spec: from `resolve`.
        device: a torch device (`cpu`, `cuda`, `cuda:1`, `mps`).
        cache: the cache's folder, in which pickled weights are kept as safetensors; None for the default one.

    Raises:
        ModelError: a weight is missing, unexpected, mis-shaped or not finite, a file is damaged, or
            the checkpoint needs what is not installed, or a plug-in fails. The message names the weights or the file.
    """
    if spec.plugin is not None:
        from nearid_cli.encoders.plugged import PluggedEncoder

        return PluggedEncoder(spec, device)
    if spec.folder is None:
        from nearid_cli.encoders.descriptors import HogEncoder, PerceptualHash, Thumbnail

        # By what they give: a metric may be given any name, and the fingerprint tells how pictures are read, too.
        encoders = {one.spec.readout: one for one in (HogEncoder, PerceptualHash, Thumbnail)}
        return encoders[spec.readout](spec)
    files = _picture_files(spec, spec.folder)
    with _enough_memory(spec.folder, device):
        if spec.engine:
            return _load_converted(spec, files, cache or default_cache_folder())
        from nearid_cli.encoders.torch_encoder import TorchEncoder

        model = load_model(files, spec.readout, spec.dtype, cache, spec.digests)
        return TorchEncoder(spec, files, model, device)


def load_preparer(spec: EncoderSpec) -> Preparer:
    """What prepares pictures for an encoder: of a checkpoint, without its model and without torch where that can be.

    Raises:
        ModelError: as for `load_encoder`, but for weights, which are not read.
    """
    if spec.plugin is not None or spec.folder is None:
        return load_encoder(spec)
    from nearid_cli.encoders.checkpoint_encoder import CheckpointPreparer

    return CheckpointPreparer(spec, _picture_files(spec, spec.folder))


def preparer_alone(spec: EncoderSpec) -> Preparer | None:
    """What prepares pictures for an encoder without torch or transformers; None where that cannot be.

    Raises:
        ModelError: as for `load_preparer`.
    """
    if spec.plugin is not None:
        return None
    if spec.folder is None:
        return load_encoder(spec)
    files = _picture_files(spec, spec.folder)
    if not isinstance(find_preprocessing(files), Preprocessing):
        return None
    from nearid_cli.encoders.checkpoint_encoder import CheckpointPreparer

    return CheckpointPreparer(spec, files)


def _picture_files(spec: EncoderSpec, folder: Path) -> CheckpointFiles:
    """The files of a checkpoint, with the image processor of its spec.

    Raises:
        ChangedCheckpointError: see `_files`.
    """
    files = _files(spec, folder)
    if spec.image_processor is None:
        return files
    return replace(files, image_processor=dict(spec.image_processor))


def _load_converted(spec: EncoderSpec, files: CheckpointFiles, cache: Path) -> Encoder:
    """Load an encoder that OpenVINO runs: from the model that is kept, or from one that is made of torch's and kept.

    Raises:
        EngineError: OpenVINO cannot run it.
        ModelError: as for `load_encoder`.
    """
    from nearid_cli.encoders import openvino_encoder as by_openvino
    from nearid_cli.encoders.kept_models import KeptModels

    if isinstance(find_preprocessing(files), FloatPreprocessing):
        _import_torch()  # which its threads would do otherwise
    kept = KeptModels(cache)
    if place := kept.find(spec.converted):
        try:
            graph = by_openvino.read(place)
        except (OSError, RuntimeError) as error:
            if out_of_memory(error):
                raise
            kept.discard(place.parent, said(error)[:160])
        else:
            return by_openvino.OpenVINOEncoder(spec, files, graph)
    graph = _converted(spec, files, cache)
    try:
        # Of the file, so that nothing of torch stays in memory.
        graph = by_openvino.read(kept.keep(spec.converted, partial(by_openvino.write, graph)))
    except (OSError, RuntimeError) as error:
        if out_of_memory(error):
            raise
        logger.warning(
            "%s was converted for OpenVINO and is not kept, so it will be again next time: %s cannot be written (%s)",
            printable(spec.name),
            printable(kept.folder),
            printable(getattr(error, "strerror", None) or said(error)[:160]),
        )
    return by_openvino.OpenVINOEncoder(spec, files, graph)


def _import_torch() -> None:
    with interrupts_held():
        import torch  # noqa: F401


def _converted(spec: EncoderSpec, files: CheckpointFiles, cache: Path) -> Any:
    """The model of a checkpoint, converted for OpenVINO; in float32, which every dtype is made of."""
    from nearid_cli.encoders.openvino_encoder import converted
    from nearid_cli.encoders.torch_encoder import pictures_a_pass

    logger.info(
        f"converting {printable(spec.name)} for OpenVINO once; kept in {printable(cache / 'openvino')}"
    )
    _import_torch()
    model = load_model(files, spec.readout, "float32", cache, spec.digests)
    return converted(model, files, spec.readout, pictures_a_pass(model.num_parameters()))


def load_text_encoder(spec: EncoderSpec, device: str = "cpu", cache: Path | None = None) -> TextEncoder:
    """Load the text half of a checkpoint.

    Args:
        spec: from `text_spec`.
        device: as for `load_encoder`.
        cache: likewise.

    Raises:
        ModelError: as for `load_encoder`; or there is no tokenizer, or one that does not go with the model.
    """
    from nearid_cli.encoders.text_encoder import TextEncoder

    assert spec.folder is not None
    files = _files(spec, spec.folder, text=True)
    tokenizer = read_tokenizer(spec.folder)
    for name, content in tokenizer.items():
        _check(spec, spec.folder / name, blake3(content).hexdigest())
    with _enough_memory(spec.folder, device):
        model = load_model(files, TEXT, spec.dtype, cache, spec.digests)
        return TextEncoder(spec, model, device, files.config, tokenizer)


def _files(spec: EncoderSpec, folder: Path, text: bool = False) -> CheckpointFiles:
    """The files of a checkpoint, if they are still those of its spec; weights are compared when they are read.

    Raises:
        ChangedCheckpointError: one is another, or there was none of its name.
    """
    files = read_files(folder, text=text)
    for file in files.weights:
        _check(spec, file)
    for name, digest in files.digests.items():
        _check(spec, folder / name, digest)
    return files


def _check(spec: EncoderSpec, file: Path, digest: str | None = None) -> None:
    """Refuse a file that the spec does not know, or, where its digest is given, that it knows by another."""
    if file.name not in spec.digests:
        raise ChangedCheckpointError(f"{printable(file)} {CHANGED}")
    if digest is not None:
        check_digest(file, digest, spec.digests[file.name])


@contextmanager
def _enough_memory(folder: Path, device: str) -> Iterator[None]:
    """Memory that runs out inside the block is an error for people."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not out_of_memory(error):
            raise
        raise ModelError(
            f"{printable(folder)}: out of memory on {device} while the model was loaded; free some, or choose "
            "another --device or a smaller --dtype"
        ) from error


def load_model(
    files: CheckpointFiles,
    readout: str,
    dtype: str,
    cache: Path | None = None,
    digests: Mapping[str, str | None] | None = None,
) -> PreTrainedModel:
    """The part of a checkpoint's model that `readout` needs, in evaluation mode, on the CPU.

    Args:
        files: the checkpoint.
        readout: one of its readouts, or `TEXT`.
        dtype: `float32`, `float16` or `bfloat16`.
        cache: see `load_encoder`.
        digests: what the weight files must have, see `EncoderSpec.digests`; by default they may be any.

    Raises:
        ModelError: see `load_encoder`.
    """
    import torch

    from nearid_cli.encoders.numerics import own_numerics

    weights = _read_weights(
        files, readout, getattr(torch, dtype), (cache or default_cache_folder()) / "weights", digests or {}
    )
    with quiet_transformers(), own_numerics(torch.device("cpu")):
        try:
            model_class, config, options = _choose_class(files, readout)
            # With a state dict in place of a path, transformers reads no file by itself: no adapter,
            # no other weight format, no code.
            model, report = model_class.from_pretrained(
                None,
                config=config,
                state_dict=weights,
                dtype=getattr(torch, dtype),
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # reported here, with all the others
                **options,
            )
        except (ModelError, MemoryError):
            raise
        except Exception as error:  # whatever transformers says about settings that make no model
            if problem := torchvision_problem():
                raise ModelError(problem) from error
            raise ModelError(
                f"cannot make a {files.model_type} model of {printable(files.folder / 'config.json')}: "
                f"{' '.join(str(error).split()) or type(error).__name__}"
            ) from error
    _refuse_misfits(files, report)
    _refuse_non_finite(model.named_parameters(), files.folder, f"after conversion to {dtype}")
    if readout == "pooled" and getattr(config, "vision_use_head", True) is False:
        raise ModelError(f"{printable(files.folder)} has no pooling head (vision_use_head); use readout mean")
    return model


def _choose_class(files: CheckpointFiles, readout: str) -> tuple[Any, Any, dict[str, Any]]:
    """The smallest class that gives the readout, its configuration and further arguments."""
    import transformers

    model_type = files.model_type
    if model_type == "nearid":
        from nearid_cli.encoders.nearid_model import NearIDConfig, NearIDModel

        return NearIDModel, NearIDConfig.from_dict(files.settings), {}
    config = transformers.CONFIG_MAPPING[model_type].from_dict(files.settings)
    if readout == TEXT:
        projection_dim, config = config.projection_dim, config.text_config
        config.projection_dim = projection_dim  # as below
        return transformers.CLIPTextModelWithProjection, config, {}
    if model_type in ("clip", "clip_vision_model"):
        if model_type == "clip":
            # The vision part may say another projection_dim, which CLIP itself does not heed.
            projection_dim, config = config.projection_dim, config.vision_config
            config.projection_dim = projection_dim
        name = "CLIPVisionModelWithProjection" if readout == "projected" else "CLIPVisionModel"
        return getattr(transformers, name), config, {}
    if model_type in ("siglip", "siglip_vision_model"):
        return transformers.SiglipVisionModel, getattr(config, "vision_config", config), {}
    if model_type == "vit":
        return transformers.ViTModel, config, {"add_pooling_layer": readout == "pooled"}
    names = {
        "dinov2": "Dinov2Model",
        "dinov2_with_registers": "Dinov2WithRegistersModel",
        "dinov3_vit": "DINOv3ViTModel",
    }
    return getattr(transformers, names[model_type]), config, {}


def _read_weights(
    files: CheckpointFiles,
    readout: str,
    dtype: torch.dtype,
    copies: Path,
    digests: Mapping[str, str | None],
) -> dict[str, torch.Tensor]:
    """The weights that the readout needs, all finite. Of the other half of CLIP and SigLIP none takes memory."""
    import torch

    ignored = re.compile(files.architecture.unused_weights(readout))
    weights: dict[str, torch.Tensor] = {}
    for file in files.weights:
        for name, tensor in _tensors(file, ignored, copies, digests.get(file.name)):
            # Here, where one more is in memory, and not later, when all of them are.
            wider = torch.promote_types(tensor.dtype, dtype) == dtype
            weights[name] = tensor.to(dtype) if wider else tensor
    _refuse_non_finite(weights.items(), files.folder, "in the checkpoint")
    return weights


def _tensors(
    file: Path, ignored: re.Pattern[str], copies: Path, digest: str | None
) -> Iterator[tuple[str, torch.Tensor]]:
    """The weights of one file, without those that `ignored` matches; see `read_tensors`."""
    from nearid_cli.encoders.weights import read_tensors

    def wanted(name: str) -> bool:
        return not ignored.match(name)

    if file.suffix == SAFETENSORS:
        head = read_head(file)
        check_formats(head.formats, ignored.pattern, printable(file))
        return read_tensors(file, head, wanted, digest)
    try:
        copy = converted(file, copies, digest)
    except OSError as error:
        return _without_copy(
            file, ignored, digest, f"{printable(copies)} cannot be used ({error.strerror or error})"
        )
    head = read_head(copy)
    check_formats(head.formats, ignored.pattern, printable(file))
    return read_tensors(copy, head, wanted, digest_of(copy))


def _without_copy(
    file: Path, ignored: re.Pattern[str], digest: str | None, reason: str
) -> Iterator[tuple[str, torch.Tensor]]:
    """The weights of a pickle of which no safetensors copy can be kept, and a warning that says so."""
    from nearid_cli.encoders.weights import formats_of

    try:
        tensors = read_without_copy(file, digest)
    except OSError as error:
        raise unreadable(file, error) from error
    logger.warning(
        f"{printable(file)} is not kept as safetensors: {reason}; these results are right, and each run reads the "
        "pickle again; choose another cache with --cache DIR"
    )
    check_formats(formats_of(tensors), ignored.pattern, printable(file))
    return ((name, tensor) for name, tensor in tensors.items() if not ignored.match(name))


def _refuse_non_finite(tensors: Iterable[tuple[str, torch.Tensor]], folder: Path, when: str) -> None:
    """Raise ModelError when a tensor holds NaN or infinity."""
    # A sum is finite only of what is, and takes a tenth of the time; where it overflows, the numbers themselves tell.
    bad = [name for name, tensor in tensors if not (tensor.sum().isfinite() or tensor.isfinite().all())]
    if bad:
        raise ModelError(
            f"{printable(folder)}: {count(len(bad), 'weight')} with NaN or infinity {when}: {few(bad, 5)}"
        )


def _refuse_misfits(files: CheckpointFiles, report: dict[str, Any]) -> None:
    """Raise ModelError when the weights are not exactly those of the architecture."""
    shapes = [
        f"{name} is {list(found)}, expected {list(expected)}"
        for name, found, expected in report["mismatched_keys"]
    ]
    problems = {
        "missing": sorted(report["missing_keys"]),
        "unexpected": sorted(report["unexpected_keys"]),
        "mis-shaped": sorted(shapes),
        "unreadable": sorted(report["error_msgs"]),
    }
    found = [
        f"{count(len(names), 'weight')} {kind}: {few(names, 5)}" for kind, names in problems.items() if names
    ]
    if found:
        if hint := _hint(problems["missing"], problems["unexpected"]):
            found.append(hint)
        raise ModelError(
            f"{printable(files.folder)}: the weights are not those of the {files.model_type} model "
            f"that its config.json describes",
            found,
        )


def _hint(missing: Sequence[str], unexpected: Sequence[str]) -> str | None:
    """What weights that do not fit suggest."""
    # Some versions of transformers save a tower that is alone without the name of the tower in front.
    tower = [f"vision_model.{name}" for name in unexpected]
    if missing == [*tower, "visual_projection.weight"]:
        return "the tower was saved without its projection: ::pooled, ::cls and ::mean do without"
    for prefix, saved in _WRAPPERS.items():
        if unexpected and all(name.startswith(prefix) for name in unexpected):
            return f"all of them begin with {prefix}, as {saved} saves them: save the model inside it"
    if any(re.search(r"\.lora_[AB]\.|\.base_layer\.", name) for name in unexpected):
        return "they hold a LoRA that was not merged: merge_and_unload() and save again"
    return None
