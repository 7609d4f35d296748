"""The data set of these tests, written anew for each."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from tests.metamorphic import planted


@pytest.fixture(scope="session")
def pictures(photographs: dict[str, Image.Image]) -> dict[str, bytes]:
    """The files of the data set by path."""
    return planted.draw(photographs)


@pytest.fixture
def root(tmp_path: Path, pictures: dict[str, bytes]) -> Path:
    """A folder with `refs`, `a` and `b`."""
    return planted.lay(tmp_path / "data", pictures)
