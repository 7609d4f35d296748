"""A tracker that cannot be logged to is said before any work; one that fails later costs nothing but its own copy."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import nearid_cli
from nearid_cli.errors import TrackingError, UsageError
from nearid_cli.trackers import known
from tests.commandline import Nearid
from tests.trackers.conftest import Run

SCORE = ("score", "refs", "gens", "--metric", "hog")
KEY = "local-" + "0123456789abcdef" * 4
NOBODY = "http://127.0.0.1:9"


class Refusing(BaseHTTPRequestHandler):
    """A server that knows nobody."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.send_response(401)
        self.end_headers()
        self.wfile.write(b'{"errors": [{"message": "who are you?"}]}')

    do_GET = do_POST  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[str]:
    """The address of such a server."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as serving:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{serving.server_port}"
        serving.shutdown()


def nothing_done(folder: Path) -> None:
    """Not a picture was looked at."""
    assert {path.name for path in folder.iterdir()} <= {"refs", "gens", "mlflow.db", "mlruns", "taken"}


def test_every_tracker_has_a_module_and_an_extra() -> None:
    assert known() == ["mlflow", "tensorboard", "trackio", "wandb"]


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ("wanbd", 'unknown tracker "wanbd": did you mean wandb?'),
        ("wandb,", 'unknown tracker "": known: mlflow, tensorboard, trackio, wandb'),
        ("tensorboard=", "expected the folder of a run behind the ="),
        ("wandb,tensorboard,wandb=pets", "--log wandb is given twice"),
    ],
)
def test_what_cannot_be_meant(nearid: Nearid, data: Path, asked: str, words: str) -> None:
    finished = nearid(*SCORE, "--log", asked, "-o", "run.json")
    assert words in finished.error
    nothing_done(data)


@pytest.mark.parametrize("name", ["mlflow", "tensorboard", "trackio", "wandb"])
def test_a_package_that_is_not_installed_is_named_with_its_extra(
    nearid: Nearid, data: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setitem(sys.modules, name, None)  # as if it were not there
    finished = nearid(*SCORE, "--log", name, "-o", "run.json")
    assert finished.error == f"logging to {name} needs its package: pip install 'nearid-cli[{name}]'"
    nothing_done(data)


def test_all_that_is_wrong_is_said_at_once(
    nearid: Nearid, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "trackio", None)
    (data / "taken").write_text("")
    finished = nearid(*SCORE, "--log", "trackio,tensorboard=taken/run")
    assert finished.error.startswith("logging to trackio needs its package")
    (detail,) = finished.details
    assert detail.startswith("cannot log to tensorboard: NotADirectoryError: ")


def test_wandb_without_a_key(run: Run, data: Path) -> None:
    finished = run(*SCORE, "--log", "wandb", WANDB_MODE="online", WANDB_BASE_URL=NOBODY)
    assert finished.error.startswith(
        "cannot log to wandb: no API key; run `wandb login` or set WANDB_API_KEY"
    )
    nothing_done(data)


def test_wandb_with_a_wrong_key(run: Run, data: Path, server: str) -> None:
    asked = {"WANDB_MODE": "online", "WANDB_BASE_URL": server, "WANDB_API_KEY": KEY}
    finished = run(*SCORE, "--log", "wandb", **asked)
    assert finished.error.startswith("cannot log to wandb: AuthenticationError: ")
    assert KEY not in finished.err
    nothing_done(data)


@pytest.mark.parametrize("variable", ["MLFLOW_TRACKING_URI", None])
def test_mlflow_without_a_server(run: Run, data: Path, variable: str | None) -> None:
    place = "http://me:secret-word@127.0.0.1:9"
    asked = ("--log", "mlflow" if variable else f"mlflow={place}")
    finished = run(*SCORE, *asked, **({variable: place} if variable else {}))
    assert finished.error.startswith(
        "cannot log to mlflow: MlflowException: API request to http://***@127.0.0.1:9/"
    )
    assert "secret-word" not in finished.err
    nothing_done(data)


def test_mlflow_with_a_password_in_the_environment(run: Run, data: Path, server: str) -> None:
    asked = {
        "MLFLOW_TRACKING_USERNAME": "me",
        "MLFLOW_TRACKING_PASSWORD": "who are you?",
    }  # as the server says
    finished = run(*SCORE, "--log", f"mlflow={server}", **asked)
    assert finished.error.startswith("cannot log to mlflow: ")
    assert "who are you?" not in finished.err


def test_a_tracker_that_fails_later_loses_nothing(
    nearid: Nearid, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tensorboard.summary.writer.event_file_writer as writing

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writing.EventFileWriter, "add_event", full)
    arguments = (*SCORE, "--log", "tensorboard,wandb", "-o", "run.json", "--format", "json")
    monkeypatch.chdir(data)
    finished = nearid(*arguments)
    assert finished.code == 2
    assert json.loads(finished.out) == json.loads((data / "run.json").read_text())
    last, before = finished.err.splitlines()[-1], finished.err.splitlines()[-2]
    assert last == "error: cannot log to tensorboard: OSError: [Errno 28] No space left on device"
    assert before.startswith("logged to wandb: ")
    assert "Traceback" not in finished.err


def test_a_verdict_stands_though_the_tracker_fails(
    nearid: Nearid, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tensorboard.summary.writer.event_file_writer as writing

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writing.EventFileWriter, "add_event", full)
    (data / "rules.toml").write_text('[[gate.rules]]\nmetric = "hog"\nmin = 0.999\n')
    finished = nearid(*SCORE, "--gate", "rules.toml", "--log", "tensorboard", "-o", "run.json")
    assert finished.code == 2
    assert "gate failed: 1 check" in finished.out
    assert (data / "run.json").exists()


def test_python_says_the_same(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = nearid_cli.score(data / "refs", data / "gens", metrics=["hog"])
    with pytest.raises(UsageError, match="expected a tracker to log to"):
        result.log()
    with pytest.raises(UsageError, match="unknown tracker"):
        result.log("comet")
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(TrackingError, match=r"pip install 'nearid-cli\[wandb\]'"):
        result.log("wandb")


def test_a_folder_that_takes_no_files_is_known_before(run: Run, data: Path) -> None:
    (data / "taken").write_text("")
    finished = run(*SCORE, "--log", "tensorboard=taken")
    assert finished.error.startswith("cannot log to tensorboard: NotADirectoryError: ")
    nothing_done(data)


def test_what_wandb_says_in_its_log_alone_is_said(tmp_path: Path) -> None:
    from nearid_cli.trackers.kinds.wandb import _lost

    lines = [
        '{"time":"2026-11-29T14:03:25Z","level":"INFO","msg":"stream: finishing up"}',
        '{"time":"2026-11-29T14:03:25Z","level":"ERROR","msg":"writer: no space left on device"}',
        '{"time":"2026-11-29T14:03:25Z","level":"INFO","msg":"stream: all finished"}',
    ]
    log = tmp_path / "debug-internal.log"
    assert _lost(log) == ""  # a run that is disabled has none
    log.write_text("\n".join(lines))
    assert _lost(log) == "writer: no space left on device"
    log.write_text("\n".join(lines[::2]))
    assert _lost(log) == ""
