"""Fixtures that several parts share: photographs, a small data set, a tiny checkpoint, the command line."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from PIL import Image

from nearid_cli.cli.app import main
from nearid_cli.embedding import devices, stamps
from nearid_cli.text import count
from tests.commandline import Finished, Nearid
from tests.documents import check_run
from tests.tiny import tiny_nearid

# As many tests run at once as there are cores. Set before anything imports torch, and for what tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# No test is timed: machines are busy.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("repeated", settings.get_profile("untimed"), derandomize=True)

# A shell that starts the tests in the background ignores Ctrl-C for them, and every process that they start would too.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def new_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Make a folder of a name and a number. pytest looks for the next number among those of all tests before it."""
    root, numbers = tmp_path_factory.mktemp("tests"), itertools.count()

    def make(name: str) -> Path:
        folder = root / f"{name}{next(numbers)}"
        folder.mkdir(0o700)
        return folder

    return make


@pytest.fixture
def tmp_path(new_folder: Callable[[str], Path], request: pytest.FixtureRequest) -> Path:
    """An empty folder of the test's own, named after it."""
    return new_folder(re.sub(r"\W", "_", request.node.name)[:30])


@pytest.fixture(autouse=True)
def isolated(monkeypatch: pytest.MonkeyPatch, new_folder: Callable[[str], Path]) -> None:
    """No test sees the machine's caches or configuration, or asks a Hub."""
    home = new_folder("home")
    monkeypatch.setenv("NEARID_CACHE", str(home / "nearid"))
    monkeypatch.setenv("HF_HOME", str(home / "hf"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("NEARID_ENGINE", "torch")  # tiny models are converted for longer than they run
    monkeypatch.setattr(devices, "_has_openvino", lambda: False)
    monkeypatch.setattr(stamps, "SETTLED", 0)  # what tests write is younger than the memo trusts


def pytest_configure(config: pytest.Config) -> None:
    """Long attacks make up new inputs in each run; what anybody else meets is what has passed for all."""
    settings.load_profile("untimed" if config.option.markexpr == "torture" else "repeated")


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes name no test: they are no help to read, and some hold the time, which differs between processes."""
    return argname if isinstance(val, bytes) else None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say in one line which tests were skipped for want of a browser: a bare machine passes, but not in silence."""
    skipped = [
        report for report in terminalreporter.getreports("skipped") if "tests/browser/" in report.nodeid
    ]
    if skipped:
        reason = skipped[0].longrepr[2].removeprefix("Skipped: ")
        terminalreporter.write_line(f"{count(len(skipped), 'test')} of the HTML report skipped: {reason}")


@pytest.fixture(scope="session")
def photographs() -> dict[str, Image.Image]:
    """Real RGB photographs that come with scikit-image, their levels without their colour profiles."""
    import skimage

    folder = Path(skimage.__file__).parent / "data"
    names = ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg")
    pictures = {name.split(".")[0]: Image.open(folder / name).convert("RGB") for name in names}
    for picture in pictures.values():
        picture.info.clear()  # what is saved would inherit them
    return pictures


@pytest.fixture
def save(tmp_path: Path, photographs: dict[str, Image.Image]) -> Callable[..., Path]:
    """Save a photograph (or a crop of it) under a relative path and return its absolute path."""

    def _save(relative: str, photograph: str = "chelsea", crop: int = 0, size: int = 96) -> Path:
        path = tmp_path / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        image = photographs[photograph]
        image = image.crop((crop, crop, image.width - crop, image.height - crop)).resize((size, size))
        image.save(path)
        return path

    return _save


@pytest.fixture
def nearid(capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Nearid:
    """Run the command line in this process, in `tmp_path`. Whatever JSON it writes must fit its schema."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str | Path) -> Finished:
        capfd.readouterr()
        code = main([str(argument) for argument in arguments])
        captured = capfd.readouterr()
        if code in (0, 1):
            check_run([str(argument) for argument in arguments], captured.out)
        return Finished(code, captured.out, captured.err)

    return run


@pytest.fixture
def process(tmp_path: Path) -> Callable[..., subprocess.Popen[str]]:
    """Start the command line as a process of its own, in `tmp_path`."""

    def start(*arguments: str | Path, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "nearid_cli", *map(str, arguments)],
            cwd=tmp_path,
            env=os.environ | environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    return start


@pytest.fixture(scope="session")
def _checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_nearid(tmp_path_factory.mktemp("checkpoint") / "nearid")


@pytest.fixture
def checkpoint(_checkpoint: Path, tmp_path: Path) -> Path:
    """A tiny NearID checkpoint in the Hub's layout, as a copy that the test may change."""
    return Path(shutil.copytree(_checkpoint, tmp_path / "checkpoint"))


@pytest.fixture(scope="session")
def _data(tmp_path_factory: pytest.TempPathFactory, photographs: dict[str, Image.Image]) -> Path:
    root = tmp_path_factory.mktemp("data")
    for subject, photograph in (("cat", "chelsea"), ("cup", "coffee"), ("ship", "rocket")):
        for index in range(2):
            _save(photographs[photograph], root / "refs" / subject / f"{index}.jpg", 10 * index)
        for index in range(3):
            _save(photographs[photograph], root / "gens" / subject / f"{index}.png", 40 + 20 * index)
    return root


def _save(image: Image.Image, path: Path, crop: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.crop((crop, 2 * crop, image.width - crop, image.height)).resize((120, 100)).save(path)


@pytest.fixture
def data(_data: Path, tmp_path: Path) -> Path:
    """`refs/` (3 subjects of 2) and `gens/` (3 subjects of 3) in `tmp_path`, which is returned."""
    for part in ("refs", "gens"):
        shutil.copytree(_data / part, tmp_path / part)
    return tmp_path


@pytest.fixture
def no_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty Hub cache and no network; returns the cache's folder."""
    from huggingface_hub import constants

    cache = tmp_path / "hub"
    cache.mkdir()
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return cache


@pytest.fixture(scope="session")
def mounting(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What to put before a shell script so that it may mount; the mounts end with it."""
    folder = tmp_path_factory.mktemp("mount")
    for unshare in (["unshare", "-m"], ["unshare", "-rm"]):
        attempt = [*unshare, "mount", "-t", "tmpfs", "tmpfs", str(folder)]
        if (
            shutil.which("unshare")
            and subprocess.run(attempt, capture_output=True, check=False).returncode == 0
        ):
            return [*unshare, "bash", "-euc"]
    pytest.skip("neither root nor user namespaces: no file system can be mounted")
