"""The small data set of these tests, and what of two results must be equal."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from PIL import Image

import nearid_cli
from nearid_cli.results import CompareResult, ScoreResult

PHOTOGRAPHS = {"cat": "chelsea", "cup": "coffee", "ship": "rocket", "woman": "astronaut"}
SUBJECTS = tuple(PHOTOGRAPHS)
REFERENCES, GENERATIONS = 2, 4
ROUNDING = 1e-12
"""What another order of a sum may change of a number."""

Pictures = Mapping[str, bytes]
"""PNG files by their path below the root: `refs/cat/0.png`, `a/cat/0.png` and `b/cat/0.png`, of two methods."""


def draw(photographs: Mapping[str, Image.Image]) -> dict[str, bytes]:
    """References, and generations of the methods `a` and `b`: crops of photographs, `b` further from the references."""
    drawn = {}
    for number, (subject, photograph) in enumerate(PHOTOGRAPHS.items()):
        image = photographs[photograph]
        for index in range(REFERENCES):
            drawn[f"refs/{subject}/{index}.png"] = _crop(image, 10 * index)
        for index in range(GENERATIONS):
            drawn[f"a/{subject}/{index}.png"] = _crop(image, 40 + 13 * index)
            drawn[f"b/{subject}/{index}.png"] = _crop(image, 50 + 13 * index + 5 * (index * number % 3))
    return drawn


def _crop(image: Image.Image, edge: int) -> bytes:
    file = io.BytesIO()
    image.crop((edge, 2 * edge, image.width - edge, image.height)).resize((48, 48)).save(file, "PNG")
    return file.getvalue()


def lay(root: Path, pictures: Pictures, order: Iterable[str] | None = None) -> Path:
    """Write the pictures anew below a folder, in some order; returns the folder."""
    shutil.rmtree(root, ignore_errors=True)
    for name in pictures if order is None else order:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(pictures[name])
    return root


def score(root: Path, generations: str = "a", **options: Any) -> ScoreResult:
    """What `hog`, if nothing else is asked for, says of one method."""
    options = {"metrics": ["hog"], "progress": False} | options
    return nearid_cli.score(root / "refs", root / generations, **options)


def compare(methods: Mapping[str, Any], references: Path | None = None, **options: Any) -> CompareResult:
    """A comparison, by default of what finished results have in common."""
    return nearid_cli.compare(methods, references, progress=False, **options)


def numbers(result: ScoreResult) -> dict[str, Any]:
    """All that a result says, but for when and of which folders: subjects, their images and the aggregate."""
    said = result.to_dict()
    return {part: said[part] for part in ("subjects", "aggregate", "images")}


def of_subject(result: ScoreResult, subject: str) -> dict[str, Any]:
    """The numbers of one subject by the first metric."""
    (entry,) = [one for one in result.to_dict()["subjects"] if one["subject"] == subject]
    return dict(entry["scores"][result.metrics[0].name])


def leaves(said: Any, path: str = "") -> dict[str, Any]:
    """Every number and word of a document by its place."""
    if isinstance(said, Mapping):
        return {place: leaf for key in said for place, leaf in leaves(said[key], f"{path}/{key}").items()}
    if isinstance(said, list | tuple):
        return {
            place: leaf for n, one in enumerate(said) for place, leaf in leaves(one, f"{path}/{n}").items()
        }
    return {path: said}


def assert_alike(found: Any, expected: Any, within: float = ROUNDING) -> None:
    """That two documents say the same, and numbers that differ by no more than `within`."""
    one, other = leaves(found), leaves(expected)
    assert one.keys() == other.keys()
    differing = {
        place: (value, other[place])
        for place, value in one.items()
        if value != other[place]
        and not (_are_numbers(value, other[place]) and abs(value - other[place]) <= within)
    }
    assert differing == {}


def _are_numbers(*values: Any) -> bool:
    return all(isinstance(value, float) for value in values)
