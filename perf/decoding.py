"""Decoding JPEGs under watch against Pillow's plain decoding of the same files, on one core; large ones at half too."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

from perf.data import photographs
from perf.measure import Row, alternate

PICTURES = 4
KINDS: dict[str, dict[str, object]] = {
    "baseline": {},
    "progressive": {"progressive": True},
    "restart markers each row": {"restart_marker_rows": 1},
}


def measure(folder: Path) -> list[Row]:
    from PIL import Image

    from nearid_cli.images.decode import decode, read_picture

    images = [decode(path) for path in photographs(folder / "pictures", PICTURES)]
    rows = []
    for size in (256, 1024):
        for kind, options in KINDS.items():
            contents = []
            for image in images:
                file = BytesIO()
                image.resize((size, size)).save(file, "JPEG", quality=90, **options)
                contents.append(file.getvalue())

            def watched(contents: list[bytes] = contents) -> None:
                for content in contents:
                    decode(content)

            def plain(contents: list[bytes] = contents) -> None:
                for content in contents:
                    Image.open(BytesIO(content)).convert("RGB")

            def half(contents: list[bytes] = contents) -> None:
                for content in contents:
                    read_picture(content, halve=lambda _: True)

            contenders = {"ours": watched, "plain": plain, "half": half}
            seconds = alternate(contenders, rounds=60 if size == 256 else 30)
            ms = {who: 1e3 * taken / PICTURES for who, taken in seconds.items()}
            limit = 1.1 if size == 1024 else 2
            rows.append(
                Row(f"decode JPEG {size} px, {kind} / Pillow", ms["ours"], ms["plain"], "ms/img", limit)
            )
            if size == 1024:
                rows.append(Row(f"the same at half, {kind} / Pillow", ms["half"], ms["plain"], "ms/img", 0.8))
    return rows
