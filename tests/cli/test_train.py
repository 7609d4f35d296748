"""`nearid train`: its flags are the options, and what goes wrong is one line."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nearid_cli.flags import all_given
from nearid_cli.training.options import Augmentations, TrainOptions
from tests.commandline import Nearid
from tests.training.running import journal, make_data

DATA = (
    "train",
    "--positives",
    "positives",
    "--distractors",
    "distractors",
    "--backbone",
    "scratch",
    "-o",
    "run",
)
SMALL = (*DATA, "--from-scratch", "--unfreeze", "--batch-size", "4", "--max-steps", "3", "--save-steps", "2")
VALIDATION = ("--validation-rows", "validation.json")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return make_data(tmp_path)


def test_every_option_is_a_flag() -> None:
    for kind, without in ((TrainOptions, {"augmentations"}), (Augmentations, set())):
        fields = {field.name for field in dataclasses.fields(kind)}
        assert {one.field for one in all_given(kind)} == fields - without


def test_every_flag_reaches_the_options(monkeypatch: pytest.MonkeyPatch, nearid: Nearid) -> None:
    import nearid_cli.training.loop as loop

    given: list[TrainOptions] = []

    def stop(options: TrainOptions, bar: bool) -> Any:
        given.append(options)
        assert not bar
        raise KeyboardInterrupt

    monkeypatch.setattr(loop, "train", stop)
    arguments = ["train", "--output", "run"]
    expected: dict[str, Any] = {"output": Path("run")}
    types = {
        field.name: str(field.type).removeprefix("Annotated[")
        for kind in (TrainOptions, Augmentations)
        for field in dataclasses.fields(kind)
    }
    choices = {
        "head": "mlp",
        "loss": "circle:2",
        "loss_masking": "reference",
        "anchors": "all",
        "optimizer": "muon",
        "schedule": "constant",
        "mixed_precision": "bf16",
        "log": ("wandb", "tensorboard"),
        "cache_features": False,
        "features": None,
        "from_scratch": True,
    }
    for number, (name, kind) in enumerate(types.items()):
        if name in ("output", "augmentations"):
            continue
        value: Any = choices.get(name)
        if name not in choices:
            if kind.startswith("bool"):
                value = True
            elif kind.startswith("int"):
                value = 10 + number
            elif kind.startswith("float"):
                value = 1 + number / 100 if name.startswith("scale") else number / 100
            elif kind.startswith("tuple"):
                value = (f"{name} 1", f"{name} 2")
            else:
                value = Path(name) if kind.startswith("Path") else f"{name} of mine"
        expected[name] = value
        flag = f"--{name.replace('_', '-')}"
        if value is True:
            arguments.append(flag)
        elif value not in (None, False):
            for entry in value if isinstance(value, tuple) else (value,):
                arguments += [flag, str(entry)]
    assert nearid(*arguments).code == 130
    (options,) = given
    found = {**{f.name: getattr(options, f.name) for f in dataclasses.fields(options)}}
    found |= dataclasses.asdict(found.pop("augmentations"))
    assert found == expected


def test_a_run_in_a_pipe(nearid: Nearid, data: Path) -> None:
    finished = nearid(*SMALL, *VALIDATION)
    assert (finished.code, finished.out) == (0, "")
    lines = finished.err.splitlines()
    assert [line.split(":")[0] for line in lines[:-1]] == ["step 0 of 3", "step 2 of 3", "step 3 of 3"]
    assert lines[0].startswith("step 0 of 3: SSR ")
    assert all(word in lines[1] for word in ("SSR ", "PA ", "loss ", "images/s "))
    assert lines[-1] == "3 steps done; the model is in run/best/model"
    assert [line["step"] for line in journal(data / "run")] == [0, 1, 2, 2, 3, 3]


def test_a_bar_on_a_terminal(nearid: Nearid, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    finished = nearid(*SMALL, *VALIDATION)
    assert finished.code == 0
    last = [line for line in finished.err.replace("\r", "\n").splitlines() if "3/3" in line][-1]
    assert all(word in last for word in ("loss=", "images/s=", "SSR=", "PA="))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--loss", "infonce_ex"], 'cannot use the loss "infonce_ex"'),
        (["--head", "cls"], 'unknown --head "cls"'),
        (["--max-steps", "0"], "invalid value for '--max-steps'"),
        (["--flip", "2"], "invalid value for '--flip'"),
        (["--scale-min", "2"], "augmentation out of range: scale is 2 to 1.1"),
        (["--positives", "nowhere"], "no data set nowhere"),
        (["--rows", "nowhere.json"], "nowhere.json"),
        (["--batch-size", "400"], "found only 20 to train on"),
        (["--resume", "--log", "wandb"], "--log wandb is not installed: pip install wandb"),
        (["--init-from", "nowhere"], "found no folder nowhere"),
    ],
)
def test_errors(nearid: Nearid, data: Path, change: list[str], message: str) -> None:
    if "wandb" in change:
        pytest.importorskip("nearid_cli")
        from importlib.util import find_spec

        if find_spec("wandb"):
            pytest.skip("wandb is installed")
    finished = nearid(*SMALL, *change)
    assert message in finished.error
    assert not (data / "run").exists()


def test_without_the_extra(nearid: Nearid, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "accelerate"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "accelerate", None)
    error = nearid(*SMALL).error
    assert error == 'training needs the accelerate library: pip install "nearid-cli[train]"'


def test_the_output_cannot_be_a_file(nearid: Nearid, data: Path) -> None:
    (data / "run").touch()
    assert nearid(*SMALL).error == "--output run: expected a folder, found a file at run"


def test_an_interrupt_is_saved_and_told(
    nearid: Nearid, data: Path, process: Callable[..., subprocess.Popen[str]]
) -> None:
    started = process(*SMALL[:-4], "--max-steps", "100000", "--save-steps", "1", OMP_NUM_THREADS="1")
    assert started.stderr is not None
    for line in started.stderr:
        if line.startswith("step 2 of"):
            break
    started.send_signal(signal.SIGINT)
    out, err = started.communicate(timeout=120)
    assert (started.returncode, out) == (130, "")
    last = err.splitlines()[-1]
    assert last.startswith("stopped and saved at step ")
    assert last.endswith(" of 100,000: go on with --resume")
    step = int(last.split()[5].replace(",", ""))
    assert (data / "run" / f"checkpoint-{step}" / "state.json").exists()
    assert [line["step"] for line in journal(data / "run")] == list(range(1, step + 1))


def test_the_module_is_the_command(data: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "nearid_cli.training", *SMALL[1:], "--head", "none"],
        cwd=data,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith('error: unknown --head "none"')


def test_help_is_light() -> None:
    program = (
        "import sys; from nearid_cli.cli.app import main; main(['train', '--help']);"
        "print(sorted({'torch', 'transformers', 'accelerate', 'datasets'} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr == "[]\n"
