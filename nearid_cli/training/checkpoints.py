"""Checkpoints of a training run: written whole or not at all, checked before they are used, thinned out.

    OUTPUT/
        checkpoint-<step>/
            model/          what `nearid export` and every encoder loads
            state.pt        trained weights, optimiser and gradient scaler, to the bit
            metrics.json    the evaluation at this step; {} where there was none
            state.json      step, options, time, and the digest of every other file
        best -> checkpoint-<step>

There is no generator's state in it: a step seeds its own from (seed, step, process), and the schedule and the
order of the rows are functions of the step too.
"""

from __future__ import annotations

import json
import logging
import re
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nearid_cli.errors import InputError, UsageError
from nearid_cli.files import digest_file, files_below, flush, sweep_leftovers
from nearid_cli.opening import MalformedError, UnfitFileError, open_regular, read_json
from nearid_cli.text import count, printable


@contextmanager
def disk_errors(place: Path) -> Iterator[None]:
    """Turn what Python, torch and safetensors raise when they cannot write into one message.

    Args:
        place: what is being written.

    Raises:
        InputError: it could not be.
    """
    from safetensors import SafetensorError

    try:
        yield
    except (OSError, SafetensorError, RuntimeError) as error:  # RuntimeError is torch.save's
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise InputError(
            f"cannot write {printable(place)}: {' '.join(reason.split()).lower()}; earlier checkpoints are whole: "
            f"make room and go on with --resume"
        ) from error


METRICS, STATE, TENSORS, MODEL = "metrics.json", "state.json", "state.pt", "model"
BEST = "best"
_NAME = re.compile(r"checkpoint-(\d+)")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Checkpoint:
    """One whole checkpoint on disk.

    Attributes:
        folder: where it is.
        step: optimiser steps done.
    """

    folder: Path
    step: int

    @property
    def model(self) -> Path:
        """The folder of the model."""
        return self.folder / MODEL

    def state(self) -> dict[str, Any]:
        """What state.json holds."""
        return _object(self.folder / STATE)

    def metrics(self) -> dict[str, Any]:
        """The evaluation at this step; empty where there was none."""
        return _object(self.folder / METRICS)

    def tensors(self) -> dict[str, Any]:
        """What state.pt holds, on the CPU. Nothing but tensors and plain values is unpickled."""
        import torch

        with open_regular(self.folder / TENSORS) as file:
            content: dict[str, Any] = torch.load(file, map_location="cpu", weights_only=True)
        return content


def _object(path: Path) -> dict[str, Any]:
    """The JSON object in a file.

    Raises:
        MalformedError: it holds something else.
        OSError: it cannot be read.
    """
    content = read_json(path)
    if not isinstance(content, dict):
        raise MalformedError("it is not a JSON object")
    return content


def folder(output: Path, step: int) -> Path:
    """Where the checkpoint of a step is."""
    return output / f"checkpoint-{step}"


def save(
    output: Path,
    step: int,
    write_model: Callable[[Path], None],
    tensors: dict[str, Any],
    state: dict[str, Any],
    metrics: dict[str, Any],
) -> Checkpoint:
    """Write a checkpoint aside, flush it to the disk and rename it into place.

    Args:
        output: folder of the run.
        step: optimiser steps done.
        write_model: writes the model into an empty folder.
        tensors: for state.pt.
        state: for state.json, besides what is added here.
        metrics: for metrics.json.

    Raises:
        InputError: the disk would not take it. Nothing of it is left behind, and older checkpoints stay.
    """
    import torch

    place = folder(output, step)
    aside = output / f".{place.name}-{uuid.uuid4().hex}.tmp"
    try:
        with disk_errors(place):
            (aside / MODEL).mkdir(parents=True)
            write_model(aside / MODEL)
            torch.save(tensors, aside / TENSORS)
            _write_json(aside / METRICS, metrics)
            files = files_below(aside)
            digests = {path.relative_to(aside).as_posix(): digest_file(path) for path in files}
            _write_json(aside / STATE, {"step": step, **state, "files": digests})
            for path in (*files, aside / STATE, aside / MODEL, aside):
                flush(path)
            if place.exists():  # damaged, or it would have been resumed from
                shutil.rmtree(place)
            aside.rename(place)
            flush(output)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return Checkpoint(place, step)


def newest(output: Path) -> Checkpoint | None:
    """The newest whole checkpoint of a run, or None. A damaged one is passed over with a warning."""
    for checkpoint in reversed(_found(output)):
        damage = _damage(checkpoint)
        if damage is None:
            return checkpoint
        _log.warning(f"{printable(checkpoint.folder)} is passed over: {damage}")
    return None


def model_folder(place: Path) -> Path:
    """The model in a checkpoint of training, or else the folder itself.

    Raises:
        UsageError: the folder is that of a whole run; the message names its best checkpoint, or the newest.
    """
    if (place / MODEL).is_dir():
        return place / MODEL
    if runs := _found(place):
        one = place / BEST if (place / BEST).exists() else runs[-1].folder
        raise UsageError(
            f"expected a checkpoint, found a run with {count(len(runs), 'checkpoint')} in {printable(place)}: "
            f"name one, as {printable(one)}"
        )
    return place


def thin_out(output: Path, step: int, keep: int) -> None:
    """Point `best` at the best checkpoint up to a step, then delete all of these but that and the `keep` newest.

    The best has the highest SSR, then PA, then mean margin; the earliest of equals. What is beyond the step where a run
    goes on is damaged.
    """
    found = [checkpoint for checkpoint in _found(output) if checkpoint.step <= step]
    ranks = {checkpoint: _rank(checkpoint) for checkpoint in found}
    best = max((c for c in found if ranks[c]), key=lambda checkpoint: ranks[checkpoint], default=None)
    if best is not None:
        _point(output / BEST, best.folder.name)
    for checkpoint in found[: max(0, len(found) - keep)]:
        if checkpoint != best:
            shutil.rmtree(checkpoint.folder)


def clear_leftovers(output: Path) -> None:
    """Delete what a killed run was writing."""
    sweep_leftovers(output)
    for path in output.glob(".checkpoint-*.tmp"):
        shutil.rmtree(path)
    (output / f".{BEST}.tmp").unlink(missing_ok=True)


def _rank(checkpoint: Checkpoint) -> tuple[float, ...]:
    """What makes a checkpoint better than another; empty without an evaluation, or with a damaged one."""
    try:
        metrics = checkpoint.metrics()
        return metrics["ssr"], metrics["pa"], metrics["mean_margin"], -checkpoint.step
    except (OSError, ValueError, KeyError, TypeError) as error:
        _refuse_unread(checkpoint, error)
        return ()


def _found(output: Path) -> list[Checkpoint]:
    """All checkpoints of a run, oldest first."""
    if not output.is_dir():
        return []
    matches = ((path, _NAME.fullmatch(path.name)) for path in output.iterdir())
    found = [Checkpoint(path, int(match[1])) for path, match in matches if match]
    return sorted(found, key=lambda checkpoint: checkpoint.step)


def _damage(checkpoint: Checkpoint) -> str | None:
    """What is wrong with a checkpoint; None for nothing."""
    try:
        files = checkpoint.state()["files"]
        if not isinstance(files, dict):
            return "it is not complete (its files are not named)"
        wrong = [name for name, digest in files.items() if digest_file(checkpoint.folder / name) != digest]
    except (OSError, ValueError, KeyError) as error:
        _refuse_unread(checkpoint, error)
        return f"it is not complete ({printable(str(error))})"
    return f"its {printable(wrong[0])} is damaged" if wrong else None


def _refuse_unread(checkpoint: Checkpoint, error: Exception) -> None:
    """Raise InputError for what is no damage: what the system refuses now it may give later, and whole."""
    damage = (UnfitFileError, FileNotFoundError, NotADirectoryError, IsADirectoryError)
    if isinstance(error, OSError) and not isinstance(error, damage):
        raise InputError(
            f"cannot read {printable(checkpoint.folder)}: {(error.strerror or str(error)).lower()}; "
            "all checkpoints are kept: mend that and go on with --resume"
        ) from error


def _point(link: Path, target: str) -> None:
    """Make a relative link, in one step where there is one already."""
    aside = link.with_name(f".{link.name}.tmp")
    aside.unlink(missing_ok=True)
    aside.symlink_to(target, target_is_directory=True)
    aside.replace(link)


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
