"""A small data set of real photographs with three pretend methods, for `nearid demo` and for tests.

    DIR/references/<subject>/01.jpg ...            crops of one photograph, turned and relit
    DIR/methods/faithful/<subject>/01.png ...      other crops of it: the identity is kept
    DIR/methods/drifted/<subject>/01.png ...       the identity slips towards another subject
    DIR/methods/copied/<subject>/01.png ...        references handed in as generations

The photographs come with scikit-image. Everything follows from `SEED`.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance

from nearid_cli.errors import InputError
from nearid_cli.text import printable

SUBJECTS = {
    "astronaut": "astronaut.png",
    "cat": "chelsea.png",
    "coffee": "coffee.png",
    "motorcycle": "motorcycle_left.png",
    "rocket": "rocket.jpg",
}
METHODS = ("faithful", "drifted", "copied")
REFERENCES = 4
GENERATIONS = 5
SIZE = 320
SEED = 2604
_MARKER = "made-by-nearid-demo.txt"


def write_demo(folder: Path) -> None:
    """Write the data set into `folder`, which must be new, empty or an earlier demo.

    Raises:
        InputError: the folder holds something else.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{printable(folder)} is a file; give a new folder for the demo")
    if folder.exists() and any(folder.iterdir()) and not (folder / _MARKER).exists():
        raise InputError(f"{printable(folder)} is not empty and no earlier demo; give a new folder")
    for part in ("references", "methods", "results"):
        shutil.rmtree(folder / part, ignore_errors=True)
    (folder / "results").mkdir(parents=True)
    (folder / _MARKER).write_text("The pictures here are crops of photographs that come with scikit-image.\n")
    photographs = {name: _photograph(file) for name, file in SUBJECTS.items()}
    names = list(SUBJECTS)
    for position, name in enumerate(names):
        random = np.random.default_rng([SEED, position])
        photograph, other = photographs[name], photographs[names[position - 1]]
        references = [_view(photograph, random, loose=0.3) for _ in range(REFERENCES)]
        paths = [
            _save(image, folder / "references" / name, index, "jpg") for index, image in enumerate(references)
        ]
        for index in range(GENERATIONS):
            faithful = _view(photograph, random, loose=0.3)
            _save(faithful, folder / "methods" / "faithful" / name, index, "png")
            # A method that forgets: more of another subject in each picture, and colours that wander.
            stranger = _view(other, random, loose=0.3)
            drift = Image.blend(_view(photograph, random, loose=0.5), stranger, 0.25 + 0.1 * index)
            _save(_turn_hue(drift, 25 * (index + 1)), folder / "methods" / "drifted" / name, index, "png")
            # Half of the copies are the very file, half are the picture saved anew.
            copied = folder / "methods" / "copied" / name
            source = index % REFERENCES
            if index % 2:
                _save(references[source], copied, index, "png")
            else:
                copied.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(paths[source], copied / f"{index + 1:02d}.jpg")


def _photograph(file: str) -> Image.Image:
    import skimage

    return Image.open(Path(skimage.__file__).parent / "data" / file).convert("RGB")


def _view(photograph: Image.Image, random: np.random.Generator, loose: float) -> Image.Image:
    """A view of the subject: a square crop, turned a little, under another light."""
    side = min(photograph.size) * (1 - loose * random.uniform(0.3, 1))
    left = (photograph.width - side) * random.uniform(0.3, 0.7)
    top = (photograph.height - side) * random.uniform(0.2, 0.8)
    view = photograph.rotate(
        random.uniform(-8, 8), Image.Resampling.BICUBIC, center=(left + side / 2, top + side / 2)
    )
    view = view.resize((SIZE, SIZE), Image.Resampling.LANCZOS, box=(left, top, left + side, top + side))
    view = ImageEnhance.Brightness(view).enhance(random.uniform(0.75, 1.25))
    return ImageEnhance.Color(view).enhance(random.uniform(0.7, 1.2))


def _turn_hue(image: Image.Image, degrees: float) -> Image.Image:
    hue, saturation, value = image.convert("HSV").split()
    turned = hue.point([(level + round(degrees / 360 * 256)) % 256 for level in range(256)])
    return Image.merge("HSV", (turned, saturation, value)).convert("RGB")


def _save(image: Image.Image, folder: Path, index: int, extension: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{index + 1:02d}.{extension}"
    image.save(path, quality=92)
    return path
