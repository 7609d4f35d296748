"""A small rendered data set with three pretend methods, for `nearid demo` and for tests of the documentation.

    DIR/references/<subject>/01.png ...            an object in four contexts: camera, light, background
    DIR/methods/faithful/<subject>/01.png ...      the same object in four other contexts: the identity is kept
    DIR/methods/swapped/<subject>/01.png ...       a look-alike in the very contexts of the references
    DIR/methods/copied/<subject>/01.png ...        references handed in as generations

One identity of each of the first six families, each with the next number of one seed.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from nearid_cli.errors import InputError
from nearid_cli.remote.stores import check_on_disk
from nearid_cli.synth.sample import CATEGORIES, SynthOptions
from nearid_cli.text import printable

if TYPE_CHECKING:
    from nearid_cli.synth.sample import Sample

SUBJECTS = CATEGORIES[:8]
METHODS = ("faithful", "swapped", "copied")
REFERENCES = GENERATIONS = 4
SIZE = 160
# Of 1000001 to 1000013 the seed on which hog's scores of `swapped` and `faithful` are apart by the median: an ordinary
# one, chosen without a look at nearid-mini, which was never trained on any of them.
SEED = 1_000_001
_MARKER = "made-by-nearid-demo.txt"


def write_demo(folder: Path, seed: int = SEED) -> None:
    """Write the data set into `folder`, which must be new, empty or an earlier demo.

    Args:
        folder: where to.
        seed: everything follows from it.

    Raises:
        InputError: the folder holds something else or cannot be written.
    """
    check_on_disk(folder)
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{printable(folder)} is a file; give a new folder for the demo")
    if folder.exists() and any(folder.iterdir()) and not (folder / _MARKER).exists():
        raise InputError(f"{printable(folder)} is not empty and no earlier demo; give a new folder")
    try:
        for part in ("references", "methods", "results"):
            shutil.rmtree(folder / part, ignore_errors=True)
        (folder / "results").mkdir(parents=True)
        (folder / _MARKER).write_text("The pictures here were rendered by nearid demo.\n")
        for number, subject in enumerate(SUBJECTS):
            _write_subject(folder, subject, _render(subject, number, seed))
    except OSError as error:
        raise InputError(
            f"cannot write {printable(folder)}: {(error.strerror or str(error)).lower()}"
        ) from error


def _render(family: str, number: int, seed: int) -> Sample:
    """References and as many further views of one object, and a look-alike in each of their contexts."""
    from nearid_cli.synth.render import render

    options = SynthOptions(
        views=REFERENCES + GENERATIONS,
        distractors=1,
        size=SIZE,
        difficulty="easy",
        categories=(family,),
        seed=seed,
    )
    (sample,) = render(options, number, number + 1)
    return sample


def _write_subject(folder: Path, subject: str, sample: Sample) -> None:
    references = folder / "references" / subject
    faithful, swapped, copied = (folder / "methods" / method / subject for method in METHODS)
    for made in (references, faithful, swapped, copied):
        made.mkdir(parents=True)
    for index in range(REFERENCES):
        name = f"{index + 1:02d}.png"
        reference = Image.fromarray(sample.views[index])
        reference.save(references / name)
        Image.fromarray(sample.views[REFERENCES + index]).save(faithful / name)
        Image.fromarray(sample.distractors[0, index]).save(swapped / name)
        # Half of the copies are the very file, half are the picture saved anew.
        if index % 2:
            reference.save((copied / name).with_suffix(".jpg"), quality=92)
        else:
            shutil.copyfile(references / name, copied / name)
