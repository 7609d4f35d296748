"""`nearid doctor`."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import typer

from nearid_cli.activity import doing
from nearid_cli.cli import show
from nearid_cli.cli.cache import open_cache
from nearid_cli.cli.options import described
from nearid_cli.embedding import EMBEDDINGS
from nearid_cli.errors import CacheError, UsageError
from nearid_cli.flags import DEFAULT_METRICS, CacheFolder
from nearid_cli.text import file_size, listed, printable

if TYPE_CHECKING:
    from nearid_cli.configuration import Configuration

_PACKAGES = (
    "nearid-cli",
    "torch",
    "transformers",
    "safetensors",
    "huggingface-hub",
    "pillow",
    "numpy",
    "pandas",
    "pyarrow",
    "scikit-image",
    "blake3",
    "pillow-heif",
    "numba",
    "cykooz-resizer",
    "openvino",
)


def doctor(context: typer.Context, cache: CacheFolder = None) -> None:
    """Print what a bug report needs.

    Versions, devices, the cache, the checkpoints that are here, and whether the Hub answers.
    """
    with doing("looking at this machine, the checkpoints and the Hub"):
        found = _facts(context, cache)
    show.rows(None, found)


def _facts(context: typer.Context, cache: CacheFolder) -> list[tuple[str, str]]:
    rows = [("python", f"{platform.python_version()} ({sys.executable})"), ("system", platform.platform())]
    rows += [(package, _version(package)) for package in _PACKAGES]
    rows.append(("torchvision", _torchvision()))
    rows += [("configuration", line) for line in _configuration(context.obj)]
    rows += [("devices", _devices()), ("cores", str(os.cpu_count())), ("cache", _cache(cache))]
    rows += _checkpoints(context.obj.metrics)
    rows.append(("hub", _hub()))
    return rows


def _configuration(found: Configuration) -> Iterator[str]:
    """Which file is in force, what it sets, and which ones are not obeyed."""
    if found.path is None:
        yield "none"
    else:
        own = [described(name, found) for name in found.metrics]
        sets = [*found.options, *own, *(["gate"] if found.gate else [])]
        yield f"{printable(found.path)}: sets {listed(sets) if sets else 'nothing'}"
    yield from found.ignored


def _version(package: str) -> str:
    import importlib.metadata

    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _torchvision() -> str:
    """Not needed, but one that does not go with torch is in the way."""
    from nearid_cli.encoders.libraries import torchvision_problem

    version = _version("torchvision")
    return torchvision_problem() or (version if version != "not installed" else "not installed, not needed")


def _devices() -> str:
    import torch

    found = [
        "cpu",
        *(f"cuda:{index} {torch.cuda.get_device_name(index)}" for index in range(torch.cuda.device_count())),
    ]
    if torch.backends.mps.is_available():
        found.append("mps")
    return ", ".join(found)


def _cache(folder: CacheFolder) -> str:
    try:
        opened = open_cache(folder, trusted=False)
    except CacheError as error:
        return error.message
    rows = opened.info()
    return (
        f"{printable(opened.name)}, {sum(row.numbers for row in rows if row.what == EMBEDDINGS):,} embeddings, "
        f"{file_size(sum(row.size for row in rows))}"
    )


def _checkpoints(configured: Mapping[str, object]) -> list[tuple[str, str]]:
    from nearid_cli.encoders.models import available

    try:
        metrics = available(configured)
    except UsageError as error:  # which is what some come here to find out about
        return [("metrics", f"none can be used: {error}")]
    return [
        (
            f"metric {row.metric}",
            f"{printable(row.checkpoint)}: {'here' if row.is_here else 'not here'}"
            if row.checkpoint
            else "needs no weights",
        )
        for row in metrics
    ]


def _hub() -> str:
    from nearid_cli.encoders.hub.failures import HubError
    from nearid_cli.encoders.hub.fetching import describe_answer
    from nearid_cli.encoders.registry import REGISTRY

    try:
        return describe_answer(REGISTRY[DEFAULT_METRICS[0]].checkpoint)
    except HubError as error:
        return f"does not answer: {error}"
