from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.measures.vsm.tiny import tiny_vsm


@pytest.fixture(scope="session")
def vsm_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny checkpoint with all parts, not to be changed."""
    return tiny_vsm(tmp_path_factory.mktemp("vsm"))


@pytest.fixture
def vsm_copy(vsm_checkpoint: Path, tmp_path: Path) -> Callable[[], Path]:
    """Gives a copy of it that a test may change."""
    return lambda: Path(shutil.copytree(vsm_checkpoint, tmp_path / "mind-the-glitch"))
