"""What a part of the cache must hold to be used, whoever wrote it: its columns, their types, and numbers that can be.

A checksum says that a part is whole. It does not say that this version of nearid, or nearid at all, wrote it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from nearid_cli.embedding import ABSENT, EMBEDDINGS, FEATURES, FILES, PAIRS

if TYPE_CHECKING:
    import numpy.typing as npt
    import pyarrow as pa

DIGEST_BYTES = 32
_UNIT = 1e-3  # by which an embedding's length may be off


def misfit(table: pa.Table, what: str) -> str | None:
    """What is wrong with a part, or None.

    Args:
        table: all of it.
        what: it is to hold.
    """
    if not len(table):
        return "holds no rows"
    for name, fits in _columns(what).items():
        if name not in table.schema.names or not fits(table.schema.field(name).type):
            return f"has no column {name} of the kind that this nearid writes"
        if name not in ("number", "reason") and table.column(name).null_count:
            return f"has rows without {name}"
    checks = {EMBEDDINGS: _embeddings, PAIRS: _pairs, FEATURES: _features}
    return checks[what](table) if what in checks else None


def whole(table: pa.Table, name: str) -> pa.Array:
    """A column in one piece. One that is in one already is not copied, as `combine_chunks` would."""
    column = table.column(name)
    if column.num_chunks == 1 and not column.chunk(0).offset:
        return column.chunk(0)
    return column.combine_chunks()


def embeddings_of(table: pa.Table) -> npt.NDArray[np.float32]:
    """A part's embeddings [N, D], without `flatten` and `to_numpy`, which import pyarrow.compute and pandas."""
    values: npt.NDArray[Any] = np.from_dlpack(whole(table, "embedding").values)
    return values.reshape(len(table), -1)


def digests_of(table: pa.Table, rows: Iterable[int] | None = None) -> list[bytes]:
    """A part's digests, or those of some rows, several times as fast as by `to_pylist`."""
    array = whole(table, "digest")
    content = array.buffers()[1].to_pybytes()
    starts = ((array.offset + row) * DIGEST_BYTES for row in (range(len(array)) if rows is None else rows))
    return [content[start : start + DIGEST_BYTES] for start in starts]


def paths_of(table: pa.Table, rows: Iterable[int]) -> list[bytes]:
    """The paths of some rows of a part of the memo, likewise."""
    array = whole(table, "path")
    _, ends, values = array.buffers()
    bounds = np.frombuffer(ends, np.int32)[array.offset :].tolist()
    content = values.to_pybytes() if values else b""
    return [content[bounds[row] : bounds[row + 1]] for row in rows]


def _columns(what: str) -> Mapping[str, Callable[[pa.DataType], bool]]:
    """The columns by name, and what their types must be."""
    import pyarrow as pa

    def of(kind: pa.DataType) -> Callable[[pa.DataType], bool]:
        return lambda found: found == kind

    digest = of(pa.binary(DIGEST_BYTES))
    number, counter = of(pa.int64()), of(pa.uint64())
    return {
        EMBEDDINGS: {"digest": digest, "embedding": _is_embedding},
        ABSENT: {"digest": digest},
        PAIRS: {"key": of(pa.binary(64)), "number": of(pa.float64()), "reason": of(pa.string())},
        FEATURES: {"digest": digest, "shape": of(pa.list_(pa.int32())), "values": of(pa.large_binary())},
        FILES: {
            "path": of(pa.binary()), "size": number, "mtime_ns": number, "ctime_ns": number, "device": counter,
            "inode": counter, "digest": digest,
        },
    }[what]  # fmt: skip


def _is_embedding(found: pa.DataType) -> bool:
    import pyarrow as pa

    fixed = pa.types.is_fixed_size_list(found)
    return bool(fixed and found.value_type == pa.float32() and found.list_size > 0)


def _embeddings(table: pa.Table) -> str | None:
    if whole(table, "embedding").values.null_count:
        return "has embeddings with gaps"
    rows = embeddings_of(table)
    squares = np.einsum("nd,nd->n", rows, rows)  # makes no copy
    if not np.isfinite(squares).all():
        return "holds embeddings that are not finite"
    if np.abs(np.sqrt(squares) - 1).max() > _UNIT:
        return "holds embeddings that are not of unit length"
    return None


def _pairs(table: pa.Table) -> str | None:
    numbers, reasons = (table.column(name).to_pylist() for name in ("number", "reason"))
    if any(
        reason is None if number is None else not math.isfinite(number)
        for number, reason in zip(numbers, reasons, strict=True)
    ):
        return "has rows with neither a number nor a reason for none"
    return None


def _features(table: pa.Table) -> str | None:
    for shape, values in zip(table.column("shape"), table.column("values"), strict=True):
        sides = shape.as_py()
        if None in sides or min(sides, default=1) < 0 or 4 * math.prod(sides) != len(values.as_buffer()):
            return "holds features of another shape than it says"
    return None
