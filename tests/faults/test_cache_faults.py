"""A system call that fails, or a kill at it, at every place where a run touches its cache or its outputs."""

from __future__ import annotations

import errno
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nearid_cli.embedding.cache import Cache
from tests.commandline import warnings_of_work

from .conftest import ERRORS, KILL, Ran, Runs, every, fresh, numbers
from .jobs import JOBS, Shop, Workshop, chopped

SCORE = ("score", "refs", "gens", "-m", "hog", "--format", "json")
CACHED = ("--cache", "faulty/cache")
WAYS = (*ERRORS, KILL)


class Scene:
    """Where runs are made to fail: pictures, and caches in several states; tries and what they came to."""

    def __init__(self, runs: Runs, place: Path) -> None:
        self.runs = runs
        self.place = place
        self.faulty = place / "faulty"
        first = runs(place, *SCORE, "--cache", "cold/cache")
        assert first.code == 0, first.err
        self.expected = numbers(first.out)
        self.caches: dict[str, Path | None] = {
            "no cache": None,
            "a full one": place / "cold",
            "one of many parts": chopped(Cache(place / "cold/cache"), place / "chopped"),
        }

    def fail(self, arguments: tuple[str, ...], nth: int, error: int) -> Ran:
        return self.runs(self.place, *arguments, below=str(self.faulty), nth=nth, error=error)

    def calls(self, arguments: tuple[str, ...], filled: Path | None) -> range:
        """The numbers of all system calls below the folder, when nothing fails."""
        fresh(self.faulty, filled)
        seen = self.fail(arguments, 0, 0).seen
        assert seen, "no system call was seen"
        return range(1, seen + 1)

    def check_cache(self, state: str, nth: int, error: int) -> None:
        fresh(self.faulty, self.caches[state])
        ran = self.fail((*SCORE, *CACHED), nth, error)
        where = (state, nth, errno.errorcode.get(error, "killed"), ran.err[-600:])
        assert "Traceback" not in ran.err, where
        if error == KILL:
            assert ran.code in (0, -9), where
        else:
            assert ran.code == 0, where
            assert numbers(ran.out) == self.expected, where
            assert not list(self.faulty.rglob("*.damaged")), where
        again = self.runs(self.place, *SCORE, *CACHED)
        assert (again.code, warnings_of_work(again.err)) == (0, []), (where, again.err)
        assert numbers(again.out) == self.expected, where
        _, damaged, unread = Cache(self.faulty / "cache").verify()
        assert (damaged, unread) == ([], []), where


@pytest.fixture(scope="module")
def shop(runs: Runs, shim: Path, _data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    made = Shop(runs, shim, _data, tmp_path_factory.mktemp("shop"))
    yield made
    made.end()


@pytest.fixture
def scene(runs: Runs, place: Path) -> Scene:
    return Scene(runs, place)


@pytest.mark.parametrize("state", ["no cache", "a full one", "one of many parts"])
def test_some_faults_of_the_cache(scene: Scene, state: str) -> None:
    chance = random.Random(state)
    calls = scene.calls((*SCORE, *CACHED), scene.caches[state])
    for nth in chance.sample(calls, 4):
        scene.check_cache(state, nth, chance.choice(WAYS))


each_way = pytest.mark.parametrize("ways", [ERRORS, (KILL,)], ids=["errors", "kills"])


@pytest.mark.torture
@pytest.mark.parametrize("state", ["no cache", "a full one", "one of many parts"])
@each_way
def test_every_fault_of_the_cache(
    scene: Scene, state: str, ways: tuple[int, ...], record_property: Callable[[str, object], None]
) -> None:
    calls = scene.calls((*SCORE, *CACHED), scene.caches[state])
    every(calls, ways, lambda nth, error: scene.check_cache(state, nth, error), record_property)


@pytest.mark.torture
@pytest.mark.parametrize("command", ["info", "verify", "verify --recompute 3", "compact", "clear --yes"])
@each_way
def test_every_fault_of_cache_commands(
    scene: Scene, command: str, ways: tuple[int, ...], record_property: Callable[[str, object], None]
) -> None:
    arguments = ("cache", *command.split(), *CACHED)
    filled = scene.caches["one of many parts"]

    def check(nth: int, error: int) -> None:
        fresh(scene.faulty, filled)
        ran = scene.fail(arguments, nth, error)
        where = (command, nth, errno.errorcode.get(error, "kill"), ran.code, ran.err[-600:])
        assert ran.code in ((0, -9) if error == KILL else (0, 2)), where
        assert ran.err.count("error: ") == (ran.code == 2), where
        assert "Traceback" not in ran.err, where
        assert "error: unexpected" not in ran.err, where
        after = scene.runs(scene.place, *SCORE, *CACHED)
        assert (after.code, warnings_of_work(after.err)) == (0, []), (where, after.err)
        assert numbers(after.out) == scene.expected, where

    every(scene.calls(arguments, filled), ways, check, record_property)


def check_output(workshop: Workshop, nth: int, error: int) -> None:
    """One line, and nothing by half; and the next time all is right."""
    workshop.begin()
    ran = workshop.fail(nth, error)
    where = (workshop.job.arguments[:2], nth, errno.errorcode.get(error, "killed"), ran.code, ran.err[-600:])
    assert "Traceback" not in ran.err, where
    assert "error: unexpected" not in ran.err, where
    assert ran.code in ((0, -9) if error == KILL else (0, 2)), where
    assert ran.code != 2 or ran.err.splitlines()[-1].startswith(("error: ", "  ")), where
    try:
        workshop.look(ran.code == 0)
        workshop.again()
    except AssertionError as failure:
        raise AssertionError(f"{failure} {where}") from failure


def test_some_faults_of_outputs(shop: Shop) -> None:
    chance = random.Random(15)
    for name in ("score anew", "compare", "embed", "gate init", "gate update"):
        workshop = shop(name)
        for nth in chance.sample(workshop.calls, 2 if name == "score anew" else 1):
            check_output(workshop, nth, chance.choice(WAYS))


@pytest.mark.torture
@each_way
@pytest.mark.parametrize("name", JOBS)
def test_every_fault_of_outputs(
    shop: Shop, name: str, ways: tuple[int, ...], record_property: Callable[[str, object], None]
) -> None:
    workshop = shop(name)
    every(workshop.calls, ways, lambda nth, error: check_output(workshop, nth, error), record_property)
