"""The model of a training run: a backbone from a checkpoint or from nothing, and a head to train."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from nearid_cli.encoders.checkpoints import Fetcher, local_folder, locate
from nearid_cli.encoders.files import CheckpointFiles, read_files
from nearid_cli.encoders.heads import read_head
from nearid_cli.encoders.layout import CONFIG, SAFETENSORS, WEIGHTS, has_weights
from nearid_cli.encoders.libraries import quiet_transformers
from nearid_cli.encoders.registry import HUB_ID, REGISTRY, SHIPPED, MetricRequest
from nearid_cli.errors import ModelError, UsageError
from nearid_cli.images.preprocessing import Preprocessing
from nearid_cli.opening import expanded
from nearid_cli.text import did_you_mean, printable

if TYPE_CHECKING:
    import torch

    from nearid_cli.encoders.nearid_model import NearIDConfig, NearIDModel

# What a preprocessor_config.json that names no processor means, by the model that it lies beside. Beside a NearID
# model it would mean SigLIP's, so the name is written out.
_PROCESSORS = {
    "siglip": "SiglipImageProcessor",
    "siglip_vision_model": "SiglipImageProcessor",
    "nearid": "SiglipImageProcessor",
    "clip": "CLIPImageProcessor",
    "clip_vision_model": "CLIPImageProcessor",
    "dinov2": "BitImageProcessor",
    "vit": "ViTImageProcessor",
}


def build_model(
    backbone: str,
    head: str = "map",
    embed_dim: int | None = None,
    unfreeze: bool = False,
    from_scratch: bool = False,
    seed: int = 0,
) -> NearIDModel:
    """A NearID model to train, on the CPU and in training mode.

    A frozen backbone keeps the precision of its checkpoint and stays in evaluation mode; the head is float32. An
    unfrozen model is float32 throughout. Mixed precision (`torch.autocast`) works with both.

    Args:
        backbone: a local folder, a Hub id (`organisation/model`, `@revision` may follow) or the name of a metric,
            with the weights of SigLIP, SigLIP2, CLIP, DINOv2, ViT (the vision half is enough) or a NearID model,
            which is trained on. With `from_scratch` a folder with config.json and preprocessor_config.json.
        head: `map` or `mlp`. Head `map` starts as the backbone's own where it has one (SigLIP).
        embed_dim: length of the embedding; None for the backbone's width.
        unfreeze: train the backbone too.
        from_scratch: start from random weights, whatever weights the folder may hold.
        seed: of everything random here. Torch's global generator is neither used nor moved.

    Raises:
        UsageError: `backbone` is neither a folder nor a Hub id nor a name.
        ModelError: it cannot be had, is damaged, has no weights, or is no backbone for this head.
    """
    import torch

    from nearid_cli.encoders.nearid_model import NearIDModel

    files = _files(backbone, weights=not from_scratch)
    config = _config(files, head, embed_dim)
    _check_picture_size(files, config)
    with torch.random.fork_rng(devices=[]), quiet_transformers():
        torch.manual_seed(seed)
        if from_scratch:
            with _refusing_settings(files):
                model = NearIDModel(config).float()
        else:
            model = _load(files, config)
    if not unfreeze:
        model.freeze_backbone(torch.float32 if from_scratch else _stored_dtype(files))
    elif config.vision_config.model_type == "dinov2":
        # Nothing masks a patch here, and processes that train together wait for every gradient.
        model.backbone.embeddings.mask_token.requires_grad_(False)
    trained: NearIDModel = model.train()
    return trained


def read_preprocessor(backbone: str) -> dict[str, Any]:
    """The image processor's settings of a backbone, complete enough to lie beside any NearID model.

    Args:
        backbone: as for `build_model`; no weights are needed.
    """
    return name_processor(_files(backbone, weights=False))


def name_processor(files: CheckpointFiles) -> dict[str, Any]:
    """A checkpoint's image processor's settings with the processor's name, which old ones leave to the model."""
    settings = dict(files.image_processor)
    if not (settings.get("image_processor_type") or settings.get("feature_extractor_type")):
        settings["image_processor_type"] = _PROCESSORS[_supported(files)]
    return settings


def load_preprocessing(backbone: str) -> Preprocessing:
    """The preprocessing of a backbone, which ends in pictures of one size.

    Args:
        backbone: as for `build_model`; no weights are needed.

    Raises:
        ModelError: an image processor that is not done here, or one that leaves pictures in many sizes.
    """
    files = _files(backbone, weights=False)
    preprocessing = Preprocessing.from_config(files.image_processor, files.model_type)
    if preprocessing is None or picture_size(preprocessing) is None:
        raise ModelError(
            f"{printable(files.folder)}: training needs the image processor of CLIP, SigLIP, DINOv2 or ViT, with a "
            f"crop or a resize to one height and width; preprocessor_config.json has another"
        )
    return preprocessing


def _files(backbone: str, weights: bool) -> CheckpointFiles:
    """Find a backbone here, in the Hub cache or on the Hub; fetched only if its weights are wanted or not here."""
    request = _request(backbone)
    folder = local_folder(request)
    if folder is None:
        fetch = Fetcher(logging.getLogger(__name__).info)
        return read_files(locate(request) or fetch(request), weights)
    if weights and (folder / CONFIG).is_file() and not has_weights(folder):
        raise ModelError(
            f"expected weights in {printable(folder)}, found no {WEIGHTS}; "
            "to start from random weights, add --from-scratch --unfreeze"
        )
    return read_files(folder, weights)


def _request(backbone: str) -> MetricRequest:
    """What `--backbone` says, as what the search for checkpoints takes."""
    if expanded(backbone).is_dir():
        return MetricRequest("backbone", backbone)
    checkpoint, _, revision = backbone.partition("@")
    named = {name: metric.checkpoint for name, metric in REGISTRY.items() if metric.checkpoint}
    checkpoint = named.get(checkpoint, checkpoint)
    if checkpoint != SHIPPED and not HUB_ID.fullmatch(checkpoint):
        raise UsageError(
            f'--backbone "{printable(backbone)}" is no folder here and no Hub id (organisation/model); '
            f"{did_you_mean(backbone, named)}"
        )
    return MetricRequest("backbone", checkpoint, revision=revision or None)


def _supported(files: CheckpointFiles) -> str:
    """The backbone's model type, if it can be a backbone."""
    if files.model_type not in _PROCESSORS:
        raise ModelError(
            f"expected a SigLIP, CLIP, DINOv2, ViT or NearID backbone, found {files.model_type} "
            f"in {printable(files.folder)}"
        )
    return files.model_type


def _config(files: CheckpointFiles, head: str, embed_dim: int | None) -> NearIDConfig:
    """The model's configuration."""
    from transformers import CONFIG_MAPPING

    from nearid_cli.encoders.nearid_config import NearIDConfig

    model_type = _supported(files)
    with _refusing_settings(files):
        found: Any = NearIDConfig if model_type == "nearid" else CONFIG_MAPPING[model_type]
        config = found.from_dict(files.settings)
        if model_type != "nearid":
            tower = getattr(config, "vision_config", config)
            return NearIDConfig(tower, embed_dim, head_type=head)
    for flag, wanted, own in (
        ("--head", head, config.head_type),
        ("--embed-dim", embed_dim or config.embed_dim, config.embed_dim),
    ):
        if wanted != own:
            raise ModelError(
                f"{printable(files.folder)} is a NearID model with {flag} {own}, which training goes on with; "
                f"found {flag} {wanted}"
            )
    checked: NearIDConfig = config
    return checked


def _load(files: CheckpointFiles, config: NearIDConfig) -> NearIDModel:
    """The model in float32, the tower's weights from the checkpoint, and the head's where it has them."""
    import torch

    from nearid_cli.encoders.load import load_model
    from nearid_cli.encoders.nearid_model import NearIDModel

    loaded: Any = load_model(files, "mean", "float32")
    if files.model_type == "nearid":
        whole: NearIDModel = loaded
        return whole
    weights = {f"backbone.{name}": tensor for name, tensor in loaded.state_dict().items()}
    if config.head_type == "mlp":
        weights = {name: tensor for name, tensor in weights.items() if not name.startswith("backbone.head.")}
    # Made without memory first, so that nothing is initialised but what the checkpoint lacks.
    model, report = NearIDModel.from_pretrained(
        None, config=config, state_dict=weights, dtype=torch.float32, output_loading_info=True
    )
    lacking = [name for name in report["missing_keys"] if not name.startswith(_HEADS)]
    assert not lacking, lacking
    assert not report["unexpected_keys"], report["unexpected_keys"]
    headed: NearIDModel = model
    return headed


_HEADS = ("head.", "projection.", "backbone.head.")


def _stored_dtype(files: CheckpointFiles) -> torch.dtype:
    """The precision in which a checkpoint holds its vision tower, told by the patch embedding."""
    import torch

    dtypes = {"F16": torch.float16, "BF16": torch.bfloat16}
    for file in files.weights:
        for name, kind in read_head(file).formats.items() if file.suffix == SAFETENSORS else ():
            if "patch_embedding" in name and name.endswith("weight"):
                return dtypes.get(kind, torch.float32)
    return torch.float32  # of pickles, which do not tell before they are read


def _check_picture_size(files: CheckpointFiles, config: NearIDConfig) -> None:
    """Refuse preprocessing that gives the tower pictures of another size than it takes."""
    preprocessing = Preprocessing.from_config(files.image_processor, files.model_type)
    given = picture_size(preprocessing) if preprocessing is not None else None
    size = config.vision_config.image_size
    taken = tuple(size) if isinstance(size, (list, tuple)) else (size, size)
    if config.vision_config.model_type != "dinov2" and given not in (None, taken):  # which takes any size
        raise ModelError(
            f"{printable(files.folder)}: preprocessor_config.json makes pictures of {_written(given)}, "
            f"and the image_size of config.json is {_written(taken)}"
        )


def picture_size(preprocessing: Preprocessing) -> tuple[int, int] | None:
    """Height and width of every prepared picture, or None where they vary."""
    edges = dict(preprocessing.size or ())
    return preprocessing.crop or ((edges["height"], edges["width"]) if "height" in edges else None)


def _written(size: Any) -> str:
    return "x".join(map(str, size)) + " px"


@contextmanager
def _refusing_settings(files: CheckpointFiles) -> Iterator[None]:
    """Turn whatever transformers says about settings that make no model into one line."""
    try:
        with quiet_transformers():
            yield
    except ModelError:
        raise
    except Exception as error:
        raise ModelError(
            f"cannot make a {files.model_type} model of {printable(files.folder / CONFIG)}: "
            f"{' '.join(str(error).split()) or type(error).__name__}"
        ) from error
