"""Making the networks from their files: strictly, and running no code of them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import nn

from nearid_cli.encoders.libraries import out_of_memory, quiet_transformers, torchvision_problem
from nearid_cli.errors import ModelError
from nearid_cli.measures.vsm import parts as names
from nearid_cli.measures.vsm.features import DiffusionFeatures
from nearid_cli.measures.vsm.networks import AggregationNetworks
from nearid_cli.measures.vsm.parts import Parts
from nearid_cli.measures.vsm.recipe import TAPS, Recipe
from nearid_cli.text import count, few, printable

INITIAL_TIMESTEP = 261.0
"""From which CleanDIFT learns its timestep, and with which its UNet is used where none was kept."""

# What the VAE's attention was called by diffusers until 2023, as in Stable Diffusion's own files.
_OLD_NAMES = (
    (re.compile(r"\.query\.(weight|bias)$"), r".to_q.\1"),
    (re.compile(r"\.key\.(weight|bias)$"), r".to_k.\1"),
    (re.compile(r"\.value\.(weight|bias)$"), r".to_v.\1"),
    (re.compile(r"\.proj_attn\.(weight|bias)$"), r".to_out.0.\1"),
)
_ENCODER = ("encoder.", "quant_conv.")
_NAMED = 12  # weights of a kind: all of a bottleneck block


def build(parts: Parts, recipe: Recipe, dtype: str, device: str) -> DiffusionFeatures:
    """All networks, with the weights of the files.

    Args:
        parts: the files.
        recipe: the checkpoint's settings.
        dtype: `float32`, `float16` or `bfloat16`.
        device: where they shall run.

    Raises:
        ModelError: diffusers is not installed, a configuration makes no network, or weights are missing, unexpected,
            mis-shaped or not finite; those of all networks are named together.
    """
    place, kind = torch.device(device), getattr(torch, dtype)
    with quiet_transformers(), _told(parts):
        models = _diffusers()
        with torch.device("meta"):
            unet = _configured(models.UNet2DConditionModel, parts.files[names.UNET_CONFIG])
            vae = _configured(models.AutoencoderKL, parts.files[names.VAE_CONFIG])
            aggregation = AggregationNetworks(
                _channels(unet, recipe, parts), recipe.blocks, recipe.width, recipe.groups
            )
        weights = parts.files[names.WEIGHTS]
        vae_file, vae_prefix = _source(parts, parts.contents.vae, names.VAE)
        unet_file, unet_prefix = _source(parts, parts.contents.unet, names.UNET)
        fillings = (
            _Filling(aggregation, weights, "", lambda name: name.startswith(names.AGGREGATION)),
            _Filling(unet, unet_file, unet_prefix, _of_unet(parts, unet_file, unet_prefix)),
            _Filling(vae, vae_file, vae_prefix, lambda name: name.startswith(_ENCODER)),
        )
        if problems := [problem for filling in fillings for problem in filling.problems()]:
            raise ModelError(
                "the weights are not those of the networks that the configurations describe", problems
            )
        if problems := [problem for filling in fillings for problem in filling.fill(place, kind)]:
            raise ModelError(f"weights with NaN or infinity in {dtype}", problems)
        prompt = _prompt(parts).to(place, kind)
    expected = (unet.config["cross_attention_dim"], vae.config["latent_channels"])
    if (prompt.shape[-1], unet.config["in_channels"]) != expected:
        raise ModelError(
            f"the parts do not go together: the UNet takes prompts of {expected[0]} numbers a token and "
            f"{unet.config['in_channels']} channels, the text encoder gives {prompt.shape[-1]}, the VAE {expected[1]}"
        )
    return DiffusionFeatures(
        vae,
        unet,
        aggregation,
        timestep=_timestep(parts).to(place, kind),
        prompt=prompt,
        taps=[TAPS[one][0] for one in recipe.taps],
        side=recipe.side,
    )


class _Filling:
    """A network on its way from a description to weights.

    Args:
        network: on the meta device, without weights.
        file: where they are.
        prefix: what stands before their names there.
        belongs: whether a name, without its prefix, is one of the network's.
    """

    def __init__(self, network: nn.Module, file: Path, prefix: str, belongs: Callable[[str], bool]) -> None:
        self._network, self._file = network, file
        expected = {name: tensor for name, tensor in network.state_dict().items() if belongs(name)}
        self._expected = {name: list(tensor.shape) for name, tensor in expected.items()}
        with _opened(file) as reader:
            found = [name for name in reader.keys() if name.startswith(prefix)]  # noqa: SIM118
            self._names = {
                _renamed(name.removeprefix(prefix)): name
                for name in found
                if belongs(name.removeprefix(prefix))
            }
            self._shapes = {
                name: list(reader.get_slice(full).get_shape()) for name, full in self._names.items()
            }
        self._where = printable(file if not prefix else f"{file}, {prefix}")

    def problems(self) -> list[str]:
        """Weights that are not the network's, a line a kind."""
        shapes = [
            f"{name} is {self._shapes[name]}, expected {shape}"
            for name, shape in self._expected.items()
            if name in self._shapes and self._shapes[name] != shape
        ]
        kinds = {
            "missing": sorted(self._expected.keys() - self._shapes.keys()),
            "unexpected": sorted(self._shapes.keys() - self._expected.keys()),
            "mis-shaped": sorted(shapes),
        }
        return [
            f"{self._where}: {count(len(found), 'weight')} {kind}: {few(found, _NAMED)}"
            for kind, found in kinds.items()
            if found
        ]

    def fill(self, device: torch.device, dtype: torch.dtype) -> list[str]:
        """Give the network its weights, ready to run; returns a line if some are not finite."""
        bad, weights = [], {}
        with _opened(self._file) as reader:
            for name, full in self._names.items():
                # A copy: in the mapped file numbers may begin anywhere, and sums follow how they are aligned.
                weights[name] = reader.get_tensor(full).to(device, dtype, copy=True)
                if not weights[name].isfinite().all():
                    bad.append(name)
        self._network.load_state_dict(weights, strict=False, assign=True)  # names were compared before
        self._network.requires_grad_(False).eval()
        return [f"{self._where}: {count(len(bad), 'weight')}: {few(bad, 5)}"] if bad else []


@contextmanager
def _opened(file: Path) -> Iterator[Any]:
    try:
        with safe_open(file, framework="pt") as reader:
            yield reader
    except (SafetensorError, OSError) as error:
        raise ModelError(
            f"expected safetensors weights in {printable(file)}, found a damaged file ({error})"
        ) from error


@contextmanager
def _told(parts: Parts) -> Iterator[None]:
    """Memory that ran out, as one line."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not out_of_memory(error):
            raise
        raise ModelError(
            f"{printable(parts.files[names.WEIGHTS])}: out of memory while the networks were loaded; free some, or "
            "choose another --device or a smaller --dtype"
        ) from error


def _diffusers() -> Any:
    try:
        import diffusers
    except ImportError as error:
        if problem := torchvision_problem():
            raise ModelError(problem) from error
        raise ModelError('metric "vsm" needs diffusers: pip install "nearid-cli[vsm]"') from error
    return diffusers


def _configured(model: Any, file: Path) -> Any:
    """A network as its configuration describes it, without weights."""
    config = _read_json(file)
    name = config.get("_class_name")
    if name != model.__name__:
        raise ModelError(f"expected a {model.__name__} in {printable(file)}, found {printable(str(name))}")
    try:
        return model.from_config(config)
    except Exception as error:  # whatever diffusers says about settings that make no network
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ModelError(f"cannot make a {model.__name__} of {printable(file)}: {reason[:200]}") from error


def _read_json(file: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        raise ModelError(f"expected JSON in {printable(file)}, found a damaged file ({error})") from error
    if not isinstance(found, Mapping):
        raise ModelError(f"expected settings in {printable(file)}, found {type(found).__name__}")
    return found


def _channels(unet: Any, recipe: Recipe, parts: Parts) -> list[int]:
    """The channels of each tap."""
    for name in recipe.taps:
        try:
            unet.get_submodule(TAPS[name][0])
        except AttributeError as error:
            raise ModelError(
                f"the UNet of {printable(parts.files[names.UNET_CONFIG])} has no {TAPS[name][0]}, which is {name} in "
                f"{printable(parts.files[names.SETTINGS])}"
            ) from error
    widths = tuple(reversed(unet.config["block_out_channels"]))
    return [widths[TAPS[name][1]] for name in recipe.taps]


def _source(parts: Parts, prefix: str | None, file: str) -> tuple[Path, str]:
    """The file of a part of the diffusion model, and what stands before the names in it."""
    return (parts.files[file], "") if prefix is None else (parts.files[names.WEIGHTS], prefix)


def _of_unet(parts: Parts, file: Path, prefix: str) -> Callable[[str], bool]:
    """What is of the UNet among names without prefix; there may be other parts among these only without one."""
    if prefix or file != parts.files[names.WEIGHTS]:
        return lambda name: True
    others = tuple(filter(None, (*names.AGGREGATION, parts.contents.timestep, parts.contents.vae)))
    return lambda name: not name.startswith(others)


def _renamed(name: str) -> str:
    for pattern, new in _OLD_NAMES:
        name = pattern.sub(new, name)
    return name


def _timestep(parts: Parts) -> torch.Tensor:
    """The learned timestep, []."""
    name = parts.contents.timestep
    if name is None:
        return torch.tensor(INITIAL_TIMESTEP)
    with _opened(parts.files[names.WEIGHTS]) as reader:
        found: torch.Tensor = reader.get_tensor(name)
    if found.numel() != 1 or not found.isfinite().all():
        what = f"{found.numel():,} numbers" if found.numel() != 1 else f"{found.item():g}"
        raise ModelError(
            f"expected one finite number in {printable(name)} of {printable(parts.files[names.WEIGHTS])}, found {what}"
        )
    return found.reshape(())


def _prompt(parts: Parts) -> torch.Tensor:
    """The embedding of the empty prompt, [1, tokens, width]."""
    stored = parts.files.get(names.PROMPT)
    if stored is None:
        return _embedded_prompt(parts)
    with _opened(stored) as reader:
        found = {name: reader.get_tensor(name) for name in reader.keys()}  # noqa: SIM118
    tensor = next(iter(found.values())) if len(found) == 1 else torch.empty(0)
    if tensor.ndim != 3 or len(tensor) != 1 or not tensor.isfinite().all():
        raise ModelError(f"expected one tensor [1, tokens, width] in {printable(stored)}, found another")
    return tensor


@torch.inference_mode()
def _embedded_prompt(parts: Parts) -> torch.Tensor:
    """The same by text encoder and tokenizer."""
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

    with _opened(parts.files[names.TEXT]) as reader:
        weights = {name: reader.get_tensor(name) for name in reader.keys()}  # noqa: SIM118
    folder = parts.files[names.TEXT_CONFIG].parent
    try:
        config = CLIPTextConfig.from_dict(dict(_read_json(parts.files[names.TEXT_CONFIG])))
        model, report = CLIPTextModel.from_pretrained(
            None,
            config=config,
            state_dict=weights,
            dtype=torch.float32,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # reported here
        )
        tokenizer = CLIPTokenizer.from_pretrained(
            parts.files[names.TOKENIZER_CONFIG].parent, local_files_only=True
        )
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ModelError(f"cannot make a text encoder of {printable(folder)}: {reason[:200]}") from error
    misfits = {
        kind: sorted(map(str, report[f"{kind}_keys"])) for kind in ("missing", "unexpected", "mismatched")
    }
    if found := [
        f"{count(len(all_), 'weight')} {kind}: {few(all_, 5)}" for kind, all_ in misfits.items() if all_
    ]:
        raise ModelError(f"{printable(folder)}: the weights are not those of its config.json", found)
    tokens = tokenizer(
        "",
        padding="max_length",
        max_length=config.max_position_embeddings,
        truncation=True,
        return_tensors="pt",
    )
    embedded: torch.Tensor = model.eval()(tokens["input_ids"]).last_hidden_state
    return embedded
