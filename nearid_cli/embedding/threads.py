"""Work done ahead in threads, and the bar that shows how far it is."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from nearid_cli.embedding.settings import Settings

if TYPE_CHECKING:
    from tqdm import tqdm

Item = TypeVar("Item")
Result = TypeVar("Result")


def ahead(
    pool: ThreadPoolExecutor,
    jobs: Iterable[tuple[Item, object]],
    work: Callable[..., Result],
    window: int,
) -> Iterator[tuple[Item, Result]]:
    """Results of `work` on each job in order, with at most `window` jobs begun ahead of their use."""
    begun: deque[tuple[Item, Future[Result]]] = deque()
    for item, argument in jobs:
        begun.append((item, pool.submit(work, argument)))
        if len(begun) >= window:
            item, future = begun.popleft()
            yield item, future.result()
    while begun:
        item, future = begun.popleft()
        yield item, future.result()


def progress_bar(settings: Settings, total: int, what: str) -> tqdm[object]:
    """A progress bar on stderr with pictures a second and the time left."""
    from tqdm import tqdm

    return tqdm(total=total, desc=what, unit="img", leave=False, disable=not settings.progress)
