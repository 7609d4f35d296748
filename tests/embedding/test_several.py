"""Several devices: a process for each, one cache, and the numbers of one device, whatever befalls the processes."""

from __future__ import annotations

import functools
import json
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from nearid_cli.embedding.cache import Cache
from nearid_cli.embedding.pipeline import Embedded, embed
from nearid_cli.embedding.settings import Settings
from nearid_cli.encoders.checkpoints import resolve
from nearid_cli.encoders.load import load_encoder
from nearid_cli.encoders.registry import parse_metrics
from nearid_cli.encoders.spec import EncoderSpec
from nearid_cli.errors import ModelError, NearIDError
from nearid_cli.evaluate import embedding
from nearid_cli.plugins import EmbeddingMetric
from tests.commandline import Nearid, cached_digests
from tests.test_workers import alive, linux, wait_until
from tests.tiny import tiny_siglip

from .conftest import GridEncoder, make_spec

TWO = ("cpu", "cpu:1")
SPEC = make_spec()
Save = Callable[..., Path]


class Told(GridEncoder):
    """Notes which process it is in, and does something else than embed on the second device."""

    what, device, folder = "", "", Path()

    def embed(self, batch: Sequence[np.ndarray]) -> np.ndarray:
        rows = super().embed(batch)
        if self.device == TWO[1] and len(self.batches) == 2:
            if self.what == "die":
                os.kill(os.getpid(), signal.SIGKILL)
            if self.what == "nan":
                rows[0] = np.nan
        if self.what == "stall":
            (self.folder / f"stalled {os.getpid()}").touch()
            threading.Event().wait()
        return rows


def told(what: str, folder: Path, spec: EncoderSpec, device: str) -> GridEncoder:
    """Load an encoder in the process of a device."""
    if what == "refuse":
        raise ModelError("it is none", ["a weight is missing"])
    logging.getLogger("nearid_cli.test").warning("loading")
    (folder / f"loaded {device}").touch()
    encoder = Told(spec)
    encoder.what, encoder.device, encoder.folder = what, device, folder
    return encoder


def run(
    paths: Sequence[Path], cache: Cache | None, what: str = "work", devices: tuple[str, ...] = TWO
) -> Embedded:
    folder = cache.folder.parent if cache else Path()
    settings = Settings(devices=devices, batch_size=2, workers=2)
    return embed(
        paths, [SPEC], lambda _: GridEncoder(), cache, settings, functools.partial(told, what, folder)
    )


def rows(embedded: Embedded) -> np.ndarray:
    return embedded.matrix(SPEC.name, [digest for digest in embedded.digests if digest])[:]


@pytest.fixture
def pictures(save: Save, tmp_path: Path) -> list[Path]:
    """Nine pictures: seven good ones, one of which has its grey in 16 bits, and two that are none."""
    paths = [save(f"pictures/{index}.png", crop=index * 4) for index in range(6)]
    deep = tmp_path / "pictures/deep.png"
    Image.fromarray(np.arange(9216, dtype=np.uint16).reshape(96, 96) * 7).save(deep)
    bad = [tmp_path / "pictures" / name for name in ("text.png", "cut.png")]
    bad[0].write_text("not a picture")
    bad[1].write_bytes(paths[0].read_bytes()[:2000])
    return [*paths[:2], bad[0], *paths[2:], deep, bad[1]]


def test_the_numbers_are_those_of_one_device(
    pictures: list[Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    one = run(pictures, None, devices=("cpu",))
    said = caplog.messages
    caplog.clear()
    cache = Cache(tmp_path / "cache")
    two = run(pictures, cache)
    assert {path.name for path in tmp_path.glob("loaded *")} == {f"loaded {device}" for device in TWO}
    assert (two.digests, two.bad) == (one.digests, one.bad)
    assert len(two.bad) == 2
    assert np.array_equal(rows(two), rows(one))
    assert caplog.messages == ["loading", *said]  # each process says it
    assert len(said) == 1  # of the levels that are scaled
    warm = embed(
        pictures, [SPEC], lambda _: pytest.fail("loaded"), cache, Settings(devices=TWO, batch_size=2)
    )
    assert np.array_equal(rows(warm), rows(one))


def test_few_pictures_are_one_process_work(pictures: list[Path], tmp_path: Path) -> None:
    assert len(rows(run(pictures[:2], Cache(tmp_path / "cache")))) == 2
    assert not list(tmp_path.glob("loaded *"))


def test_a_process_that_dies_loses_nothing_that_came(
    pictures: list[Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cache = Cache(tmp_path / "cache")
    with pytest.raises(NearIDError, match=r"^the process of cpu:1 died \(signal 9\)"):
        run(pictures, cache, "die")
    assert "the process of cpu:1 ended early" in caplog.text
    # All of the first share, and of the second what came before: its first batch.
    assert len(cached_digests(cache, SPEC)) == 6
    whole = run(pictures, Cache(cache.folder))
    assert np.array_equal(rows(whole), rows(run(pictures, None, devices=("cpu",))))


def test_what_is_not_finite_is_named_and_the_rest_is_kept(pictures: list[Path], tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    with pytest.raises(ModelError, match="not finite") as caught:
        run(pictures, cache, "nan")
    assert len(caught.value.details) == 1
    assert len(cached_digests(cache, SPEC)) == 6


def test_a_checkpoint_that_cannot_be_loaded_is_one_error(pictures: list[Path]) -> None:
    with pytest.raises(ModelError) as caught:
        run(pictures, None, "refuse")
    assert (caught.value.message, caught.value.details) == ("it is none", ("a weight is missing",))


def test_a_plug_in_that_does_not_travel_is_refused(pictures: list[Path]) -> None:
    class Local(EmbeddingMetric):
        def embed(self, image: Image.Image) -> np.ndarray:
            return np.ones(4, np.float32)

    local = Local()
    spec = EncoderSpec("mine", "", None, None, "none", "float32", "none", "e" * 64, plugin=local)
    settings = Settings(devices=TWO, batch_size=1)
    with pytest.raises(ModelError, match=r'"mine" cannot be used on several devices.*choose one --device'):
        embed(pictures, [spec], lambda _: GridEncoder(), None, settings, functools.partial(told, "", Path()))


_SCRIPT = """
import functools, os, sys
from pathlib import Path
with open("ran", "a") as file:
    print(os.getpid(), file=file)
from nearid_cli.embedding.cache import Cache
from nearid_cli.embedding.pipeline import embed
from nearid_cli.embedding.settings import Settings
from tests.embedding.test_several import SPEC, TWO, told
load = functools.partial(told, "stall", Path())
embed(sorted(Path("pictures").glob("[0-9].png")), [SPEC], print, None, Settings(devices=TWO, batch_size=2), load)
"""


@linux
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL])
def test_no_process_is_left_when_the_run_ends(pictures: list[Path], tmp_path: Path, sent: int) -> None:
    """Of a script, which runs once, though it does nothing to tell its processes from itself."""
    (tmp_path / "script.py").write_text(_SCRIPT)
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    parent = subprocess.Popen(
        [sys.executable, "script.py"], cwd=tmp_path, stderr=subprocess.PIPE, text=True, env=environment
    )
    wait_until(lambda: len(list(tmp_path.glob("stalled *"))) == 2 or parent.poll() is not None)
    crew = [int(path.name.split()[1]) for path in tmp_path.glob("stalled *")]
    assert all(map(alive, crew))
    parent.send_signal(sent)
    told = parent.communicate(timeout=120)[1]
    assert parent.returncode == -sent
    wait_until(lambda: not any(map(alive, crew)))
    assert (tmp_path / "ran").read_text() == f"{parent.pid}\n"
    assert told.count("Traceback") == (sent == signal.SIGINT)


def test_the_command_gives_the_same_result(
    nearid: Nearid, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    score = ("score", "refs", "gens", "-m", "hog", "--batch-size", "4", "--workers", "1", "--format", "json")
    one = nearid(*score, "--cache", "one")
    assert one.code == 0
    monkeypatch.setattr(embedding, "choose_devices", lambda _: TWO)
    two = nearid(*score, "--cache", "two")
    assert (two.code, two.err) == (0, one.err)

    def numbers(text: str) -> Any:
        return {name: value for name, value in json.loads(text).items() if name != "created"}

    assert numbers(two.out) == numbers(one.out)


@pytest.mark.torture
def test_a_checkpoint_on_two_devices(pictures: list[Path], tmp_path: Path) -> None:
    folder = tiny_siglip(tmp_path / "siglip")
    (spec,) = resolve(parse_metrics([f"x={folder}"]), "float32")
    load_on = functools.partial(load_encoder, cache=tmp_path)
    one, two = (
        embed(
            pictures,
            [spec],
            load_encoder,
            None,
            Settings(devices=devices, batch_size=2, workers=2),
            load_on,
        )
        for devices in (("cpu",), ("cpu", "cpu"))
    )
    digests = [digest for digest in one.digests if digest]
    assert (two.digests, two.bad) == (one.digests, one.bad)
    assert np.array_equal(two.matrix("x", digests)[:], one.matrix("x", digests)[:])
