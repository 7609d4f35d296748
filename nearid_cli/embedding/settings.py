"""How to embed: device, batches, threads, limits; and work done ahead in these threads."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from nearid_cli.images.reading import Reading

if TYPE_CHECKING:
    from tqdm import tqdm

    from nearid_cli.embedding.cluster.cluster import Cluster

BATCH_SIZES = {"cpu": 16, "cuda": 128, "mps": 32}


@dataclass(frozen=True)
class Settings:
    """How to embed; nothing here but `reading` changes an embedding by more than rounding.

    Attributes:
        device: `cpu`, `cuda`, `cuda:N` or `mps`.
        devices: those of the pictures, where they are several; `device` is the first of them, and has all else.
        batch_size: pictures a forward pass; None for the device's default.
        workers: decoding threads; None for one a core.
        max_pixels: pictures with more pixels are bad; None for the default limit.
        reading: which pixels pictures have where their files leave a choice; part of the fingerprints already.
        progress: show a bar on stderr.
        cluster: where pictures are read, prepared and embedded; None for this process.
    """

    device: str = "cpu"
    devices: tuple[str, ...] = ()
    batch_size: int | None = None
    workers: int | None = None
    max_pixels: int | None = None
    reading: Reading = field(default_factory=Reading)
    progress: bool = False
    cluster: Cluster | None = None

    @property
    def threads(self) -> int:
        """Decoding threads."""
        return self.workers or os.cpu_count() or 1

    @property
    def pictures_a_pass(self) -> int:
        """The batch size."""
        return self.batch_size or BATCH_SIZES[self.device.partition(":")[0]]

    def devices_for(self, pictures: int) -> tuple[str, ...]:
        """The devices that so many pictures are worth: each has a batch at least."""
        worth = max(1, -(-pictures // self.pictures_a_pass))
        return self.devices[:worth] or (self.device,)


Item = TypeVar("Item")
Result = TypeVar("Result")


def ahead(
    pool: ThreadPoolExecutor,
    jobs: Iterable[tuple[Item, object]],
    work: Callable[..., Result],
    window: int,
    together: int = 1,
) -> Iterator[tuple[Item, Result]]:
    """Results of `work` on each job in order, with a bounded number of jobs begun ahead of their use.

    Args:
        pool: works.
        jobs: what is worked on, and what `work` is given of it.
        work: of one job.
        window: how many handfuls of jobs are begun ahead, at most.
        together: how many jobs a handful is. To hand something to a thread and back costs as much as a small file does.
    """
    begun: deque[tuple[list[Item], Future[list[Result]]]] = deque()

    def work_on(handful: list[tuple[Item, object]]) -> list[Result]:
        return [work(argument) for _, argument in handful]

    left = iter(jobs)
    while (handful := list(islice(left, together))) or begun:
        if handful:
            begun.append(([item for item, _ in handful], pool.submit(work_on, handful)))
        if len(begun) >= window or not handful:
            items, future = begun.popleft()
            yield from zip(items, future.result(), strict=True)


def progress_bar(settings: Settings, total: int, what: str, unit: str = "img") -> tqdm[object]:
    """A progress bar on stderr with pictures a second and the time left."""
    from tqdm import tqdm

    return tqdm(total=total, desc=what, unit=unit, leave=False, disable=not settings.progress)
