"""`nearid view` in a real browser, and the fixtures that every browser test relies on."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page

OpenPage = Callable[..., Page]

HONEST = "<!doctype html><title>x</title><img src='data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAA='>"


def test_a_page_that_keeps_to_itself_passes(open_page: OpenPage, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(HONEST)
    page = open_page(tmp_path / "page.html", dark=True)
    assert page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    assert page.evaluate("document.images[0].naturalWidth") == 1


COMPLAINTS = {
    "error": ("<script>console.error('broken')</script>", "broken"),
    "warning": ("<script>console.warn('odd')</script>", "odd"),
    "exception": ("<script>throw new Error('thrown')</script>", "exception: thrown"),
    "another_server": ("<img src='http://127.0.0.1:9/x.png'>", "asks http://127.0.0.1:9/x.png"),
    "another_file": ("<img src='other.png'>", "/other.png"),
}


def test_a_page_that_complains_or_asks_around_fails(tmp_path: Path) -> None:
    shutil.copy(Path(__file__).with_name("conftest.py"), tmp_path)
    tests = []
    for name, (body, _) in COMPLAINTS.items():
        (tmp_path / f"{name}.html").write_text(HONEST + body)
        tests.append(f"def test_{name}(open_page): open_page(Path({str(tmp_path)!r}, '{name}.html'))\n")
    (tmp_path / "test_pages.py").write_text("from pathlib import Path\n" + "".join(tests))
    finished = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", "/dev/null", tmp_path],
        capture_output=True,
        text=True,
    )
    reports = re.split(r"ERROR at teardown of ", finished.stdout.partition("short test summary")[0])[1:]
    assert [report.split()[0].removeprefix("test_") for report in reports] == list(COMPLAINTS), (
        finished.stdout
    )
    for report, (_, complaint) in zip(reports, COMPLAINTS.values(), strict=True):
        assert complaint in report
