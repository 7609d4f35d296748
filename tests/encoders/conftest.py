from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from skimage import data

from tests.tiny import BUILDERS


@pytest.fixture(scope="session")
def _built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("checkpoints")
    return {name: build(root / name) for name, build in BUILDERS.items()}


@pytest.fixture
def checkpoint(_built: dict[str, Path], tmp_path: Path) -> Callable[[str], Path]:
    """Gives a tiny checkpoint by name, as a copy that the test may change."""
    return lambda name: Path(shutil.copytree(_built[name], tmp_path / name))


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Photographs: JPEG with EXIF rotation, greyscale PNG, RGBA PNG, WebP."""
    root = tmp_path_factory.mktemp("photos")
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(data.astronaut()).crop((0, 0, 400, 300)).save(root / "rotated.jpg", exif=exif)
    Image.fromarray(data.camera()).save(root / "grey.png")
    coffee = Image.fromarray(data.coffee())
    coffee.putalpha(Image.fromarray(data.camera()).resize(coffee.size))
    coffee.save(root / "alpha.png")
    Image.fromarray(data.chelsea()).save(root / "cat.webp", quality=90)
    return sorted(root.iterdir())
