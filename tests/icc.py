"""Small ICC profiles of version 2, made of primaries and a curve as the specification lays them out."""

from __future__ import annotations

import struct

Triple = tuple[float, float, float]

# Colorants under the profile connection space's D50, as the profiles of these names have them.
SRGB = ((0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.71410))
DISPLAY_P3 = ((0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407))
ADOBE_RGB = ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457))


def _fixed(*values: float) -> bytes:
    return b"".join(struct.pack(">i", round(value * 65536)) for value in values)


def gamma(exponent: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(exponent * 256))


def srgb_curve() -> bytes:
    numbers = _fixed(2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
    return b"para\0\0\0\0" + struct.pack(">HH", 3, 0) + numbers


def srgb_table(points: int) -> bytes:
    levels = (step / (points - 1) for step in range(points))
    linear = (level / 12.92 if level <= 0.04045 else ((level + 0.055) / 1.055) ** 2.4 for level in levels)
    values = b"".join(struct.pack(">H", round(65535 * value)) for value in linear)
    return b"curv\0\0\0\0" + struct.pack(">I", points) + values


def _profile(space: bytes, tags: dict[bytes, bytes]) -> bytes:
    place, directory, data = 132 + 12 * len(tags), b"", b""
    for name, content in tags.items():
        padded = content + bytes(-len(content) % 4)
        directory += name + struct.pack(">II", place + len(data), len(padded))
        data += padded
    size = 132 + len(directory) + len(data)
    head = struct.pack(">I4sI4s4s4s", size, b"test", 0x02100000, b"mntr", space, b"XYZ ")
    head += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + _fixed(0.9642, 1, 0.8249)
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + directory + data


def _common(name: bytes) -> dict[bytes, bytes]:
    described = b"desc\0\0\0\0" + struct.pack(">I", len(name) + 1) + name + b"\0" + bytes(78)
    return {b"desc": described, b"wtpt": b"XYZ \0\0\0\0" + _fixed(0.9642, 1, 0.8249)}


def rgb(primaries: tuple[Triple, Triple, Triple], curve: bytes, name: bytes = b"a profile") -> bytes:
    colorants = {
        letter + b"XYZ": b"XYZ \0\0\0\0" + _fixed(*values)
        for letter, values in zip((b"r", b"g", b"b"), primaries, strict=True)
    }
    return _profile(b"RGB ", _common(name) | colorants | dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve))


def grey(curve: bytes) -> bytes:
    return _profile(b"GRAY", _common(b"grey") | {b"kTRC": curve})
