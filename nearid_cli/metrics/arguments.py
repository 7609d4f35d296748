"""The checks that functions on plain lists and tables of numbers share."""

from __future__ import annotations

from typing import Any

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


def finite_vectors(
    first: str, a: npt.ArrayLike, second: str, b: npt.ArrayLike
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Two `finite_vector`s of one length.

    Raises:
        ValueError: one is none, or they differ in length.
    """
    x, y = finite_vector(first, a), finite_vector(second, b)
    if len(x) != len(y):
        raise ValueError(
            f"Expected argument `{second}` to have the length of `{first}`, {len(x)}, but got {len(y)}"
        )
    return x, y


def table(
    name: str, values: npt.ArrayLike, shape: str, columns: int | None = None
) -> npt.NDArray[np.float64]:
    """The values of the argument `name` as a float64 array of `columns` (any number if None), NaN for no value.

    Raises:
        ValueError: they are not of this `shape`, as the message calls it, or infinite somewhere.

    >>> table("sim", [[1, np.nan]], "[N, 2]", 2)
    array([[ 1., nan]])
    """
    array = np.asarray(values, dtype=np.float64)
    infinite = np.isinf(array).any()
    if array.ndim != 2 or columns not in (None, array.shape[1]) or infinite:
        raise ValueError(
            f"Expected argument `{name}` to be an array {shape} of finite numbers and NaN "
            f"but got shape {array.shape}" + (" with infinities" if infinite else "")
        )
    return array


def distinct(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The distinct values in order: `np.unique`, which alone, without counts, imports masked arrays.

    >>> distinct(np.array([2, 1, 2])).tolist()
    [1, 2]
    """
    return np.unique(values, return_counts=True)[0]


def check_numbers(name: str, array: npt.NDArray[np.integer], rows: int) -> None:
    """Refuse the argument `name` if it is no integer array [rows].

    Raises:
        ValueError: it is none.
    """
    if array.shape != (rows,) or not np.issubdtype(array.dtype, np.integer):
        raise ValueError(
            f"Expected argument `{name}` to be an integer array of shape ({rows},) "
            f"but got {array.dtype} of shape {array.shape}"
        )


def check_subjects(name: str, array: npt.NDArray[np.integer], rows: int) -> int:
    """Refuse the argument `name` if it does not number the subjects of so many rows, and return how many there are.

    Raises:
        ValueError: it is no integer array [rows], or a number from 0 to its highest is missing.

    >>> check_subjects("subjects", np.array([0, 1, 1]), 3)
    2
    """
    check_numbers(name, array, rows)
    found = distinct(array)
    if not np.array_equal(found, np.arange(len(found))):
        raise ValueError(
            f"Expected argument `{name}` to hold every number from 0 to its highest "
            f"but got {found.tolist()[:10]}"
        )
    return len(found)


def check_both_sides(
    reference_subjects: npt.NDArray[np.integer],
    references: int,
    generation_subjects: npt.NDArray[np.integer],
    generations: int,
) -> tuple[int, int]:
    """Refuse arguments of these names if they do not number the subjects of so many references and generations.

    Returns:
        How many subjects have references, and how many generations.

    Raises:
        ValueError: as `check_subjects`, or a subject has generations and no references.
    """
    referenced = check_subjects("reference_subjects", reference_subjects, references)
    generated = check_subjects("generation_subjects", generation_subjects, generations)
    if generated > referenced:
        raise ValueError(
            "Expected argument `generation_subjects` to hold subjects of `reference_subjects` "
            f"but got {generated} subjects, and references of {referenced}"
        )
    return referenced, generated
