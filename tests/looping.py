"""For tests of what goes on inside a program's loop: pictures by subject, as files and in memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from nearid_cli import ScoreResult

Paths = dict[str, list[Path]]


def by_subject(folder: Path) -> Paths:
    return {subject.name: sorted(subject.iterdir()) for subject in sorted(folder.iterdir())}


@pytest.fixture
def refs(data: Path) -> Paths:
    return by_subject(data / "refs")


@pytest.fixture
def gens(data: Path) -> Paths:
    return by_subject(data / "gens")


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB")).copy()


def tensor(path: Path) -> torch.Tensor:
    return torch.from_numpy(pixels(path)).permute(2, 0, 1)


def numbers(result: ScoreResult) -> Any:
    """All that was computed, to the last bit, and nothing of names."""
    return (
        result.metrics,
        [(one.subject, one.references, one.generations, one.scores) for one in result.subjects],
        result.aggregate,
        [
            (one.subject, one.prompt, one.seed, one.labels, one.scores, one.copy_of is None)
            for one in result.images
        ],
    )


def found(result: ScoreResult) -> Any:
    """All of a result but when it was made, and how its files were found."""
    facts = result.to_dict()
    del facts["created"], facts["inputs"]["layout"]
    return facts
