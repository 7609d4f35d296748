"""Every fuzz target over what is known and mutations of it; as long as one likes with atheris."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest

from nearid_cli.images.memory import BUDGET
from tests.fuzz.driver import CORPUS, known, mutations, target

TARGETS = sorted(folder.name for folder in CORPUS.iterdir())


@pytest.mark.parametrize("name", TARGETS)
def test_known_inputs_and_mutations_of_them(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BUDGET, "_size", None)  # which a target may set
    check, inputs = target(name).check, known(name)
    for data in (*inputs, *mutations(inputs, 2000, seed=1)):
        check(data)


@pytest.mark.torture
@pytest.mark.parametrize("name", TARGETS)
def test_a_minute_of_atheris(name: str) -> None:
    if importlib.util.find_spec("atheris") is None:
        pytest.skip("pip install atheris")
    command = [sys.executable, "-m", "tests.fuzz.driver", name, "-max_total_time=60", "-print_final_stats=1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-4000:]
