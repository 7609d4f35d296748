"""Several processes: each computes the result of all, which is that of one process."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch.multiprocessing as mp

import nearid_cli
from tests.looping import by_subject
from tests.scorer.part import joined

ROOT = Path(__file__).parents[2]


SHARES = ("even", "uneven", "empty", "repeated")
WRONG = {"none": "no generations yet", "different": "expected the references of process"}


@pytest.fixture(scope="module")
def joint(_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data, beside what two processes computed of it in each case."""
    root = Path(shutil.copytree(_data, tmp_path_factory.mktemp("joint") / "data"))
    mp.spawn(joined, (2, root, [*SHARES, "memory", *WRONG]), nprocs=2)
    return root


def answers(data: Path, case: str) -> list[Any]:
    return [json.loads((data / f"{case}-{rank}.json").read_text()) for rank in range(2)]


def expected(data: Path) -> Any:
    """What one process computes."""
    scorer = nearid_cli.Scorer("nearid-mini", by_subject(data / "refs"), use_cache=False, engine="torch")
    for subject, files in by_subject(data / "gens").items():
        scorer.update(files, subject, prompt=[path.stem for path in files])
    result = scorer.compute().to_dict()
    del result["created"]
    return json.loads(json.dumps(result))


@pytest.mark.parametrize("case", SHARES)
def test_two_processes_compute_what_one_does(joint: Path, case: str) -> None:
    first, second = answers(joint, case)
    assert first["result"] == second["result"] == expected(joint)
    if case == "even":
        assert (first["alone"], second["alone"]) == (5, 4)


def test_pictures_in_memory_give_the_numbers_of_one_process(joint: Path) -> None:
    first, second = answers(joint, "memory")
    assert first["result"] == second["result"]
    for name, number in expected(joint)["aggregate"]["nearid-mini"].items():
        assert first["result"]["aggregate"]["nearid-mini"][name] == pytest.approx(number, abs=1e-6), name


@pytest.mark.parametrize("case", WRONG)
def test_processes_that_cannot_be_joined_all_say_so(joint: Path, case: str) -> None:
    found = answers(joint, case)
    assert any(WRONG[case] in one["error"] for one in found)
    assert all("error" in one for one in found)


@pytest.mark.torture
def test_processes_of_accelerate_are_joined(data: Path) -> None:
    """Started as `accelerate launch` starts them on two GPUs, and joined by an `Accelerator`."""
    command = [
        sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2",
        "-m", "tests.scorer.part", str(data), "even",
    ]  # fmt: skip
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    first, second = answers(data, "even")
    assert first["result"] == second["result"] == expected(data)
