"""Work on items in threads, as many at a time as is allowed, with results in the order of the items.

In place of a `ThreadPoolExecutor`, whose threads a program waits for when it ends: after Ctrl-C nobody shall wait for
an answer that nobody wants.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

In = TypeVar("In")
Out = TypeVar("Out")


class Workers(Generic[In, Out]):
    """Threads that do one kind of work.

    Args:
        number: how many.
        work: what they do.
    """

    def __init__(self, number: int, work: Callable[[In], Out]) -> None:
        self._work = work
        self._items: queue.SimpleQueue[tuple[In, Future[Out]] | None] = queue.SimpleQueue()
        self._number = number
        for index in range(number):
            threading.Thread(target=self._run, name=f"judge-{index}", daemon=True).start()

    def begin(self, item: In) -> Future[Out]:
        """Have an item worked on as soon as a thread is free."""
        future: Future[Out] = Future()
        self._items.put((item, future))
        return future

    def end(self) -> None:
        """Let the threads end when all items are done."""
        for _ in range(self._number):
            self._items.put(None)

    def _run(self) -> None:
        while (task := self._items.get()) is not None:
            item, future = task
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(self._work(item))
            except BaseException as error:
                future.set_exception(error)
