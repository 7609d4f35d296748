"""What is released: wheel and sdist hold all that they must, and the wheel runs installed and without a network."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "nearid_cli"
BUILD = (sys.executable, "-m", "hatchling", "build", "-d")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with wheel and sdist."""
    folder = tmp_path_factory.mktemp("built")
    subprocess.run([*BUILD, str(folder)], cwd=ROOT, check=True, capture_output=True)
    return folder


def wheel_of(folder: Path) -> Path:
    (found,) = folder.glob("*.whl")
    return found


def test_the_wheel_holds_all_of_the_package_and_nothing_else(built: Path) -> None:
    expected = {
        path.relative_to(ROOT).as_posix()
        for path in PACKAGE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {"nearid_cli/py.typed", "nearid_cli/nearid_mini/model.safetensors"} <= expected
    with zipfile.ZipFile(wheel_of(built)) as wheel:
        held = {name: wheel.read(name) for name in wheel.namelist() if ".dist-info/" not in name}
        rest = [name for name in wheel.namelist() if ".dist-info/" in name]
    assert set(held) == expected
    assert [name for name, content in held.items() if (ROOT / name).read_bytes() != content] == []
    assert any(name.endswith("/licenses/LICENSE") for name in rest)


def test_the_sdist_makes_the_same_wheel_and_holds_the_tests(built: Path, tmp_path: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))
    (folder,) = tmp_path.iterdir()
    subprocess.run(
        [*BUILD, str(tmp_path / "again"), "-t", "wheel"], cwd=folder, check=True, capture_output=True
    )
    assert wheel_of(tmp_path / "again").read_bytes() == wheel_of(built).read_bytes()
    assert {"Makefile", "README.md", "SECURITY.md", "LICENSE", "tests", "docs", "requirements-ci.txt"} <= {
        path.name for path in folder.iterdir()
    }
    assert (folder / "tests" / "packaging" / Path(__file__).name).is_file()


@pytest.fixture(scope="module")
def offline(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What to put before a command so that it has no network at all; nothing where that cannot be had."""
    attempt = ["unshare", "-rn"]
    if (
        shutil.which("unshare")
        and subprocess.run([*attempt, "true"], check=False, capture_output=True).returncode == 0
    ):
        return attempt
    return []


def test_it_is_installed_and_runs_without_a_network(built: Path, tmp_path: Path, offline: list[str]) -> None:
    home = tmp_path / "environment"
    venv.create(home, symlinks=True)
    python = home / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python)]
    subprocess.run(
        [*pip, "install", "-qq", "--no-index", "--no-deps", "--no-compile", str(wheel_of(built))],
        check=True,
        capture_output=True,
    )
    # The dependencies of this environment, without the nearid that it holds as a link to the source.
    (places,) = (home / "lib").glob("*/site-packages")
    (places / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    work = tmp_path / "work"
    work.mkdir()
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment |= {"NEARID_CACHE": str(tmp_path / "cache"), "HTTPS_PROXY": "http://127.0.0.1:9"}

    def run(*command: str) -> str:
        done = subprocess.run(
            [*offline, *command], cwd=work, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert run(str(python), "-c", "import nearid_cli; print(nearid_cli.__file__)").startswith(str(places))
    nearid = str(home / "bin" / "nearid")
    assert "faithful" in run(nearid, "demo", "demo")
    assert list((work / "demo").rglob("*.html"))
    scored = run(nearid, "score", "demo/references", "demo/methods/faithful", "-m", "nearid-mini,hog")
    assert "aggregate" in scored
