"""What a run is made of before its first step: devices, model, data, the checkpoint to go on from; and training.json.

training.json says what made a run, first thing in its folder.
"""

from __future__ import annotations

import importlib.util
import json
import logging
import os
import platform
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch

from nearid_cli import __version__
from nearid_cli.errors import UsageError
from nearid_cli.files import write_whole
from nearid_cli.images.preprocessing import Preprocessing
from nearid_cli.nearid_data import Identities, choose_rows
from nearid_cli.remote.stores import check_on_disk
from nearid_cli.results.base import timestamp
from nearid_cli.text import count, printable
from nearid_cli.training import checkpoints
from nearid_cli.training.batches import BatchPlan, Varying
from nearid_cli.training.checkpoints import Checkpoint, disk_errors
from nearid_cli.training.dataset import JointSet, TrainingSet, open_mtg
from nearid_cli.training.evaluation import ValidationSet
from nearid_cli.training.features import cache_features
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
    if absent := [name for name in options.log if importlib.util.find_spec(name) is None]:
        raise UsageError(f"--log {' '.join(absent)} is not installed: pip install {' '.join(absent)}")
    _check_output(options.output)
    accelerator = _accelerator(options)
    if not accelerator.is_main_process:
        logging.getLogger("nearid_cli").setLevel(logging.WARNING)  # one process speaks
    resumed = _resumed(options)
    # Whatever --init-from named is in the checkpoint too, and may be gone by now, or be another's `best`.
    start = options if resumed is None else replace(options, init_from=resumed.model)
    trainee = make_trainee(start, accelerator.device.type)
    rows, validation, fingerprint = _open_data(options, trainee.preprocessing)
    if resumed is not None and (found := changed(resumed.state()["data"], fingerprint)):
        raise UsageError(f"{printable(resumed.folder)} was made with other data", found)
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
    return Setup(options, accelerator, trainee, rows, plan, validation, fingerprint, resumed)


def _check_output(output: Path) -> None:
    """Refuse an output folder that cannot be made or written, before anything is loaded.

    Raises:
        UsageError: it, or what lies on the way to it, is no folder or may not be written.
    """
    check_on_disk(output)
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


def _open_data(
    options: TrainOptions, preprocessing: Preprocessing
) -> tuple[Varying, ValidationSet | None, dict[str, Any]]:
    """The training rows, the validation rows if there are any, and what tells these data from others, as JSON.

    Raises:
        InputError: a source or a list of rows is not as it should be.
        UsageError: rows are both for training and for validation.
    """
    everything = Identities.open(options.positives, options.distractors, notify=_log.info)
    training, validation = _split(options, everything)
    fingerprint = {"training": _fingerprint(training)}
    if validation is not None:
        fingerprint["validation"] = _fingerprint(validation)
    own = TrainingSet(training, preprocessing, options.augmentations, options.seed)
    rows: TrainingSet | JointSet = own
    if options.mtg is not None:
        mtg = open_mtg(options.mtg, notify=_log.info)
        fingerprint["mtg"] = _fingerprint(mtg)
        rows = JointSet(own, mtg, options.mtg_repeat)
    if rows.left_out:
        _log.info(f"{count(rows.left_out, 'row')} with fewer than two views left out")
    return rows, ValidationSet(validation, preprocessing) if validation else None, fingerprint


def _split(options: TrainOptions, everything: Identities) -> tuple[Identities, Identities | None]:
    """The rows to train on and those to evaluate on."""
    training = everything
    if options.rows is not None:
        training = everything.subset(choose_rows(options.rows, options.positives, everything.dataset))
    if options.validation_distractors:
        positives = options.validation_positives or options.positives
        validation = Identities.open(positives, options.validation_distractors, options.validation_rows)
    elif options.validation_rows is not None:
        validation = everything.subset(
            choose_rows(options.validation_rows, options.positives, everything.dataset)
        )
    else:
        return training, None
    if options.validation_positives is not None:
        return training, validation
    if options.rows is None:
        return everything.subset(np.setdiff1d(everything.numbers, validation.numbers)), validation
    both = np.intersect1d(training.numbers, validation.numbers)
    if len(both):
        raise UsageError(
            f"{count(len(both), 'row')} of --validation-rows {'is' if len(both) == 1 else 'are'} in --rows too: "
            f"{', '.join(map(str, both[:5]))}{' ...' if len(both) > 5 else ''}"
        )
    return training, validation


# Rows whose pictures stand for all in the fingerprint of a data set.
_LOOKED_AT = 16


def _fingerprint(identities: Identities) -> dict[str, Any]:
    """What tells data from others wherever they lie: which rows, and the pictures of a few of them."""
    from blake3 import blake3

    pictures = blake3()
    for position in np.linspace(0, len(identities) - 1, min(_LOOKED_AT, len(identities))).astype(int):
        row = identities[position]
        for content in (*row.views, *(picture for source in row.distractors for picture in source)):
            pictures.update(content or b"")
            pictures.update(b"|")
    numbers = np.ascontiguousarray(identities.numbers, np.int64).tobytes()
    return {
        "rows": len(identities),
        "sources": len(identities.sources),
        "numbers": blake3(numbers).hexdigest()[:16],
        "pictures": pictures.hexdigest()[:16],
    }


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
