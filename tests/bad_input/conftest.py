"""Processes that are slow, powerless, or on a disk of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.commandline import Finished

COMMAND = (sys.executable, "-m", "nearid_cli")


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Finished]:
    """Run any command to its end in `tmp_path`; output that is not UTF-8 fails the test."""

    def _run(command: Sequence[str | Path], **environment: str) -> Finished:
        done = subprocess.run(
            [str(word) for word in command],
            cwd=tmp_path,
            env=os.environ | environment,
            capture_output=True,
            timeout=120,
            check=False,
        )
        return Finished(done.returncode, done.stdout.decode(), done.stderr.decode())

    return _run


@pytest.fixture
def powerless() -> list[str]:
    """What to put before a command so that file permissions hold for it; root overrides them otherwise."""
    if os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        pytest.skip("runs as root, and there is no setpriv to give up root's power over permissions")
    return ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
