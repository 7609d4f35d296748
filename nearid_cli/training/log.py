"""What a run says while it trains: metrics.jsonl always, a progress bar or lines, and trackers when asked for."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nearid_cli.errors import InputError
from nearid_cli.files import write_whole
from nearid_cli.opening import MalformedError, parse_json, read_regular
from nearid_cli.text import printable
from nearid_cli.training.checkpoints import disk_errors
from nearid_cli.training.options import TrainOptions

FILE = "metrics.jsonl"
TIMING = "timing"
_LARGEST = 2**32  # bytes; a long run has a line of about 200 for each step
_log = logging.getLogger(__name__)
Record = Mapping[str, Any]


class MetricsFile:
    """metrics.jsonl: one JSON object for each step and each evaluation.

    Whatever differs from run to run (time, speed) is under the key `timing`; the rest follows from the options.

    Args:
        path: the file; it is made, or gone on with.
        step: what was recorded after this step is dropped: a run that goes on from a checkpoint does it again.
    """

    def __init__(self, path: Path, step: int) -> None:
        kept = b""
        if step and path.exists():
            try:
                lines = read_regular(path, _LARGEST).splitlines(keepends=True)
            except OSError as error:
                raise InputError(f"{printable(path)} cannot be read: {error.strerror or error}") from error
            kept = b"".join(line for line in lines if _step(line) <= step)
        self._path = path
        with disk_errors(path):
            write_whole(path, kept)
            self._file = path.open("ab", buffering=0)  # or closing it would try again what failed

    def write(self, records: Sequence[Record]) -> None:
        """Append records, and hand them to the operating system."""
        with disk_errors(self._path):
            content = "".join(json.dumps(record) + "\n" for record in records).encode()
            while content:
                content = content[self._file.write(content) :]

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class Journal:
    """Where the numbers of a run go. One process writes and speaks; in the others nothing happens.

    Args:
        options: of the run.
        accelerator: of the run; holds the trackers.
        first_step, steps: where the run begins and ends.
        bar: show a progress bar on stderr, else a line for each evaluation.
    """

    def __init__(
        self, options: TrainOptions, accelerator: Any, first_step: int, steps: int, bar: bool
    ) -> None:
        self._accelerator, self._tracked = accelerator, bool(options.log)
        self._steps = steps
        self._shown: dict[str, str] = {}
        self._file: MetricsFile | None = None
        self._bar: Any = None
        if accelerator.is_main_process:
            self._file = MetricsFile(options.output / FILE, first_step)
        if accelerator.is_main_process and bar:
            from tqdm import tqdm

            self._bar = tqdm(initial=first_step, total=steps, unit="step", dynamic_ncols=True)
        if self._tracked:
            accelerator.init_trackers("nearid", config=_flat(options))

    def steps(self, records: Sequence[Record], images_per_second: float) -> None:
        """Record steps; each has `step`, `loss` and whatever else."""
        if not records:
            return
        self._shown |= {"loss": f"{records[-1]['loss']:.4f}", "images/s": f"{images_per_second:.0f}"}
        if self._file is not None:
            self._file.write(records)
        if self._bar is not None:
            self._bar.set_postfix(self._shown, refresh=False)
            self._bar.update(len(records))
        if self._tracked:
            for record in records:
                self._accelerator.log({k: v for k, v in record.items() if k != "step"}, step=record["step"])

    def evaluation(self, step: int, metrics: Record, timing: Mapping[str, float]) -> None:
        """Record an evaluation; `metrics` is empty where there was nothing to evaluate on."""
        if metrics and self._file is not None:
            self._file.write([{"step": step, **metrics, TIMING: timing}])
        if metrics.get("ssr") is not None:
            self._shown |= {"SSR": f"{100 * metrics['ssr']:.1f}", "PA": f"{100 * metrics['pa']:.1f}"}
            if self._tracked:
                numbers = {name: metrics[name] for name in ("ssr", "pa", "mean_margin")}
                self._accelerator.log(numbers, step=step)
        if self._bar is not None:
            self._bar.set_postfix(self._shown)
        elif self._file is not None and self._shown:
            found = ", ".join(f"{name} {value}" for name, value in self._shown.items())
            _log.info(f"step {step:,} of {self._steps:,}: {found}")

    def close(self) -> None:
        """End it, whatever the reason."""
        if self._bar is not None:
            self._bar.close()
        if self._file is not None:
            self._file.close()
        if self._tracked:
            self._accelerator.end_training()


def _step(line: bytes) -> float:
    """The step of a line of metrics.jsonl; beyond all for one that a kill cut off, or that we never wrote."""
    try:
        record = parse_json(line)
    except MalformedError:
        return math.inf
    step = record.get("step") if isinstance(record, dict) else None
    return step if isinstance(step, int) else math.inf


def _flat(options: TrainOptions) -> dict[str, Any]:
    """The options as trackers take them: names to numbers and texts, nothing nested."""
    values = options.as_json()
    values |= {f"augmentations.{name}": value for name, value in values.pop("augmentations").items()}
    return {
        name: value if isinstance(value, (bool, int, float)) else str(value) for name, value in values.items()
    }
