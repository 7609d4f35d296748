"""How to embed: device, batches, threads, limits."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from nearid_cli.images.reading import Reading

BATCH_SIZES = {"cpu": 16, "cuda": 128, "mps": 32}


@dataclass(frozen=True)
class Settings:
    """How to embed; nothing here but `reading` changes an embedding by more than rounding.

    Attributes:
        device: `cpu`, `cuda`, `cuda:N` or `mps`.
        batch_size: pictures a forward pass; None for the device's default.
        workers: decoding threads; None for one a core.
        max_pixels: pictures with more pixels are bad; None for the default limit.
        reading: which pixels pictures have where their files leave a choice; part of the fingerprints already.
        verify_content: read every file again, whatever the memo says.
        progress: show a bar on stderr.
    """

    device: str = "cpu"
    batch_size: int | None = None
    workers: int | None = None
    max_pixels: int | None = None
    reading: Reading = field(default_factory=Reading)
    verify_content: bool = False
    progress: bool = False

    @property
    def threads(self) -> int:
        """Decoding threads."""
        return self.workers or os.cpu_count() or 1

    @property
    def pictures_a_pass(self) -> int:
        """The batch size."""
        return self.batch_size or BATCH_SIZES[self.device.partition(":")[0]]
