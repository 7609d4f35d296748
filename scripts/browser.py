"""The browser that opens the HTML report, for tests and screenshots: found, or installed where that can be done.

    python scripts/browser.py

sees to it that there is one. It is never an error that there is none: the tests say so at their end.
`NEARID_BROWSER` may be the path of a browser; `required`, for tests that fail without one; or `none`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence

from playwright.sync_api import Browser, Error, Playwright, sync_playwright

WISH = os.environ.get("NEARID_BROWSER", "")
REQUIRED = WISH not in ("", "none")

_COMMANDS = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "microsoft-edge",
    "microsoft-edge-stable",
    "msedge",
)
# Installations that Playwright finds without a command, such as the applications of macOS.
_CHANNELS = ("chrome", "msedge")
# Chromium's sandbox asks for more than root and most containers have.
_OPTIONS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")

_PLAYWRIGHT = [sys.executable, "-m", "playwright", "install", "--only-shell", "chromium"]
_APT = [
    "apt-get",
    "-qy",
    "-o",
    "Acquire::Retries=3",
    "-o",
    "Acquire::http::Timeout=20",
    "-o",
    "DPkg::Lock::Timeout=60",
]
_DEBIAN = ([*_APT, "update"], [*_APT, "install", "--no-install-recommends", "chromium"])
_PATIENCE = 600  # seconds for one step of an installation


class NoBrowserError(Exception):
    """No browser starts. Says which were tried, and why they do not."""


def launch(playwright: Playwright, *options: str) -> Browser:
    """Start the first browser that starts, without a window, with further options of its command line.

    Raises:
        NoBrowserError: none starts.
    """
    reasons = []
    for name, choice in _choices():
        try:
            return playwright.chromium.launch(args=[*_OPTIONS, *options], **choice)
        except Error as error:
            reasons.append(f"{name} ({_reason(error)})")
    if not reasons:
        raise NoBrowserError("NEARID_BROWSER is none")
    raise NoBrowserError(
        f"no browser starts: {', '.join(reasons)}. Install Chromium, Chrome or Edge, or name one in NEARID_BROWSER."
    )


def _choices() -> Iterator[tuple[str, dict[str, str]]]:
    """What to try: a name, and arguments of Playwright's `launch`."""
    if WISH == "none":
        return
    if WISH not in ("", "required"):
        yield WISH, {"executable_path": WISH}
        return
    for command in _COMMANDS:
        if executable := shutil.which(command):
            yield executable, {"executable_path": executable}
    for channel in _CHANNELS:
        yield channel, {"channel": channel}
    yield "Playwright's own", {}


def _reason(error: Error) -> str:
    """Why a browser does not start, in a word or two: Playwright's message has dozens of lines."""
    missing = ("doesn't exist", "is not found")
    return "not there" if any(words in error.message for words in missing) else "does not start"


def provide() -> None:
    """Install a browser if none starts: Playwright's own, or Debian's if root may and that one does not start."""
    if WISH not in ("", "required") or _starts():
        return
    print("Fetching a browser for the tests of the HTML report", flush=True)
    _quietly(_PLAYWRIGHT)
    if not _starts() and shutil.which("apt-get") and os.geteuid() == 0:
        all(_quietly(step) for step in _DEBIAN)


def _starts() -> bool:
    with sync_playwright() as playwright:
        try:
            launch(playwright).close()
        except NoBrowserError:
            return False
    return True


def _quietly(command: Sequence[str]) -> bool:
    """Whether a step of an installation succeeds; without network or rights it may well fail."""
    environment = os.environ | {
        "DEBIAN_FRONTEND": "noninteractive",
        "PLAYWRIGHT_DOWNLOAD_CONNECTION_TIMEOUT": "10000",  # milliseconds
    }
    try:
        finished = subprocess.run(
            command, env=environment, capture_output=True, stdin=subprocess.DEVNULL, timeout=_PATIENCE
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return finished.returncode == 0


if __name__ == "__main__":
    provide()
