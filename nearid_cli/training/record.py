"""training.json: what made a run, first thing in its folder."""

from __future__ import annotations

import json
import platform
from importlib import metadata

import torch

from nearid_cli import __version__
from nearid_cli.files import write_whole
from nearid_cli.results.base import timestamp
from nearid_cli.training.disk import disk_errors
from nearid_cli.training.setup import Setup

FILE = "training.json"
_LIBRARIES = ("torch", "transformers", "accelerate", "datasets", "numpy", "pillow")


def write(setup: Setup, steps: int) -> None:
    """Write every option, the versions at work, the data's fingerprint and the machine's.

    Args:
        setup: of the run.
        steps: how many optimiser steps it will do.
    """
    versions = {"python": platform.python_version()} | {name: metadata.version(name) for name in _LIBRARIES}
    content = {
        "schema": "nearid.training/1",
        "tool": {"name": "nearid-cli", "version": __version__},
        "created": timestamp(),
        "versions": versions,
        "device": str(setup.accelerator.device),
        "processes": setup.accelerator.num_processes,
        "threads": torch.get_num_threads(),
        "parameters": sum(weight.numel() for weight in setup.trainee.parameters()),
        "trained_parameters": sum(weight.numel() for weight in setup.trainee.trained().values()),
        "steps": steps,
        "steps_per_epoch": setup.plan.steps_per_epoch,
        "data": setup.fingerprint,
        "options": setup.options.as_json(),
    }
    path = setup.options.output / FILE
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, (json.dumps(content, indent=2) + "\n").encode())
