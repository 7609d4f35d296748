"""The one check that the functions on plain lists of numbers share."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def finite_vector(name: str, values: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """The values of the argument `name` as a float64 array [n].

    Raises:
        ValueError: they are not one-dimensional, not numbers, or not all finite.

    >>> finite_vector("deltas", [1, 2.5])
    array([1. , 2.5])
    """
    vector = np.asarray(values)
    if vector.size == 0:
        vector = vector.astype(np.float64)
    if vector.ndim != 1 or vector.dtype.kind not in "fiub":
        raise ValueError(
            f"Expected argument `{name}` to be an array [n] of numbers "
            f"but got {vector.dtype} of shape {vector.shape}"
        )
    vector = vector.astype(np.float64)
    bad = np.flatnonzero(~np.isfinite(vector))
    if bad.size:
        raise ValueError(
            f"Expected argument `{name}` to be finite but got {bad.size} that are not, first {vector[bad[0]]}"
        )
    return vector
