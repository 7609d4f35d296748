"""Embedding plug-ins: what they are known by, what they may give, and how their failures read."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from nearid_cli.encoders.load import load_encoder
from nearid_cli.encoders.plugged import plugin_fingerprint, spec_of
from nearid_cli.encoders.spec import EncoderSpec
from nearid_cli.errors import ModelError, UsageError
from nearid_cli.plugins import EmbeddingMetric

BLACK = Image.new("RGB", (4, 4))


class MeanColour(EmbeddingMetric):
    version = "mean-colour/1"
    protocol = "cosine of mean colours"
    preprocessing = "none"

    def __init__(self, gives: Any = None, weights: str = "") -> None:
        self.gives = gives

    def embed(self, batch: Sequence[npt.NDArray[np.generic]]) -> npt.ArrayLike:
        if isinstance(self.gives, Exception):
            raise self.gives
        if callable(self.gives):
            return self.gives(len(batch))  # type: ignore[no-any-return]
        return [pixels.mean(axis=(0, 1)).tolist() for pixels in batch]


class Unloadable(MeanColour):
    def load(self, device: str) -> None:
        raise self.gives


class Unprepared(MeanColour):
    def prepare(self, image: Image.Image) -> npt.NDArray[np.generic] | None:
        raise self.gives


def embed(metric: EmbeddingMetric, number: int = 2) -> npt.NDArray[np.float32]:
    return load_encoder(spec_of("mine", metric)).embed([np.full((4, 4, 3), 7, np.uint8)] * number)


def load_and_use(metric: EmbeddingMetric) -> None:
    encoder = load_encoder(spec_of("mine", metric))
    prepared = encoder.prepare(BLACK)
    assert prepared is not None
    encoder.embed([prepared])


def fingerprint(**settings: Any) -> str:
    return plugin_fingerprint("mine", MeanColour(), settings)


def test_rows_are_float32_of_length_1() -> None:
    picture = np.zeros((4, 4, 3), np.uint8)
    picture[..., 0], picture[..., 1] = 3, 4
    encoder = load_encoder(spec_of("mine", MeanColour()))
    assert encoder.prepare(BLACK) is not None
    rows = encoder.embed([picture])
    assert rows.dtype == np.float32
    np.testing.assert_allclose(rows, [[0.6, 0.8, 0.0]], rtol=1e-7)


@pytest.mark.parametrize("scale", [1e-300, 1e300])
def test_the_largest_and_the_smallest_numbers_have_a_length(scale: float) -> None:
    rows = embed(MeanColour(lambda n: np.array([[3.0, 4.0]] * n) * scale))
    np.testing.assert_allclose(rows, [[0.6, 0.8]] * 2, rtol=1e-6)


@pytest.mark.parametrize("row", [[0.0, 0.0], [np.nan, 1.0], [np.inf, 1.0]])
def test_a_row_without_a_direction_is_nan_for_the_pipeline_to_name(row: list[float]) -> None:
    assert np.isnan(embed(MeanColour(lambda n: [row] * n))).any(axis=1).all()


@pytest.mark.parametrize(
    ("gives", "found"),
    [
        (lambda n: np.ones((n + 1, 3)), "ndarray of shape [3, 3] and dtype float64"),
        (lambda n: np.ones(n), "ndarray of shape [2] and dtype float64"),
        (lambda n: np.ones((n, 0)), "ndarray of shape [2, 0] and dtype float64"),
        (lambda n: np.ones((n, 3, 1), np.float32), "ndarray of shape [2, 3, 1] and dtype float32"),
        (lambda n: np.ones((n, 3), complex), "ndarray of shape [2, 3] and dtype complex128"),
        (lambda n: [["a", "b"]] * n, "list of shape [2, 2] and dtype <U1"),
        (lambda n: None, "NoneType of shape [] and dtype object"),
    ],
)
def test_what_is_no_array_of_rows_is_one_line(gives: Any, found: str) -> None:
    with pytest.raises(ModelError) as caught:
        embed(MeanColour(gives))
    assert str(caught.value) == (
        'metric "mine": expected an array of numbers [2, D] from tests.encoders.test_plugged:MeanColour.embed, '
        f"found {found}"
    )


def test_another_length_than_before_is_refused() -> None:
    encoder = load_encoder(spec_of("mine", MeanColour(lambda n: np.ones((n, n)))))
    encoder.embed([np.zeros(1)] * 2)
    with pytest.raises(ModelError, match=r"expected \[3, 2\] as before .* found ndarray of shape \[3, 3\]"):
        encoder.embed([np.zeros(1)] * 3)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError("no\n  luck"), "embed failed: ValueError: no luck"),
        (KeyError(), "embed failed: KeyError"),
        (RuntimeError("x" * 1000), "embed failed: RuntimeError: " + "x" * 286 + "..."),
        (
            ModuleNotFoundError("No module named 'lpips'", name="lpips"),
            "embed needs the package lpips, which is not installed",
        ),
        (ValueError("\x1b[31mred"), r"embed failed: ValueError: \x1b[31mred"),
    ],
)
def test_what_embed_raises_is_one_line_with_its_cause(error: Exception, said: str) -> None:
    with pytest.raises(ModelError) as caught:
        embed(MeanColour(error))
    assert str(caught.value) == f'metric "mine": tests.encoders.test_plugged:MeanColour.{said}'
    assert caught.value.__cause__ is error


def test_ragged_rows_are_one_line() -> None:
    with pytest.raises(ModelError, match=r"MeanColour.embed failed: ValueError: .*inhomogeneous"):
        embed(MeanColour(lambda n: [[1.0], [1.0, 2.0]]))


def test_out_of_memory_is_left_to_whoever_can_take_fewer() -> None:
    with pytest.raises(RuntimeError, match=r"^CUDA out of memory"):
        embed(MeanColour(RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")))


@pytest.mark.parametrize("kind", [Unloadable, Unprepared])
def test_what_load_and_prepare_raise_is_one_line_with_its_cause(kind: type[MeanColour]) -> None:
    error = ImportError("cannot import name x")
    step = "load" if kind is Unloadable else "prepare"
    with pytest.raises(
        ModelError, match=rf'^metric "mine": .*{kind.__name__}.{step} failed: ImportError: cannot'
    ) as caught:
        load_and_use(kind(error))
    assert caught.value.__cause__ is error


@pytest.mark.parametrize("kind", [Unloadable, Unprepared, MeanColour])
def test_an_error_for_people_stays_as_it_is(kind: type[MeanColour]) -> None:
    error = ModelError("fetch it first")
    with pytest.raises(ModelError) as caught:
        load_and_use(kind(error))
    assert caught.value is error


def test_the_device_is_handed_on() -> None:
    class Remembering(MeanColour):
        def load(self, device: str) -> None:
            self.device = device

    metric = Remembering()
    load_encoder(spec_of("mine", metric), "cuda:1")
    assert metric.device == "cuda:1"


def test_what_decides_the_numbers_is_in_the_fingerprint() -> None:
    class Other(MeanColour):
        pass

    first = plugin_fingerprint("mine", MeanColour())
    assert first == plugin_fingerprint("another name", MeanColour())
    found = {first, plugin_fingerprint("mine", Other()), fingerprint(layers=2), fingerprint(layers=3)}
    for name in ("version", "checkpoint", "revision", "preprocessing", "dtype"):
        metric = MeanColour()
        setattr(metric, name, "changed")
        found.add(plugin_fingerprint("mine", metric))
    assert len(found) == 9
    assert fingerprint(a=1, b=2) == fingerprint(b=2, a=1)


def test_a_file_or_folder_that_a_setting_names_counts_with_its_content(tmp_path: Path) -> None:
    weights = tmp_path / "model" / "weights.pt"
    weights.parent.mkdir()
    found = set()
    for content in (b"one", b"two"):
        weights.write_bytes(content)
        found |= {
            fingerprint(weights=str(weights)),
            fingerprint(weights=str(weights.parent)),
            fingerprint(several={"of": [weights]}),
        }
    assert len(found) == 6
    assert fingerprint(weights=str(weights)) == fingerprint(weights=str(weights))


@pytest.mark.parametrize("text", ["~nobody-here/x", "x" * 5000, "nul\0byte", ""])
def test_a_text_that_is_no_path_is_a_setting_like_any_other(text: str) -> None:
    assert fingerprint(prompt=text) != fingerprint(prompt="other")


def test_a_plugin_must_have_a_version() -> None:
    class Nameless(EmbeddingMetric):
        protocol = "anything"

        def embed(self, batch: Sequence[npt.NDArray[np.generic]]) -> npt.ArrayLike:
            return np.ones((len(batch), 1))

    with pytest.raises(UsageError, match=r'metric "mine": .*Nameless has no version'):
        spec_of("mine", Nameless())


def test_the_spec_says_what_the_plugin_says() -> None:
    metric = MeanColour()
    metric.checkpoint, metric.revision, metric.absent = "someone/colours", "abc", "no colour"
    spec = spec_of("mine", metric)
    assert spec == EncoderSpec(
        "mine",
        "someone/colours",
        None,
        "abc",
        "embedding",
        "float32",
        "none",
        spec.fingerprint,
        absent="no colour",
    )
    assert hash(spec) == hash(spec_of("mine", metric))
    metric.absent = ""
    assert spec_of("mine", metric).absent == "nothing to embed"


def test_nothing_heavy_is_imported() -> None:
    code = (
        "import sys, numpy as np, tests.encoders.test_plugged as t\n"
        "before = set(sys.modules)\n"
        "t.embed(t.MeanColour())\n"
        "print([name for name in ('torch', 'transformers') if name in set(sys.modules) - before])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
