"""What a host program sets for its own products does not reach ours, and is as it was afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nearid_cli.encoders.numerics import own_numerics
from nearid_cli.errors import ModelError
from tests.encoders.test_load import embed, load, opened

Checkpoint = Callable[[str], Path]
PRODUCTS = {
    "CUDA matmul": torch.backends.cuda.matmul,
    "cuDNN conv": torch.backends.cudnn.conv,
    "cuDNN rnn": torch.backends.cudnn.rnn,
    "oneDNN matmul": torch.backends.mkldnn.matmul,
    "oneDNN conv": torch.backends.mkldnn.conv,
    "oneDNN rnn": torch.backends.mkldnn.rnn,
}


def products() -> dict[str, str]:
    return {name: product.fp32_precision for name, product in PRODUCTS.items()}


def state() -> dict[str, Any]:
    try:
        matmul = torch.get_float32_matmul_precision()
    except RuntimeError:  # torch's word for "not one for all"
        matmul = "mixed"
    return products() | {
        "all": torch.backends.fp32_precision,
        "matmul": matmul,
        "benchmark": torch.backends.cudnn.benchmark,
        "dtype": torch.get_default_dtype(),
        "device": torch.get_default_device(),
        "autocast": (torch.is_autocast_enabled("cpu"), torch.get_autocast_dtype("cpu")),
        "grad": torch.is_grad_enabled(),
        "inference": torch.is_inference_mode_enabled(),
        "threads": torch.get_num_threads(),
    }


@contextmanager
def matmul_precision(value: str) -> Iterator[None]:
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(value)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


@contextmanager
def setting(module: Any, name: str, value: object) -> Iterator[None]:
    before = getattr(module, name)
    setattr(module, name, value)
    try:
        yield
    finally:
        setattr(module, name, before)


@contextmanager
def default_dtype(value: torch.dtype) -> Iterator[None]:
    torch.set_default_dtype(value)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


@contextmanager
def default_device(value: str) -> Iterator[None]:
    torch.set_default_device(value)
    try:
        yield
    finally:
        torch.set_default_device(None)


@contextmanager
def threads(number: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


HOSTS: dict[str, Callable[[], Any]] = {
    "nothing": nullcontext,
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
    "autocast float16": lambda: torch.autocast("cpu", torch.float16),
    "matmul medium": lambda: matmul_precision("medium"),
    "matmul high": lambda: matmul_precision("high"),
    "tf32 everywhere": lambda: setting(torch.backends, "fp32_precision", "tf32"),
    "bf16 on the CPU": lambda: setting(torch.backends.mkldnn.matmul, "fp32_precision", "bf16"),
    "tf32 convolutions": lambda: setting(torch.backends.cudnn.conv, "fp32_precision", "tf32"),
    "float64": lambda: default_dtype(torch.float64),
    "bfloat16": lambda: default_dtype(torch.bfloat16),
    "meta device": lambda: default_device("meta"),
    "inference": torch.inference_mode,
    "grad": torch.enable_grad,
    "benchmark": lambda: setting(torch.backends.cudnn, "benchmark", True),
    "one thread": lambda: threads(1),
    "three threads": lambda: threads(3),
}


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("name", ["nearid", "dinov3"])
def test_a_hosts_settings_change_no_bit_and_stay_as_they_are(
    checkpoint: Checkpoint, photos: list[Path], host: str, name: str
) -> None:
    folder, images = checkpoint(name), opened(photos)
    encoder = load(folder)
    expected = embed(encoder, images)
    with HOSTS[host]():
        before = state()
        rows = embed(encoder, images)
        assert state() == before
        loaded_inside = embed(load(folder), images)
        assert state() == before
    np.testing.assert_array_equal(rows, expected)
    np.testing.assert_array_equal(loaded_inside, expected)


@pytest.mark.parametrize(("light", "inside"), [(None, 1), (0, 3)])
def test_a_light_pass_is_left_to_one_thread(
    checkpoint: Checkpoint,
    photos: list[Path],
    monkeypatch: pytest.MonkeyPatch,
    light: int | None,
    inside: int,
) -> None:
    if light is not None:
        monkeypatch.setattr("nearid_cli.encoders.torch_encoder._LIGHT", light)
    encoder, images = load(checkpoint("nearid")), opened(photos)[:1]
    seen = []

    def fails(*_: object) -> None:
        seen.append(torch.get_num_threads())
        raise RuntimeError("no")

    with threads(3):
        encoder._model.register_forward_pre_hook(fails)  # type: ignore[attr-defined]
        with pytest.raises(ModelError, match="cannot be run: RuntimeError: no"):
            embed(encoder, images)
        assert torch.get_num_threads() == 3
    assert seen == [inside]


def test_autocast_would_have_changed_them() -> None:
    # Or the test above says nothing.
    left, right = torch.rand(4, 64), torch.rand(64, 4)
    exact = left @ right
    with torch.autocast("cpu", torch.bfloat16):
        assert not torch.equal((left @ right).float(), exact)
        with own_numerics(torch.device("cpu")):
            assert torch.equal(left @ right, exact)


@pytest.mark.parametrize("host", HOSTS)
def test_products_are_whole_float32_inside(host: str) -> None:
    with HOSTS[host](), own_numerics(torch.device("cuda")):
        assert set(products().values()) == {"ieee"}
        assert not torch.is_autocast_enabled("cpu")
        assert (torch.get_default_dtype(), torch.get_default_device().type) == (torch.float32, "cpu")
        assert torch.backends.cudnn.benchmark is False


def test_an_error_inside_restores_all() -> None:
    with matmul_precision("medium"), default_dtype(torch.float64):
        before = state()
        with pytest.raises(ZeroDivisionError), own_numerics(torch.device("cpu")):
            1 / 0  # noqa: B018
        assert state() == before
