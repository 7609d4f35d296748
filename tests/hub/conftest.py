from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from huggingface_hub import close_session, constants

from nearid_cli.encoders.checkpoints import resolve
from nearid_cli.encoders.hub.failures import HubError
from nearid_cli.encoders.hub.fetching import download
from nearid_cli.encoders.registry import parse_metrics
from nearid_cli.encoders.spec import EncoderSpec
from nearid_cli.errors import NearIDError
from tests.hub.simulated import SimulatedHub
from tests.tiny import BUILDERS


@pytest.fixture(scope="session")
def _built(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    root = tmp_path_factory.mktemp("checkpoints")
    return functools.cache(lambda name: BUILDERS[name](root / name))


@pytest.fixture
def checkpoint(_built: Callable[[str], Path], tmp_path: Path) -> Callable[[str], Path]:
    """Gives a tiny checkpoint by name, as a copy that the test may change."""
    return lambda name: Path(shutil.copytree(_built(name), tmp_path / "checkpoints" / name))


@pytest.fixture
def hub() -> Iterator[SimulatedHub]:
    with SimulatedHub() as simulated:
        yield simulated


@dataclass
class Here:
    """This machine: a Hub cache, and what was said."""

    cache: Path
    monkeypatch: pytest.MonkeyPatch
    lines: list[str]

    def use(self, hub: SimulatedHub) -> None:
        """Let `hub` be the Hub of this process."""
        for name, value in {
            "ENDPOINT": hub.endpoint,
            "HUGGINGFACE_CO_URL_TEMPLATE": f"{hub.endpoint}/{{repo_id}}/resolve/{{revision}}/{{filename}}",
            "HF_HUB_CACHE": str(self.cache),
            "HF_HUB_OFFLINE": False,
            "HF_HUB_ETAG_TIMEOUT": 1,
            "HF_HUB_DOWNLOAD_TIMEOUT": 1,
        }.items():
            self.monkeypatch.setattr(constants, name, value)
        close_session()

    def offline(self) -> None:
        self.monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)

    def fetch(self, repo_id: str = "org/model", revision: str | None = None) -> Path:
        """Fetch a repository; lines that are said are kept."""
        return download(repo_id, revision, self.lines.append)

    def reason(self, repo_id: str = "org/model", revision: str | None = None) -> str:
        """Why a repository cannot be fetched."""
        with pytest.raises(HubError) as error:
            self.fetch(repo_id, revision)
        return str(error.value)

    def resolve(self, *metrics: str) -> list[EncoderSpec]:
        """What `score` uses for metrics; lines that are said are kept."""
        return resolve(parse_metrics(metrics), "float32", notify=self.lines.append)

    def problems(self, *metrics: str) -> dict[str, str]:
        """Why metrics cannot be used, by metric."""
        with pytest.raises(NearIDError) as error:
            self.resolve(*metrics)
        return dict(line.split(": ", 1) for line in error.value.details)

    def partials(self) -> list[Path]:
        return sorted(self.cache.rglob("*.incomplete"))


@pytest.fixture
def here(hub: SimulatedHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Here]:
    """A process whose Hub is `hub`, and whose cache is empty."""
    for name in [name for name in os.environ if "proxy" in name.lower() or name.startswith("HF_TOKEN")]:
        monkeypatch.delenv(name)
    here = Here(tmp_path / "cache", monkeypatch, [])
    here.use(hub)
    yield here
    close_session()


@dataclass
class Ended:
    """A process that has ended."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.err.splitlines()


Run = Callable[..., Ended]


def environment(endpoint: str, home: Path, **variables: str) -> dict[str, str]:
    """The variables of a process whose Hub is at `endpoint`."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("HF_", "TRANSFORMERS_", "SSL_"))
        and "proxy" not in name.lower()
        and "_CA_" not in name
    }
    settings = {
        "HF_ENDPOINT": endpoint,
        "HF_HOME": str(home),
        "HF_HUB_ETAG_TIMEOUT": "1",
        "HF_HUB_DOWNLOAD_TIMEOUT": "1",
        "NEARID_CACHE": str(home / "nearid"),
    }
    return inherited | settings | variables


@pytest.fixture
def run(hub: SimulatedHub, tmp_path: Path) -> Run:
    """Run the command line as a process of its own, in `tmp_path`, with `hub` or another Hub."""

    def _run(*arguments: str | Path, **variables: str) -> Ended:
        ended = subprocess.run(
            [sys.executable, "-m", "nearid_cli", *map(str, arguments)],
            cwd=tmp_path,
            env=environment(hub.endpoint, tmp_path / "home", **variables),
            capture_output=True,
            text=True,
            check=False,
        )
        assert "Traceback" not in ended.stderr, ended.stderr
        assert "unexpected" not in ended.stderr, ended.stderr
        return Ended(ended.returncode, ended.stdout, ended.stderr)

    return _run
