from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nearid_cli.measures.vsm import features
from tests.measures.vsm.tiny import tiny_vsm


@pytest.fixture(scope="session")
def vsm_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny checkpoint with all parts, not to be changed."""
    return tiny_vsm(tmp_path_factory.mktemp("vsm"))


@pytest.fixture
def vsm_copy(vsm_checkpoint: Path, tmp_path: Path) -> Callable[[], Path]:
    """Gives a copy of it that a test may change."""
    return lambda: Path(shutil.copytree(vsm_checkpoint, tmp_path / "mind-the-glitch"))


@pytest.fixture(scope="module")
def small_squares() -> Iterator[int]:
    """Pictures are squashed to a quarter of the pixels, which takes a sixth of the time; gives the edge."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(features, "SIZE", 384)
        yield 384
