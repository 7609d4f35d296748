"""A forward pass in the precision that its fingerprint names, whatever the program around it has set.

Nearid runs inside other people's programs too. Autocast, TF32 or another default dtype there would change embeddings
under the name of float32, and the cache would keep them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch


@contextmanager
def own_numerics(device: torch.device) -> Iterator[None]:
    """No autocast, full float32 products and torch's own defaults inside the block; all as before after it.

    The precision of products is a setting of the whole process: another thread's products have it too meanwhile.

    Args:
        device: where the block computes.
    """
    with ExitStack() as stack:
        for kind in {"cpu", device.type}:
            if torch.is_autocast_enabled(kind):
                stack.enter_context(torch.autocast(kind, enabled=False))
        if torch.get_default_device().type != "cpu":  # of tensors that name none
            stack.enter_context(torch.device("cpu"))
        stack.enter_context(_float32_by_default())
        stack.enter_context(_full_precision())
        yield


@contextmanager
def _float32_by_default() -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


@contextmanager
def _full_precision() -> Iterator[None]:
    """Float32 products with all their bits: neither TF32 (torch's default in convolutions on CUDA) nor bfloat16."""
    benchmark = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = False  # which times algorithms that round differently
    try:
        with _switches() if hasattr(torch.backends.cudnn, "conv") else _older_switches():
            yield
    finally:
        torch.backends.cudnn.benchmark = benchmark


@contextmanager
def _switches() -> Iterator[None]:
    """The switches of torch since 2.9, one for each library and operation."""
    backends: Any = torch.backends
    libraries = (backends.cudnn, backends.mkldnn)
    switches = [
        backends.cuda.matmul,
        *(getattr(library, name) for library in libraries for name in ("conv", "rnn")),
        backends.mkldnn.matmul,
    ]
    before = [switch.fp32_precision for switch in switches]
    try:
        for switch in switches:
            switch.fp32_precision = "ieee"
        yield
    finally:
        for switch, precision in zip(switches, before, strict=True):
            switch.fp32_precision = "none"  # what is set for all of them
            if switch.fp32_precision != precision:
                switch.fp32_precision = precision


@contextmanager
def _older_switches() -> Iterator[None]:
    matmul, conv = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    try:
        torch.set_float32_matmul_precision("highest")
        torch.backends.cudnn.allow_tf32 = False
        yield
    finally:
        torch.set_float32_matmul_precision(matmul)
        torch.backends.cudnn.allow_tf32 = conv
