"""Files: writing them whole or not at all, and their digests."""

from __future__ import annotations

import os
import uuid
from pathlib import Path


def write_whole(path: Path, content: bytes | memoryview) -> None:
    """Write bytes aside, flush them to the disk and rename them into place.

    Raises:
        OSError: the disk would not take it. Nothing is left behind, then or after an interrupt, and an
            older file stays as it was.
    """
    # A short name: the file's own may be as long as the file system allows.
    aside = path.with_name(f".{uuid.uuid4().hex}.tmp")
    try:
        with aside.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def digest_file(path: Path) -> str:
    """BLAKE3 digest of a file of any size, in hex; its bytes are mapped, not read into memory."""
    from blake3 import blake3

    return blake3(max_threads=blake3.AUTO).update_mmap(path).hexdigest()
