"""A forward pass in the precision that its fingerprint names, whatever the program around it has set.

Nearid runs inside other people's programs too. Autocast, TF32 or another default dtype there would change embeddings
under the name of float32, and the cache would keep them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch

from nearid_cli.encoders.libraries import out_of_memory
from nearid_cli.errors import ModelError
from nearid_cli.text import printable, said


@contextmanager
def forward_pass(device: torch.device, folder: str | os.PathLike[str]) -> Iterator[None]:
    """`own_numerics` for the forward pass of a checkpoint's model, whose failure is an error for people.

    Args:
        device: where it runs.
        folder: of the checkpoint, for the message.

    Raises:
        RuntimeError: memory ran out.
        ModelError: the pass failed otherwise, as where settings ask for shapes that do not go together.
    """
    try:
        with own_numerics(device):
            yield
    except RuntimeError as error:
        if out_of_memory(error):
            raise
        raise ModelError(f"{printable(folder)}: the model cannot be run: {said(error)[:300]}") from error


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
        stack.callback(torch.set_default_dtype, torch.get_default_dtype())
        torch.set_default_dtype(torch.float32)
        cudnn = torch.backends.cudnn
        stack.callback(setattr, cudnn, "benchmark", cudnn.benchmark)
        cudnn.benchmark = False  # which times algorithms that round differently
        # Float32 products with all their bits: neither TF32 (torch's default in convolutions on CUDA) nor bfloat16.
        if hasattr(cudnn, "conv"):
            _set_switches(stack)
        else:
            stack.callback(torch.set_float32_matmul_precision, torch.get_float32_matmul_precision())
            torch.set_float32_matmul_precision("highest")
            stack.callback(setattr, cudnn, "allow_tf32", cudnn.allow_tf32)
            cudnn.allow_tf32 = False
        yield


def _set_switches(stack: ExitStack) -> None:
    """Set the switches of torch since 2.9, one for each library and operation; the stack sets them back."""
    backends: Any = torch.backends
    libraries = (backends.cudnn, backends.mkldnn)
    switches = [
        backends.cuda.matmul,
        *(getattr(library, name) for library in libraries for name in ("conv", "rnn")),
        backends.mkldnn.matmul,
    ]
    stack.callback(_set_back, [(switch, switch.fp32_precision) for switch in switches])
    for switch in switches:
        switch.fp32_precision = "ieee"


def _set_back(switches: Sequence[tuple[Any, str]]) -> None:
    for switch, precision in switches:
        switch.fp32_precision = "none"  # what is set for all of them
        if switch.fp32_precision != precision:
            switch.fp32_precision = precision
