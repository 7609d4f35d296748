"""Odd environments: no home, no current folder, no streams, plain ASCII, nothing that may be written."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.commandline import Nearid

SCORE = ("score", "refs", "gens", "-m", "hog")


@pytest.mark.parametrize(
    "columns", ["0", "00", "²", "-1", "x", "", "9" * 5000], ids=lambda text: ascii(text[:4])
)
def test_a_terminal_of_no_width(nearid: Nearid, columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    finished = nearid("models", "list")
    assert (finished.code, finished.err) == (0, "")
    assert "nearid-mini" in finished.out


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A user of a number alone, as in many containers."""

    def unknown(number: int) -> None:
        raise KeyError(f"getpwuid(): uid not found: {number}")

    for name in ("HOME", "XDG_CACHE_HOME", "NEARID_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    monkeypatch.setattr(pwd, "getpwuid", unknown)


def test_a_user_without_a_home_has_a_cache(nearid: Nearid, data: Path, homeless: None) -> None:
    assert nearid(*SCORE).code == 0
    finished = nearid("cache", "info")
    assert finished.out.startswith(f"{data / 'temporary'}/nearid-{os.getuid()}: 3")


def test_a_user_without_a_home_cannot_install_completion(nearid: Nearid, homeless: None) -> None:
    assert nearid("--install-completion", "bash").error == (
        "completion cannot be installed (there is no home folder: set HOME); --show-completion prints it"
    )


def test_a_current_folder_that_was_deleted(
    nearid: Nearid, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert nearid(*SCORE).error == "the current folder is there no more; go to one that is (cd)"
    assert nearid("--help").code == 0


_USER = 54_321


def _plain(environment: dict[str, str], names: str = "") -> dict[str, str]:
    return {name: value for name, value in environment.items() if name not in names.split()}


ENVIRONMENTS: dict[str, tuple[list[str], Callable[[dict[str, str]], dict[str, str]]]] = {
    "no HOME": ([], lambda old: _plain(old, "HOME NEARID_CACHE") | {"XDG_CACHE_HOME": "out"}),
    "a HOME that is not there": ([], lambda old: _plain(old, "NEARID_CACHE") | {"HOME": "/nonexistent/home"}),
    "no TMPDIR": ([], lambda old: old | {"TMPDIR": "/nonexistent"}),
    "nothing": ([], lambda old: {"PYTHONPATH": old.get("PYTHONPATH", ""), "NEARID_CACHE": old["NEARID_CACHE"]}),
    "ASCII": (
        [],
        lambda old: old | {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"},
    ),
    "stdin closed": (["bash", "-c", 'exec 0<&-; "$@"', "sh"], dict),
    "stdout closed": (["bash", "-c", 'exec 1>&-; "$@"', "sh"], dict),
    "stderr closed": (["bash", "-c", 'exec 2>&-; "$@"', "sh"], dict),
    "all closed": (["bash", "-c", 'exec 0<&- 1>&- 2>&-; "$@"', "sh"], dict),
    "a user of no name": (
        ["setpriv", f"--reuid={_USER}", f"--regid={_USER}", "--clear-groups"],
        lambda old: _plain(old, "HOME NEARID_CACHE") | {"TMPDIR": "out"},
    ),
}  # fmt: skip


@pytest.mark.torture
@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_numbers_are_the_same_in_every_environment(
    data: Path, environment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (data / "gens/cat").rename(data / "gens/kätzchen-猫")
    (data / "refs/cat").rename(data / "refs/kätzchen-猫")
    before, change = ENVIRONMENTS[environment]
    if before[:1] == ["setpriv"] and (os.geteuid() != 0 or shutil.which("setpriv") is None):
        pytest.skip("only root becomes another user, with setpriv")

    def metrics(words: list[str], environment: dict[str, str]) -> object:
        (data / "out").mkdir()
        for folder in (data, *data.parents):
            if folder.owner() == "root" and Path(tempfile.gettempdir()) in folder.parents:
                folder.chmod(0o755)
        (data / "out").chmod(0o777)
        command = [*words, sys.executable, "-m", "nearid_cli", *SCORE, "-o", "out/run.json"]
        done = subprocess.run(
            command, cwd=data, env=environment, capture_output=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr
        assert b"Traceback" not in done.stderr
        found = json.loads((data / "out/run.json").read_bytes())["metrics"]
        shutil.rmtree(data / "out")
        return found

    assert metrics(before, change(dict(os.environ))) == metrics([], dict(os.environ))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks Linux how much memory it has")
def test_a_machine_without_memory_or_threads_has_a_line() -> None:
    """What Python and the loader say when there is no room for a thread or for a library."""
    code = """
import resource, threading, typer
from nearid_cli.cli import app
size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (size + 2**20, -1))
for fail in (threading.Thread(target=print).start, lambda: __import__("pyarrow")):
    try:
        fail()
    except Exception as error:
        print(app._lines(error))
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    threads, memory = ran.stdout.splitlines()
    assert "the system starts no more threads: out of memory" in threads
    assert "error: out of memory; fewer --workers" in memory
