"""A system call that fails, or a kill at it, at every place where a run touches its cache or its outputs."""

from __future__ import annotations

import errno
import json
import random
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from nearid_cli.embedding.cache import Cache
from nearid_cli.embedding.parts import PartFolder
from nearid_cli.encoders.descriptors import HOG
from tests.commandline import warnings_of_work

from .conftest import Ran, Runs, fresh, numbers

SCORE = ("score", "refs", "gens", "-m", "hog", "--format", "json")
CACHED = ("--cache", "faulty/cache")
OUTPUTS = ("-o", "faulty/run.json", "-o", "faulty/run.html", "-o", "faulty/run.csv")
ERRORS = (errno.EIO, errno.ENOSPC, errno.EMFILE, errno.ENOMEM, errno.EACCES)
KILL = -1
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
            "one of many parts": self._chopped(),
        }

    def _chopped(self) -> Path:
        """A cache of so many parts of `hog` that a run merges them, which lacks one picture."""
        made = self.place / "chopped"
        cold = Cache(self.place / "cold/cache")
        chopped = Cache(made / "cache")
        chopped.mark()
        for folder in {path.parent for path in cold.folder.rglob("*.parquet")}:
            place = folder.relative_to(cold.folder)
            parts = PartFolder(chopped.folder / place, chopped.caution, place.parts[0])
            for table in PartFolder(folder, cold.caution, place.parts[0]).tables():
                slices = [(0, len(table) - 1)]
                if folder.name == HOG.fingerprint:
                    slices = [(start, 1) for start in range(len(table) - 1)] + [
                        (start, 2) for start in range(4)
                    ]
                for start, rows in slices:
                    parts.write(partial(table.slice, start, rows))
        return made

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

    def check_outputs(self, old: bool, nth: int, error: int) -> bool:
        """Whether the run could not write."""
        fresh(self.faulty)
        names = [name.removeprefix("faulty/") for name in OUTPUTS[1::2]]
        for name in names if old else ():
            (self.faulty / name).write_text("old")
        ran = self.fail((*SCORE, "--cache", "cold/cache", *OUTPUTS), nth, error)
        where = (nth, errno.errorcode.get(error, "killed"), ran.err[-600:])
        assert "Traceback" not in ran.err, where
        assert "unexpected" not in ran.err, where
        assert ran.code in ((0, -9) if error == KILL else (0, 2)), where
        if ran.code == 2:
            assert ran.err.splitlines()[-1].startswith(("error: ", "  ")), where
        elif ran.code == 0:
            assert numbers(ran.out) == self.expected, where
        for path in self.faulty.iterdir():
            if path.name in names:
                assert whole(path, self.expected, old and ran.code != 0), (path, where)
            else:
                # What cannot be deleted is swept by the next run.
                assert error == KILL or path.name.endswith(".tmp"), (path, where)
        assert ran.code != 0 or {path.name for path in self.faulty.iterdir()} >= set(names), where
        again = self.runs(self.place, *SCORE, "--cache", "cold/cache", *OUTPUTS)
        assert again.code == 0, (where, again.err)
        assert all(whole(self.faulty / name, self.expected, old=False) for name in names), where
        return ran.code == 2


def whole(path: Path, expected: dict[str, Any], old: bool) -> bool:
    text = path.read_text()
    if old and text == "old":
        return True
    if path.suffix == ".json":
        return bool({**json.loads(text), "created": None} == expected)
    return text.rstrip().endswith("</html>") if path.suffix == ".html" else text.count("\n") > 3


@pytest.fixture
def scene(runs: Runs, place: Path) -> Scene:
    return Scene(runs, place)


@pytest.mark.parametrize("state", ["no cache", "a full one", "one of many parts"])
def test_some_faults_of_the_cache(scene: Scene, state: str) -> None:
    chance = random.Random(state)
    calls = scene.calls((*SCORE, *CACHED), scene.caches[state])
    for nth in chance.sample(calls, 4):
        scene.check_cache(state, nth, chance.choice(WAYS))


def test_some_faults_of_outputs(scene: Scene) -> None:
    chance = random.Random(15)
    for nth in chance.sample(scene.calls((*SCORE, "--cache", "cold/cache", *OUTPUTS), None), 5):
        scene.check_outputs(chance.random() < 0.5, nth, chance.choice(WAYS))


def every(
    calls: range, turn: int, check: Callable[[int, int], Any], record_property: Callable[[str, object], None]
) -> None:
    """Check every call, with each way to fail in turn, and say of all that go wrong how."""
    failed = []
    for nth in calls:
        try:
            check(nth, WAYS[(nth + turn) % len(WAYS)])
        except AssertionError as failure:
            failed.append(str(failure)[:1200])
    record_property("tries", len(calls))
    assert not failed, f"{len(failed)} of {len(calls)}:\n" + "\n\n".join(failed)


each_turn = pytest.mark.parametrize("turn", range(len(WAYS)), ids="turn {}".format)


@pytest.mark.torture
@pytest.mark.parametrize("state", ["no cache", "a full one", "one of many parts"])
@each_turn
def test_every_fault_of_the_cache(
    scene: Scene, state: str, turn: int, record_property: Callable[[str, object], None]
) -> None:
    calls = scene.calls((*SCORE, *CACHED), scene.caches[state])
    every(calls, turn, lambda nth, error: scene.check_cache(state, nth, error), record_property)


@pytest.mark.torture
@pytest.mark.parametrize("old", [False, True], ids=["new", "replaced"])
@each_turn
def test_every_fault_of_outputs(
    scene: Scene, old: bool, turn: int, record_property: Callable[[str, object], None]
) -> None:
    calls = scene.calls((*SCORE, "--cache", "cold/cache", *OUTPUTS), None)
    every(calls, turn, lambda nth, error: scene.check_outputs(old, nth, error), record_property)


@pytest.mark.torture
@pytest.mark.parametrize("command", ["info", "verify", "compact", "clear"])
@each_turn
def test_every_fault_of_cache_commands(
    scene: Scene, command: str, turn: int, record_property: Callable[[str, object], None]
) -> None:
    arguments = ("cache", command, *CACHED, *(["--yes"] if command == "clear" else []))
    filled = scene.caches["one of many parts"]

    def check(nth: int, error: int) -> None:
        fresh(scene.faulty, filled)
        ran = scene.fail(arguments, nth, error)
        where = (command, nth, errno.errorcode.get(error, "kill"), ran.code, ran.err[-600:])
        assert ran.code in ((0, -9) if error == KILL else (0, 2)), where
        assert ran.err.count("error: ") == (ran.code == 2), where
        assert "Traceback" not in ran.err, where
        assert "unexpected" not in ran.err, where
        after = scene.runs(scene.place, *SCORE, *CACHED)
        assert (after.code, warnings_of_work(after.err)) == (0, []), (where, after.err)
        assert numbers(after.out) == scene.expected, where

    every(scene.calls(arguments, filled), turn, check, record_property)
