"""What a disk that takes no more says, in one line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nearid_cli.errors import InputError
from nearid_cli.text import printable


@contextmanager
def disk_errors(place: Path) -> Iterator[None]:
    """Turn what Python, torch and safetensors raise when they cannot write into one message.

    Args:
        place: what is being written.

    Raises:
        InputError: it could not be.
    """
    from safetensors import SafetensorError

    try:
        yield
    except (OSError, SafetensorError, RuntimeError) as error:  # RuntimeError is torch.save's
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise InputError(
            f"cannot write {printable(place)}: {' '.join(reason.split()).lower()}; earlier checkpoints are whole: "
            f"make room and go on with --resume"
        ) from error
