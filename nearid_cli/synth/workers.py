"""Work in several processes with results in order, which ends at once when it is interrupted or a process dies.

The standard library has two pools. `multiprocessing.Pool` waits for ever for a process that was killed, and the
executor of `concurrent.futures` cannot stop its processes (before Python 3.14): Ctrl-C would wait for their work.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any, TypeVar

from nearid_cli.errors import NearIDError
from nearid_cli.interrupts import interrupts_held

Task = TypeVar("Task")
Result = TypeVar("Result")

# How many tasks may be done or under way ahead of the one that is due, for each process: the bound on memory.
_AHEAD = 4


def in_order(work: Callable[[Task], Result], tasks: Sequence[Task], workers: int) -> Generator[Result]:
    """`map(work, tasks)` in processes of its own; close the iterator, or read it to its end.

    Args:
        work: what to do with one task; a function of a module or a `functools.partial` of one.
        tasks: small things that pickle.
        workers: how many processes.

    Yields:
        One result a task, in the order of the tasks whichever process is faster.

    Raises:
        NearIDError: `work` raised it, with its message and details; or a process died.
        RuntimeError: `work` raised something else; its traceback is in the cause.
    """
    crew: dict[Connection, SpawnProcess] = {}
    try:
        _start(crew, work, min(workers, len(tasks)))
        idle = deque(crew)
        done: dict[int, Result] = {}
        due = given = 0
        while due < len(tasks):
            while idle and given < min(len(tasks), due + _AHEAD * len(crew)):
                _give(crew, idle.popleft(), given, tasks[given])
                given += 1
            while due in done:
                yield done.pop(due)
                due += 1
            if given > due + len(done):
                for connection in wait([one for one in crew if one not in idle]):
                    assert isinstance(connection, Connection)
                    index, result = _take(crew, connection)
                    done[index] = result
                    idle.append(connection)
    finally:
        for connection, process in crew.items():
            process.kill()
            process.join()
            process.close()
            connection.close()


def _start(crew: dict[Connection, SpawnProcess], work: Callable[[Any], Any], number: int) -> None:
    # Spawned, because a fork of a process with threads (progress bar, Arrow) may inherit a lock that nobody opens.
    context = multiprocessing.get_context("spawn")
    with _deaf_to_interrupts():
        for _ in range(number):
            ours, theirs = context.Pipe()
            process = context.Process(target=_serve, args=(work, theirs), daemon=True)
            process.start()
            theirs.close()  # or the end of the process would not be the end of the pipe
            crew[ours] = process


@contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """Processes started inside never see Ctrl-C, which a terminal sends to all; this one sees it afterwards.

    A mask is what they inherit. It alone would not do for this one: the system then gives the signal to one of its
    other threads (NumPy has some), and Python raises in the main thread all the same, between a process's start and
    what it is to be told.
    """
    with interrupts_held():
        if (
            sys.platform == "win32"
        ):  # which has no such mask: there the processes say that they were interrupted
            yield
            return
        resource_tracker.ensure_running()  # which `start` would do, and undo the mask
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(work: Callable[[Any], Any], connection: Connection) -> None:
    """The life of a process: until nobody is at the other end."""
    threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()
    try:
        while True:
            index, task = connection.recv()
            connection.send((index, *_outcome(work, task)))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return


def _end_with_parent() -> None:
    """End this process when the one that started it does: at once, in the middle of a task that nobody waits for."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _outcome(work: Callable[[Any], Any], task: Any) -> tuple[str, Any]:
    # Errors travel as text: not every exception survives being pickled.
    try:
        return "done", work(task)
    except NearIDError as error:
        return "refused", (error.message, error.details)
    except Exception as error:  # raised again in the process that asked
        return "failed", (f"{type(error).__name__}: {error}", traceback.format_exc())


def _give(crew: dict[Connection, SpawnProcess], connection: Connection, index: int, task: object) -> None:
    try:
        connection.send((index, task))
    except OSError as error:
        raise _death(crew[connection]) from error


def _take(crew: dict[Connection, SpawnProcess], connection: Connection) -> tuple[int, Any]:
    try:
        index, how, what = connection.recv()
    except (EOFError, OSError) as error:
        raise _death(crew[connection]) from error
    if how == "refused":
        raise NearIDError(*what)
    if how == "failed":
        message, where = what
        raise RuntimeError(message) from RuntimeError(f"in a process of its own:\n{where}")
    return index, what


def _death(process: SpawnProcess) -> NearIDError:
    process.join(5)
    code = process.exitcode
    cause = f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"
    hint = "; the system kills processes when memory runs out: give fewer --workers" if code == -9 else ""
    return NearIDError(f"a rendering process died ({cause}){hint}")
