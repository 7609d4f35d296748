"""Embeddings of texts through the cache."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from nearid_cli.embedding.cache import Cache
from nearid_cli.embedding.settings import Settings
from nearid_cli.embedding.texts import embed_texts
from nearid_cli.encoders.spec import EncoderSpec
from nearid_cli.encoders.text_encoder import Tokens
from nearid_cli.errors import ModelError
from tests.tiny import tiny_clip_with_text


@dataclass
class LetterCounter:
    """How often each letter is in a text. Takes 12 characters, and counts what it is asked to do."""

    spec: EncoderSpec
    batches: list[int] = field(default_factory=list)

    def prepare(self, text: str) -> Tokens:
        return Tokens(np.frombuffer(text[:12].encode(), np.uint8), len(text) > 12)

    def embed(self, batch: Sequence[np.ndarray]) -> np.ndarray:
        self.batches.append(len(batch))
        rows = np.stack([np.bincount(ids, minlength=256) for ids in batch]).astype(np.float32)
        with np.errstate(invalid="ignore"):
            return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture
def counter(tmp_path: Path) -> LetterCounter:
    folder = tiny_clip_with_text(tmp_path / "clip")
    return LetterCounter(EncoderSpec("ct", "", folder, None, "text", "float32", "letters", "e" * 64))


def none(spec: EncoderSpec) -> LetterCounter:
    raise AssertionError("nothing was to be embedded")


def test_each_text_is_embedded_once_and_kept(tmp_path: Path, counter: LetterCounter) -> None:
    texts = ["a cat", "a dog", "a cat", "猫", "a very long prompt"]
    cache = Cache(tmp_path / "cache")
    rows = embed_texts(texts, counter.spec, lambda _: counter, cache, Settings(batch_size=2))
    assert list(rows) == ["a cat", "a dog", "猫", "a very long prompt"]
    assert counter.batches == [2, 2]
    again = embed_texts(reversed(texts), counter.spec, none, Cache(tmp_path / "cache"), Settings())
    assert again.keys() == rows.keys()
    for text, row in rows.items():
        assert row.tobytes() == again[text].tobytes()
        np.testing.assert_array_equal(row, counter.embed([counter.prepare(text).ids])[0])
    assert cache.verify() == (1, [], [])
    embed_texts(["a cat", "new"], counter.spec, lambda _: counter, cache, Settings())
    assert counter.batches[-1] == 1


def test_without_a_cache_nothing_is_kept(counter: LetterCounter) -> None:
    for _ in range(2):
        embed_texts(["a cat"], counter.spec, lambda _: counter, None, Settings())
    assert counter.batches == [1, 1]


def test_what_is_cut_is_said_cold_and_warm(
    tmp_path: Path, counter: LetterCounter, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "nearid_cli")
    texts = ["short", *(f"{number} prompts that are long\n" for number in range(4)), "another long one"]
    cache = Cache(tmp_path / "cache")
    embed_texts(texts, counter.spec, lambda _: counter, cache, Settings())
    (cold,) = caplog.messages
    assert cold == (
        'ct: 5 prompts cut at 16 tokens: "0 prompts that are long\\n ...", "1 prompts that are long\\n ...", '
        '"2 prompts that are long\\n ..." and 2 more'
    )
    caplog.clear()
    embed_texts(texts, counter.spec, none, cache, Settings())
    assert caplog.messages == [cold]


def test_texts_without_an_embedding_are_named(tmp_path: Path, counter: LetterCounter) -> None:
    cache = Cache(tmp_path / "cache")
    with pytest.raises(ModelError, match='metric "ct": embeddings of texts that are not finite') as error:
        embed_texts(["a", ""], counter.spec, lambda _: counter, cache, Settings())
    assert error.value.details == ("",)
    assert cache.load(counter.spec, []) == {}


WARM = """
import sys
from pathlib import Path
from nearid_cli.embedding.cache import Cache
from nearid_cli.embedding.settings import Settings
from nearid_cli.embedding.texts import embed_texts
from nearid_cli.encoders.checkpoints import resolve
from nearid_cli.encoders.registry import MetricRequest
from nearid_cli.encoders.text import text_spec
def load(spec):
    from nearid_cli.encoders.load import load_text_encoder
    return load_text_encoder(spec)
(spec,) = resolve([MetricRequest("t", "clip", "projected", text=True)], "float32")
rows = embed_texts(["a cat", "x" * 99], text_spec(spec), load, Cache(Path("cache")), Settings())
heavy = {"torch", "transformers", "tokenizers", "pandas"} & set(sys.modules)
print(sorted(heavy), rows["a cat"].tobytes().hex())
"""


def test_a_warm_run_imports_nothing_heavy(tmp_path: Path) -> None:
    tiny_clip_with_text(tmp_path / "clip")
    runs = [
        subprocess.run([sys.executable, "-c", WARM], cwd=tmp_path, capture_output=True, text=True, check=True)
        for _ in range(2)
    ]
    cold, warm = (run.stdout.split("] ") for run in runs)
    assert "torch" in cold[0]
    assert warm[0] == "["
    assert warm[1] == cold[1]
