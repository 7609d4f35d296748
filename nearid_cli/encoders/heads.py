"""The head of a safetensors file: which weights are in it and where, checked against the file without torch.

    8 bytes         the length of the table, little-endian
    the table       JSON: {"NAME": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, ...}
    the weights     one behind the other, without gaps, to the end of the file

What a table says is believed only where it fits the file: nothing is allocated and nothing read by numbers that do not.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from io import FileIO
from pathlib import Path
from typing import Any, NamedTuple

from nearid_cli.errors import ModelError
from nearid_cli.opening import MalformedError, open_regular, parse_json
from nearid_cli.text import file_size, printable

MOST_BYTES = 16 * 2**20
"""Of a table: that of 100,000 weights. Models of a thousand million numbers have a few hundred weights."""

_MOST_AXES = 8

BITS = {
    "F64": 64, "F32": 32, "F16": 16, "BF16": 16, "C64": 64,
    "I64": 64, "I32": 32, "I16": 16, "I8": 8, "U64": 64, "U32": 32, "U16": 16, "U8": 8, "BOOL": 8,
    "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8, "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8, "F6_E2M3": 6, "F6_E3M2": 6, "F4": 4,
}  # fmt: skip
"""Of a number, by the formats of safetensors."""


class StoredTensor(NamedTuple):
    """One weight.

    Attributes:
        dtype: its number format, as safetensors names it: `F32`, `I8`.
        shape: of the tensor.
        start, end: where its bytes are in the file.
    """

    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int


class Head(NamedTuple):
    """What a file says of itself.

    Attributes:
        raw: the bytes before the weights.
        entries: the weights by name, in the order of the file.
    """

    raw: bytes
    entries: Mapping[str, StoredTensor]

    @property
    def formats(self) -> dict[str, str]:
        """The number format of each weight."""
        return {name: entry.dtype for name, entry in self.entries.items()}


def read_head(file: Path) -> Head:
    """Read the head of a safetensors file.

    Raises:
        ModelError: the file cannot be read, or is damaged.
    """
    try:
        with open_regular(file) as stream:
            return head_of(stream, file)
    except OSError as error:
        raise unreadable(file, error) from error


def head_of(stream: FileIO, file: Path) -> Head:
    """The same of an open file, which then stands where the weights begin.

    Raises:
        OSError: it cannot be read.
        ModelError: it is damaged.
    """
    size = stream.seek(0, 2)
    stream.seek(0)
    first = stream.read(8)
    length = int.from_bytes(first, "little")
    if len(first) < 8 or length > size - 8:
        raise damaged(file, f"its head does not fit into its {size:,} bytes")
    if length > MOST_BYTES:
        raise damaged(
            file, f"its head has {file_size(length)}, and no more than {file_size(MOST_BYTES)} are read"
        )
    table = stream.read(length)
    twice: list[str] = []

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, value in pairs:
            if name in found:
                twice.append(name)
            found[name] = value
        return found

    try:
        content = parse_json(table, object_pairs_hook=unique)
    except MalformedError as error:
        raise damaged(file, f"its head: {error}") from error
    if twice:
        raise damaged(file, f"its head says twice what {_short(twice[0])} is")
    if not isinstance(content, dict):
        raise damaged(file, f"its head is no table but {type(content).__name__}")
    content.pop("__metadata__", None)
    begin = 8 + length
    entries = {name: _entry(name, said, begin, file) for name, said in content.items()}
    ordered = dict(sorted(entries.items(), key=lambda item: (item[1].start, item[1].end)))
    end = begin
    for name, entry in ordered.items():
        if entry.start != end:
            raise damaged(
                file,
                f"the weights are not one behind the other: {_short(name)} begins at byte {entry.start:,}, "
                f"not at {end:,}",
            )
        end = entry.end
    if end != size:
        raise damaged(file, f"its weights end at byte {end:,}, and the file at {size:,}")
    return Head(first + table, ordered)


def _entry(name: str, said: object, begin: int, file: Path) -> StoredTensor:
    """A weight, if what is said of it can be."""
    found = said if isinstance(said, dict) else {}
    dtype: Any = found.get("dtype")
    shape: Any = found.get("shape")
    offsets: Any = found.get("data_offsets")
    if (
        not isinstance(dtype, str)
        or not (_are_sizes(shape) and len(shape) <= _MOST_AXES)
        or not (_are_sizes(offsets) and len(offsets) == 2)
    ):
        raise damaged(file, f"no dtype, shape and data_offsets of {_short(name)} in its head that can be")
    bits = BITS.get(dtype)
    bytes_ = offsets[1] - offsets[0]
    if bytes_ < 0 or (bits is not None and math.prod(shape) * bits != bytes_ * 8):
        raise damaged(
            file,
            f"{_short(name)} has {bytes_:,} bytes, which is not {list(shape)} of {_short(dtype)}",
        )
    return StoredTensor(dtype, tuple(shape), begin + offsets[0], begin + offsets[1])


def _are_sizes(found: Any) -> bool:
    """Whether something is a list of numbers that files may have."""
    return isinstance(found, list) and all(type(one) is int and 0 <= one < 2**63 for one in found)


def _short(name: str) -> str:
    """A name from the outside world that may be of any length."""
    return printable(name[:80])


def damaged(file: Path, why: str) -> ModelError:
    """How a file that is no sound safetensors file is refused."""
    return ModelError(f"expected safetensors weights in {printable(file)}, found a damaged file ({why})")


def unreadable(file: Path, error: OSError) -> ModelError:
    """How a file that cannot be read is refused."""
    return ModelError(f"cannot read {printable(file)}: {error.strerror or error}")
