"""A metric that draws random numbers of every kind, as somebody else's may."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import torch
from PIL import Image

from nearid_cli.plugins import EmbeddingMetric


class Noisy(EmbeddingMetric):
    """Levels of a tiny picture."""

    version = "noisy/1"
    protocol = "levels and noise"

    def load(self, device: str) -> None:
        torch.manual_seed(99)

    def prepare(self, image: Image.Image) -> Any:
        return np.asarray(image.resize((4, 4)), np.float32).ravel() + 1

    def embed(self, batch: Any) -> Any:
        random.random()
        np.random.rand()
        torch.randn(3)
        return np.stack(batch)
