"""Trackers in their own offline and local modes, in processes of their own; nothing of theirs leaves the machine."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.commandline import Finished


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No tracker knows this machine's user, and none calls home."""
    home = tmp_path_factory.mktemp("trackers")
    for name in [name for name in os.environ if name.startswith(("WANDB_", "MLFLOW_", "TRACKIO_"))]:
        monkeypatch.delenv(name)
    for name in ("WANDB_CACHE_DIR", "WANDB_DATA_DIR", "WANDB_CONFIG_DIR", "TRACKIO_DIR", "NETRC", "HOME"):
        monkeypatch.setenv(name, str(home / name.lower()))
    (home / "home").mkdir()
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.setenv("DO_NOT_TRACK", "true")


Run = Callable[..., Finished]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run the command line as a process of its own, in `tmp_path`."""

    def start(*arguments: str, **environment: str) -> Finished:
        done = subprocess.run(
            [sys.executable, "-m", "nearid_cli", *arguments],
            cwd=tmp_path,
            env=os.environ | environment,
            text=True,
            capture_output=True,
        )
        return Finished(done.returncode, done.stdout, done.stderr)

    return start
