"""Tokenizers: fetched for metrics that read prompts, and for no others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from nearid_cli.encoders.checkpoints import resolve
from nearid_cli.encoders.registry import MetricRequest, pull_argument
from nearid_cli.encoders.text import text_spec
from nearid_cli.errors import ModelError
from tests.hub.conftest import Here
from tests.hub.simulated import SimulatedHub

Checkpoint = Callable[[str], Path]
PICTURES = MetricRequest("clip", "org/model", "projected")
TEXTS = MetricRequest("clip-t", "org/model", "projected", text=True)
SETTINGS = ["config.json", "model.safetensors", "preprocessor_config.json"]
TOKENIZER = ["merges.txt", "tokenizer_config.json", "vocab.json"]


def fetched(here: Here) -> list[str]:
    return sorted(file.name for file in here.cache.rglob("snapshots/*/*"))


def test_they_are_fetched_when_prompts_are_read(
    hub: SimulatedHub, here: Here, checkpoint: Checkpoint
) -> None:
    hub.add("org/model", checkpoint("clip-with-text"))
    (pictures,) = resolve([PICTURES], "float32")
    assert fetched(here) == SETTINGS
    hub.requests.clear()
    before, texts = resolve([PICTURES, TEXTS], "float32")
    assert fetched(here) == sorted(SETTINGS + TOKENIZER)
    assert hub.asked("model.safetensors") == []
    assert pictures == before
    assert texts.fingerprint == pictures.fingerprint != text_spec(texts).fingerprint
    here.offline()
    assert resolve([TEXTS], "float32") == [texts]


def test_one_that_is_not_there_is_told_before_weights_are_fetched(
    hub: SimulatedHub, here: Here, checkpoint: Checkpoint
) -> None:
    hub.add("org/model", checkpoint("clip"))
    with pytest.raises(ModelError) as error:
        resolve([TEXTS], "float32")
    assert error.value.details == (
        "clip-t: expected tokenizer.json, or vocab.json and merges.txt in org/model, found none: prompts are read "
        "with the checkpoint's own tokenizer",
    )
    assert fetched(here) == []


def test_a_model_without_texts_costs_no_weights(
    hub: SimulatedHub, here: Here, checkpoint: Checkpoint
) -> None:
    folder = checkpoint("siglip")
    (folder / "tokenizer.json").write_text("{}")
    hub.add("org/model", folder)
    with pytest.raises(ModelError) as error:
        resolve([TEXTS], "float32")
    assert "SigLIP's texts are not read" in error.value.details[0]
    assert hub.asked("storage") == []


def test_the_hint_fetches_them_too(here: Here) -> None:
    here.offline()
    with pytest.raises(ModelError) as error:
        resolve([TEXTS], "float32")
    assert pull_argument(TEXTS) == "clip-t=org/model"
    assert "to fetch, where there is network: nearid models pull clip-t=org/model" in error.value.details
