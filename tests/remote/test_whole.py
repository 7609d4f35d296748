"""Everything by URL at once, as a process of its own: cold, warm, and after it was killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.commandline import Nearid
from tests.remote.s3_server import S3, Reply, Request
from tests.remote.test_inputs import numbers, reads, scored

BUCKET = "whole"


@pytest.fixture
def start(
    s3: S3, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], subprocess.Popen[str]]:
    """Start the score of two prefixes, with a cache in the same bucket, on a machine that has no other."""
    room = tmp_path / "room"
    room.mkdir()
    monkeypatch.setenv("TMPDIR", str(room))
    monkeypatch.setenv("NEARID_CACHE", str(tmp_path / "machine"))
    bucket = f"{BUCKET}-{tmp_path.name[-1]}{os.getpid()}"
    s3.make(bucket)
    for side in ("refs", "gens"):
        s3.put_folder(bucket, side, data / side)
    url = f"s3://{bucket}"
    command = [
        "score",
        f"{url}/refs",
        f"{url}/gens",
        "--cache",
        f"{url}/cache",
        "--metric",
        "hog",
        "--format",
        "json",
    ]

    def begin() -> subprocess.Popen[str]:
        s3.requests.clear()
        return subprocess.Popen(
            [sys.executable, "-m", "nearid_cli", *command],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return begin


def result_of(process: subprocess.Popen[str]) -> dict[str, Any]:
    out, err = process.communicate()
    assert process.returncode == 0, err
    found: dict[str, Any] = json.loads(out)
    return found


@pytest.mark.parametrize("at", ["the eighth object that is read", "the first part that is written"])
def test_killed_cold_and_warm(
    start: Callable[[], subprocess.Popen[str]], s3: S3, nearid: Nearid, data: Path, tmp_path: Path, at: str
) -> None:
    local = scored(nearid, data / "refs", data / "gens", "--no-cache")
    process = None

    def kill(request: Request) -> Reply | None:
        here = request.method == "PUT" if "part" in at else len(reads(s3)) == 8
        if process is not None and here:
            process.send_signal(signal.SIGKILL)
            return Reply(500, "InternalError")
        return None

    s3.answer = kill
    process = start()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert list((tmp_path / "room").iterdir())

    s3.answer = None
    after = result_of(start())
    assert numbers(after) == numbers(local)
    assert not list((tmp_path / "room").iterdir())  # what the killed one left is gone, too

    # Another machine: nothing is known here, and no picture is read.
    (tmp_path / "machine").rename(tmp_path / "gone")
    warm = result_of(start())
    assert numbers(warm) == numbers(local)
    assert [path for path in reads(s3) if "/cache/" not in path] == []
