"""Choosing the device and the dtype without importing torch.

The dtype is part of every embedding's fingerprint, so a warm run must know what `auto` means
before it can look into the cache, and importing torch to ask would cost seconds.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import platform
import re
import sys
from pathlib import Path

from nearid_cli.errors import UsageError
from nearid_cli.text import unknown

DEVICES = ("auto", "cpu", "cuda", "mps")
DTYPES = ("auto", "float32", "float16", "bfloat16")


def choose_device(device: str) -> str:
    """What `--device` means here: `cpu`, `cuda` (or `cuda:N`) or `mps`.

    Raises:
        UsageError: not a device.
    """
    if re.fullmatch(r"cuda:\d+", device) or (device in DEVICES and device != "auto"):
        return device
    if device != "auto":
        raise UsageError(f"{unknown('device', device, DEVICES)} (auto, cpu, cuda, cuda:N, mps)")
    if _torch_has_cuda() and _driver_has_gpu():
        return "cuda"
    return "mps" if sys.platform == "darwin" and platform.machine() == "arm64" else "cpu"


def choose_dtype(dtype: str, device: str) -> str:
    """What `--dtype` means on `device`: `auto` is float16 on CUDA and float32 elsewhere.

    Raises:
        UsageError: not a dtype.
    """
    if dtype not in DTYPES:
        raise UsageError(unknown("dtype", dtype, DTYPES))
    if dtype != "auto":
        return dtype
    return "float16" if device.startswith("cuda") else "float32"


def _torch_has_cuda() -> bool:
    """Whether the installed torch was built for CUDA, from its version file."""
    spec = importlib.util.find_spec("torch")
    if spec is None or spec.origin is None:
        return False
    version = Path(spec.origin).with_name("version.py").read_text()
    return re.search(r"^cuda\b.*=\s*['\"]", version, re.MULTILINE) is not None


def _driver_has_gpu() -> bool:
    """Whether the CUDA driver sees a GPU. Respects CUDA_VISIBLE_DEVICES, as torch does."""
    if os.environ.get("CUDA_VISIBLE_DEVICES") in {"", "-1"}:
        return False
    try:
        driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return False
    found = ctypes.c_int(0)
    return driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(found)) == 0 and found.value > 0
