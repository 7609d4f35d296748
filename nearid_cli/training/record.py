"""training.json: what made a run, first thing in its folder."""

from __future__ import annotations

import json
import platform
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from nearid_cli import __version__
from nearid_cli.files import write_whole
from nearid_cli.training.options import TrainOptions

FILE = "training.json"
_LIBRARIES = ("torch", "transformers", "accelerate", "datasets", "numpy", "pillow")


def write(output: Path, options: TrainOptions, run: dict[str, Any]) -> None:
    """Write every option, the versions at work, and what else is known of a run.

    Args:
        output: folder of the run.
        options: its options.
        run: its data, processes, device and the like.
    """
    content = {
        "schema": "nearid.training/1",
        "tool": {"name": "nearid-cli", "version": __version__},
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "versions": {"python": platform.python_version()}
        | {name: metadata.version(name) for name in _LIBRARIES},
        "threads": torch.get_num_threads(),
        **run,
        "options": options.as_json(),
    }
    write_whole(output / FILE, (json.dumps(content, indent=2) + "\n").encode())


def flat(options: TrainOptions) -> dict[str, Any]:
    """The options as trackers take them: names to texts and numbers, not nested."""
    values = options.as_json()
    values |= {f"augmentations.{name}": value for name, value in values.pop("augmentations").items()}
    return {
        name: value if isinstance(value, (bool, int, float)) else str(value) for name, value in values.items()
    }
