"""Runs of the command line whose system calls fail, or that are killed or recorded at them."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.commandline import Finished


@dataclass(frozen=True)
class Ran(Finished):
    """A run, and how many system calls it made below the folder; None where it was killed."""

    seen: int | None = None


class Runs:
    """Runs of the command line, forked from one process that has imported everything.

    Args:
        shim: of system calls that may fail; None for them as they are.
        data: pictures, `refs` and `gens`.
        first: done there before all else, for what they import.
    """

    def __init__(self, shim: Path | None, data: Path, first: Sequence[Sequence[str]] = ()) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.server", str(data), json.dumps(first)],
            env=os.environ | ({"LD_PRELOAD": str(shim)} if shim else {}),
            cwd=Path(__file__).parents[2],
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert self._answer("ready")

    def start(self, folder: Path, *arguments: str | Path, **job: Any) -> int:
        """Start a run in `folder`; gives its process id."""
        words = [str(argument) for argument in arguments]
        return int(self._ask({"folder": str(folder), "arguments": words, **job}))

    def wait(self, run: int) -> Ran:
        """What came of a run."""
        return Ran(**self._ask({"wait": run}))

    def __call__(self, folder: Path, *arguments: str | Path, **job: Any) -> Ran:
        """Run to the end."""
        return self.wait(self.start(folder, *arguments, **job))

    def kill(self, run: int, sent: int = signal.SIGKILL) -> None:
        """Send a signal to a run that has not been waited for."""
        os.kill(run, sent)

    def end(self) -> None:
        """End the process that forks; nothing is running then."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(60)

    def _ask(self, job: dict[str, Any]) -> Any:
        assert self._process.stdin is not None
        print(json.dumps(job), file=self._process.stdin, flush=True)
        return self._answer()

    def _answer(self, expected: str | None = None) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the process that forks has ended"
        return line.strip() == expected if expected else json.loads(line)


@pytest.fixture(scope="session")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library that fails system calls, compiled."""
    compiler = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
    if compiler is None or not sys.platform.startswith("linux"):
        pytest.skip("needs Linux and a C compiler")
    made = tmp_path_factory.mktemp("shim") / "shim.so"
    source = Path(__file__).with_name("shim.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", made, source, "-ldl"], check=True)
    return made


@pytest.fixture(scope="module")
def runs(shim: Path, _data: Path) -> Iterator[Runs]:
    """Runs with system calls that may fail."""
    made = Runs(shim, _data)
    yield made
    made.end()


@pytest.fixture(scope="module")
def plain(_data: Path) -> Iterator[Runs]:
    """Runs with system calls as they are."""
    made = Runs(None, _data)
    yield made
    made.end()


@pytest.fixture
def place(data: Path) -> Path:
    """A folder with pictures, `refs` and `gens`, and an empty folder `faulty`."""
    (data / "faulty").mkdir()
    return data


def fresh(folder: Path, filled: Path | None = None) -> None:
    """Make a folder empty, or as another one."""
    shutil.rmtree(folder, ignore_errors=True)
    if filled is None:
        folder.mkdir()
    else:
        shutil.copytree(filled, folder)


def numbers(text: str) -> dict[str, Any]:
    """A result without what differs from run to run."""
    return {**json.loads(text), "created": None}


ERRORS = (errno.EIO, errno.ENOSPC, errno.EMFILE, errno.ENOMEM, errno.EACCES)
KILL = -1


def every(
    calls: range,
    ways: Sequence[int],
    check: Callable[[int, int], Any],
    record_property: Callable[[str, object], None],
) -> None:
    """Check every call, with each way to fail in turn, and say of all that go wrong how."""
    failed = []
    for nth in calls:
        try:
            check(nth, ways[nth % len(ways)])
        except AssertionError as failure:
            failed.append(str(failure)[:1200])
    record_property("tries", len(calls))
    assert not failed, f"{len(failed)} of {len(calls)}:\n" + "\n\n".join(failed)
