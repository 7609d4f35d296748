"""A small data set, a tiny NearID checkpoint, and two ways to run the command line."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image

from nearid_cli.cli.app import main
from tests.tiny import tiny_nearid


@dataclass(frozen=True)
class Finished:
    code: int
    out: str
    err: str


Nearid = Callable[..., Finished]


@pytest.fixture
def nearid(capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Nearid:
    """Run the command line in this process, in `tmp_path`."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str | Path) -> Finished:
        capfd.readouterr()
        code = main([str(argument) for argument in arguments])
        captured = capfd.readouterr()
        return Finished(code, captured.out, captured.err)

    return run


@pytest.fixture
def process(tmp_path: Path) -> Callable[..., subprocess.Popen[str]]:
    """Start the command line as a process of its own, in `tmp_path`."""

    def start(*arguments: str | Path, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "nearid_cli", *map(str, arguments)],
            cwd=tmp_path,
            env=os.environ | environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    return start


@pytest.fixture(scope="session")
def _checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_nearid(tmp_path_factory.mktemp("checkpoint") / "nearid")


@pytest.fixture
def checkpoint(_checkpoint: Path, tmp_path: Path) -> Path:
    """A tiny NearID checkpoint in the Hub's layout, as a copy that the test may change."""
    return Path(shutil.copytree(_checkpoint, tmp_path / "checkpoint"))


@pytest.fixture(scope="session")
def _data(tmp_path_factory: pytest.TempPathFactory, photographs: dict[str, Image.Image]) -> Path:
    root = tmp_path_factory.mktemp("data")
    old = time.time() - 60  # old enough for the cache's memo
    for subject, photograph in (("cat", "chelsea"), ("cup", "coffee"), ("ship", "rocket")):
        for index in range(2):
            _save(photographs[photograph], root / "refs" / subject / f"{index}.jpg", 10 * index, old)
        for index in range(3):
            _save(photographs[photograph], root / "gens" / subject / f"{index}.png", 40 + 20 * index, old)
    return root


def _save(image: Image.Image, path: Path, crop: int, modified: float) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.crop((crop, 2 * crop, image.width - crop, image.height)).resize((120, 100)).save(path)
    os.utime(path, (modified, modified))


@pytest.fixture
def data(_data: Path, tmp_path: Path) -> Path:
    """`refs/` (3 subjects of 2) and `gens/` (3 subjects of 3) in `tmp_path`, which is returned."""
    for part in ("refs", "gens"):
        shutil.copytree(_data / part, tmp_path / part)
    return tmp_path
