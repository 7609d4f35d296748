"""What a part of the cache must hold to be used, whoever wrote it: its columns, their types, and numbers that can be.

A checksum says that a part is whole. It does not say that this version of nearid, or nearid at all, wrote it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

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


def embedding_column(rows: npt.NDArray[np.float32]) -> pa.Array:
    """Embeddings [N, D] as a column. Each is its bytes: as a list of numbers it takes ten times as long to read."""
    import pyarrow as pa

    content = np.ascontiguousarray(rows, "<f4")
    kind = pa.binary(4 * rows.shape[1])
    return pa.Array.from_buffers(kind, len(rows), [None, pa.py_buffer(content)])


def embeddings_of(table: pa.Table) -> npt.NDArray[np.float32]:
    """A part's embeddings [N, D], without `flatten` and `to_numpy`, which import pyarrow.compute and pandas."""
    column = whole(table, "embedding")
    if _is_bytes(column.type):
        values = np.frombuffer(column.buffers()[1], "<f4", len(column) * length_of(column.type))
    else:
        values = np.from_dlpack(column.values)
    return values.reshape(len(column), -1)


def length_of(kind: pa.DataType) -> int:
    """How many numbers an embedding has in a column of this type, bytes or lists as in older parts; 0 of any other."""
    import pyarrow as pa

    if _is_bytes(kind):
        return 0 if kind.byte_width % 4 else kind.byte_width // 4
    of_lists = pa.types.is_fixed_size_list(kind) and kind.value_type == pa.float32()
    return kind.list_size if of_lists else 0


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
        EMBEDDINGS: {"digest": digest, "embedding": lambda found: length_of(found) > 0},
        ABSENT: {"digest": digest},
        PAIRS: {"key": of(pa.binary(64)), "number": of(pa.float64()), "reason": of(pa.string())},
        FEATURES: {"digest": digest, "shape": of(pa.list_(pa.int32())), "values": of(pa.large_binary())},
        FILES: {
            "path": of(pa.binary()), "size": number, "mtime_ns": number, "ctime_ns": number, "device": counter,
            "inode": counter, "digest": digest,
        },
    }[what]  # fmt: skip


def _is_bytes(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_fixed_size_binary(kind))


def _embeddings(table: pa.Table) -> str | None:
    column = whole(table, "embedding")
    if not _is_bytes(column.type) and column.values.null_count:
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
