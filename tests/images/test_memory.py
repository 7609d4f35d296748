"""The budget of memory for decoding: never exceeded, never in the way of itself, and held by a whole process."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from nearid_cli.images import memory
from nearid_cli.images.free import free_memory
from nearid_cli.images.memory import Budget, ShortBudgetError
from nearid_cli.images.reading import UnreadableImage

SIZE = 100


class Watch:
    """How much is in use, as those say who use it."""

    def __init__(self) -> None:
        self.used = self.most = 0
        self._lock = threading.Lock()

    def add(self, cost: int) -> None:
        with self._lock:
            self.used += cost
            self.most = max(self.most, self.used)


def in_threads(works: list[Callable[[], None]], threads: int) -> None:
    """Do them all; a deadlock fails."""
    left = list(works)

    def run() -> None:
        while True:
            try:
                work = left.pop()
            except IndexError:
                return
            work()

    running = [threading.Thread(target=run, daemon=True) for _ in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join(120)
        assert not thread.is_alive(), "a deadlock"


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, SIZE), max_size=40), st.integers(1, 8))
def test_threads_that_ask_once_never_exceed_it(costs: list[int], threads: int) -> None:
    budget, watch = Budget(SIZE), Watch()

    def work(cost: int) -> None:
        with budget.taken(cost):
            watch.add(cost)
            time.sleep(random.random() / 5000)
            watch.add(-cost)

    in_threads([lambda cost=cost: work(cost) for cost in costs], threads)
    assert watch.most <= SIZE
    assert (budget._used, budget._holders, budget._waiting) == (0, 0, [])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.integers(0, SIZE // 2), min_size=1, max_size=4), max_size=20), st.integers(1, 8))
def test_threads_that_ask_again_end_and_never_exceed_its_double(jobs: list[list[int]], threads: int) -> None:
    budget, watch = Budget(SIZE), Watch()

    def work(costs: list[int]) -> None:
        with budget.kept():
            held = 0
            for cost in costs:
                if held + cost > SIZE:
                    with pytest.raises(UnreadableImage), budget.taken(cost):
                        pass
                    break
                with budget.taken(cost):
                    watch.add(cost)
                    held += cost
                time.sleep(random.random() / 5000)
            watch.add(-held)

    in_threads([lambda costs=costs: work(costs) for costs in jobs], threads)
    assert watch.most <= 2 * SIZE
    assert (budget._used, budget._holders, budget._waiting) == (0, 0, [])


def test_a_large_request_is_not_overtaken_for_ever() -> None:
    budget, done, stop = Budget(SIZE), threading.Event(), threading.Event()

    def small() -> None:
        while not stop.is_set():
            with budget.taken(30):
                time.sleep(0.001)

    def large() -> None:
        with budget.taken(SIZE):
            done.set()

    threads = [threading.Thread(target=small) for _ in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(0.05)
    threads.append(threading.Thread(target=large))
    threads[-1].start()
    came = done.wait(120)
    stop.set()
    for thread in threads:
        thread.join()
    assert came


def test_more_than_all_of_it_is_refused_with_the_way_out() -> None:
    reason = r"takes 5\.0 GB of memory .* limit of 4\.0 GB; raise it with --memory"
    with pytest.raises(UnreadableImage, match=reason), Budget(4 * 10**9).taken(5 * 10**9):
        pass


def test_a_budget_that_nobody_named_makes_no_picture_bad(monkeypatch: pytest.MonkeyPatch) -> None:
    free = iter((4 * 10**9, 8 * 10**9, 2 * 10**9, 2 * 10**9))
    monkeypatch.setattr(memory, "free_memory", lambda: next(free))
    budget = Budget()
    with budget.taken(10**9):
        pass
    with budget.taken(2 * 10**9):  # by what is free by now
        pass
    reason = (
        r"takes 5\.0 GB of memory, and a quarter of what is free here is 2\.0 GB; allow more with --memory"
    )
    with pytest.raises(ShortBudgetError, match=reason), budget.taken(5 * 10**9):
        pass


@pytest.mark.skipif(sys.platform != "linux", reason="limits of memory")
def test_only_a_budget_that_was_named_has_pictures_skipped(tmp_path: Path) -> None:
    """The same folders must not have other numbers where less memory is free."""
    for folder in ("refs/a", "gens/a"):
        (tmp_path / folder).mkdir(parents=True)
        Image.effect_noise((64, 64), 50).save(tmp_path / folder / "a.png")
    Image.new("L", (9_000, 9_000)).save(tmp_path / "gens" / "a" / "large.png", compress_level=1)

    def score(budget: str) -> subprocess.CompletedProcess[str]:
        limited = "import resource; resource.setrlimit(resource.RLIMIT_AS, (1_400_000_000,) * 2)\n"
        run = "import sys; from nearid_cli.cli.app import main; sys.exit(main())"
        arguments = ["score", "refs", "gens", "-m", "hog", "--skip-bad", "--no-cache", "--workers", "1"]
        return subprocess.run(
            [sys.executable, "-c", limited + run, *arguments, "--memory", budget],
            cwd=tmp_path, capture_output=True, text=True, timeout=120, env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        )  # fmt: skip

    automatic, named = score("auto"), score("350MB")
    assert automatic.returncode == 2
    assert "large.png: decoding takes 406" in automatic.stderr
    assert "allow more with --memory" in automatic.stderr
    assert named.returncode == 0, named.stderr
    assert "large.png" in named.stdout


def test_a_smaller_budget_lets_those_go_on_who_wait() -> None:
    budget, done = Budget(SIZE), threading.Event()

    def wait() -> None:
        with budget.taken(SIZE):
            done.set()

    with budget.taken(SIZE):
        thread = threading.Thread(target=wait)
        thread.start()
        while not budget._waiting:
            time.sleep(0.01)
        budget.size = SIZE // 2
    assert done.wait(120)
    thread.join()


def test_who_ends_a_run_ends_the_wait_of_its_threads() -> None:
    budget, outcomes = Budget(SIZE), []

    def wait() -> None:
        try:
            with budget.taken(SIZE):
                outcomes.append("decoded")
        except InterruptedError:
            outcomes.append("given up")

    with budget.taken(SIZE):
        threads = [threading.Thread(target=wait) for _ in range(5)]
        for thread in threads:
            thread.start()
        while len(budget._waiting) < 5:
            time.sleep(0.01)
        budget.give_up()
        for thread in threads:
            thread.join(120)
    assert outcomes == ["given up"] * 5
    with budget.taken(SIZE):  # whoever asks afterwards gets it
        pass


def test_an_interrupt_ends_the_wait() -> None:
    script = """
import os, signal, threading, time
from nearid_cli.images.memory import Budget
budget, held = Budget(100), threading.Event()
def hold():
    with budget.taken(100):
        held.set()
        threading.Event().wait()
def interrupt():
    while not budget._waiting:
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGINT)
threading.Thread(target=hold, daemon=True).start()
held.wait()
try:
    threading.Thread(target=interrupt).start()
    with budget.taken(1):
        pass
except KeyboardInterrupt:
    print(len(budget._waiting), flush=True)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)
    assert done.stdout == "0\n", done.stderr


def test_a_limit_of_the_process_is_what_is_free() -> None:
    script = """
import resource
resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))
from nearid_cli.images.free import free_memory
print(free_memory())
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert int(done.stdout) == 2**30
    assert free_memory() > 0


@pytest.mark.skipif(sys.platform != "linux", reason="/proc/self/status")
def test_six_large_pictures_and_six_workers_stay_within_it(tmp_path: Path) -> None:
    """Each takes 125 MB, all at once 750 MB, and the program some 200 MB."""
    for number in range(6):
        folder = tmp_path / ("refs" if number < 3 else "gens") / f"s{number % 3}"
        folder.mkdir(parents=True)
        Image.new("RGB", (5_600, 5_600), (number, 80, 90)).save(folder / "a.png", compress_level=1)
    # VmHWM: ru_maxrss of a child begins at what its parent has.
    script = """
import sys
from nearid_cli.cli.app import main
try:
    main()
finally:
    status = open("/proc/self/status").read()
    print(status.partition("VmHWM:")[2].split()[0], file=sys.stderr)
"""
    arguments = ["score", "refs", "gens", "-m", "hog", "--workers", "6", "--no-cache", "--memory", "150MB"]
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stderr.split()[-1]) * 1024 < 150e6 + 300e6, done.stderr


GB = 10**9
V1, V2 = "5:cpu,memory:", "0::"
TREES: dict[str, tuple[dict[str, str], int]] = {
    "no files": ({}, 4 * GB),
    "no groups": ({"proc/meminfo": "MemTotal: 9 kB\nMemAvailable:     3000000 kB\n"}, 3_072_000_000),
    "no limit": (
        {
            "proc/meminfo": "MemAvailable: 3000000 kB\n",
            "proc/self/cgroup": f"{V2}/a\n",
            "sys/fs/cgroup/a/memory.max": "max\n",
        },
        3_072_000_000,
    ),
    "v2": ({"proc/self/cgroup": f"{V2}/a/b\n", "sys/fs/cgroup/a/b/memory.max": f"{GB}\n"}, GB),
    "v2, nested, the outer one is less": (
        {
            "proc/self/cgroup": f"{V2}/a/b\n",
            "sys/fs/cgroup/a/b/memory.max": "max",
            "sys/fs/cgroup/a/memory.max": f"{GB}",
            "sys/fs/cgroup/memory.max": f"{2 * GB}",
        },
        GB,
    ),
    "v2, in a container": ({"proc/self/cgroup": f"{V2}/\n", "sys/fs/cgroup/memory.max": f"{GB}\n"}, GB),
    "v2, of a place that is not mounted": (
        {"proc/self/cgroup": f"{V2}/../../a\n", "sys/fs/cgroup/memory.max": f"{GB}\n", "sys/a/memory.max": "1\n"},
        GB,
    ),
    "v2, much of it used": (
        {
            "proc/self/cgroup": f"{V2}/a\n",
            "sys/fs/cgroup/a/memory.max": f"{8 * GB}\n",
            "sys/fs/cgroup/a/memory.current": f"{7 * GB}\n",
            "sys/fs/cgroup/a/memory.stat": f"anon {5 * GB}\ninactive_file {2 * GB}\nactive_file 1\n",
        },
        3 * GB,
    ),
    "v2, a limit below what is used": (
        {
            "proc/self/cgroup": f"{V2}/a\n",
            "sys/fs/cgroup/a/memory.max": f"{GB}\n",
            "sys/fs/cgroup/a/memory.current": f"{2 * GB}\n",
        },
        0,
    ),
    "v1, beside v2 without controllers": (
        {
            "proc/self/cgroup": f"{V1}/a\n1:name=systemd:/a\n{V2}/a\n",
            "sys/fs/cgroup/memory/a/memory.limit_in_bytes": f"{3 * GB}\n",
            "sys/fs/cgroup/memory/a/memory.usage_in_bytes": f"{2 * GB}\n",
            "sys/fs/cgroup/memory/a/memory.stat": f"inactive_file 5\ntotal_inactive_file {GB}\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
        },
        2 * GB,
    ),
    "v1, in a container that does not see its path": (
        {"proc/self/cgroup": f"{V1}/docker/1\n", "sys/fs/cgroup/memory/memory.limit_in_bytes": f"{GB}\n"},
        GB,
    ),
    "nonsense": (
        {
            "proc/meminfo": "MemAvailable:\nMemAvailable: many kB\nMemAvailable: -5 kB\nMemAvailable: \u0663 kB\n",
            "proc/self/cgroup": f"\n:\n::\nmemory\n5:memory\n{V1}/b\n{V2}/a\n\0\n",
            "sys/fs/cgroup/a/memory.max": f"-1\n\n{'9' * 5000}\n1.5\n\udc80\n0x10\n",
            "sys/fs/cgroup/memory/b/memory.limit_in_bytes": f"{GB}\n",
            "sys/fs/cgroup/memory/b/memory.usage_in_bytes": "none\n",
            "sys/fs/cgroup/memory/b/memory.stat": "total_inactive_file\ntotal_inactive_file x\n",
        },
        GB,
    ),
}  # fmt: skip


@pytest.mark.parametrize("tree", TREES)
def test_what_the_kernel_says_is_free(tree: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    resource = pytest.importorskip("resource")
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    files, expected = TREES[tree]
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content.encode("utf-8", "surrogateescape"))
    assert free_memory(tmp_path) == expected


def test_a_group_without_room_leaves_the_least_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "free_memory", lambda: 0)
    assert Budget().size == 256 * 2**20
