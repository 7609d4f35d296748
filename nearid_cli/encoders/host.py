"""What a host program has set, left as it is: nearid runs inside training loops, which must not feel it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import numpy as np


@contextmanager
def host_untouched() -> Iterator[None]:
    """No gradients inside the block, and random numbers go on after it as if it had not been there.

    Those of Python, NumPy and torch, on the CPU and on GPUs that are in use. Making a model draws some, and what a
    plug-in does nobody knows. Precision and autocast are seen to by `own_numerics`, at every forward pass.
    """
    import torch

    with ExitStack() as stack:
        stack.callback(random.setstate, random.getstate())
        stack.callback(np.random.set_state, np.random.get_state())
        in_use = torch.cuda.is_available() and torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
        stack.enter_context(torch.random.fork_rng(devices=range(torch.cuda.device_count()) if in_use else ()))
        stack.enter_context(torch.no_grad())
        yield
