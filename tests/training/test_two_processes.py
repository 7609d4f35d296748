"""Two processes on CPUs that train together follow the one that has the whole batch."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from nearid_cli.training.loop import train
from nearid_cli.training.options import TrainOptions
from tests.training.running import journal, make_data, options, weights

LAUNCH = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", "-m", "nearid_cli.training")
DATA = ("--positives", "positives", "--distractors", "distractors", "--validation-rows", "validation.json")
MODEL = ("--backbone", "scratch", "--from-scratch", "--unfreeze", "--optimizer", "muon", "--lr", "1e-3")
STEPS = ("--batch-size", "4", "--gradient-accumulation", "2", "--warmup-steps", "2", "--jitter", "0.5")
SAVES = ("--max-steps", "6", "--save-steps", "2", "--keep", "9")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_data(tmp_path_factory.mktemp("data"), empty=True)


def launched(data: Path, output: Path, *more: str) -> subprocess.Popen[str]:
    """Two processes, as `accelerate launch` would start them on two GPUs."""
    environment = {
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    return subprocess.Popen(
        [sys.executable, *LAUNCH, *DATA, *MODEL, *STEPS, *SAVES, "--output", str(output), *more],
        cwd=data,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def one(data: Path, output: Path) -> TrainOptions:
    from nearid_cli.training.options import Augmentations

    return options(
        data, output, gradient_accumulation=2, optimizer="muon", augmentations=Augmentations(jitter=0.5)
    )


def test_two_processes_follow_one(data: Path, tmp_path: Path) -> None:
    process = launched(data, tmp_path / "two")
    train(one(data, tmp_path / "one"))
    out, err = process.communicate(timeout=240)
    assert process.returncode == 0, err
    assert out == ""
    alone, together = journal(tmp_path / "one"), journal(tmp_path / "two")
    assert [line.keys() for line in together] == [line.keys() for line in alone]
    for ours, theirs in zip(together, alone, strict=True):
        for name, value in theirs.items():  # the gradient's norm among them
            assert ours[name] == pytest.approx(value, rel=1e-3, abs=1e-4), name
    for step in (2, 6):
        ours, theirs = (weights(tmp_path / run / f"checkpoint-{step}") for run in ("two", "one"))
        for name in theirs:
            torch.testing.assert_close(ours[name], theirs[name], rtol=1e-3, atol=2e-4)
    # One process speaks: a line for each of the four evaluations, and one at the end.
    lines = [line for line in err.splitlines() if line.startswith(("step ", "6 steps"))]
    assert len(lines) == 5, err
    assert "Traceback" not in err
