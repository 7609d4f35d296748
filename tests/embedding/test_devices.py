"""`auto` is decided without torch, and says the same as torch does here."""

from __future__ import annotations

import subprocess
import sys

import pytest

from nearid_cli.embedding import devices
from nearid_cli.embedding.devices import choose_device, choose_dtype
from nearid_cli.errors import UsageError


def test_auto_agrees_with_torch() -> None:
    program = (
        "import sys; from nearid_cli.embedding.devices import choose_device; found = choose_device('auto');"
        "assert 'torch' not in sys.modules; import torch; print(found.startswith('cuda') == torch.cuda.is_available())"
    )
    assert subprocess.check_output([sys.executable, "-c", program], text=True) == "True\n"


@pytest.mark.parametrize(("device", "gpus"), [("cpu", 0), ("cuda", 1), ("cuda:1", 2)])
def test_named_devices_stay(monkeypatch: pytest.MonkeyPatch, device: str, gpus: int) -> None:
    monkeypatch.setattr(devices, "_gpus", lambda: gpus)
    assert choose_device(device) == device


@pytest.mark.parametrize(
    ("device", "gpus", "found"),
    [("cuda", 0, "0 CUDA GPUs"), ("cuda:1", 1, "1 CUDA GPU;"), ("mps", 1, "Apple")],
)
def test_devices_that_are_not_here_are_refused(
    monkeypatch: pytest.MonkeyPatch, device: str, gpus: int, found: str
) -> None:
    monkeypatch.setattr(devices, "_gpus", lambda: gpus)
    monkeypatch.setattr(devices, "_is_apple", lambda: False)
    with pytest.raises(UsageError, match=f"no device {device} here.*{found}"):
        choose_device(device)


@pytest.mark.parametrize(
    ("dtype", "device", "chosen"),
    [
        ("auto", "cpu", "float32"),
        ("auto", "mps", "float32"),
        ("auto", "cuda:1", "float16"),
        ("bfloat16", "cpu", "bfloat16"),
    ],
)
def test_dtypes(dtype: str, device: str, chosen: str) -> None:
    assert choose_dtype(dtype, device) == chosen


def test_wrong_names_get_a_hint() -> None:
    with pytest.raises(UsageError, match="did you mean cuda"):
        choose_device("cuba")
    with pytest.raises(UsageError, match="did you mean float16"):
        choose_dtype("flaot16", "cpu")
