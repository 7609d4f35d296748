"""Keeping the libraries' own log lines, warnings and progress bars off the user's terminal.

What transformers and huggingface_hub would say there (a load report, "install torchvision", a bar
per file) is either an error of ours with a better message, or nothing the user can act on.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

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
