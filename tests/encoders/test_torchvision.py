"""A torchvision that was built for another torch, in processes of their own."""

from __future__ import annotations

import importlib.metadata
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tiny import tiny_vit

REASON = "operator torchvision::nms does not exist"
LINE = (
    "torchvision 0.99.1 does not go with torch {torch}, it asks for torch ==9.9.0 ({reason}), and transformers "
    "cannot be imported beside it: pip install --upgrade torch torchvision, or pip uninstall torchvision"
)


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """A folder for PYTHONPATH with a torchvision that fails as a real one of another torch does."""
    package, facts = tmp_path / "site" / "torchvision", tmp_path / "site" / "torchvision-0.99.1.dist-info"
    package.mkdir(parents=True)
    facts.mkdir()
    (package / "__init__.py").write_text(f"raise RuntimeError({REASON!r})\n")
    (facts / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: torchvision\nVersion: 0.99.1\nRequires-Dist: numpy\nRequires-Dist: torch==9.9.0\n"
    )
    return package.parent


def run(site: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(site), *filter(None, [os.environ.get("PYTHONPATH")])])
    return subprocess.run(
        [sys.executable, "-m", "nearid_cli", *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": path, "COLUMNS": "400"},
        capture_output=True,
        text=True,
        check=False,
    )


def expected() -> str:

    return LINE.format(torch=importlib.metadata.version("torch"), reason=REASON)


def test_a_run_that_needs_transformers_says_so(broken: Path, tmp_path: Path, photos: list[Path]) -> None:
    checkpoint = tiny_vit(tmp_path / "model")
    finished = run(broken, "pair", photos[0], photos[1], "-m", f"x={checkpoint}")
    assert finished.returncode == 2
    assert expected() in finished.stderr
    assert "Traceback" not in finished.stderr


def test_doctor_says_so(broken: Path) -> None:
    finished = run(broken, "doctor")
    assert (finished.returncode, finished.stderr) == (0, "")
    assert f"torchvision {expected()}" in " ".join(finished.stdout.split())
    sound = run(broken / "nothing", "doctor").stdout
    assert re.search(r"^torchvision +(not installed, not needed|\d)", sound, re.MULTILINE)
