"""Real photographs: the files that scikit-image carries."""

from pathlib import Path

import pytest
import skimage
from PIL import Image

DATA = Path(skimage.__file__).parent / "data"


@pytest.fixture(scope="session")
def photographs() -> dict[str, Image.Image]:
    names = (
        "astronaut.png",
        "chelsea.png",
        "coffee.png",
        "rocket.jpg",
        "camera.png",
        "hubble_deep_field.jpg",
    )
    return {name: Image.open(DATA / name).convert("RGB") for name in names}
