"""The browser of the report's tests: which is taken, and what is said and done where there is none."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PATH = os.environ["PATH"]
HERE = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("microsoft-edge")
ROOT = Path(__file__).parents[2]
STARTS = (
    "from playwright.sync_api import sync_playwright\n"
    "from scripts.browser import launch\n"
    "with sync_playwright() as playwright:\n"
    "    print(launch(playwright).browser_type.name)\n"
)


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on the PATH, empty; and nothing of Playwright's here or to be had."""
    if any(
        Path(stock).exists() for stock in ("/opt/google/chrome", "/opt/microsoft/msedge", "/Applications")
    ):
        pytest.skip("Playwright finds Chrome or Edge here without a PATH")
    folder = tmp_path / "commands"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path / "playwright"))
    monkeypatch.setenv("PLAYWRIGHT_DOWNLOAD_HOST", "http://127.0.0.1:9")
    monkeypatch.delenv("NEARID_BROWSER", raising=False)
    return folder


def script(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def python(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True)


def test_names_what_was_tried(commands: Path) -> None:
    script(commands / "chromium", "exit 1")
    finished = python("-c", STARTS)
    assert finished.stderr.splitlines()[-1].endswith(
        f"no browser starts: {commands}/chromium (does not start), chrome (not there), msedge (not there), "
        "Playwright's own (not there). Install Chromium, Chrome or Edge, or name one in NEARID_BROWSER."
    )


@pytest.mark.skipif(HERE is None, reason="no chromium, Chrome or Edge on the PATH")
def test_one_that_does_not_start_is_passed_over(commands: Path) -> None:
    script(commands / "chromium", "exit 1")
    script(commands / "msedge", f'PATH={PATH} exec {HERE} "$@"')
    finished = python("-c", STARTS)
    assert (finished.stdout, finished.stderr) == ("chromium\n", "")


def test_only_the_one_that_is_named_counts(commands: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEARID_BROWSER", "/gone")
    assert "no browser starts: /gone (not there). Install" in python("-c", STARTS).stderr


def test_debians_is_installed_where_root_may(commands: Path) -> None:
    log = commands / "log"
    script(commands / "apt-get", f'echo "$@" >> {log}; echo chatter; echo chatter >&2')
    finished = python("scripts/browser.py")
    assert (finished.returncode, finished.stderr) == (0, "")
    assert finished.stdout == "Fetching a browser for the tests of the HTML report\n"
    asked = [line.split()[-1] for line in log.read_text().splitlines()] if log.exists() else []
    assert asked == (["update", "chromium"] if os.geteuid() == 0 else [])


@pytest.mark.parametrize("wish", ["none", "/gone"])
def test_nothing_is_installed_against_a_wish(
    commands: Path, monkeypatch: pytest.MonkeyPatch, wish: str
) -> None:
    script(commands / "apt-get", f"touch {commands}/asked")
    monkeypatch.setenv("NEARID_BROWSER", wish)
    finished = python("scripts/browser.py")
    assert (finished.returncode, finished.stdout, finished.stderr) == (0, "", "")
    assert not (commands / "asked").exists()


@pytest.mark.parametrize(
    ("wish", "outcome", "said"),
    [
        ("none", "1 skipped in ", "1 test of the HTML report skipped: NEARID_BROWSER is none\n"),
        ("required", "1 error in ", "Failed: no browser starts: chrome (not there)"),
    ],
)
def test_the_tests_of_the_report_without_a_browser(
    commands: Path, monkeypatch: pytest.MonkeyPatch, wish: str, outcome: str, said: str
) -> None:
    monkeypatch.setenv("NEARID_BROWSER", wish)
    finished = python(
        "-m", "pytest", "-q", "tests/browser/test_view.py::test_a_page_that_keeps_to_itself_passes"
    )
    assert finished.stdout.splitlines()[-1].startswith(outcome)
    assert said in finished.stdout
