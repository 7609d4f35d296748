"""HEIC and AVIF files that are built item by item, out of pictures that libheif and libavif have coded."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from io import BytesIO

import pillow_heif
from PIL import Image

BRANDS = {"HEIF": b"heic", "AVIF": b"avif"}
CODES = {"HEIF": b"hvc1", "AVIF": b"av01"}


def box(name: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I", 8 + len(body)) + name + body


def full(name: bytes, version: int, *parts: bytes) -> bytes:
    return box(name, struct.pack(">I", version << 24), *parts)


@dataclass(frozen=True)
class Item:
    """One item: its type, the pieces of the data that it is made of, its properties from 1, and what it refers to."""

    kind: bytes
    extents: list[tuple[int, int]]
    properties: list[int] = field(default_factory=list)
    refers: dict[bytes, list[int]] = field(default_factory=dict)


def written(kind: str, items: list[Item], properties: list[bytes], data: bytes) -> bytes:
    """A file whose first item is the picture."""
    number = struct.pack(">H", len(items))
    infes = [
        full(
            b"infe",
            2,
            struct.pack(">HH", i, 0) + one.kind + b"\0" + b"application/rdf+xml\0" * (one.kind == b"mime"),
        )
        for i, one in enumerate(items, 1)
    ]
    uses = [
        struct.pack(">HB", i, len(one.properties)) + bytes(one.properties) for i, one in enumerate(items, 1)
    ]
    refers = [
        box(name, struct.pack(f">HH{len(to)}H", i, len(to), *to))
        for i, one in enumerate(items, 1)
        for name, to in one.refers.items()
    ]
    head = box(b"ftyp", BRANDS[kind], b"\0" * 4, b"mif1", BRANDS[kind], b"miaf")

    def meta(start: int) -> bytes:
        places = [
            struct.pack(">HHH", i, 0, len(one.extents))
            + b"".join(struct.pack(">II", start + at, size) for at, size in one.extents)
            for i, one in enumerate(items, 1)
        ]
        return full(
            b"meta", 0,
            full(b"hdlr", 0, b"\0" * 4, b"pict", b"\0" * 13),
            full(b"pitm", 0, struct.pack(">H", 1)),
            full(b"iloc", 0, b"\x44\0", number, *places),
            full(b"iinf", 0, number, *infes),
            box(b"iprp", box(b"ipco", *properties), full(b"ipma", 0, struct.pack(">I", len(items)), *uses)),
            *([full(b"iref", 0, *refers)] if refers else []),
        )  # fmt: skip

    return head + meta(len(head) + len(meta(0)) + 8) + box(b"mdat", data)


def size(width: int, height: int) -> bytes:
    return full(b"ispe", 0, struct.pack(">II", width, height))


def coded(kind: str, side: int = 64) -> tuple[bytes, bytes, bytes]:
    """A square picture: how it is coded, its depth, and its data."""
    pillow_heif.register_heif_opener()
    file = BytesIO()
    Image.new("RGB", (side, side), (90, 50, 20)).save(
        file, kind, **({"speed": 10} if kind == "AVIF" else {"quality": 50})
    )
    found: dict[bytes, bytes] = {}

    def walk(content: bytes) -> None:
        while content:
            length = int.from_bytes(content[:4])
            name, body = content[4:8], content[8:length]
            found[name] = content[:length]
            if name in (b"meta", b"iprp", b"ipco"):
                walk(body[4:] if name == b"meta" else body)
            content = content[length:]

    walk(file.getvalue())
    return found[b"hvcC" if kind == "HEIF" else b"av1C"], found[b"pixi"], found[b"mdat"][8:]


def declared(kind: str, width: int, height: int) -> bytes:
    """A small picture that is said to be of this size."""
    how, depth, data = coded(kind)
    return written(
        kind, [Item(CODES[kind], [(0, len(data))], [1, 2, 3])], [how, size(width, height), depth], data
    )


def grid(kind: str, across: int, down: int, width: int, height: int, shared: bool = False) -> bytes:
    """A grid of small tiles, each an item of its own over the same data, or all one item."""
    how, depth, data = coded(kind)
    payload = struct.pack(">BBBBII", 0, 1, down - 1, across - 1, width, height)
    tiles = 1 if shared else across * down
    named = [2] * (across * down) if shared else list(range(2, 2 + tiles))
    items = [
        Item(b"grid", [(len(data), len(payload))], [3, 4], {b"dimg": named}),
        *[Item(CODES[kind], [(0, len(data))], [1, 2, 4])] * tiles,
    ]
    return written(kind, items, [how, size(64, 64), size(width, height), depth], data + payload)


def grid_of_itself(kind: str) -> bytes:
    payload = struct.pack(">BBBBII", 0, 1, 0, 0, 64, 64)
    return written(kind, [Item(b"grid", [(0, len(payload))], [1], {b"dimg": [1]})], [size(64, 64)], payload)


def transparent(kind: str, across: int, down: int) -> bytes:
    """A small picture whose transparency is a large grid."""
    how, depth, data = coded(kind)
    payload = struct.pack(">BBBBII", 0, 1, down - 1, across - 1, 64 * across, 64 * down)
    alpha = full(b"auxC", 0, b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha\0")
    items = [
        Item(CODES[kind], [(0, len(data))], [1, 2, 4]),
        Item(b"grid", [(len(data), len(payload))], [3, 4, 5], {b"dimg": [3] * (across * down), b"auxl": [1]}),
        Item(CODES[kind], [(0, len(data))], [1, 2, 4]),
    ]
    properties = [how, size(64, 64), size(64 * across, 64 * down), depth, alpha]
    return written(kind, items, properties, data + payload)


def metadata(kind: str, items: int, extents: int, length: int, name: bytes = b"Exif") -> bytes:
    """A small picture with metadata that are read again and again from the same place."""
    how, depth, data = coded(kind)
    more = [Item(name, [(len(data), length)] * extents, [], {b"cdsc": [1]})] * items
    picture = Item(CODES[kind], [(0, len(data))], [1, 2, 3])
    return written(kind, [picture, *more], [how, size(64, 64), depth], data + b"\0" * length)


def pieces(kind: str, extents: int, length: int) -> bytes:
    """A small picture that goes on in the same place again and again."""
    how, depth, data = coded(kind)
    picture = Item(CODES[kind], [(0, len(data)), *[(len(data), length)] * extents], [1, 2, 3])
    return written(kind, [picture], [how, size(64, 64), depth], data + b"\0" * length)


def overlay(number: int, width: int, height: int) -> bytes:
    """A canvas with one picture laid on it so many times."""
    how, depth, data = coded("HEIF")
    payload = struct.pack(">BB4HII", 0, 1, 0, 0, 0, 0, width, height) + b"\0" * 8 * number
    items = [
        Item(b"iovl", [(len(data), len(payload))], [3, 4], {b"dimg": [2] * number}),
        Item(b"hvc1", [(0, len(data))], [1, 2, 4]),
    ]
    return written("HEIF", items, [how, size(64, 64), size(width, height), depth], data + payload)
