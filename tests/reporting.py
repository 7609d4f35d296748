"""The report of a comparison in a real browser: fixtures and finders for the tests that look at it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from nearid_cli.evaluate.compare import compare
from nearid_cli.reports.html import Gallery, embed, page_files
from nearid_cli.results import ScoreResult
from tests.pages import comparison, page_of

Open = Callable[..., Page]

BEGINNING = "the-very-same-forty-characters-to-begin-"
END = "and-twenty-to-end---"
assert (len(BEGINNING), len(END)) == (40, 20)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("report")
    result = comparison(root)
    path = root / "report.html"
    path.write_text(page_of(result, embed(page_files(result))), "utf-8")
    return path


@pytest.fixture
def page(open_page: Open, report: Path) -> Page:
    page = open_page(report)
    page.evaluate("location.hash = '#pictures'")
    return page


def without_pictures(path: Path, results: ScoreResult | Mapping[str, ScoreResult]) -> Path:
    """The report of one method or of several whose pictures are not there."""
    result = results if isinstance(results, ScoreResult) else compare(results)
    path.write_text(page_of(result, Gallery((), {}, "no thumbnails")), "utf-8")
    return path


def card(page: Page, title: str) -> Locator:
    """The part of the gallery with this title, filled."""
    found = page.locator(".card").filter(has=page.get_by_role("heading", name=title, exact=True))
    found.scroll_into_view_if_needed()
    expect(found).not_to_have_class(re.compile("waiting"))
    return found
