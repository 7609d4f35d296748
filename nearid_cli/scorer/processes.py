"""The processes of a program that `torch.distributed` has joined, as `torchrun` and `accelerate launch` do."""

from __future__ import annotations

import sys


def processes() -> int:
    """How many there are; 1 where none were joined."""
    torch = sys.modules.get("torch")  # who has joined processes has imported it
    if torch is None or not torch.distributed.is_available() or not torch.distributed.is_initialized():
        return 1
    number: int = torch.distributed.get_world_size()
    return number


def gathered(state: bytes) -> list[bytes]:
    """What each process has, in the order of their ranks. All of them must ask."""
    import torch

    states: list[bytes] = [b""] * processes()
    torch.distributed.all_gather_object(states, state)
    return states
