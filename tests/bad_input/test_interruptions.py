"""Runs that are killed, interrupted or terminated: the cache stays valid and the next run goes on from there."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from nearid_cli.embedding.cache import Cache
from nearid_cli.encoders.descriptors import HOG
from tests.commandline import Nearid, cached_digests

NUMBER = 80
SCORE = ("score", "refs", "gens", "-m", "hog", "--batch-size", "1", "--workers", "1", "--format", "json")

# The command line with a slow encoder that counts its pictures, and a cache that is written often.
SLOW = """
import atexit, os, sys, time
from pathlib import Path
from nearid_cli.embedding import ledger
from nearid_cli.encoders.descriptors import HogEncoder
ledger.FLUSH_SECONDS = 0.05
embed, counted = HogEncoder.embed, 0
def slow(self, batch):
    global counted
    time.sleep(float(os.environ["SLOW"]) * (counted >= 8))  # long enough for a busy machine to send a signal
    rows = embed(self, batch)
    counted += len(batch)
    return rows
HogEncoder.embed = slow
atexit.register(lambda: Path("counted").write_text(str(counted)))
from nearid_cli.cli.app import main
sys.exit(main(sys.argv[1:]))
"""

# The command line that says when it begins to do something, with the thing itself left as it is.
MARKED = """
import sys
from pathlib import Path
def mark(module, name):
    original = getattr(module, name)
    def marked(*arguments, **named):
        with open("begun", "a") as file:
            file.write(".")
        return original(*arguments, **named)
    setattr(module, name, marked)
"""
DECODING = (
    MARKED
    + """
import time, nearid_cli.images.decode as module
read_picture = module.read_picture
module.read_picture = lambda *given, **named: (time.sleep(1), read_picture(*given, **named))[1]
mark(module, "read_picture")
"""
)
READING = (
    MARKED
    + """
import time, nearid_cli.embedding.reading as module
digest_stream = module.digest_stream
module.digest_stream = lambda file: (time.sleep(1), digest_stream(file))[1]
mark(module, "digest_stream")
"""
)
LOADING = MARKED + "import nearid_cli.embedding.pipeline as module; mark(module, 'load_all')\n"
# Memory for one picture at a time: who has it keeps it until the others have given up.
WAITING = """
import sys, threading
from pathlib import Path
from nearid_cli.images import decode as module
from nearid_cli.images.memory import BUDGET, Budget
given_up, give_up, wait = threading.Event(), Budget.give_up, Budget._wait
def decoded(*given, read_picture=module.read_picture, **named):
    if threading.current_thread() is threading.main_thread():  # which looks whether any can be read
        return read_picture(*given, **named)
    with BUDGET.taken(BUDGET.size // 2 + 1):
        with open("begun", "a") as file:
            file.write(".")
        given_up.wait(120)
        return read_picture(*given, **named)
def waited(self, request):
    with open("waiting", "a") as file:
        file.write(".")
    wait(self, request)
module.read_picture = decoded
Budget._wait = waited
Budget.give_up = lambda self: (give_up(self), given_up.set())
"""
RUN = "from nearid_cli.cli.app import main; sys.exit(main(sys.argv[1:]))"

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a Python program in `tmp_path`; none outlives the test."""
    started: list[subprocess.Popen[str]] = []

    def _start(program: str, *arguments: str, slow: float = 0.0) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", program, *arguments],
            cwd=tmp_path,
            env=os.environ | {"SLOW": str(slow)},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        started.append(process)
        return process

    yield _start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def many(data: Path) -> Path:
    """The data set with many more generations, all different."""
    old = time.time() - 60
    for index in range(NUMBER):
        path = data / f"gens/cat/more {index}.png"
        Image.linear_gradient("L").rotate(index).resize((64, 64)).save(path)
        os.utime(path, (old, old))
    return data


def kept() -> set[bytes]:
    return cached_digests(Cache(Path(os.environ["NEARID_CACHE"])), HOG)


def wait_for(condition: Callable[[], Any], process: subprocess.Popen[str]) -> None:
    for _ in range(20000):
        if condition():
            return
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    raise AssertionError("it never began")


def numbers(text: str) -> dict[str, Any]:
    return {**json.loads(text), "created": None}


@pytest.mark.parametrize(
    ("sent", "code", "says"),
    [
        (signal.SIGKILL, -signal.SIGKILL, None),
        (signal.SIGTERM, -signal.SIGTERM, None),
        (signal.SIGINT, 130, "interrupted; what is embedded is kept"),
    ],
    ids=["kill", "terminate", "interrupt"],
)
def test_the_next_run_goes_on_where_one_was_stopped(
    start: Start, many: Path, nearid: Nearid, sent: signal.Signals, code: int, says: str | None
) -> None:
    expected = numbers(nearid(*SCORE, "--no-cache").out)
    total = NUMBER + 15
    process = start(SLOW, *SCORE, slow=1.0)
    wait_for(lambda: len(kept()) >= 5, process)
    process.send_signal(sent)
    out, err = process.communicate(timeout=300)
    assert process.returncode == code, err
    assert "Traceback" not in err
    assert out == ""
    assert says is None or err.splitlines()[-1] == says
    before = kept()
    assert 5 <= len(before) < total
    if sent == signal.SIGINT:
        # What was embedded is kept, but for the one that it was about to hand over.
        assert int((many / "counted").read_text()) - len(before) in (0, 1)
    assert nearid("cache", "verify").code == 0

    out, err = start(SLOW, *SCORE).communicate(timeout=300)
    assert int((many / "counted").read_text()) == total - len(before)
    assert len(kept()) == total
    assert numbers(out) == expected
    assert nearid("cache", "verify").code == 0
    if sent == signal.SIGINT:
        assert not list(Path(os.environ["NEARID_CACHE"]).rglob("*.tmp"))


@pytest.mark.parametrize("delay", [0.0, 0.3, pytest.param(0.6, marks=pytest.mark.torture)])
def test_an_interrupt_while_the_model_loads(start: Start, data: Path, checkpoint: Path, delay: float) -> None:
    process = start(LOADING + RUN, "score", "refs", "gens", "-m", "nearid=checkpoint")
    interrupt(process, data, delay)


def test_an_interrupt_while_pictures_are_decoded(start: Start, data: Path) -> None:
    """Nobody waits for the pictures that were to be decoded ahead: here fifteen of a second each."""
    process = start(DECODING + RUN, "score", "refs", "gens", "-m", "hog", "--workers", "1")
    interrupt(process, data, 0.6)
    assert len((data / "begun").read_text()) < 15


def test_an_interrupt_while_files_are_read(start: Start, data: Path) -> None:
    """Nobody waits for those that were to be read ahead."""
    process = start(READING + RUN, "score", "refs", "gens", "-m", "hog", "--workers", "2")
    interrupt(process, data, 0)
    assert len((data / "begun").read_text()) < 7


def test_an_interrupt_while_threads_wait_for_memory(start: Start, data: Path) -> None:
    """None of them goes on with its picture when the memory becomes free."""
    process = start(
        WAITING + RUN, "score", "refs", "gens", "-m", "hog", "--workers", "4", "--memory", "1MB", "--no-cache"
    )
    wait_for(lambda: (data / "waiting").exists() and len((data / "waiting").read_text()) == 3, process)
    interrupt(process, data, 0)
    assert (data / "begun").read_text() == "."


@pytest.mark.parametrize("when", ["interrupt()", "class A: a = Interrupted()"])
def test_an_interrupt_while_the_program_itself_loads(start: Start, data: Path, when: str) -> None:
    program = f"""
import os, signal, sys
def interrupt():
    os.kill(os.getpid(), signal.SIGINT)
class Interrupted:
    def __set_name__(self, owner, name):
        interrupt()
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "nearid_cli.cli.app":
            {when}
sys.meta_path.insert(0, Finder())
from nearid_cli.__main__ import main
main()
"""
    out, err = (process := start(program, *SCORE)).communicate(timeout=300)
    assert (process.returncode, out, err) == (130, "", "")


def test_an_interrupt_that_compiled_code_turns_into_another_error(start: Start) -> None:
    """NumPy says of a comparison that a Ctrl-C hits that its arrays cannot be compared."""
    program = """
import os, signal, sys
import numpy, numpy._core._internal
import nearid_cli.cli.app as app
numpy._core._internal._promote_fields = lambda *types: os.kill(os.getpid(), signal.SIGINT) or types[0]
def compare(arguments):
    return numpy.zeros(2, [("x", "i4")]) == numpy.zeros(2, [("x", "i8")])
app._run = compare
sys.exit(app.main([]))
"""
    out, err = (process := start(program)).communicate(timeout=300)
    assert (process.returncode, out, err) == (130, "", "interrupted; what is embedded is kept\n")


def test_a_second_interrupt_after_the_first_is_said(start: Start) -> None:
    program = """
import nearid_cli.cli.app
from nearid_cli.__main__ import main
def interrupted():
    raise KeyboardInterrupt
nearid_cli.cli.app.main = interrupted
main()
"""
    out, err = (process := start(program)).communicate(timeout=300)
    assert (process.returncode, out, err) == (130, "", "")


def interrupt(process: subprocess.Popen[str], folder: Path, delay: float) -> None:
    wait_for((folder / "begun").exists, process)
    time.sleep(delay)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=300)  # the import of torch is seen to its end
    assert (process.returncode, out) == (130, ""), err
    assert err.splitlines()[1:] == ["interrupted; what is embedded is kept"]
