"""What a run is made of before its first step: devices, model, data, the checkpoint to go on from; and training.json.

training.json says what made a run, first thing in its folder.
"""

from __future__ import annotations

import json
import logging
import os
import platform
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from nearid_cli import __version__
from nearid_cli.errors import UsageError
from nearid_cli.files import write_whole
from nearid_cli.results.base import timestamp
from nearid_cli.text import printable
from nearid_cli.training import checkpoints
from nearid_cli.training.batches import BatchPlan, Varying
from nearid_cli.training.checkpoints import Checkpoint, disk_errors
from nearid_cli.training.data import open_data
from nearid_cli.training.dataset import TrainingSet
from nearid_cli.training.evaluation import ValidationSet
from nearid_cli.training.features import cache_features
from nearid_cli.training.log import check_trackers
from nearid_cli.training.options import TrainOptions, changed, differences
from nearid_cli.training.trainee import Trainee, make_trainee

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Setup:
    """All that a run needs.

    Attributes:
        options: of the run.
        accelerator: runs it on this machine's devices and processes.
        trainee: the model, with the weights that it starts from.
        rows: what it is trained on.
        plan: which rows when.
        validation: what it is evaluated on; None for nothing.
        fingerprint: what tells its data from others.
        resumed: the checkpoint to go on from; None for a start.
    """

    options: TrainOptions
    accelerator: Any
    trainee: Trainee
    rows: Varying
    plan: BatchPlan
    validation: ValidationSet | None
    fingerprint: dict[str, Any]
    resumed: Checkpoint | None


def set_up(options: TrainOptions) -> Setup:
    """Open and load everything.

    Raises:
        NearIDError: see `loop.train`.
    """
    check_trackers(options.log)
    _check_output(options.output)
    accelerator = _accelerator(options)
    if not accelerator.is_main_process:
        logging.getLogger("nearid_cli").setLevel(logging.WARNING)  # one process speaks
    resumed = _resumed(options)
    # Whatever --init-from named is in the checkpoint too, and may be gone by now, or be another's `best`.
    start = options if resumed is None else replace(options, init_from=resumed.model)
    trainee = make_trainee(start, accelerator.device.type)
    data = open_data(options, trainee.preprocessing)
    if resumed is not None and (found := changed(resumed.state()["data"], data.fingerprint)):
        raise UsageError(f"{printable(resumed.folder)} was made with other data", found)
    rows: Varying = data.rows
    if options.cache_features:
        assert isinstance(rows, TrainingSet)
        folder = options.features or options.output / "features"
        rows = cache_features(rows, trainee, folder, accelerator, options.batch_size)
    plan = BatchPlan(
        len(rows),
        options.batch_size,
        options.gradient_accumulation,
        options.seed,
        accelerator.process_index,
        accelerator.num_processes,
    )
    return Setup(options, accelerator, trainee, rows, plan, data.validation, data.fingerprint, resumed)


def _check_output(output: Path) -> None:
    """Refuse an output folder that cannot be made or written, before anything is loaded.

    Raises:
        UsageError: it, or what lies on the way to it, is no folder or may not be written.
    """
    nearest = next(path for path in (output, *output.absolute().parents) if os.path.lexists(path))
    if not nearest.is_dir():
        raise UsageError(
            f"--output {printable(output)}: expected a folder, found a file at {printable(nearest)}"
        )
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise UsageError(
            f"--output {printable(output)}: {printable(nearest)} may not be written; choose another"
        )


def _accelerator(options: TrainOptions) -> Any:
    """What runs the steps on this machine's devices and processes.

    Raises:
        UsageError: accelerate is not installed, or this machine has no such precision.
    """
    try:
        from accelerate import Accelerator
        from accelerate.state import AcceleratorState
    except ModuleNotFoundError as error:
        raise UsageError('training needs the accelerate library: pip install "nearid-cli[train]"') from error
    # An earlier run of this process may have had another precision.
    AcceleratorState._reset_state()
    import torch

    gpu = torch.cuda.is_available() or torch.backends.mps.is_available() or torch.xpu.is_available()
    try:
        return Accelerator(
            # Said outright, or under torchrun every process on a machine without a GPU would train by itself.
            cpu=not gpu,
            mixed_precision=options.mixed_precision,
            gradient_accumulation_steps=options.gradient_accumulation,
            log_with=list(options.log) or None,
            project_dir=options.output,
        )
    except ValueError as error:
        raise UsageError(f"--mixed-precision {options.mixed_precision}: {error}") from error


def _resumed(options: TrainOptions) -> Checkpoint | None:
    """The checkpoint to go on from.

    Raises:
        UsageError: there is a run in the output folder and no wish to resume it, or one with other options.
    """
    found = checkpoints.newest(options.output)
    if not options.resume:
        if found is not None:
            raise UsageError(
                f"{printable(options.output)} holds a training run ({found.folder.name}): "
                f"go on with --resume, or choose another --output"
            )
        return None
    if found is None:
        _log.info(f"nothing to resume in {printable(options.output)}: starting at step 0")
        return None
    if changed := differences(options, found.state()["options"]):
        raise UsageError(
            f"{printable(found.folder)} was made with other options; resume with the same ones, or start a stage of "
            f"its own with --init-from",
            changed,
        )
    return found


_RECORD = "training.json"
_LIBRARIES = ("torch", "transformers", "accelerate", "datasets", "numpy", "pillow")


def write_record(setup: Setup, steps: int) -> None:
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
    path = setup.options.output / _RECORD
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, (json.dumps(content, indent=2) + "\n").encode())
