"""Which rows make which batch: a function of seed and step, and nothing else, so that a run can go on anywhere."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import DataLoader, Dataset

from nearid_cli.errors import InputError
from nearid_cli.text import count


class Varying(Protocol):
    """A data set whose items are drawn anew in every epoch."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Any: ...

    def set_epoch(self, epoch: int) -> None:
        """Choose the draw."""
        ...


@dataclass(frozen=True)
class BatchPlan:
    """How the rows of a data set are laid out over steps.

    An epoch is one permutation of the rows, cut into steps of `accumulation` batches; what is left over at its
    end is dropped, and is other rows in the next epoch. Of every batch each process takes an equal part.

    Attributes:
        rows: length of the data set.
        batch_size: rows of a batch over all processes.
        accumulation: batches of a step.
        seed: of the permutations.
        process, processes: which part of every batch is wanted, and of how many.

    Raises:
        InputError: fewer rows than one step takes, or a batch that does not divide over the processes.
    """

    rows: int
    batch_size: int
    accumulation: int = 1
    seed: int = 0
    process: int = 0
    processes: int = 1

    def __post_init__(self) -> None:
        if self.batch_size % self.processes:
            raise InputError(
                f"--batch-size {self.batch_size} counts the rows of all {self.processes} processes together "
                f"and must divide by their number"
            )
        if self.rows < self.batch_size * self.accumulation:
            raise InputError(
                f"a step takes {count(self.batch_size * self.accumulation, 'row')} (--batch-size "
                f"{self.batch_size}, --gradient-accumulation {self.accumulation}), "
                f"found only {self.rows:,} to train on"
            )

    @property
    def steps_per_epoch(self) -> int:
        """Optimiser steps in one pass over the rows."""
        return self.rows // (self.batch_size * self.accumulation)

    def step(self, step: int) -> list[list[tuple[int, int]]]:
        """The batches of one step as this process sees them: (epoch, row) for each item."""
        epoch, index = divmod(step, self.steps_per_epoch)
        order = _order(self.rows, self.seed, epoch)
        share = self.batch_size // self.processes
        starts = (
            (index * self.accumulation + part) * self.batch_size + self.process * share
            for part in range(self.accumulation)
        )
        return [[(epoch, int(row)) for row in order[start : start + share]] for start in starts]


@lru_cache(maxsize=1)
def _order(rows: int, seed: int, epoch: int) -> npt.NDArray[np.int64]:
    return np.random.default_rng((seed, epoch)).permutation(rows)


def load(
    data: Varying, plan: BatchPlan, first_step: int, steps: int, workers: int, collate: Any
) -> Iterator[Any]:
    """The batches of the steps from `first_step` up to `steps`, in order, `plan.accumulation` for each.

    Args:
        data: workers each hold a copy of it.
        plan: which rows when.
        first_step: where to begin.
        steps: where to end.
        workers: processes that make items ahead; 0 makes them when they are asked for.
        collate: from a list of items to a batch.
    """
    order = (batch for step in range(first_step, steps) for batch in plan.step(step))
    return batched(_Epochs(data), workers, batch_sampler=order, collate_fn=collate)


def batched(data: Dataset[Any], workers: int, **settings: Any) -> Iterator[Any]:
    """What a DataLoader gives, one that leaves torch's generator alone and does not discuss the number of workers."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "This DataLoader will create", UserWarning)
        return iter(
            DataLoader(
                data,
                num_workers=workers,
                # Its own, because an iterator draws a seed: the global one belongs to the model.
                generator=torch.Generator(),
                pin_memory=torch.cuda.is_available(),
                **settings,
            )
        )


class _Epochs(Dataset[Any]):
    """A data set indexed by (epoch, row): a worker that works ahead learns of a new epoch by being asked for it."""

    def __init__(self, data: Varying) -> None:
        self._data, self._epoch = data, -1

    def __getitem__(self, key: tuple[int, int]) -> Any:
        epoch, row = key
        if epoch != self._epoch:
            self._data.set_epoch(epoch)
            self._epoch = epoch
        return self._data[row]
