"""Living with torch, transformers and huggingface_hub: their noise, a torchvision that does not fit, memory.

What they would say on the user's terminal (a load report, "install torchvision", a bar per file) is either an error of
ours with a better message, or nothing the user can act on.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from nearid_cli.text import printable


def torchvision_problem() -> str | None:
    """Why the installed torchvision cannot be imported, with the remedy; None if it can, or if there is none."""
    try:
        if importlib.util.find_spec("torchvision") is None:
            return None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            importlib.import_module("torchvision")
    except Exception as error:  # whatever a package says that was built for another torch
        needs = _torch_it_needs()
        return (
            f"torchvision {_version('torchvision')} does not go with torch {_version('torch')}"
            f"{f', it asks for torch {needs}' if needs else ''} "
            f"({printable(' '.join(str(error).split())[:120])}), and transformers cannot be imported beside it: "
            "pip install --upgrade torch torchvision, or pip uninstall torchvision, which nearid does without"
        )
    return None


def _torch_it_needs() -> str | None:
    """The version of torch that the installed torchvision asks for."""
    from importlib import metadata

    try:
        requirements = metadata.requires("torchvision") or []
    except metadata.PackageNotFoundError:
        return None
    found = (re.match(r"torch\s*\(?([<>=!~][^);]*)", requirement) for requirement in requirements)
    return next((match[1].strip() for match in found if match), None)


def _version(package: str) -> str:
    from importlib import metadata

    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "of unknown version"


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


_LIBRARIES = ("transformers", "huggingface_hub", "httpx", "httpx2", "filelock")
_SILENT = logging.CRITICAL + 1


@contextmanager
def quiet_hub() -> Iterator[None]:
    """Silence warnings and log lines of these libraries inside the block, and restore them after it."""
    loggers = [logging.getLogger(name) for name in _LIBRARIES]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            for logger in loggers:
                logger.setLevel(_SILENT)
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """`quiet_hub`, and transformers' progress bars too. Imports transformers."""
    # Imported first: a library sets its logger's level when it is imported.
    from transformers.utils import logging as transformers_logging

    with quiet_hub():
        bars = transformers_logging.is_progress_bar_enabled()
        transformers_logging.disable_progress_bar()
        try:
            yield
        finally:
            if bars:
                transformers_logging.enable_progress_bar()
