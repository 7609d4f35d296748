"""Output that nobody reads or no disk takes."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.commandline import Finished

from .conftest import COMMAND

NEARID = shlex.join(COMMAND)
SCORE = f"{NEARID} score refs gens -m hog"
SAID = "layout folders: 3 subjects, 6 references, 9 generations\n"
# Descriptor 4 is a pipe whose reader is gone before anything is written.
GONE = "mkfifo gone; exec 3<>gone 4>gone 3<&-"


@pytest.fixture
def shell(data: Path, run: Callable[..., Finished]) -> Callable[..., Finished]:
    """Run a line of bash; exit codes of a pipe's parts are the last line of its output."""
    return lambda line, **environment: run(["bash", "-c", line], **environment)


@pytest.mark.parametrize("form", ["table", "json"])
def test_a_reader_that_is_gone(shell: Callable[..., Finished], form: str) -> None:
    finished = shell(f"{GONE}; {SCORE} --format {form} >&4; echo $?")
    assert (finished.out, finished.err) == ("0\n", SAID)


@pytest.mark.parametrize(("form", "unbuffered"), [("table", ""), ("json", "1")])
def test_a_failed_gate_fails_whoever_reads(
    shell: Callable[..., Finished], data: Path, form: str, unbuffered: str
) -> None:
    (data / "rules.toml").write_text('[[gate.rules]]\nmetric = "hog"\nmin = 2.0\n')
    score = f"{SCORE} --gate rules.toml -o run.json --format {form} >&4; echo $?"
    gate = f"{NEARID} gate run.json --config rules.toml -o gate.json --format {form} >&4; echo $?"
    finished = shell(f"{GONE}; {score}; {gate}", PYTHONUNBUFFERED=unbuffered)
    assert finished.out == "1\n1\n"
    assert finished.err.startswith(f"{SAID}wrote run.json\n")
    assert finished.err.endswith("wrote gate.json\n")


def test_a_reader_that_goes_away(shell: Callable[..., Finished], data: Path) -> None:
    said = "x" * 20_000  # of 9 generations more than a pipe and a reader hold
    lines = [f"{path},{path.parent.name},generation,{said}" for path in (data / "gens").rglob("*.png")]
    (data / "gens.csv").write_text("\n".join(["path,subject,role,note", *lines]))
    finished = shell(f"{NEARID} score refs gens.csv -m hog --format json | head -1; echo ${{PIPESTATUS[0]}}")
    assert finished.out == "{\n0\n"
    assert "warning" not in finished.err
    assert "Traceback" not in finished.err


@pytest.mark.parametrize("command", ["--help", "models list", "cache info"])
def test_other_commands_too(shell: Callable[..., Finished], command: str) -> None:
    finished = shell(f"{GONE}; {NEARID} {command} >&4; echo $?")
    assert (finished.out, finished.err) == ("0\n", "")


def test_messages_that_nobody_reads_do_not_stop_the_job(shell: Callable[..., Finished], data: Path) -> None:
    finished = shell(f"{GONE}; {SCORE} -o run.json 2>&4 >/dev/null; echo $? >code")
    assert finished.err == ""
    assert (data / "code").read_text() == "0\n"
    assert json.loads((data / "run.json").read_text())["schema"] == "nearid.score/2"


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&-"])
def test_closed_streams(shell: Callable[..., Finished], data: Path, closed: str) -> None:
    finished = shell(f"{SCORE} -o run.json --no-cache {closed}; echo $? >code")
    assert (data / "code").read_text() == "0\n"
    assert "Traceback" not in finished.err
    assert json.loads((data / "run.json").read_text())["schema"] == "nearid.score/2"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("form", ["table", "json"])
def test_a_full_stdout(shell: Callable[..., Finished], form: str) -> None:
    finished = shell(f"{SCORE} --format {form} >/dev/full")
    assert finished.error == "no space left on device"


def test_output_files_that_cannot_be_written_are_told_before_the_job(
    data: Path, run: Callable[..., Finished], powerless: list[str]
) -> None:
    (data / "locked").mkdir(mode=0o555)
    (data / "folder.json").mkdir()
    outputs = ["no/such/run.json", "folder.json", "locked/run.json"]
    arguments = [word for output in outputs for word in ("-o", output)]
    finished = run([*powerless, *COMMAND, "score", "refs", "gens", "-m", "hog", *arguments])
    problems = [finished.error, *finished.details]
    assert problems[0].startswith("cannot write 3 outputs: no/such/run.json: the folder ")
    assert problems[1] == "folder.json is a folder"
    assert problems[2].startswith("locked/run.json: no permission")
    assert not Path(os.environ["NEARID_CACHE"]).exists()
