"""Cosine similarities: vectors of length 1, and how close two similarities are taken for equal."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


class Embeddings(Protocol):
    """Embeddings [N, D]: an array, or what reads rows of one when they are asked for, by a slice or by their places."""

    @property
    def shape(self) -> tuple[int, ...]:
        """N and D."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of floating point."""

    @property
    def ndim(self) -> int:
        """2."""

    def __len__(self) -> int:
        """N."""

    def __getitem__(self, chosen: Any, /) -> Any:
        """Rows as an array."""


RESOLUTION = 1e-9
"""Similarities closer than this are equal. Far above the rounding of float64 sums (1e-15), which would
otherwise break ties between subjects with the same references; far below that of float32 embeddings (1e-7).
"""


def lengths(name: str, vectors: Floats, there: npt.NDArray[np.bool_] | bool = True) -> Floats:
    """Lengths [...] of vectors [..., D].

    Args:
        name: of the argument that they are, for errors.
        vectors: float64 [..., D].
        there: [...], which of them count.

    Raises:
        ValueError: one that counts has no direction: it is zero or not finite.
    """
    norms: Floats = np.sqrt(np.einsum("...d,...d->...", vectors, vectors))
    bad = there & ~(np.isfinite(norms) & (norms > 0))
    if bad.any():
        raise ValueError(
            f"Expected argument `{name}` to have finite embeddings other than zero "
            f"but got {bad.sum()} of norm {norms[bad][0]}"
        )
    return norms


def unit_vectors(vectors: npt.NDArray[np.floating], name: str = "vectors") -> Floats:
    """Embeddings [..., D] in float64 and scaled to length 1 there: in float32 they have it to seven digits only.

    Raises:
        ValueError: as `lengths`.

    >>> unit_vectors(np.array([[3.0, 4.0]])).tolist()
    [[0.6, 0.8]]
    """
    units = vectors.astype(np.float64)
    units /= lengths(name, units)[..., None]
    return units
