"""Embeddings that are many lie in a file: the same numbers, and no memory."""

from __future__ import annotations

import errno
import tempfile
from pathlib import Path

import numpy as np
import pytest

from nearid_cli.embedding import rows
from nearid_cli.embedding.rows import Rows

NUMBER, WIDTH = 3000, 7


def vectors() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((NUMBER, WIDTH)).astype(np.float32)


def names(places: range) -> list[bytes]:
    return [place.to_bytes(2, "big") for place in places]


def filled(folder: Path | None = None) -> Rows:
    made, every = Rows(NUMBER, folder), vectors()
    for start in range(0, NUMBER, 1000):
        made.add(names(range(start, start + 1000)), every[start : start + 1000])
    return made


@pytest.mark.parametrize("limit", [0, 2**30], ids=["in a file", "in memory"])
def test_rows_are_those_that_were_added_wherever_they_are(
    limit: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "IN_MEMORY", limit)
    made, every = filled(tmp_path), vectors()
    assert not any(tmp_path.iterdir())  # no file that anybody sees, now or after a kill
    order = np.random.default_rng(1).permutation(NUMBER)
    matrix = made.matrix([names(range(NUMBER))[place] for place in order])
    assert (matrix.shape, len(made)) == ((NUMBER, WIDTH), NUMBER)
    np.testing.assert_array_equal(np.asarray(matrix), every[order])
    np.testing.assert_array_equal(np.concatenate(list(matrix.blocks())), every[order])
    np.testing.assert_array_equal(matrix[10:20], every[order][10:20])
    np.testing.assert_array_equal(made[names(range(5))[4]], every[4])
    made.add(names(range(2)), every[5:7])
    np.testing.assert_array_equal(made.matrix(names(range(3)))[:], every[[5, 6, 2]])


def test_what_comes_all_at_once_is_taken_as_it_is_and_stays_as_it_was() -> None:
    every = vectors()
    every.flags.writeable = False  # as what Arrow read
    made = Rows(NUMBER)
    made.add(names(range(NUMBER)), every)
    order = np.random.default_rng(1).permutation(NUMBER)
    np.testing.assert_array_equal(made.matrix([names(range(NUMBER))[at] for at in order])[:], every[order])
    made.add(names(range(2)), every[5:7])
    np.testing.assert_array_equal(made.matrix(names(range(3)))[:], every[[5, 6, 2]])
    np.testing.assert_array_equal(every, vectors())
    twice = Rows(3)
    twice.add([b"a", b"b", b"a"], every[:3])
    assert len(twice) == 2
    np.testing.assert_array_equal(twice[b"a"], every[2])


def test_a_full_disk_costs_memory_and_no_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        """A file that takes two thirds of what it is given."""

        def __init__(self, *_: object, **__: object) -> None:
            self._file, self._left = (tmp_path / "file").open("w+b", buffering=0), 2000 * WIDTH * 4

        def write(self, content: memoryview) -> int:
            if not self._left:
                raise OSError(errno.ENOSPC, "No space left on device")
            taken = self._file.write(content[: self._left])
            self._left -= taken
            return taken

        def __getattr__(self, name: str) -> object:
            return getattr(self._file, name)

    monkeypatch.setattr(rows, "IN_MEMORY", 0)
    monkeypatch.setattr(tempfile, "TemporaryFile", Full)
    made = filled()
    np.testing.assert_array_equal(made.matrix(names(range(NUMBER)))[:], vectors())


def test_a_folder_that_takes_no_file_costs_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(rows, "IN_MEMORY", 0)
    monkeypatch.setattr(tempfile, "TemporaryFile", refused)
    np.testing.assert_array_equal(filled().matrix(names(range(NUMBER)))[:], vectors())
