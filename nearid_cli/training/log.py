"""What a run says while it trains: metrics.jsonl always, a progress bar or lines, and trackers when asked for."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nearid_cli.errors import UsageError
from nearid_cli.files import write_whole

FILE = "metrics.jsonl"
TIMING = "timing"
_log = logging.getLogger(__name__)
Record = Mapping[str, Any]


def check_trackers(names: Sequence[str]) -> None:
    """Refuse trackers that are not installed.

    Raises:
        UsageError: naming all of them.
    """
    from importlib.util import find_spec

    if absent := [name for name in names if find_spec(name) is None]:
        raise UsageError(f"--log {' '.join(absent)} is not installed: pip install {' '.join(absent)}")


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
            lines = path.read_bytes().splitlines(keepends=True)
            kept = b"".join(line for line in lines if _step(line) <= step)
        write_whole(path, kept)
        self._file = path.open("a", encoding="utf-8")

    def write(self, records: Sequence[Record]) -> None:
        """Append records, and hand them to the operating system."""
        self._file.writelines(json.dumps(record) + "\n" for record in records)
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class Display:
    """Progress for people: a bar on a terminal, else a line for each evaluation.

    Args:
        first_step, steps: where the run begins and ends.
        bar: whether stderr is a terminal.
    """

    def __init__(self, first_step: int, steps: int, bar: bool) -> None:
        self._steps = steps
        self._shown: dict[str, str] = {}
        self._bar: Any = None
        if bar:
            from tqdm import tqdm

            self._bar = tqdm(initial=first_step, total=steps, unit="step", dynamic_ncols=True)

    def steps(self, records: Sequence[Record], images_per_second: float) -> None:
        """Show that some steps are done."""
        self._shown |= {"loss": f"{records[-1]['loss']:.4f}", "images/s": f"{images_per_second:.0f}"}
        if self._bar is not None:
            self._bar.set_postfix(self._shown, refresh=False)
            self._bar.update(len(records))

    def evaluation(self, record: Record) -> None:
        """Show an evaluation; without a bar as one line with everything."""
        if record.get("ssr") is not None:
            self._shown |= {"SSR": f"{100 * record['ssr']:.1f}", "PA": f"{100 * record['pa']:.1f}"}
        if self._bar is not None:
            self._bar.set_postfix(self._shown)
        else:
            found = ", ".join(f"{name} {value}" for name, value in self._shown.items())
            _log.info(f"step {record['step']:,} of {self._steps:,}: {found or 'saved'}")

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.close()


def _step(line: bytes) -> float:
    """The step of a line of metrics.jsonl; beyond all for one that a kill cut off."""
    try:
        return float(json.loads(line)["step"])
    except ValueError:
        return float("inf")
