"""`nearid synth` as its users meet it."""

from __future__ import annotations

import hashlib
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import datasets
import pytest
from PIL import Image

from tests.commandline import LOST, Nearid

SMALL = ("--size", "24", "--identities", "20")
Process = Callable[..., "subprocess.Popen[str]"]


def digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("form", ["folders", "dataset"])
def test_the_same_seed_gives_the_same_files_whatever_the_workers(
    nearid: Nearid, process: Process, tmp_path: Path, form: str
) -> None:
    assert nearid("synth", "one", *SMALL, "--as", form, "--seed", "5", "--workers", "1").code == 0
    home = tmp_path / "home"
    home.mkdir()
    # Another process, two workers, and a home that tells whether anything was left in it.
    other = process(
        "synth", "two", *SMALL, "--as", form, "--seed", "5", "--workers", "2", HOME=str(home), HF_HOME=""
    )
    assert other.communicate(timeout=120)[0] == ""
    assert other.returncode == 0
    assert list(home.iterdir()) == []
    one = digests(tmp_path / "one")
    assert one == digests(tmp_path / "two")
    assert len(one) == (20 * 3 * 4 + 20 * 3 + 2 if form == "folders" else 2 * 3 + 1)


def test_runs_that_follow_each_other_make_one_data_set(nearid: Nearid, tmp_path: Path) -> None:
    whole = ("--size", "24", "--views", "2", "--distractors", "0", "--workers", "1")
    assert nearid("synth", "all", *whole, "--identities", "12").code == 0
    assert nearid("synth", "rest", *whole, "--identities", "3", "--start", "9").code == 0
    everything, rest = digests(tmp_path / "all"), digests(tmp_path / "rest")
    pictures = {name: digest for name, digest in rest.items() if name.endswith(".png")}
    assert len(pictures) == 3 * 2 * 3
    assert pictures.items() <= everything.items()


def test_folders_are_scored_by_the_command_that_it_names(nearid: Nearid, tmp_path: Path) -> None:
    finished = nearid("synth", "my data", *SMALL, "--workers", "2", "--sheet", "sheet.png")
    assert (finished.code, finished.out) == (0, "")
    line, following = finished.err.splitlines()
    assert line.startswith("20 identities, 120 pictures at ")
    assert line.endswith(" a second in my data")
    command = shlex.split(following.removeprefix("next: "))
    places = [f"my data/{name}" for name in ("references", "generations", "distractors")]
    alike = ["--distractors", places[2]]
    assert command == ["nearid", "score", *places[:2], *alike, "--metric", "nearid-mini"]
    assert nearid(*command[1:]).code == 0
    scored = nearid(*command[1:-1], "hog")
    assert scored.code == 0
    assert scored.err.splitlines() == [
        "layout folders: 20 subjects, 40 references, 20 generations, 60 distractors",
        "distractors are paired with references by name, as nearid synth writes them: SSR and PA as in the paper",
        "20 distractors of 60 in a context that no reference of the subject has, without trials in SSR and PA: "
        "bottle_000017 03, camera_000007 03, car_000008 03 and 17 more",
    ]
    folders, manifest = (
        " ".join(out.split())  # sentences break elsewhere
        for out in (
            scored.out,
            nearid("score", "my data/manifest.csv", "--metric", "hog", "--masks", "none").out,
        )
    )
    assert manifest == folders.replace("by name, as nearid synth writes them", "by the column context")
    # Look-alikes are scored as a method too.
    assert nearid("score", "my data/references", "my data/distractors", "--metric", "hog").code == 0
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.format == "PNG"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["my data", "sheet.png"]


def test_a_data_set_is_loaded_and_trained_on(nearid: Nearid, tmp_path: Path) -> None:
    finished = nearid(
        "synth", "data", "--as", "dataset", "--size", "24", "--identities", "3", "--distractors", "2",
        "--difficulty", "easy", "--categories", "mug, car", "--workers", "1",
    )  # fmt: skip
    assert finished.code == 0
    command = finished.err.splitlines()[-1].removeprefix("next: ")
    assert command == (
        "nearid train --positives data/positives --distractors data/distractors --distractors data/distractors-2 "
        "--backbone nearid-mini --batch-size 3 --output run"
    )
    # As printed, but for how long: without a network and with as few identities as there are.
    trained = nearid(*shlex.split(command)[1:], "--max-steps", "1")
    assert trained.code == 0, trained.err
    positives, distractors = (
        datasets.load_from_disk(f"data/{name}") for name in ("positives", "distractors-2")
    )
    assert set(positives["category"]) <= {"mug", "car"}
    assert set(distractors["difficulty"]) == {"easy"}
    assert positives[0]["images1"].size == distractors[0]["nimg1"].size == (24, 24)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--difficulty", "esay"], 'unknown difficulty "esay": did you mean easy?'),
        (["--categories", "mug,tepot"], 'unknown category "tepot": did you mean teapot?'),
        (["--as", "folder"], 'unknown form "folder": did you mean folders?'),
        (["--device", "gpu"], 'unknown device "gpu": did you mean cpu?'),
        (["--device", "mps"], 'unknown device "mps": known: cpu, cuda, auto'),
        (["--views", "1"], "--as folders needs --views 2 or 3: references are all views but the last, "),
        (["--views", "4"], "invalid value for '--views': "),
        (["--identities", "0"], "invalid value for '--identities': "),
        (["--backgrounds", "no"], "cannot read folder no: No such file or directory"),
        (["--sheet", "sheet.gif"], "cannot write sheet.gif: it has the extension .gif; known: .png"),
        (["--sheet", "no/sheet.png"], "cannot write 1 output: no/sheet.png: the folder "),
        (
            ["--sheet", "out/sheet.png"],
            "the sheet out/sheet.png is in out, which must be new; put it beside ",
        ),
        (["--seed", str(2**32)], "invalid value for '--seed': "),
        (["--start", str(2**32)], "invalid value for '--start': "),
    ],
)
def test_wrong_options_cost_nothing(
    nearid: Nearid, tmp_path: Path, arguments: list[str], message: str
) -> None:
    assert nearid("synth", "out", *arguments).error.startswith(message)
    assert list(tmp_path.iterdir()) == []


def test_wrong_options_are_told_without_torch(tmp_path: Path) -> None:
    program = (
        "import sys; from nearid_cli.cli.app import main; main(['synth', 'out', '--difficulty', 'esay']);"
        "print('heavy:', sorted({'torch', 'pandas', 'datasets', 'skimage'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout == "heavy: []\n"


def test_what_is_there_stays_there(nearid: Nearid, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    (tmp_path / "file").touch()
    assert nearid("synth", "out").error == "out is not empty; give a new folder"
    assert nearid("synth", "file").error == "file is a file; give a new folder"
    assert nearid("synth", "file/out", *SMALL).error == "cannot write file/out: not a directory"
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "mine.txt", "out"]


@pytest.mark.parametrize("form", ["folders", "dataset"])
def test_a_disk_that_takes_no_more(tmp_path: Path, form: str) -> None:
    # A limit on the size of files: the smallest disk that needs no mounting.
    command = shlex.join(
        [sys.executable, "-m", "nearid_cli", "synth", "out", *SMALL, "--as", form, "--workers", "1"]
    )
    done = subprocess.run(
        ["bash", "-c", f"ulimit -f 2; {command}"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "error: cannot write out: file too large\n")
    assert list(tmp_path.iterdir()) == []


MANY = ("synth", "out", "--identities", "5000", "--size", "64", "--workers", "2")
group = pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is sent to a process group")


def interrupted(folder: Path, when: str | None, delay: float = 0) -> tuple[int, str, str]:
    """What a run says that is interrupted, all its processes at once, so long after a file is there.

    It must end soon, leave nothing, and let no process work on.
    """
    running = subprocess.Popen(
        [sys.executable, "-m", "nearid_cli", *MANY],
        cwd=folder,
        start_new_session=True,  # a group of its own, as a terminal makes one
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    for _ in range(24_000):
        if when is None or list(folder.glob(when)):
            break
        assert running.poll() is None, running.communicate()
        time.sleep(0.005)
    time.sleep(delay)
    os.killpg(running.pid, signal.SIGINT)
    try:
        out, err = running.communicate(timeout=120)
    except subprocess.TimeoutExpired:  # Python has lost the first one, and says so
        os.killpg(running.pid, signal.SIGINT)
        out, err = running.communicate(timeout=120)
        err, lost = LOST.subn("", err)
        assert lost, err
    assert list(folder.iterdir()) == []
    for _ in range(6000):  # until the system has buried the last of the group
        try:
            os.killpg(running.pid, 0)
        except ProcessLookupError:
            return running.returncode, out, err
        time.sleep(0.01)
    raise AssertionError("a process works on")


@group
@pytest.mark.parametrize(
    ("when", "delay"),
    [
        (".*.tmp", 0),  # while processes start
        (".*.tmp", 0.2),  # while they load
        (".*.tmp/references/*/01.png", 0),
    ],
)
def test_an_interrupt_ends_all_processes_at_once(tmp_path: Path, when: str, delay: float) -> None:
    assert interrupted(tmp_path, when, delay) == (130, "", "interrupted; nothing was written\n")


@group
@pytest.mark.torture
def test_an_interrupt_at_any_moment_is_one_line(tmp_path: Path) -> None:
    """Before the command line is there Python itself ends by the signal; before the command is, the word is another."""
    said = [interrupted(tmp_path, None, 0.02 * step) for step in range(150)]
    said += [interrupted(tmp_path, ".*.tmp", 0.01 * step) for step in range(100)]
    # Python's own traceback, of an interrupt before it has begun with the module.
    said = [(code, out, err) for code, out, err in said if "Traceback" not in err or "__main__.py" in err]
    words = {"interrupted; nothing was written\n", "interrupted; what is embedded is kept\n", ""}
    assert {(code, out) for code, out, err in said if err} == {(130, "")}
    assert {code for code, _, err in said if not err} <= {130, -signal.SIGINT}
    assert {err for *_, err in said} <= words
    assert {err for *_, err in said[-100:]} == {"interrupted; nothing was written\n"}
