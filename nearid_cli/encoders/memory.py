"""Telling that memory ran out, in whichever words torch, its backends or NumPy say it."""

from __future__ import annotations

# CUDA and MPS, the allocators of Linux and of Windows, cuBLAS, C++.
_WORDS = (
    "out of memory",
    "can't allocate memory",
    "not enough memory",
    "failed to allocate",
    "alloc_failed",
    "bad_alloc",
)


def out_of_memory(error: BaseException) -> bool:
    """Whether an exception says that memory ran out.

    >>> out_of_memory(RuntimeError("[enforce fail at alloc_cpu.cpp:118] DefaultCPUAllocator: can't allocate memory"))
    True
    >>> out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    False
    """
    text = str(error).lower()
    return isinstance(error, MemoryError) or any(words in text for words in _WORDS)
