"""`auto` is decided without torch, and says the same as torch does here."""

from __future__ import annotations

import subprocess
import sys

import pytest

from nearid_cli.embedding import devices
from nearid_cli.embedding.devices import choose_device, choose_devices, choose_dtype, choose_engine
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
    ("device", "found"),
    [
        ("cpu", ["cpu"]),
        ("cuda", ["cuda"]),
        ("all", ["cuda:0", "cuda:1", "cuda:2"]),
        ("cuda:2, cuda:0", ["cuda:2", "cuda:0"]),
    ],
)
def test_several_gpus(monkeypatch: pytest.MonkeyPatch, device: str, found: list[str]) -> None:
    monkeypatch.setattr(devices, "_gpus", lambda: 3)
    assert choose_devices(device) == tuple(found)


@pytest.mark.parametrize(
    ("device", "says"),
    [
        ("all", "see none"),
        ("cuda:0,cuda:1", "no device cuda:0 here"),
        ("cuda:0,cuda:0", "different GPUs by their numbers"),
        ("cuda:0,cpu", "different GPUs by their numbers"),
        ("cpu,cpu", "different GPUs by their numbers"),
        ("cuda:0,", "different GPUs by their numbers"),
        ("", "device"),
    ],
)
def test_several_that_are_none(monkeypatch: pytest.MonkeyPatch, device: str, says: str) -> None:
    monkeypatch.setattr(devices, "_gpus", lambda: 0)
    with pytest.raises(UsageError, match=says):
        choose_devices(device)


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


@pytest.mark.parametrize(
    ("engine", "device", "dtype", "chosen"),
    [
        ("auto", "cpu", "float32", "auto"),
        ("auto", "cpu", "bfloat16", "auto"),
        ("auto", "cpu", "float16", "torch"),
        ("auto", "cuda", "float32", "torch"),
        ("torch", "cpu", "float32", "torch"),
        ("openvino", "cpu", "bfloat16", "openvino"),
    ],
)
def test_engines(monkeypatch: pytest.MonkeyPatch, engine: str, device: str, dtype: str, chosen: str) -> None:
    monkeypatch.setattr(devices, "_has_openvino", lambda: True)
    monkeypatch.setattr(devices, "_multiplies_bfloat16", lambda: True)
    assert choose_engine(engine, device, dtype) == chosen


@pytest.mark.parametrize(
    ("here", "device", "dtype", "says"),
    [
        (False, "cpu", "float32", 'pip install "nearid-cli[openvino]"; or choose --engine torch'),
        (True, "cuda", "float32", "the device is cuda: --device cpu"),
        (True, "cpu", "float16", "the dtype is float16"),
        (True, "cpu", "bfloat16", "this one does not: --dtype float32"),
    ],
)
def test_openvino_where_it_is_not_to_be_had(
    monkeypatch: pytest.MonkeyPatch, here: bool, device: str, dtype: str, says: str
) -> None:
    monkeypatch.setattr(devices, "_has_openvino", lambda: here)
    monkeypatch.setattr(devices, "_multiplies_bfloat16", lambda: False)
    with pytest.raises(UsageError) as refused:
        choose_engine("openvino", device, dtype)
    assert says in refused.value.message
    assert choose_engine("auto", device, dtype) == "torch"


def test_wrong_names_get_a_hint() -> None:
    with pytest.raises(UsageError, match="did you mean cuda"):
        choose_device("cuba")
    with pytest.raises(UsageError, match="did you mean float16"):
        choose_dtype("flaot16", "cpu")
    with pytest.raises(UsageError, match="did you mean openvino"):
        choose_engine("openvno", "cpu", "float32")
