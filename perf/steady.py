"""A model at one batch size, as fast as a device can be kept busy.

Bytes travel, from two buffers in turn, and are normalised on the device. Nothing waits for a batch before the next one
is on its way. On CUDA the buffers are pinned, copies have a stream of their own, and one graph holds all that is
computed of a batch. On a CPU the same is done in order, so that what it computes can be tried anywhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from nearid_cli.encoders.numerics import own_numerics
from nearid_cli.images.preprocessing import gather

if TYPE_CHECKING:
    import numpy.typing as npt

    from nearid_cli.images.preprocessing import Preprocessing

    Pictures = Sequence[npt.NDArray[np.uint8]]

_cuda: Any = torch.cuda  # of which torch's annotations say little
_TRIED = 8  # pictures of the pass by which the memory of one is known
_SHARE = 0.8  # of the free memory that a batch may take
_MOST = 512


class Steady:
    """Embeds batches of one size.

    Args:
        model: gives features [B, D] of normalised pictures, as `torch_encoder.ReadModel` does; on its device.
        preprocessing: of its pictures.
        size: height and width of a prepared picture.
        batch: pictures of each batch.
    """

    def __init__(
        self, model: torch.nn.Module, preprocessing: Preprocessing, size: tuple[int, int], batch: int
    ) -> None:
        first = next(model.parameters())
        self._model = model
        self._device, self._dtype = first.device, first.dtype
        self._table = torch.from_numpy(preprocessing.lookup().T.copy()).to(self._device)
        shape = (batch, *size, 3)
        on_gpu = self._device.type == "cuda"
        self._host = [torch.empty(shape, dtype=torch.uint8, pin_memory=on_gpu) for _ in range(2)]
        self._there = [torch.empty(shape, dtype=torch.uint8, device=self._device) for _ in range(2)]
        self._input = torch.zeros(shape, dtype=torch.uint8, device=self._device)
        self._graph: Any = None
        self._rows = self._compute()
        self._results = [torch.empty(self._rows.shape, pin_memory=on_gpu) for _ in range(2)]
        if on_gpu:
            self._capture()

    def run(self, batches: Iterable[Pictures]) -> Iterator[npt.NDArray[np.float32]]:
        """Embed batches: rows [B, D] of each, of length 1, in order; a batch later than it is given."""
        return self._on_gpu(batches) if self._device.type == "cuda" else self._in_order(batches)

    def _compute(self) -> torch.Tensor:
        with torch.inference_mode(), own_numerics(self._device):
            features = self._model(gather(self._table, self._input).to(self._dtype)).float()
            rows: torch.Tensor = features / features.norm(dim=-1, keepdim=True)
            return rows

    def _in_order(self, batches: Iterable[Pictures]) -> Iterator[npt.NDArray[np.float32]]:
        for pictures in batches:
            np.stack(pictures, out=self._host[0].numpy())
            self._input.copy_(self._host[0])
            yield self._compute().numpy()

    def _capture(self) -> None:
        """Record what is computed of a batch, after it has run: kernels and workspaces are chosen then."""
        aside = _cuda.Stream()
        aside.wait_stream(_cuda.current_stream())
        with _cuda.stream(aside):
            for _ in range(3):
                self._compute()
        _cuda.current_stream().wait_stream(aside)
        self._graph = _cuda.CUDAGraph()
        with _cuda.graph(self._graph):
            self._rows = self._compute()

    def _on_gpu(self, batches: Iterable[Pictures]) -> Iterator[npt.NDArray[np.float32]]:
        copying, computing = _cuda.Stream(), _cuda.current_stream()
        arrived, taken, done = ([_cuda.Event() for _ in range(2)] for _ in range(3))
        waiting = None
        for number, pictures in enumerate(batches):
            turn = number % 2
            arrived[turn].synchronize()  # of the batch before the last, whose bytes these buffers had
            np.stack(pictures, out=self._host[turn].numpy())
            with _cuda.stream(copying):
                copying.wait_event(taken[turn])
                self._there[turn].copy_(self._host[turn], non_blocking=True)
                arrived[turn].record()
            computing.wait_event(arrived[turn])
            self._input.copy_(self._there[turn])
            taken[turn].record()
            self._graph.replay()
            self._results[turn].copy_(self._rows, non_blocking=True)
            done[turn].record()
            if waiting is not None:
                done[waiting].synchronize()
                yield self._results[waiting].numpy().copy()
            waiting = turn
        if waiting is not None:
            done[waiting].synchronize()
            yield self._results[waiting].numpy().copy()


def batch_that_fits(model: torch.nn.Module, size: tuple[int, int]) -> int:
    """A power of two of pictures whose pass takes at most four fifths of what is free on a model's GPU."""
    first = next(model.parameters())
    example = torch.zeros((_TRIED, 3, *size), dtype=first.dtype, device=first.device)
    _cuda.reset_peak_memory_stats()
    before = _cuda.memory_allocated()
    with torch.inference_mode():
        model(example)
    each = max(1, (_cuda.max_memory_allocated() - before) // _TRIED)
    return power_of_two(int(_SHARE * _cuda.mem_get_info()[0]) // each)


def power_of_two(number: int) -> int:
    """The largest one that is no larger, of 1 to 512.

    >>> [power_of_two(number) for number in (0, 1, 5, 64, 10**6)]
    [1, 1, 4, 64, 512]
    """
    return min(_MOST, 1 << max(0, number.bit_length() - 1))
