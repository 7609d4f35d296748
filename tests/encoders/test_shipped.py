"""The checkpoint that is in the package."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import nearid_cli
from nearid_cli.encoders.checkpoints import SHIPPED_FOLDER
from nearid_cli.encoders.registry import REGISTRY

MOST_BYTES = 8_000_000


def test_it_is_small_enough_for_a_wheel() -> None:
    assert {"config.json", "model.safetensors", "preprocessor_config.json", "README.md"} <= {
        file.name for file in SHIPPED_FOLDER.iterdir()
    }
    assert sum(file.stat().st_size for file in SHIPPED_FOLDER.iterdir()) <= MOST_BYTES


@pytest.mark.parametrize("text", [REGISTRY["nearid-mini"].note, (SHIPPED_FOLDER / "README.md").read_text()])
def test_its_limits_are_said_where_it_is_offered(text: str) -> None:
    assert "for demos, tests and air-gapped smoke checks, not for papers" in " ".join(text.split())


def test_it_embeds_without_network(no_hub: Path, photos: list[Path]) -> None:
    encoder = nearid_cli.load_encoder("nearid-mini", device="cpu")
    embeddings = encoder.embed(photos)
    assert embeddings.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1, atol=1e-5)
    assert (embeddings @ embeddings.T)[0, 1:].max() < 0.999
