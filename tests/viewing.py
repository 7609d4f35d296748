"""A finished result with its pictures, and `nearid view` as a process of its own: fixtures for several folders."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.commandline import Nearid


@dataclass(frozen=True)
class Viewing:
    """A running `nearid view`."""

    url: str
    process: subprocess.Popen[str]

    @property
    def port(self) -> int:
        return int(self.url.rstrip("/").rpartition(":")[2])

    def stop(self) -> tuple[int, str]:
        """Press Ctrl-C; returns the exit code and what was said on stderr."""
        self.process.send_signal(signal.SIGINT)
        _, err = self.process.communicate(timeout=120)
        return self.process.returncode, err


@pytest.fixture
def run_json(data: Path, nearid: Nearid) -> Path:
    """The result of scoring `refs/` against `gens/`."""
    finished = nearid("score", "refs", "gens", "-m", "hog", "-o", "run.json")
    assert finished.code == 0, finished.err
    return data / "run.json"


@pytest.fixture
def view(process: Callable[..., subprocess.Popen[str]]) -> Iterator[Callable[..., Viewing]]:
    """Start `nearid view` in `tmp_path` and wait until it serves."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str | Path, **environment: str) -> Viewing:
        running = process("view", *arguments, **environment)
        started.append(running)
        url = running.stdout.readline().strip()
        assert url.startswith("http://127.0.0.1:"), running.communicate()
        return Viewing(url, running)

    yield start
    for running in started:
        running.kill()
        running.communicate()
