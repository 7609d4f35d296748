"""Telling pictures apart by their bytes, from files, against hashing as many bytes that are in memory already."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from perf.measure import Row, alternate

FILES = {130_000: 2000, 1_500_000: 400}
"""How many, by bytes each: as JPEGs and PNGs of 1024 px have."""

_MARK = b"\xff\xd8\xff"
"""How a JPEG begins, without which a file is no picture, and is not read to its end."""


def measure(folder: Path) -> list[Row]:
    from blake3 import blake3

    from nearid_cli.embedding.reading import identify
    from nearid_cli.embedding.settings import Settings

    random = np.random.default_rng(0)
    rows = []
    for size, number in FILES.items():
        contents = [_MARK + random.bytes(size - len(_MARK)) for _ in range(number)]
        paths = [folder / f"{size}-{index}.jpg" for index in range(number)]
        for path, content in zip(paths, contents, strict=True):
            path.write_bytes(content)

        def ours(paths: list[Path] = paths) -> None:
            assert None not in identify(paths, None, Settings(), {})

        def memory(held: bytes = b"".join(contents)) -> None:
            blake3(held, max_threads=os.cpu_count() or 1).digest()

        seconds = alternate({"ours": ours, "memory": memory}, rounds=5)
        rate = {who: size * number / taken / 1e6 for who, taken in seconds.items()}
        what = f"identify {number:,} files of {size / 1e6:.2g} MB / blake3 of them in memory"
        rows.append(Row(what, rate["ours"], rate["memory"], "MB/s", limit=0.5, at_least=True))
    return rows
