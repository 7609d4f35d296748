"""Peak memory of embedding 20,000 pictures against 2,000.

The embeddings have 64 numbers, so that the result itself (5 MB at 20,000) does not count. Linux only:
the peak is the kernel's VmHWM of a process that does nothing else.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image

from perf.data import small_encoder
from perf.measure import Row, process

SIZES = (2_000, 20_000)


def measure(folder: Path) -> list[Row]:
    if not Path("/proc/self/status").exists():
        print("memory: not measured, only Linux tells a process's peak")
        return []
    random = np.random.default_rng(0)
    (folder / "pictures").mkdir()
    for index in range(max(SIZES)):
        noise = Image.fromarray(random.integers(256, size=(16, 16, 3), dtype=np.uint8))
        noise.resize((64, 64)).save(folder / "pictures" / f"{index:06}.jpg")
    peak = {
        size: int(process(sys.executable, "-m", "perf.memory", folder, str(size)).split()[-1]) / 1024
        for size in SIZES
    }
    few, many = SIZES
    return [Row(f"peak memory of {many:,} pictures / of {few:,}", peak[many], peak[few], "MiB", limit=1.15)]


def _embed(folder: Path, number: int) -> None:
    """Embed the first pictures, then say the peak in KiB."""
    from nearid_cli.embedding.cache import Cache
    from nearid_cli.embedding.pipeline import embed
    from nearid_cli.embedding.settings import Settings

    paths = sorted((folder / "pictures").iterdir())[:number]
    spec, encoder = small_encoder(folder / f"small {number}")
    embed(paths, [spec], lambda _: encoder, Cache(folder / f"cache {number}"), Settings())
    status = Path("/proc/self/status").read_text().split()
    print(status[status.index("VmHWM:") + 1], file=sys.stderr)


if __name__ == "__main__":
    _embed(Path(sys.argv[1]), int(sys.argv[2]))
