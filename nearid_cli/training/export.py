"""Models on disk in the release layout, a trained checkpoint as a release that was loaded and compared, and its upload.

FOLDER/
    config.json               model_type nearid, the tower's settings, embed_dim
    model.safetensors         weights under the released names (`NearIDModel.release_state_dict`)
    preprocessor_config.json  the backbone's
    metrics.json              what was measured, if anything
    README.md                 the model card, of a release
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nearid_cli import __version__
from nearid_cli.encoders.files import CheckpointFiles, read_files
from nearid_cli.encoders.layout import CONFIG, PREPROCESSOR, WEIGHTS
from nearid_cli.encoders.libraries import quiet_hub, quiet_transformers
from nearid_cli.encoders.registry import HUB_ID, REGISTRY
from nearid_cli.errors import InputError, ModelError, UsageError
from nearid_cli.files import whole_folder
from nearid_cli.opening import MalformedError, read_json
from nearid_cli.remote.stores import check_on_disk
from nearid_cli.text import printable, said, unknown
from nearid_cli.training.checkpoints import model_folder
from nearid_cli.training.model import name_processor

if TYPE_CHECKING:
    from nearid_cli.encoders.nearid_config import NearIDConfig
    from nearid_cli.encoders.nearid_model import NearIDModel
    from nearid_cli.encoders.spec import Embeddings

METRICS, TRAINING, CARD = "metrics.json", "training.json", "README.md"

TOLERANCE = {"float32": 1e-6, "float16": 1e-4, "bfloat16": 5e-3}
"""How far below 1 the cosine of a picture's embeddings before and after may be: what rounding the weights does."""

_PICTURES = 8


@dataclass(frozen=True)
class Export:
    """A release that was written.

    Attributes:
        folder: where it is.
        dtype: precision of its weights.
        size: bytes of its weights.
        embed_dim: length of an embedding.
        cosine: the lowest cosine between a picture's embedding by the checkpoint and by the release.
        pictures: how many pictures were compared.
    """

    folder: Path
    dtype: str
    size: int
    embed_dim: int
    cosine: float
    pictures: int


def write_model(
    model: NearIDModel,
    folder: Path,
    preprocessor: Mapping[str, Any],
    dtype: str | None = None,
    metrics: Mapping[str, Any] | None = None,
    card: str | None = None,
) -> None:
    """Write a model in the release layout.

    Args:
        model: on any device.
        folder: an empty one, which gets its name when all is in it.
        preprocessor: content of preprocessor_config.json.
        dtype: `float32`, `float16` or `bfloat16` for all weights; None keeps each weight in its own, and such a
            model is loaded in the widest of them.
        metrics: content of metrics.json, if there shall be one.
        card: content of README.md, if there shall be one.

    Raises:
        ModelError: a weight is not finite, or not in `dtype`.
        OSError: the disk would not take it.
    """
    import torch

    from nearid_cli.encoders.weights import write_tensors

    weights = {
        name: tensor.detach().to("cpu", getattr(torch, dtype) if dtype else tensor.dtype).contiguous()
        for name, tensor in model.release_state_dict().items()
    }
    bad = [name for name, tensor in weights.items() if not tensor.isfinite().all()]
    if bad:
        where = f" in {dtype}; choose float32" if dtype else ""
        raise ModelError(f"cannot save the model: {len(bad)} weights are not finite{where}: {bad[0]}")
    kinds = {tensor.dtype for tensor in weights.values()}
    kind = kinds.pop() if len(kinds) == 1 else torch.float32
    files = {CONFIG: _config(model, str(kind).removeprefix("torch.")), PREPROCESSOR: dict(preprocessor)}
    texts = {name: _json(content) for name, content in files.items()}
    texts |= {METRICS: _json(metrics)} if metrics is not None else {}
    texts |= {CARD: card} if card is not None else {}
    write_tensors(weights, folder / WEIGHTS)
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    # safetensors lets nobody but the owner read it.
    (folder / WEIGHTS).chmod((folder / CONFIG).stat().st_mode)


def export(checkpoint: Path, out: Path, dtype: str = "float16") -> Export:
    """Write a checkpoint as a release, load it back in the two ways that people will, and compare embeddings.

    Args:
        checkpoint: a checkpoint of training (with `model/`, and metrics.json and training.json beside or above it),
            or the folder of any NearID model.
        out: the folder to write; it may exist if it is empty.
        dtype: precision of the weights.

    Raises:
        UsageError: an unknown dtype, or `out` is a URL.
        InputError: `out` is not empty.
        ModelError: the checkpoint is no NearID model or damaged, or the release does not give its embeddings. Nothing
            is left at `out` then.
    """
    from nearid_cli.encoders.load import load_model

    check_on_disk(out)

    if dtype not in TOLERANCE:
        raise UsageError(unknown("dtype", dtype, TOLERANCE))
    refuse_existing(out)
    folder = model_folder(checkpoint)
    run = () if folder == checkpoint else (checkpoint, checkpoint.absolute().parent)
    files = read_files(folder)
    if files.model_type != "nearid":
        raise ModelError(
            f"expected a NearID model in {printable(folder)}, found {files.model_type}: "
            "`nearid train` makes one of it"
        )
    model: Any = load_model(files, "pooled", "float32")
    metrics = _read_first(METRICS, *run[:1], folder)
    training = _read_first(TRAINING, *run, folder)
    with whole_folder(out) as aside:  # it has its name only when it has been compared
        card = model_card(out.absolute().name, model.config, dtype, metrics, training)
        write_model(model, aside, name_processor(files), dtype, metrics, card)
        cosine = _compare(files, model, aside, dtype)
        size = (aside / WEIGHTS).stat().st_size
    return Export(out, dtype, size, model.config.embed_dim, cosine, _PICTURES)


# What says nothing about the model: where a run wrote, how it was watched and cut up.
_BOOKKEEPING = {"output", "resume", "workers", "log", "keep", "save_steps"}
_TOWERS = {"siglip_vision_model": "SigLIP", "clip_vision_model": "CLIP", "dinov2": "DINOv2", "vit": "ViT"}


def model_card(
    name: str,
    config: NearIDConfig,
    dtype: str,
    metrics: Mapping[str, Any] | None,
    training: Mapping[str, Any] | None,
) -> str:
    """The card as Markdown with YAML front matter: how to use a model, what was measured, what it was made with.

    Args:
        name: of the model.
        config: its configuration.
        dtype: precision of its weights.
        metrics: the fields of `metrics.margins.Success`, with those of each source of distractors under `sources`;
            None or empty where nothing was measured.
        training: what training.json holds, None where it is not known.
    """
    from jinja2 import Environment, PackageLoader

    environment = Environment(
        loader=PackageLoader("nearid_cli.training", ""),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"text": _text, "figure": _figure}
    recipe = training or {}
    options, tool = recipe.get("options") or {}, recipe.get("tool") or {}
    return environment.get_template("card.md").render(
        base=_base_model(options),
        name=name,
        folder="".join(c if c.isalnum() or c in "._-" else "_" for c in name),
        config=config,
        tower=config.vision_config,
        towers=_TOWERS,
        dtype=dtype,
        measured=({"all": metrics} | (metrics.get("sources") or {})).items() if metrics else (),
        training=training,
        made=f"{tool.get('name', 'nearid-cli')} {tool.get('version', '')}".strip(),
        options=_asked(options),
        version=__version__,
    )


def _base_model(options: Mapping[str, Any]) -> str | None:
    """The backbone's Hub id; None for a local folder or for random weights."""
    backbone = str(options.get("backbone", "")).partition("@")[0]
    if options.get("from_scratch") or Path(backbone).exists():
        return None
    backbone = REGISTRY[backbone].checkpoint if backbone in REGISTRY else backbone
    return backbone if HUB_ID.fullmatch(backbone) else None


def _figure(value: Any, interval: Any = None) -> str:
    """A number with its interval.

    >>> _figure(0.5, [0.25, 0.75]), _figure(None)
    ('0.500 [0.250, 0.750]', '-')
    """
    if not isinstance(value, (int, float)):
        return "-"
    return f"{value:.3f}" + (f" [{interval[0]:.3f}, {interval[1]:.3f}]" if interval else "")


def _asked(options: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Names and values of what was asked for; switches that were off and options that were not given are left out."""
    for name, value in options.items():
        if isinstance(value, Mapping):
            yield from ((f"{name}: {inner}", text) for inner, text in _asked(value))
        elif name not in _BOOKKEEPING and value not in (None, False, [], 0.0):
            yield name, ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _text(text: str) -> str:
    r"""Text that stays text in a Markdown table.

    >>> _text("a|b`c*\n")
    'a\\|b\\`c\\*\\\\n'
    """
    return "".join(f"\\{c}" if c in "\\`*_[]<>|#" else c for c in printable(text))


def refuse_existing(folder: Path) -> None:
    """Raise InputError where something would be overwritten."""
    free = not os.path.lexists(folder) or (folder.is_dir() and not folder.is_symlink())
    if not free or (folder.exists() and any(folder.iterdir())):
        raise InputError(f"expected a new or empty folder, found something at {printable(folder)}")


def _compare(source: CheckpointFiles, model: NearIDModel, folder: Path, dtype: str) -> float:
    """Embed seeded random pictures by the source and by the release, loaded both ways; the lowest cosine."""
    from nearid_cli.encoders.checkpoints import resolve
    from nearid_cli.encoders.load import load_encoder
    from nearid_cli.encoders.registry import MetricRequest
    from nearid_cli.encoders.torch_encoder import TorchEncoder

    before, after = (
        resolve([MetricRequest("export", str(place))], "float32")[0] for place in (source.folder, folder)
    )
    reference = TorchEncoder(before, source, model, "cpu")
    pictures = _random_pictures()
    prepared = [reference.prepare(picture) for picture in pictures]
    wanted = reference.embed(prepared)
    automatic = _load_automatically(folder)
    encoder = load_encoder(after)
    assert isinstance(encoder, TorchEncoder)  # every picture has an embedding
    found = {
        "AutoModel.from_pretrained": TorchEncoder(after, read_files(folder), automatic, "cpu").embed(
            prepared
        ),
        "nearid": encoder.embed([encoder.prepare(picture) for picture in pictures]),
    }
    cosines = {way: _lowest_cosine(wanted, embeddings) for way, embeddings in found.items()}
    for way, cosine in cosines.items():
        if not cosine >= 1 - TOLERANCE[dtype]:
            raise ModelError(
                f"the exported model, loaded by {way}, does not give the embeddings of {printable(source.folder)}: "
                f"lowest cosine of {_PICTURES} pictures {cosine:.7f}, expected at least {1 - TOLERANCE[dtype]:.7f} "
                f"in {dtype}; nothing was written"
            )
    return min(cosines.values())


def _load_automatically(folder: Path) -> Any:
    """A release as people load it who have transformers alone."""
    import torch
    from safetensors import SafetensorError
    from transformers import AutoModel

    try:
        with quiet_transformers():
            return AutoModel.from_pretrained(
                folder, dtype=torch.float32, local_files_only=True, trust_remote_code=False
            )
    # Whatever is said of a file that cannot be read.
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise ModelError(
            f"the exported model cannot be loaded by AutoModel.from_pretrained: {said(error)}; nothing was written"
        ) from error


def _lowest_cosine(one: Embeddings, other: Embeddings) -> float:
    """NaN if any embedding has one."""
    return float((one.astype(np.float64) * other.astype(np.float64)).sum(axis=1).min())


def _random_pictures() -> list[Any]:
    """Pictures with structure at several scales, always the same."""
    from PIL import Image

    generator = np.random.default_rng(0)
    pictures = []
    for index in range(_PICTURES):
        edge = 2 ** (1 + index % 6)
        blocks = generator.integers(0, 256, (edge, edge, 3), np.uint8)
        pictures.append(Image.fromarray(blocks).resize((160, 120), Image.Resampling.BICUBIC))
    return pictures


def _config(model: NearIDModel, dtype: str) -> dict[str, Any]:
    """Content of config.json."""
    settings: dict[str, Any] = model.config.to_diff_dict()
    tower = model.config.vision_config.to_diff_dict()
    settings["vision_config"] = {
        name: value for name, value in tower.items() if name not in ("dtype", "transformers_version")
    }
    return settings | {"architectures": ["NearIDModel"], "dtype": dtype}


def _read_first(name: str, *folders: Path) -> dict[str, Any] | None:
    """The first JSON object of this name, or None."""
    path = next((folder / name for folder in folders if (folder / name).is_file()), None)
    if path is None:
        return None
    try:
        content = read_json(path)
    except OSError as error:
        raise InputError(f"{printable(path)} cannot be read: {error.strerror or error}") from error
    except MalformedError as error:
        raise InputError(f"expected JSON in {printable(path)}: {error}") from error
    if not isinstance(content, dict):
        raise InputError(f"expected a JSON object in {printable(path)}, found {type(content).__name__}")
    return content


def _json(content: Mapping[str, Any]) -> str:
    return json.dumps(content, indent=2, sort_keys=True, allow_nan=False) + "\n"


def check_push(repo_id: str) -> None:
    """Refuse what cannot succeed before the work of an export is done.

    Raises:
        UsageError: not a Hub id, or nobody is logged in.
        InputError: the Hub must not be asked.
    """
    from huggingface_hub import constants, get_token

    if not HUB_ID.fullmatch(repo_id):
        raise UsageError(f'--push-to-hub takes a Hub id (organisation/model), found "{printable(repo_id)}"')
    if constants.HF_HUB_OFFLINE:
        raise InputError(f"cannot push to {repo_id}: HF_HUB_OFFLINE is set")
    if get_token() is None:
        raise UsageError(f"cannot push to {repo_id}: nobody is logged in; `hf auth login`, or set HF_TOKEN")


def push(folder: Path, repo_id: str) -> str:
    """Upload a release. A repository that is not there is made, private; one that is there stays as it is.

    Returns:
        Where it is.

    Raises:
        InputError: the Hub did not take it, and why. The folder stays.
    """
    from huggingface_hub import HfApi, constants, errors, utils

    httpx: Any = utils.httpx  # type: ignore[attr-defined]  # of the generation that it runs on
    kept = f"{printable(folder)} is written: try again with `hf upload {repo_id} {printable(folder)}`"
    with quiet_hub():
        try:
            api = HfApi()
            address = api.create_repo(repo_id, private=True, exist_ok=True)
            api.upload_folder(
                repo_id=repo_id, folder_path=folder, commit_message="NearID model, by nearid export"
            )
        except errors.HFValidationError as error:
            raise InputError(f"cannot push to {repo_id}: it is not a valid Hub id; {kept}") from error
        except errors.HfHubHTTPError as error:
            status = error.response.status_code
            reason = (
                f"the Hub refused access ({status}): log in with an account that may write there, `hf auth login`"
                if status in (401, 403)
                else f"the Hub answered with an error ({status})"
            )
            raise InputError(f"cannot push to {repo_id}: {reason}; {kept}") from error
        except (httpx.HTTPError, errors.OfflineModeIsEnabled, OSError) as error:
            raise InputError(
                f"cannot push to {repo_id}: the Hub cannot be reached at {constants.ENDPOINT}; {kept}"
            ) from error
    return str(address)
