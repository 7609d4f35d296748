"""The exceptions of nearid, all of which the command line turns into one readable message and exit code 2.

    NearIDError
    ├── UsageError          an option, metric, layout or configuration value is wrong
    │   └── UnknownParameterError  a keyword of the Python API that does not exist; a TypeError too
    ├── InputError          folders, manifests or pictures are not what the job needs
    │   └── BadImagesError  some pictures cannot be read; carries every one of them
    ├── ModelError          a checkpoint is missing, damaged or of an unknown architecture
    ├── CacheError          the embedding cache cannot be used
    ├── MachineError        descriptors, memory or a disk failed for longer than is waited for
    └── TrackingError       a tracker of experiments cannot be logged to, or did not take all of a result

A message says what was expected, what was found and what to do next, on one line. Further
lines of the same problem (every bad file, every missing checkpoint) are its `details`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class NearIDError(Exception):
    """Base of all errors that are the user's to solve.

    Args:
        message: one line for people.
        details: one line for each further finding, most useful first.
    """

    def __init__(self, message: str, details: Sequence[str] = ()) -> None:
        super().__init__("\n  ".join((message, *details)))
        self.message = message
        self.details = tuple(details)

    def __reduce__(self) -> tuple[type[NearIDError], tuple[object, ...]]:
        """How it travels between processes: as what it was made of."""
        return type(self), (self.message, self.details)


class UsageError(NearIDError):
    """An option, metric name, layout or configuration value is wrong."""


class UnknownParameterError(UsageError, TypeError):
    """A function of the Python API has no parameter of this name; a TypeError too, as Python's own would be."""


class InputError(NearIDError):
    """Folders, manifests or pictures are not what the job needs."""


class BadImage(NamedTuple):
    """A picture that cannot be used, and why."""

    path: str
    reason: str


class BadImagesError(InputError):
    """Some pictures cannot be read. Everything readable has been embedded and cached before this is raised."""

    def __init__(self, message: str, bad: Sequence[BadImage]) -> None:
        super().__init__(message, [f"{image.path}: {image.reason}" for image in bad])
        self.bad = tuple(bad)

    def __reduce__(self) -> tuple[type[NearIDError], tuple[object, ...]]:
        """As `NearIDError`."""
        return type(self), (self.message, self.bad)


class ModelError(NearIDError):
    """A checkpoint is missing, damaged or of an unknown architecture."""


class CacheError(NearIDError):
    """The embedding cache cannot be used."""


class MachineError(NearIDError):
    """Descriptors, memory or a disk failed for longer than is waited for. What was done is kept."""


class TrackingError(NearIDError):
    """A tracker of experiments cannot be logged to, or did not take all of a result."""
