"""Pictures that are prepared while models load: once each, within bounds, to the same embeddings."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import wait
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from nearid_cli.embedding import decoders
from nearid_cli.embedding.pipeline import embed
from nearid_cli.embedding.settings import Settings
from nearid_cli.encoders.checkpoints import resolve
from nearid_cli.encoders.load import load_encoder, preparer_alone
from nearid_cli.encoders.registry import parse_metrics
from nearid_cli.encoders.spec import EncoderSpec
from nearid_cli.errors import ModelError
from nearid_cli.images import decode
from nearid_cli.interrupts import interrupt_waits, interrupts_held
from tests.tiny import tiny_dinov3, write_json

PATIENCE = 60  # seconds, after which what is waited for will not come


@pytest.fixture
def spec(checkpoint: Path) -> EncoderSpec:
    (found,) = resolve(parse_metrics([f"tiny={checkpoint}"], {}), "float32")
    return found


@pytest.fixture
def paths(save: Callable[..., Path]) -> list[Path]:
    return [save(f"{index}.jpg", "astronaut", index, 64) for index in range(12)]


class Opened:
    """Counts pictures that threads opened; the main thread's are tries whether there is any to be read."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.number = 0
        self._read = decode.read_picture
        self._changed = threading.Condition()
        monkeypatch.setattr(decode, "read_picture", self._counted)

    def _counted(self, *given, **named):
        try:
            return self._read(*given, **named)
        finally:
            if threading.current_thread() is not threading.main_thread():
                with self._changed:
                    self.number += 1
                    self._changed.notify_all()

    def wait_for(self, number: int) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self.number >= number, PATIENCE)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Opened:
    return Opened(monkeypatch)


@pytest.fixture
def cold(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a process that has not imported torch yet."""
    monkeypatch.setattr(decoders, "sys", SimpleNamespace(modules={}))


def rows(embedded, name: str = "tiny") -> np.ndarray:
    return embedded.matrix(name, [digest for digest in embedded.digests if digest])[:]


@pytest.mark.usefixtures("cold")
def test_all_are_prepared_before_the_model_is_there_and_once(spec, paths, opened, monkeypatch):
    paths[3].write_bytes(paths[3].read_bytes()[:-400])

    def load(of: EncoderSpec):
        assert opened.wait_for(len(paths))
        return load_encoder(of)

    early = embed(paths, [spec], load, None, Settings())
    assert opened.number == len(paths)
    assert [Path(bad.path).name for bad in early.bad] == ["3.jpg"]
    monkeypatch.setattr(decoders, "sys", sys)
    late = embed(paths, [spec], load_encoder, None, Settings())
    assert early.bad == late.bad
    assert np.array_equal(rows(early), rows(late))


@pytest.mark.usefixtures("cold")
def test_what_waits_for_models_is_bounded(spec, paths, opened, monkeypatch):
    monkeypatch.setattr(decoders, "_EARLY_BYTES", 2 * 32 * 32 * 3)
    begun = []

    def load(of: EncoderSpec):
        assert opened.wait_for(2)
        encoder = load_encoder(of)
        begun.append(opened.number)
        return encoder

    found = embed(paths, [spec], load, None, Settings(workers=1))
    assert begun == [2]
    assert len(rows(found)) == opened.number == len(paths)


@pytest.mark.usefixtures("cold")
def test_a_model_that_cannot_be_loaded_ends_the_threads(spec, paths):
    def load(of: EncoderSpec):
        raise ModelError("no such model")

    with pytest.raises(ModelError, match="no such model"):
        embed(paths, [spec], load, None, Settings())
    for thread in threading.enumerate():
        if thread.name.startswith("decode"):
            thread.join(PATIENCE)
            assert not thread.is_alive()


@pytest.mark.usefixtures("cold")
def test_none_is_begun_while_an_interrupt_is_held_back(spec, paths, opened, monkeypatch):
    begin, begun_by = decoders.Decoders.begin, []
    monkeypatch.setattr(
        decoders.Decoders, "begin", lambda self, specs: (begun_by.append(self), begin(self, specs))
    )

    def load(of: EncoderSpec):
        with interrupts_held():
            assert opened.wait_for(1)
            signal.raise_signal(signal.SIGINT)
            begun = opened.number
            assert not wait(begun_by[0]._early.values(), PATIENCE).not_done
            assert opened.number <= begun + 1  # what was under way
        raise AssertionError("held back for good")

    with pytest.raises(KeyboardInterrupt):
        embed(paths, [spec], load, None, Settings(workers=2))
    assert not interrupt_waits()


def test_what_needs_torch_waits_for_it(spec, tmp_path):
    folder = tiny_dinov3(tmp_path / "dinov3")
    write_json(
        folder,
        "preprocessor_config.json",
        {"image_processor_type": "DINOv3ViTImageProcessorFast", "size": 32},
    )
    (floats,) = resolve(parse_metrics([f"floats={folder}"], {}), "float32")
    assert preparer_alone(spec) is not None
    assert preparer_alone(floats) is None
