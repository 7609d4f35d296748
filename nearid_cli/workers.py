"""Work in several processes, which ends at once when it is interrupted, and never waits for a process that died.

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
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from types import ModuleType
from typing import Any, TypeVar

from nearid_cli.errors import NearIDError
from nearid_cli.interrupts import interrupts_held

Task = TypeVar("Task")
Result = TypeVar("Result")

# How many tasks may be done or under way ahead of the one that is due, for each process: the bound on memory.
_AHEAD = 4


Say = Callable[[Any], None]


def in_order(
    work: Callable[[Task], Result], tasks: Sequence[Task], workers: int, who: str = "a process"
) -> Generator[Result]:
    """`map(work, tasks)` in processes of its own; close the iterator, or read it to its end.

    Args:
        work: what to do with one task; a function of a module or a `functools.partial` of one.
        tasks: small things that pickle.
        workers: how many processes.
        who: what one of them is called, where it dies.

    Yields:
        One result a task, in the order of the tasks whichever process is faster.

    Raises:
        NearIDError: `work` raised it, with its message and details; or a process died.
        RuntimeError: `work` raised something else; its traceback is in the cause.
    """
    crew: dict[Connection, SpawnProcess] = {}
    try:
        _start(crew, _serve, work, min(workers, len(tasks)))
        idle = deque(crew)
        done: dict[int, Result] = {}
        due = given = 0
        while due < len(tasks):
            while idle and given < min(len(tasks), due + _AHEAD * len(crew)):
                connection = idle.popleft()
                _give(connection, (given, tasks[given]), crew[connection], who)
                given += 1
            while due in done:
                yield done.pop(due)
                due += 1
            if given > due + len(done):
                for answering in wait([one for one in crew if one not in idle]):
                    assert isinstance(answering, Connection)
                    index, how, what = _take(answering, crew[answering], who)
                    if how != "done":
                        raise _error(how, what)
                    done[index] = what
                    idle.append(answering)
    finally:
        _end(crew)


def side_by_side(
    work: Callable[[Task, Say], None], tasks: Sequence[Task], names: Sequence[str]
) -> Generator[tuple[int, Any]]:
    """Do each task in a process of its own; close the iterator, or read it to its end.

    Args:
        work: does a task, and says by its second argument what comes of it; a function of a module.
        tasks: things that pickle.
        names: what each process is called, where it dies.

    Yields:
        The number of a task and what `work` said of it, as it comes; and the error by which it ended, if it did. The
        others go on.
    """
    crew: dict[Connection, SpawnProcess] = {}
    try:
        _start(crew, _serve_one, work, len(tasks))
        busy = {connection: index for index, connection in enumerate(crew)}
        for connection, index in busy.items():
            with suppress(OSError):  # it died, which is found where it should answer
                connection.send(tasks[index])
        while busy:
            for speaking in wait(list(busy)):
                assert isinstance(speaking, Connection)
                index = busy[speaking]
                try:
                    how, what = _take(speaking, crew[speaking], names[index])
                except NearIDError as error:
                    how, what = "died", error
                if how == "said":
                    yield index, what
                    continue
                del busy[speaking]
                if how == "died":
                    yield index, what
                elif how != "done":
                    yield index, _error(how, what)
    finally:
        _end(crew)


def _end(crew: dict[Connection, SpawnProcess]) -> None:
    for connection, process in crew.items():
        process.kill()
        process.join()
        process.close()
        connection.close()


def _start(
    crew: dict[Connection, SpawnProcess],
    serve: Callable[[Any, Connection], None],
    work: Callable[..., Any],
    number: int,
) -> None:
    # Spawned, because a fork of a process with threads (progress bar, Arrow) may inherit a lock that nobody opens.
    context = multiprocessing.get_context("spawn")
    with _deaf_to_interrupts(), _without_main():
        for _ in range(number):
            ours, theirs = context.Pipe()
            process = context.Process(target=serve, args=(work, theirs), daemon=True)
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


@contextmanager
def _without_main() -> Iterator[None]:
    """Processes started inside do not run the program again that starts them, as they do of one that is a script.

    It may be anybody's, and need not be written so that this does no harm.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _serve(work: Callable[[Any], Any], connection: Connection) -> None:
    """The life of a process that does tasks one after the other: until nobody is at the other end."""
    threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()
    try:
        while True:
            index, task = connection.recv()
            connection.send((index, *_outcome(work, task)))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return


def _serve_one(work: Callable[[Any, Say], None], connection: Connection) -> None:
    """The life of a process that does one task, of which it says something meanwhile."""
    threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()
    turn = threading.Lock()  # threads of the task may say something, too

    def say(what: Any) -> None:
        with turn:
            connection.send(("said", what))

    # What comes may be of a kind that is not to be had here, which is an outcome like others.
    with suppress(BrokenPipeError, ConnectionResetError):
        connection.send(_outcome(lambda: work(connection.recv(), say)))


def _end_with_parent() -> None:
    """End this process when the one that started it does: at once, in the middle of a task that nobody waits for."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _outcome(work: Callable[..., Any], *given: Any) -> tuple[str, Any]:
    # Errors travel as text: not every exception survives being pickled.
    try:
        return "done", work(*given)
    except NearIDError as error:
        same = type(error).__init__ is NearIDError.__init__
        return "refused", (type(error) if same else NearIDError, error.message, error.details)
    except Exception as error:  # raised again in the process that asked
        return "failed", (f"{type(error).__name__}: {error}", traceback.format_exc())


def _give(connection: Connection, what: object, process: SpawnProcess, who: str) -> None:
    try:
        connection.send(what)
    except OSError as error:
        raise _death(process, who) from error


def _take(connection: Connection, process: SpawnProcess, who: str) -> Any:
    try:
        return connection.recv()
    except (EOFError, OSError) as error:
        raise _death(process, who) from error


def _error(how: str, what: Any) -> Exception:
    """What a task raised."""
    if how == "refused":
        kind, message, details = what
        refused: NearIDError = kind(message, details)
        return refused
    message, where = what
    failed = RuntimeError(message)
    failed.__cause__ = RuntimeError(f"in a process of its own:\n{where}")
    return failed


def _death(process: SpawnProcess, who: str) -> NearIDError:
    process.join(5)
    code = process.exitcode
    cause = f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"
    hint = "; the system kills processes when memory runs out: give fewer --workers" if code == -9 else ""
    return NearIDError(f"{who} died ({cause}){hint}")
