"""Commands that write, killed and interrupted at random moments: what is there is whole, and the next run is right."""

from __future__ import annotations

import random
import re
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from nearid_cli.embedding.cache import Cache

from .conftest import Runs, numbers

SCORE = ("score", "refs", "gens", "-m", "hog", "--format", "json", "--cache", "cache")
COMMANDS = {
    "score": (*SCORE, "-o", "out/run.json", "-o", "out/run.html"),
    "compare": (
        *("compare", "gens", "gens2", "--refs", "refs", "-m", "hog", "--cache", "cache"),
        *("-o", "out/run.json", "-o", "out/run.html"),
    ),
    "embed": ("embed", "refs", "gens", "-m", "hog", "--cache", "cache", "-o", "out/rows.parquet"),
    "compact": ("cache", "compact", "--cache", "cache"),
}

# Typer lets compiled code of pydantic make its options, which says so where Ctrl-C comes within it, and goes on.
_LOST = re.compile(r"Exception ignored in: 'Path'\n(?:.*\n)*?KeyboardInterrupt: \n")


def whole(path: Path) -> bool:
    if path.suffix == ".json":
        return bool(numbers(path.read_text()))
    if path.suffix == ".parquet":
        return bool(pq.read_table(path).num_rows)
    return path.read_text().rstrip().endswith("</html>")


class Torn:
    """Runs of one command that are stopped at random, on one cache that is emptied now and then."""

    def __init__(self, plain: Runs, place: Path, command: str) -> None:
        self.runs, self.place, self.command = plain, place, COMMANDS[command]
        shutil.copytree(place / "gens", place / "gens2")
        (place / "out").mkdir()
        self.expected = numbers(plain(place, *SCORE).out)
        begun = time.monotonic()
        ran = plain(place, *self.command)
        assert ran.code == 0, ran.err
        self.seconds = time.monotonic() - begun

    def stop(self, chance: random.Random, sent: list[int]) -> tuple[int, str]:
        if chance.random() < 0.3:
            shutil.rmtree(self.place / "cache", ignore_errors=True)
        for path in (self.place / "out").iterdir():
            path.unlink()
        run = self.runs.start(self.place, *self.command)
        time.sleep(chance.uniform(0, self.seconds))
        for one in sent:
            self.runs.kill(run, one)
            time.sleep(chance.uniform(0, 0.05))
        ran = self.runs.wait(run)
        assert "Traceback" not in _LOST.sub("", ran.err), ran.err
        for path in (self.place / "out").iterdir():
            # What killed runs had begun to write has another name.
            assert whole(path) if not path.name.startswith(".") else sent != [signal.SIGINT], path
        return ran.code, ran.err

    def check(self) -> None:
        _, damaged, unread = Cache(self.place / "cache").verify()
        assert (damaged, unread) == ([], [])
        again = self.runs(self.place, *SCORE)
        assert again.code == 0, again.err
        assert numbers(again.out) == self.expected


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
@pytest.mark.parametrize("command", COMMANDS)
def test_a_hundred_kills(
    plain: Runs, place: Path, command: str, record_property: Callable[[str, object], None]
) -> None:
    found = attack(Torn(plain, place, command), [signal.SIGKILL], {0, -9}, 100, 1)
    record_property("ends", found)
    assert found[-9] > 20


@pytest.mark.torture
@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("sent", "codes"),
    [
        ([signal.SIGINT], {0, 130}),
        ([signal.SIGINT, signal.SIGINT], {0, 130}),
        ([signal.SIGTERM], {0, -15}),
        ([signal.SIGTERM, signal.SIGTERM], {0, -15}),
    ],
    ids=["interrupt", "interrupt twice", "terminate", "terminate twice"],
)
def test_signals(
    plain: Runs,
    place: Path,
    command: str,
    sent: list[int],
    codes: set[int],
    record_property: Callable[[str, object], None],
) -> None:
    record_property("ends", attack(Torn(plain, place, command), sent, codes, 20, 2))
