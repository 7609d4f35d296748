"""Checkpoints that are killed, damaged, thinned out, or have no room."""

from __future__ import annotations

import errno
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nearid_cli.errors import InputError
from nearid_cli.training import checkpoints
from nearid_cli.training.checkpoints import Checkpoint, clear_leftovers, newest, save, thin_out
from nearid_cli.training.loop import train
from tests.training.running import assert_same_run, journal, make_data, options

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_data(tmp_path_factory.mktemp("data"))


def write(output: Path, step: int, size: int = 100, **metrics: float) -> Checkpoint:
    def write_model(folder: Path) -> None:
        (folder / "model.safetensors").write_bytes(b"x" * size)

    return save(output, step, write_model, {"weight": torch.ones(3)}, {"options": {"lr": 1}}, metrics)


def names(output: Path) -> set[str]:
    return {path.name for path in output.iterdir()}


def test_what_is_saved_comes_back(tmp_path: Path) -> None:
    write(tmp_path, 7, ssr=0.5, pa=0.75, mean_margin=0.1)
    found = newest(tmp_path)
    assert found == Checkpoint(tmp_path / "checkpoint-7", 7)
    assert found.metrics() == {"ssr": 0.5, "pa": 0.75, "mean_margin": 0.1}
    assert found.state()["options"] == {"lr": 1}
    assert found.state()["files"].keys() == {"model/model.safetensors", "state.pt", "metrics.json"}
    assert torch.equal(found.tensors()["weight"], torch.ones(3))
    assert names(tmp_path) == {"checkpoint-7"}


def test_no_checkpoint(tmp_path: Path) -> None:
    assert newest(tmp_path / "nowhere") is None
    (tmp_path / "checkpoint-x").mkdir()
    (tmp_path / "checkpoint-3.tmp").mkdir()
    assert newest(tmp_path) is None


def test_newest_is_by_number(tmp_path: Path) -> None:
    for step in (9, 10, 2):
        write(tmp_path, step)
    assert newest(tmp_path) == Checkpoint(tmp_path / "checkpoint-10", 10)


@pytest.mark.parametrize("file", ["model/model.safetensors", "state.pt", "metrics.json", "state.json"])
@pytest.mark.parametrize("how", ["flipped", "short", "gone"])
def test_a_damaged_checkpoint_is_passed_over_and_replaced(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, file: str, how: str
) -> None:
    write(tmp_path, 2)
    path = write(tmp_path, 4).folder / file
    if how == "gone":
        path.unlink()
    else:
        content = bytearray(path.read_bytes())
        content[0] ^= 1
        path.write_bytes(content if how == "flipped" else path.read_bytes()[: len(content) // 2])
    assert newest(tmp_path) == Checkpoint(tmp_path / "checkpoint-2", 2)
    (message,) = caplog.messages
    assert message.startswith(f"{tmp_path / 'checkpoint-4'} is passed over: it")
    thin_out(tmp_path, 4, keep=5)  # damaged metrics are no reason to stop
    write(tmp_path, 4)
    assert newest(tmp_path) == Checkpoint(tmp_path / "checkpoint-4", 4)


@pytest.mark.parametrize("code", [errno.EIO, errno.EMFILE, errno.EACCES])
@pytest.mark.parametrize("name", ["metrics.json", "state.json"])
def test_a_checkpoint_that_cannot_be_read_now_is_not_a_damaged_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, code: int
) -> None:
    """The best would be another one, or a run would go on from one before it."""
    write(tmp_path, 2, ssr=0.1, pa=0.1, mean_margin=0.1)
    write(tmp_path, 4, ssr=0.9, pa=0.9, mean_margin=0.9)
    refused = str(tmp_path / "checkpoint-4" / name)
    stock = os.open

    def refuse(path: Any, *arguments: Any, **more: Any) -> int:
        if str(path) == refused:
            raise OSError(code, os.strerror(code), path)
        return stock(path, *arguments, **more)

    def look() -> None:
        thin_out(tmp_path, 4, keep=1) if name == "metrics.json" else newest(tmp_path)

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refuse)
        with pytest.raises(InputError, match=r"cannot read .*checkpoint-4: .*--resume"):
            look()
    assert names(tmp_path) == {"checkpoint-2", "checkpoint-4"}
    thin_out(tmp_path, 4, keep=1)
    assert (tmp_path / "best").readlink() == Path("checkpoint-4")


@given(
    scores=st.lists(st.none() | st.tuples(*[st.integers(0, 2)] * 3), min_size=1, max_size=8),
    keep=st.integers(1, 4),
)
def test_the_newest_and_the_best_are_kept(
    tmp_path_factory: pytest.TempPathFactory, scores: list[tuple[int, int, int] | None], keep: int
) -> None:
    output = tmp_path_factory.mktemp("run")
    for step, score in enumerate(scores):
        place = output / f"checkpoint-{step}"
        place.mkdir()
        values = {} if score is None else dict(zip(("ssr", "pa", "mean_margin"), score, strict=True))
        (place / "metrics.json").write_text(json.dumps(values))
        thin_out(output, step, keep)
        so_far = [(score, -index) for index, score in enumerate(scores[: step + 1]) if score is not None]
        expected = {f"checkpoint-{index}" for index in range(max(0, step + 1 - keep), step + 1)}
        if so_far:
            best = f"checkpoint-{-max(so_far)[1]}"
            assert (output / "best").readlink() == Path(best)  # relative: the run may be moved
            assert (output / "best" / "metrics.json").exists()
            expected |= {best, "best"}
        assert names(output) == expected
    shutil.rmtree(output)


def test_leftovers_are_cleared(tmp_path: Path) -> None:
    write(tmp_path, 1)
    (tmp_path / ".checkpoint-2-abc.tmp" / "model").mkdir(parents=True)
    (tmp_path / ".best.tmp").symlink_to("checkpoint-1")
    record = tmp_path / f".{'0' * 32}.tmp"
    record.touch()
    os.utime(record, (1, 1))
    clear_leftovers(tmp_path)
    assert names(tmp_path) == {"checkpoint-1"}


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Let the system refuse to make a file larger than this."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_a_file_that_the_disk_does_not_take(tmp_path: Path) -> None:
    write(tmp_path, 1)
    with largest_file(5_000), pytest.raises(InputError) as error:
        write(tmp_path, 2, size=10_000)
    assert error.value.message == (
        f"cannot write {tmp_path / 'checkpoint-2'}: file too large; earlier checkpoints are whole: "
        "make room and go on with --resume"
    )
    assert names(tmp_path) == {"checkpoint-1"}


@pytest.mark.parametrize("file", ["training.json", "model.safetensors", "state.pt"])
def test_a_run_that_cannot_save(data: Path, tmp_path: Path, file: str) -> None:
    """The model's file is refused by safetensors' own writer, or state.pt by torch's."""
    train(options(data, tmp_path / "run", max_steps=2, schedule="constant"))
    sizes = {path.name: path.stat().st_size for path in (tmp_path / "run").rglob("*.*")}
    assert sizes["training.json"] < sizes["model.safetensors"] < sizes["state.pt"]
    with (
        largest_file(sizes[file] - 100),
        pytest.raises(InputError, match="earlier checkpoints are whole: make room") as error,
    ):
        train(options(data, tmp_path / "run", max_steps=4, schedule="constant", resume=True))
    assert (
        file in error.value.message
        or f"cannot write {tmp_path / 'run/checkpoint-4'}: " in error.value.message
    )
    assert "\n" not in error.value.message
    assert names(tmp_path / "run") == {"checkpoint-2", "best", "metrics.jsonl", "training.json"}
    train(options(data, tmp_path / "run", max_steps=4, schedule="constant", resume=True))
    train(options(data, tmp_path / "straight", max_steps=4, schedule="constant"))
    assert_same_run(tmp_path / "straight", tmp_path / "run", step=4)


# A run that says when it is about to do something to its second checkpoint, and then takes its time.
SLOW = """
import sys, time
from pathlib import Path
import torch
torch.set_num_threads({threads})  # as in the process that goes on
sys.path.insert(0, {root!r})
from nearid_cli.training import checkpoints
from nearid_cli.training.loop import train
from tests.training.running import options
place, calls = {place!r}, 0
original = getattr(checkpoints, place)
def slow(*arguments):
    global calls
    if list(Path("run").glob(".checkpoint-4-*.tmp")):
        calls += 1
        if calls == {call}:
            Path("begun").touch()
            time.sleep(600)
    return original(*arguments)
setattr(checkpoints, place, slow)
train(options(Path({data!r}), Path("run")))
"""


@pytest.mark.parametrize(("place", "call"), [("_write_json", 1), ("flush", 6)], ids=["writing", "flushing"])
def test_killed_while_it_saves(data: Path, tmp_path: Path, place: str, call: int) -> None:
    threads = torch.get_num_threads()
    program = SLOW.format(root=str(ROOT), place=place, call=call, data=str(data), threads=threads)
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        for _ in range(12_000):
            if (tmp_path / "begun").exists():
                break
            assert process.poll() is None, process.communicate()
            time.sleep(0.01)
        else:
            raise AssertionError("it never began")
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert process.returncode == -signal.SIGKILL
    run = tmp_path / "run"
    (leftover,) = run.glob(".checkpoint-4-*.tmp")
    assert (leftover / "model" / "model.safetensors").exists()
    assert not (run / "checkpoint-4").exists()
    assert newest(run) == Checkpoint(run / "checkpoint-2", 2)
    assert (run / "best").readlink() == Path("checkpoint-2")
    assert journal(run)[-1]["step"] == 4  # recorded, and dropped by what follows

    train(options(data, run, resume=True))
    train(options(data, tmp_path / "straight"))
    assert_same_run(tmp_path / "straight", run)
    assert not list(run.glob(".checkpoint*"))


def test_a_line_that_a_kill_cut_off_is_dropped_and_so_is_what_we_never_wrote(
    data: Path, tmp_path: Path
) -> None:
    train(options(data, tmp_path / "straight"))
    train(options(data, tmp_path / "run"))
    for name in ("checkpoint-4", "checkpoint-6"):
        shutil.rmtree(tmp_path / "run" / name)
    lines = (tmp_path / "run" / "metrics.jsonl").read_text()
    kept = lines[: lines.index('"step": 5') + 15]
    (tmp_path / "run" / "metrics.jsonl").write_text('null\n[1]\n{"step": null}\n{}\n' + kept)
    train(options(data, tmp_path / "run", resume=True))
    assert_same_run(tmp_path / "straight", tmp_path / "run")


def test_state_is_only_data(tmp_path: Path) -> None:
    """A checkpoint from elsewhere runs no code."""

    class Bomb:
        def __reduce__(self) -> Any:
            return (os.mkdir, (str(tmp_path / "exploded"),))

    made = write(tmp_path, 1)
    torch.save({"weight": Bomb()}, made.folder / "state.pt")
    with pytest.raises(Exception, match=r"[Ww]eights"):
        made.tensors()
    assert not (tmp_path / "exploded").exists()


def test_the_writer_and_the_reader_agree_on_the_names() -> None:
    assert checkpoints.folder(Path("x"), 3) == Path("x/checkpoint-3")
