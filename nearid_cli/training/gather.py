"""Joining the batches of all processes, so that a loss can use every process's pictures as negatives.

Each process then computes the loss of the whole joined batch. That repeats the work on the cosines, which is
next to nothing beside the backbone, and in return the loss, its means over valid slots and its gradients are
those of one process with the joined batch, however unevenly the valid slots are spread.
"""

from __future__ import annotations

from typing import Any, cast

import torch
import torch.distributed as dist
from torch import Tensor


def gather(embeddings: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
    """The rows of all processes, in the order of their ranks; the same tensors without torch.distributed.

    Every process must call it, with as many rows as the others. The gradient of `embeddings` is the sum of
    what the processes' losses give these rows. When all have the same loss L this is the number of processes
    times dL, of which the averaging of DistributedDataParallel makes dL.

    Args:
        embeddings: [B, ...], floating.
        valid: [B, ...], bool; has no gradient.

    Returns:
        Both with P * B rows, P the number of processes.
    """
    if not (dist.is_available() and dist.is_initialized()):
        return embeddings, valid
    joined = cast(Tensor, _Gather.apply(embeddings))  # type: ignore[no-untyped-call]
    # Bytes, because not every backend sends booleans.
    return joined, _join(valid.to(torch.uint8)).bool()


def _join(rows: Tensor) -> Tensor:
    rows = rows.contiguous()
    parts = [torch.empty_like(rows) for _ in range(dist.get_world_size())]
    dist.all_gather(parts, rows)
    return torch.cat(parts)


class _Gather(torch.autograd.Function):
    """What torch.distributed.nn.functional.all_gather did; it is deprecated, and what replaces it is private."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        ctx.rows = len(rows)
        return _join(rows)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        # A copy: all_reduce writes into it, and a gradient may be shared with other nodes of the graph.
        (gradient,) = (each.contiguous().clone() for each in gradients)
        dist.all_reduce(gradient)
        start = dist.get_rank() * ctx.rows
        return gradient[start : start + ctx.rows]
