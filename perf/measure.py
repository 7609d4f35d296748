"""Timing contenders against each other, and a line of the table."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        what: what ran, and against what.
        ours: our number.
        peer: the peer's number.
        unit: of both.
        limit: the target for ours / peer.
        at_least: whether the ratio shall be at least `limit` (a speed), not at most (a cost).
    """

    what: str
    ours: float
    peer: float
    unit: str
    limit: float
    at_least: bool = False

    def __str__(self) -> str:
        ratio = self.ours / self.peer
        met = ratio >= self.limit if self.at_least else ratio <= self.limit
        target = f"{'>=' if self.at_least else '<='} {self.limit:g} {'met' if met else 'MISSED'}"
        return f"{self.what:50} {self.ours:9.3f} {self.peer:9.3f} {self.unit:6} {ratio:6.2f}  {target}"


def alternate(
    contenders: Mapping[str, Callable[[], object]],
    rounds: int,
    summary: Callable[[Sequence[float]], float] = min,
) -> dict[str, float]:
    """Run contenders in turn, so that a change of the machine's pace meets them all.

    Args:
        contenders: by name; each runs once before the clock is started.
        rounds: how often each is timed.
        summary: what stands for the times; the least is the one that others disturbed least.

    Returns:
        Seconds by name.
    """
    for run in contenders.values():
        run()
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, run in contenders.items():
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
    return {name: summary(times) for name, times in seconds.items()}


def process(*command: str | Path, **environment: str) -> str:
    """Run a whole process from the repository root and return what it said on stderr.

    Raises:
        RuntimeError: it failed; with what it said.
    """
    # An installed package is compiled already; a container that forbids writing it would compile at every start.
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "", **environment}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{command} failed with {done.returncode}: {done.stderr[-2000:]}")
    return done.stderr
