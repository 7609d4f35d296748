"""Choosing the device, the dtype and the engine without importing torch or OpenVINO.

Dtype and engine are part of every embedding's fingerprint, so a warm run must know what `auto`
means before it can look into the cache, and importing torch to ask would cost seconds.
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
from nearid_cli.flags import DEVICES, DTYPES, ENGINES
from nearid_cli.text import count, shown, unknown


def choose_device(device: str) -> str:
    """What `--device` means here: `cpu`, `cuda` (or `cuda:N`) or `mps`.

    Raises:
        UsageError: not a device, or none that this machine has. Checked although a run whose embeddings are
            all cached would not need it: the result says that it was made there.
    """
    if device == "auto":
        if _gpus():
            return "cuda"
        return "mps" if _is_apple() else "cpu"
    if not re.fullmatch(r"cpu|mps|cuda(:\d+)?", device):
        raise UsageError(f"{unknown('device', device, DEVICES)} (auto, cpu, cuda, cuda:N, mps, all)")
    if device.startswith("cuda") and int(device.partition(":")[2] or 0) >= (gpus := _gpus()):
        raise UsageError(
            f"no device {device} here: torch and the driver see {count(gpus, 'CUDA GPU')}; "
            "choose --device cpu, or see `nearid doctor`"
        )
    if device == "mps" and not _is_apple():
        raise UsageError("no device mps here: it needs an Apple processor; choose --device cpu")
    return device


def choose_devices(device: str) -> tuple[str, ...]:
    """The same where several GPUs may be named, as `cuda:0,cuda:1`, or `all` of this machine. The first has all else.

    Raises:
        UsageError: as `choose_device`; or what is no list of different GPUs.
    """
    if device == "all":
        if gpus := _gpus():
            return tuple(f"cuda:{number}" for number in range(gpus))
        raise UsageError(
            "--device all is every CUDA GPU of this machine, and torch and the driver see none; choose --device cpu, "
            "or see `nearid doctor`"
        )
    names = [name.strip() for name in device.split(",")]
    if len(names) > 1 and (
        len(set(names)) < len(names) or not all(re.fullmatch(r"cuda:\d+", name) for name in names)
    ):
        raise UsageError(
            f"several devices are different GPUs by their numbers, as in --device cuda:0,cuda:1; found {shown(device)}"
        )
    return tuple(choose_device(name) for name in names)


def choose_device_of_cluster(device: str) -> str:
    """What `--device` means on the nodes of a cluster, which need not have what this machine has: `cpu` or `cuda`.

    Raises:
        UsageError: neither.
    """
    if device == "auto":
        return "cuda" if _gpus() else "cpu"
    if device not in ("cpu", "cuda"):
        raise UsageError(
            f"--engine ray takes --device auto, cpu or cuda, found {shown(device)}: Ray says which GPU is whose"
        )
    return device


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


def choose_engine(engine: str, device: str, dtype: str) -> str:
    """What `--engine` means for a device and a dtype.

    Returns:
        `torch` or `openvino`; `auto` for OpenVINO with the checkpoints that it runs, and torch with the others.

    Raises:
        UsageError: not an engine, or OpenVINO where it cannot be had.
    """
    if engine not in ENGINES:
        raise UsageError(unknown("engine", engine, ENGINES))
    if engine == "ray" and not _has_ray():
        raise UsageError('--engine ray needs Ray: pip install "nearid-cli[ray]"')
    if engine in ("torch", "ray"):
        return "torch"
    lack = _lack_of_openvino(device, dtype)
    if lack and engine == "openvino":
        raise UsageError(f"--engine openvino {lack}; or choose --engine torch")
    return "torch" if lack else engine


def _lack_of_openvino(device: str, dtype: str) -> str | None:
    """Why OpenVINO is not to be had for this, and what to do; None where it is."""
    if device != "cpu":
        return f"runs on CPUs, and the device is {device}: --device cpu"
    if dtype == "float16":
        return "computes in float32 or bfloat16 on CPUs, and the dtype is float16"
    if not _has_openvino():
        return 'needs OpenVINO: pip install "nearid-cli[openvino]"'
    if dtype == "bfloat16" and not _multiplies_bfloat16():
        return (
            "computes in bfloat16 on processors that multiply it only, and this one does not: --dtype float32"
        )
    return None


def _has_ray() -> bool:
    return importlib.util.find_spec("ray") is not None


def _has_openvino() -> bool:
    return importlib.util.find_spec("openvino") is not None


def _multiplies_bfloat16() -> bool:
    """Whether the processor has instructions for bfloat16, as far as the system tells without OpenVINO: Linux does."""
    try:
        said = Path("/proc/cpuinfo").read_text()
    except OSError:
        return False
    return bool(re.search(r"^(flags|Features)\b.*\b(avx512_bf16|amx_bf16|bf16)\b", said, re.MULTILINE))


def _is_apple() -> bool:
    return sys.platform == "darwin" and platform.machine() == "arm64"


def _gpus() -> int:
    """How many GPUs the installed torch can use, from its version file and the CUDA driver."""
    spec = importlib.util.find_spec("torch")
    if spec is None or spec.origin is None:
        return 0
    version = Path(spec.origin).with_name("version.py").read_text()
    if re.search(r"^hip\b.*=\s*['\"]", version, re.MULTILINE):
        import torch  # AMD's build answers to the name cuda, and has no driver that is as easily asked

        return torch.cuda.device_count()
    return _driver_gpus() if re.search(r"^cuda\b.*=\s*['\"]", version, re.MULTILINE) else 0


def _driver_gpus() -> int:
    """How many GPUs the CUDA driver shows. Respects CUDA_VISIBLE_DEVICES, as torch does."""
    if os.environ.get("CUDA_VISIBLE_DEVICES") in {"", "-1"}:
        return 0
    try:
        driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return 0
    found = ctypes.c_int(0)
    answered = driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(found)) == 0
    return found.value if answered else 0
