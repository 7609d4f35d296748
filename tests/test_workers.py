"""Work in several processes: order, errors, deaths, interrupts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from nearid_cli.errors import InputError, NearIDError
from nearid_cli.workers import in_order

Task = tuple[str, float]
linux = pytest.mark.skipif(
    not Path("/proc/self/stat").exists(), reason="only Linux tells the state of a process"
)


def work(task: Task) -> tuple[float, int]:
    """Do as told; returns the task's number and who did it."""
    what, number = task
    if what == "sleep":
        time.sleep(number)
    elif what == "die":
        os.kill(os.getpid(), int(number))
    elif what == "exit":
        os._exit(int(number))
    elif what == "refuse":
        raise InputError("bad pictures", ["a.png: empty file", "b.png: empty file"])
    elif what == "fail":
        raise LookupError("nothing\nthere")
    elif what == "ignore":
        assert signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ())
    return number, os.getpid()


def alive(process: int) -> bool:
    """Whether a process runs, and is not only waiting for its parent to notice its end."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until(condition: Callable[[], bool], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_results_come_in_the_order_of_the_tasks() -> None:
    tasks = [("sleep", 0.4), *(("note", float(index)) for index in range(1, 30))]
    with closing(in_order(work, tasks, workers=2)) as results:
        numbers, processes = zip(*results, strict=True)
    assert list(numbers) == [number for _, number in tasks]
    assert len(set(processes)) == 2  # the second did not wait for the first
    assert os.getpid() not in processes


@pytest.mark.parametrize(("tasks", "workers"), [(0, 2), (1, 4), (5, 1)])
def test_any_number_of_tasks(tasks: int, workers: int) -> None:
    given = [("note", float(index)) for index in range(tasks)]
    assert [number for number, _ in in_order(work, given, workers)] == [number for _, number in given]


def test_a_refusal_keeps_its_message_and_details() -> None:
    with pytest.raises(NearIDError) as caught:
        list(in_order(work, [("note", 1.0), ("refuse", 0.0)], workers=1))
    assert caught.value.message == "bad pictures"
    assert caught.value.details == ("a.png: empty file", "b.png: empty file")


def test_an_unexpected_error_says_where_it_came_from() -> None:
    with pytest.raises(RuntimeError, match=r"^LookupError: nothing\nthere$") as caught:
        list(in_order(work, [("fail", 0.0)], workers=1))
    assert 'raise LookupError("nothing\\nthere")' in str(caught.value.__cause__)


@pytest.mark.parametrize(
    ("task", "says"),
    [
        (("die", signal.SIGKILL), "(signal 9); the system kills processes when memory runs out"),
        (("die", signal.SIGSEGV), "(signal 11)"),
        (("exit", 3), "(exit code 3)"),
    ],
)
def test_a_process_that_dies_is_an_error(task: Task, says: str) -> None:
    started = time.monotonic()
    with pytest.raises(NearIDError, match=r"^a process died") as caught:
        list(in_order(work, [("note", 0.0), task, ("sleep", 300.0)], workers=2))
    assert says in caught.value.message
    assert time.monotonic() - started < 120


@linux
def test_nobody_works_on_after_the_end() -> None:
    results = in_order(work, [("note", 0.0), ("sleep", 60.0), *[("note", 0.0)] * 5], workers=2)
    with closing(results):
        _, process = next(results)
        assert alive(process)
    assert not alive(process)


def test_workers_are_deaf_to_interrupts_and_the_caller_is_not() -> None:
    assert next(in_order(work, [("ignore", 1.0)], workers=1))[0] == 1
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_an_interrupt_while_processes_start_waits_until_they_know_all() -> None:
    """Another thread hears it, as the threads of NumPy do, whatever the main thread is deaf to."""
    program = """
import os, signal, threading
from multiprocessing import resource_tracker, util
from nearid_cli.workers import in_order
from tests.test_workers import work
resource_tracker.ensure_running()
threading.Thread(target=threading.Event().wait, daemon=True).start()
spawn, started = util.spawnv_passfds, []
def interrupted(*given):
    started.append(spawn(*given))
    os.kill(os.getpid(), signal.SIGINT)
    return started[-1]
util.spawnv_passfds = interrupted
try:
    list(in_order(work, [("note", 0.0)] * 9, workers=3))
except KeyboardInterrupt:
    print("interrupted", len(started))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stdout, done.stderr) == (0, "interrupted 3\n", "")


@linux
def test_workers_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    program = """
import sys
from nearid_cli.workers import in_order
from tests.test_workers import work
for _, process in in_order(work, [("sleep", 0.3)] * 4 + [("sleep", 300.0)] * 9, workers=2):
    print(process, flush=True)
"""
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert parent.stdout is not None
    crew = {int(parent.stdout.readline()) for _ in range(4)}
    assert len(crew) == 2
    parent.kill()
    parent.wait()
    wait_until(lambda: not any(map(alive, crew)))
    parent.communicate()
