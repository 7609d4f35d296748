"""An encoder's forward pass in batches that fit into memory, and which rows can be used."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from nearid_cli.encoders.memory import out_of_memory
from nearid_cli.errors import ModelError
from nearid_cli.text import printable

if TYPE_CHECKING:
    import numpy.typing as npt

    from nearid_cli.encoders.spec import Embeddings, Encoder, Pixels

NOT_FINITE = "the checkpoint or the dtype is at fault: try --dtype float32"


class Forward:
    """Embeds prepared pictures, as many at once as memory holds.

    Args:
        encoder: embeds.
        batch_size: pictures a forward pass; halved for good whenever memory runs out.
    """

    def __init__(self, encoder: Encoder, batch_size: int) -> None:
        self.encoder = encoder
        self.batch_size = batch_size

    def __call__(self, prepared: Sequence[Pixels]) -> Embeddings:
        """Embed pictures: float32 [len(prepared), D]. Rows that `sound` refuses may be among them.

        Raises:
            ModelError: memory does not hold a single picture's pass.
        """
        rows: list[Embeddings] = []
        start = 0
        while start < len(prepared):
            batch = prepared[start : start + self.batch_size]
            try:
                rows.append(self.encoder.embed(batch))
            except (RuntimeError, MemoryError) as error:
                if not out_of_memory(error):
                    raise
                if len(batch) == 1:
                    raise ModelError(
                        f'metric "{printable(self.encoder.spec.name)}": out of memory, with a single picture a '
                        "forward pass; free some, or choose another --device or a smaller --dtype "
                        f"({printable(' '.join(str(error).split())[:160])})"
                    ) from error
                self.batch_size = len(batch) // 2
                continue
            start += len(batch)
        return np.concatenate(rows)


def sound(rows: Embeddings) -> npt.NDArray[np.bool_]:
    """Which rows of [N, D] are embeddings: finite numbers, not all of them zero.

    >>> sound(np.array([[0.6, 0.8], [np.nan, 1], [0, 0]], np.float32)).tolist()
    [True, False, False]
    """
    usable: npt.NDArray[np.bool_] = np.logical_and(np.isfinite(rows).all(axis=1), rows.any(axis=1))
    return usable
