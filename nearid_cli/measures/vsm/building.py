"""Making the networks from their files: strictly, and running no code of them."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import nn

from nearid_cli.encoders.heads import Head, read_head
from nearid_cli.encoders.libraries import out_of_memory, quiet_transformers, torchvision_problem
from nearid_cli.encoders.settings import used_settings
from nearid_cli.encoders.spec import CHANGED, ChangedCheckpointError
from nearid_cli.encoders.tokenizer_files import passed_on
from nearid_cli.encoders.weights import read_tensors
from nearid_cli.errors import ModelError
from nearid_cli.measures.vsm import parts as names
from nearid_cli.measures.vsm.features import DiffusionFeatures
from nearid_cli.measures.vsm.networks import AggregationNetworks
from nearid_cli.measures.vsm.parts import Parts
from nearid_cli.measures.vsm.recipe import TAPS, Recipe
from nearid_cli.opening import MalformedError, parse_json
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
_MOST_LAYERS, _MOST = 64, 65_536
"""Of settings: making a network takes time by its layers, those in use have 10 a block at most."""
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
            unet = _configured(models.UNet2DConditionModel, parts, names.UNET_CONFIG)
            vae = _configured(models.AutoencoderKL, parts, names.VAE_CONFIG)
            aggregation = AggregationNetworks(
                _channels(unet, recipe, parts), recipe.blocks, recipe.width, recipe.groups
            )
        vae_file, vae_prefix = _source(parts.contents.vae, names.VAE)
        unet_file, unet_prefix = _source(parts.contents.unet, names.UNET)
        heads = {
            name: read_head(parts.files[name]) for name in dict.fromkeys((names.WEIGHTS, vae_file, unet_file))
        }
        if names.contents_of(heads[names.WEIGHTS], parts.files[names.WEIGHTS]) != parts.contents:
            raise ChangedCheckpointError(f"{printable(parts.files[names.WEIGHTS])} {CHANGED}")
        described = (
            (aggregation, names.WEIGHTS, "", lambda name: name.startswith(names.AGGREGATION)),
            (unet, unet_file, unet_prefix, _of_unet(parts, unet_file, unet_prefix)),
            (vae, vae_file, vae_prefix, lambda name: name.startswith(_ENCODER)),
        )
        fillings = [
            (source, _Filling(network, parts.files[source], heads[source], prefix, belongs))
            for network, source, prefix, belongs in described
        ]
        if problems := [problem for _, filling in fillings for problem in filling.problems()]:
            raise ModelError(
                "the weights are not those of the networks that the configurations describe", problems
            )
        learned: list[torch.Tensor] = []
        for source, head in heads.items():
            takers: dict[str, Callable[[torch.Tensor], None]] = {}
            for where, filling in fillings:
                takers |= filling.takers(place, kind) if where == source else {}
            if source == names.WEIGHTS and parts.contents.timestep is not None:
                takers[parts.contents.timestep] = learned.append
            for full, tensor in _read(parts, source, head, takers.__contains__):
                takers[full](tensor)
        if problems := [problem for _, filling in fillings for problem in filling.fill()]:
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
        timestep=_timestep(parts, learned).to(place, kind),
        prompt=prompt,
        taps=[TAPS[one][0] for one in recipe.taps],
        side=recipe.side,
    )


class _Filling:
    """A network on its way from a description to weights.

    Args:
        network: on the meta device, without weights.
        file: where they are.
        head: of the file.
        prefix: what stands before their names there.
        belongs: whether a name, without its prefix, is one of the network's.
    """

    def __init__(
        self, network: nn.Module, file: Path, head: Head, prefix: str, belongs: Callable[[str], bool]
    ) -> None:
        self._network = network
        expected = {name: tensor for name, tensor in network.state_dict().items() if belongs(name)}
        self._expected = {name: list(tensor.shape) for name, tensor in expected.items()}
        self._names = {
            _renamed(full.removeprefix(prefix)): full
            for full in head.entries
            if full.startswith(prefix) and belongs(full.removeprefix(prefix))
        }
        self._shapes = {name: list(head.entries[full].shape) for name, full in self._names.items()}
        self._where = printable(file if not prefix else f"{file}, {prefix}")
        self._weights: dict[str, torch.Tensor] = {}

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

    def takers(self, device: torch.device, dtype: torch.dtype) -> dict[str, Callable[[torch.Tensor], None]]:
        """What takes each weight, ready to run there, by its name in the file."""

        def taker(name: str) -> Callable[[torch.Tensor], None]:
            def take(tensor: torch.Tensor) -> None:
                self._weights[name] = tensor.to(device, dtype)

            return take

        return {full: taker(name) for name, full in self._names.items()}

    def fill(self) -> list[str]:
        """Give the network the weights that were taken; returns a line if some are not finite."""
        bad = [name for name, tensor in self._weights.items() if not tensor.isfinite().all()]
        self._network.load_state_dict(self._weights, strict=False, assign=True)  # names were compared before
        self._network.requires_grad_(False).eval()
        return [f"{self._where}: {count(len(bad), 'weight')}: {few(bad, 5)}"] if bad else []


def _read(
    parts: Parts, name: str, head: Head, wanted: Callable[[str], bool]
) -> Iterator[tuple[str, torch.Tensor]]:
    """Tensors of one of the files, if it is still the one that was hashed; see `read_tensors`."""
    return read_tensors(parts.files[name], head, wanted, parts.digests.get(name))


def _read_all(parts: Parts, name: str) -> dict[str, torch.Tensor]:
    """All of them."""
    return dict(_read(parts, name, read_head(parts.files[name]), lambda full: True))


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


def _configured(model: Any, parts: Parts, name: str) -> Any:
    """A network as its configuration describes it, without weights."""
    config, file = _settings(parts, name), parts.files[name]
    found = config.get("_class_name")
    if found != model.__name__:
        raise ModelError(f"expected a {model.__name__} in {printable(file)}, found {printable(str(found))}")
    known = inspect.signature(model.__init__).parameters
    used = {key: value for key, value in config.items() if key in known}
    for key, value in used.items():
        most = _MOST_LAYERS if key.endswith("layers_per_block") else _MOST
        if any(abs(number) > most or math.isnan(number) for number in _numbers(value)):
            raise ModelError(f"expected numbers up to {most:,} in {key} of {printable(file)}, found more")
    try:
        return model.from_config(used)
    except Exception as error:  # whatever diffusers says about settings that make no network
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ModelError(f"cannot make a {model.__name__} of {printable(file)}: {reason[:200]}") from error


def _numbers(value: Any) -> list[float]:
    """The numbers in a setting, at whatever depth of the lists that it may be."""
    found, left = [], [value]
    while left:
        one = left.pop()
        if isinstance(one, (list, tuple)):
            left.extend(one)
        elif isinstance(one, (int, float)):
            found.append(one)
    return found


def _settings(parts: Parts, name: str) -> dict[str, Any]:
    """A JSON object from one of the files."""
    try:
        found = parse_json(parts.read(name))
    except MalformedError as error:
        raise ModelError(f"expected JSON in {printable(parts.files[name])}: {error}") from error
    if not isinstance(found, dict):
        raise ModelError(f"expected settings in {printable(parts.files[name])}, found {type(found).__name__}")
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


def _source(prefix: str | None, file: str) -> tuple[str, str]:
    """The file of a part of the diffusion model, and what stands before the names in it."""
    return (file, "") if prefix is None else (names.WEIGHTS, prefix)


def _of_unet(parts: Parts, file: str, prefix: str) -> Callable[[str], bool]:
    """What is of the UNet among names without prefix; there may be other parts among these only without one."""
    if prefix or file != names.WEIGHTS:
        return lambda name: True
    others = tuple(filter(None, (*names.AGGREGATION, parts.contents.timestep, parts.contents.vae)))
    return lambda name: not name.startswith(others)


def _renamed(name: str) -> str:
    for pattern, new in _OLD_NAMES:
        name = pattern.sub(new, name)
    return name


def _timestep(parts: Parts, learned: Sequence[torch.Tensor]) -> torch.Tensor:
    """The learned timestep, []; the initial one where none was."""
    if not learned:
        return torch.tensor(INITIAL_TIMESTEP)
    (found,) = learned
    if found.numel() != 1 or not found.isfinite().all():
        what = f"{found.numel():,} numbers" if found.numel() != 1 else f"{found.item():g}"
        raise ModelError(
            f"expected one finite number in {printable(str(parts.contents.timestep))} of "
            f"{printable(parts.files[names.WEIGHTS])}, found {what}"
        )
    return found.reshape(())


def _prompt(parts: Parts) -> torch.Tensor:
    """The embedding of the empty prompt, [1, tokens, width]."""
    if names.PROMPT not in parts.files:
        return _embedded_prompt(parts)
    found = _read_all(parts, names.PROMPT)
    tensor = next(iter(found.values())) if len(found) == 1 else torch.empty(0)
    if tensor.ndim != 3 or len(tensor) != 1 or not tensor.isfinite().all():
        raise ModelError(
            f"expected one tensor [1, tokens, width] in {printable(parts.files[names.PROMPT])}, found another"
        )
    return tensor


@torch.inference_mode()
def _embedded_prompt(parts: Parts) -> torch.Tensor:
    """The same by text encoder and tokenizer."""
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

    settings = used_settings(_settings(parts, names.TEXT_CONFIG), printable(parts.files[names.TEXT_CONFIG]))
    weights = _read_all(parts, names.TEXT)
    folder = parts.files[names.TEXT_CONFIG].parent
    tokens_of = {Path(name).name: parts.read(name) for name in parts.files if name.startswith("tokenizer/")}
    try:
        config = CLIPTextConfig.from_dict(settings)
        model, report = CLIPTextModel.from_pretrained(
            None,
            config=config,
            state_dict=weights,
            dtype=torch.float32,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # reported here
        )
        with TemporaryDirectory() as copies:  # of what was hashed
            for name, content in passed_on(tokens_of).items():
                (Path(copies) / name).write_bytes(content)
            tokenizer = CLIPTokenizer.from_pretrained(copies, local_files_only=True)
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
