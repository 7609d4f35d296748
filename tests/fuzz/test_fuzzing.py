"""Whatever a file holds, it is read or refused in words: the kept inputs, and seconds of those that are made of them.

`python -m tests.fuzz TARGET` goes on for as long as one likes, with atheris where that is installed.
"""

from __future__ import annotations

import logging
import math
import subprocess
import sys
from collections.abc import Iterator
from random import Random

import pytest

from nearid_cli.images.memory import BUDGET
from tests.fuzz.mutations import mutated
from tests.fuzz.targets import CORPUS, TARGETS, run, seeds


@pytest.fixture(autouse=True)
def silent() -> Iterator[None]:
    """What is noted of odd files is no matter here, and takes longer than reading them."""
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


def test_every_target_has_inputs_of_its_own_and_no_others_are_kept() -> None:
    assert sorted(path.name for path in CORPUS.iterdir()) == sorted(TARGETS)
    assert sum(path.stat().st_size for path in CORPUS.rglob("*")) < 300_000


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of sums of numbers of 60 digits
def test_what_is_kept_and_what_is_made_of_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BUDGET, "given", None)  # which a target may set
    given, random = seeds(name), Random(7)
    for data in given:
        run(name, data)
    for _ in range(math.ceil(3_000 * TARGETS[name].share)):
        run(name, mutated(random, given, TARGETS[name].grammar))


@pytest.mark.torture
@pytest.mark.parametrize("name", TARGETS)
def test_for_a_minute_each(name: str) -> None:
    finished = subprocess.run(
        [sys.executable, "-m", "tests.fuzz", name, "--seconds", "60"],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert finished.returncode == 0, finished.stdout
