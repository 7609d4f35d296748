"""The settings of a checkpoint, `experiment_cfg.yaml`: the few that decide about features, and nothing else of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nearid_cli.errors import ModelError
from nearid_cli.flags import DTYPES
from nearid_cli.text import did_you_mean, printable

_DTYPES = DTYPES[1:]

SIZE = 768
"""Edges in pixels of the square that pictures and masks are squashed to."""

TAPS = {
    "us1": ("up_blocks.0.resnets.0", 0),
    "us2": ("up_blocks.0.resnets.1", 0),
    "us3": ("up_blocks.0.upsamplers.0", 0),
    "us4": ("up_blocks.1.attentions.0", 1),
    "us5": ("up_blocks.1.attentions.1", 1),
    "us6": ("up_blocks.1.upsamplers.0", 1),
    "us7": ("up_blocks.2.attentions.0", 2),
    "us8": ("up_blocks.2.attentions.1", 2),
    "us9": ("up_blocks.2.upsamplers.0", 2),
    "us10": ("up_blocks.3.attentions.0", 3),
}
"""By the names of `feat_type`, in the order of the forward pass: the UNet's module whose output is tapped, and the
number of its block of the decoder, which says how many channels there are."""


@dataclass(frozen=True)
class Recipe:
    """How a checkpoint's features are made.

    Attributes:
        taps: which outputs of the decoder are used, keys of `TAPS`, in the order of the checkpoint's networks.
        side: cells along each edge of the grid.
        blocks: bottleneck blocks a tap.
        width: of the vectors; bottlenecks have a quarter of it.
        groups: of the group norms.
        dtype: `float32`, `float16` or `bfloat16`, in which the checkpoint's authors compute.
    """

    taps: tuple[str, ...]
    side: int
    blocks: int
    width: int
    groups: int
    dtype: str


def read_recipe(text: bytes, file: Path) -> Recipe:
    """Read the settings.

    Args:
        text: the content of the file.
        file: its path, for messages.

    Raises:
        ModelError: PyYAML is not installed, the file is no YAML without objects, or settings are absent or senseless,
            all of which are named.
    """
    content = _read_yaml(text, file)
    reading = _Reading(content)
    recipe = Recipe(
        reading.taps("model.feat_type"),
        reading.number("model.final_feat_resolution"),
        reading.number("model.resnet.num_blocks"),
        reading.number("model.resnet.projection_dim", 384),
        reading.number("model.resnet.num_norm_groups"),
        reading.dtype("dtype"),
    )
    if not reading.problems and (recipe.width % 4 or recipe.width // 4 % recipe.groups):
        reading.problems.append(
            f"a quarter of model.resnet.projection_dim: expected a multiple of num_norm_groups, {recipe.groups}, "
            f"found {recipe.width / 4:g}"
        )
    if reading.problems:
        raise ModelError(
            f"{printable(file)} does not say how the checkpoint's features are made", reading.problems
        )
    return recipe


def _read_yaml(text: bytes, file: Path) -> Any:
    try:
        import yaml
    except ImportError as error:
        raise ModelError('metric "vsm" needs PyYAML: pip install "nearid-cli[vsm]"') from error
    try:
        return yaml.safe_load(text.decode())
    except Exception as error:  # its constructors stumble over anything
        reason = printable(" ".join(str(error).split())) or type(error).__name__
        raise ModelError(f"expected plain YAML in {printable(file)}, found: {reason[:200]}") from error


class _Reading:
    """Settings by their dotted names, and what is wrong with them."""

    def __init__(self, content: Any) -> None:
        self._content = content
        self.problems: list[str] = []

    def taps(self, name: str) -> tuple[str, ...]:
        found = self._find(name)
        if found is None:
            return ()
        listed = found if isinstance(found, list) and found else [found]
        for one in listed:
            if not isinstance(one, str) or one not in TAPS:
                self._refuse(name, f"names of taps, {did_you_mean(str(one), TAPS)}", one)
        if len(set(map(str, listed))) < len(listed):
            self._refuse(name, "each tap once", found)
        return tuple(map(str, listed))

    def number(self, name: str, default: int | None = None) -> int:
        found = self._find(name, default)
        if found is not None and not (type(found) is int and 0 < found <= 1 << 14):
            self._refuse(name, "a positive whole number", found)
        return found if type(found) is int and found > 0 else 1

    def dtype(self, name: str) -> str:
        found = self._find(name)
        if found is not None and found not in _DTYPES:
            self._refuse(name, " or ".join(_DTYPES), found)
        return str(found)

    def _find(self, name: str, default: Any = None) -> Any:
        found = self._content
        for key in name.split("."):
            found = found.get(key) if isinstance(found, Mapping) else None
        if found is None and default is None:
            self._refuse(name, "a value", None)
        return default if found is None else found

    def _refuse(self, name: str, expected: str, found: Any) -> None:
        what = "none" if found is None else printable(repr(found))[:80]
        self.problems.append(f"{name}: expected {expected}, found {what}")
