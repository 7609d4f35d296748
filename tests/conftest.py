"""Fixtures that several parts share: real photographs and an isolated environment."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image


@pytest.fixture(autouse=True)
def isolated(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No test sees the machine's caches or configuration, or asks a Hub."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("NEARID_CACHE", str(home / "nearid"))
    monkeypatch.setenv("HF_HOME", str(home / "hf"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    monkeypatch.setenv("COLUMNS", "120")


@pytest.fixture(scope="session")
def photographs() -> dict[str, Image.Image]:
    """Real RGB photographs that come with scikit-image."""
    import skimage

    folder = Path(skimage.__file__).parent / "data"
    names = ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg")
    return {name.split(".")[0]: Image.open(folder / name).convert("RGB") for name in names}


@pytest.fixture
def save(tmp_path: Path, photographs: dict[str, Image.Image]) -> Callable[..., Path]:
    """Save a photograph (or a crop of it) under a relative path and return its absolute path."""

    def _save(relative: str, photograph: str = "chelsea", crop: int = 0, size: int = 96) -> Path:
        path = tmp_path / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        image = photographs[photograph]
        image = image.crop((crop, crop, image.width - crop, image.height - crop)).resize((size, size))
        image.save(path)
        return path

    return _save
