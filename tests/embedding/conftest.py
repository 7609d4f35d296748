"""A small real encoder without weights, so that the pipeline's tests take milliseconds."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from PIL import Image

from nearid_cli.encoders.spec import EncoderSpec


def make_spec(name: str = "mean-colour", fingerprint: str = "f" * 64) -> EncoderSpec:
    return EncoderSpec(name, "", None, None, "grid", "float32", "resize 4x4", fingerprint)


@dataclass
class GridEncoder:
    """Mean colours of a 4x4 grid, L2-normalised. Counts what it is asked to do."""

    spec: EncoderSpec = field(default_factory=make_spec)
    batches: list[int] = field(default_factory=list)
    prepared: int = 0

    @property
    def preparation(self) -> Hashable:
        return "grid"

    def prepare(self, image: Image.Image) -> np.ndarray:
        self.prepared += 1
        return np.asarray(image.resize((4, 4), Image.Resampling.BOX))

    def embed(self, batch: Sequence[np.ndarray]) -> np.ndarray:
        self.batches.append(len(batch))
        rows = np.stack(batch).reshape(len(batch), -1).astype(np.float32) + 1
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture
def encoder() -> GridEncoder:
    return GridEncoder()
