"""Commands that write, killed and interrupted at random moments: what is there is whole, and the next run is right."""

from __future__ import annotations

import random
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nearid_cli.embedding.cache import Cache
from tests.commandline import LOST

from .conftest import Runs
from .jobs import JOBS, Job, Shop, Workshop


@pytest.fixture(scope="module")
def shop(plain: Runs, _data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    made = Shop(plain, None, _data, tmp_path_factory.mktemp("shop"))
    yield made
    made.end()


class Torn:
    """Runs of one job that are stopped at random, on one cache that is emptied now and then."""

    def __init__(self, workshop: Workshop) -> None:
        self.workshop, self.cache = workshop, workshop.place / "cache"
        begun = time.monotonic()
        workshop.begin()
        workshop.again()
        self.seconds = time.monotonic() - begun

    def stop(self, chance: random.Random, sent: list[int]) -> tuple[int, str]:
        if chance.random() < 0.3:
            shutil.rmtree(self.cache, ignore_errors=True)
        shop = self.workshop
        shop.begin()
        run = shop.runs.start(shop.place, *shop.job.arguments)
        time.sleep(chance.uniform(0, self.seconds))
        for one in sent:
            shop.runs.kill(run, one)
            time.sleep(chance.uniform(0, 0.05))
        ran = shop.runs.wait(run)
        assert "Traceback" not in LOST.sub("", ran.err), ran.err
        shop.look(done=False)
        assert sent != [signal.SIGINT] or not shop.leftovers()
        return ran.code, ran.err

    def check(self) -> None:
        _, damaged, unread = Cache(self.cache).verify()
        assert (damaged, unread) == ([], [])
        self.workshop.again()


def attack(torn: Torn, sent: list[int], codes: set[int], tries: int, seed: int) -> dict[int, int]:
    chance = random.Random(seed)
    found: dict[int, int] = {}
    for attempt in range(tries):
        code, err = torn.stop(chance, sent)
        assert code in codes, (attempt, code, err)
        found[code] = found.get(code, 0) + 1
        if attempt % 10 == 9:
            torn.check()
    torn.check()
    return found


@pytest.mark.torture
@pytest.mark.parametrize("name", JOBS)
def test_a_hundred_kills(shop: Shop, name: str, record_property: Callable[[str, object], None]) -> None:
    found = attack(Torn(shop(name)), [signal.SIGKILL], {0, -9}, 100, 1)
    record_property("ends", found)
    assert found[-9] > 20


def codes(job: Job, sent: int) -> set[int]:
    """How a job may end that is sent a signal."""
    return {0, 130 if sent == signal.SIGINT else -sent, *job.stopped}


@pytest.mark.torture
@pytest.mark.parametrize("name", JOBS)
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM], ids=["interrupt", "terminate"])
@pytest.mark.parametrize("times", [1, 2], ids=["once", "twice"])
def test_signals(
    shop: Shop, name: str, sent: int, times: int, record_property: Callable[[str, object], None]
) -> None:
    torn = Torn(shop(name))
    ends = codes(torn.workshop.job, sent)
    if name == "train" and times == 2:  # the second one is not waited for
        ends.add(-sent)
    found = attack(torn, [sent] * times, ends, 20, 2)
    record_property("ends", found)


def alive(process: str) -> bool:
    """Whether a process is there and more than a zombie."""
    try:
        return Path("/proc", process, "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.torture
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks Linux for children")
def test_workers_of_a_training_run_end_with_it(shop: Shop) -> None:
    train = shop("train")
    train.begin()
    run = train.runs.start(train.place, *train.job.arguments, "--max-steps", "100000", "--workers", "2")
    children = Path("/proc", str(run), "task", str(run), "children")
    workers: list[str] = []
    for _ in range(600):
        if (train.out / "run/metrics.jsonl").exists() and len(workers := children.read_text().split()) >= 2:
            break
        time.sleep(0.1)
    train.runs.kill(run)
    train.runs.wait(run)
    assert len(workers) >= 2
    for _ in range(600):
        if not any(map(alive, workers)):
            return
        time.sleep(0.1)
    raise AssertionError("workers outlive a killed run by a minute")
