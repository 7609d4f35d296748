"""A real browser, in which a page that complains or asks anybody else for anything fails the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from scripts.browser import REQUIRED, NoBrowserError, launch
from tests.viewing import run_json, view

__all__ = ["allowed", "browser", "open_page", "run_json", "settle", "view", "wait_until", "watched"]

PATIENCE = 60
"""Seconds to wait for what a page is to do: many times what it takes, for machines that do much else."""

expect.set_options(timeout=PATIENCE * 1000)

REBOUND = "rebound.example"
"""A name of somebody else that leads the browser to this machine."""

OpenPage = Callable[..., Page]


# Of a module, not of the session: other tests of this process should not meet Playwright's event loop.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser without a window. Without one the tests are skipped, or fail where they must not be."""
    with sync_playwright() as playwright:
        try:
            chromium = launch(playwright, f"--host-resolver-rules=MAP {REBOUND} 127.0.0.1")
        except NoBrowserError as error:
            pytest.fail(str(error)) if REQUIRED else pytest.skip(str(error))
        yield chromium
        chromium.close()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[OpenPage]:
    """Open a file or an address in a window of its own, see `watched`."""
    with watched(browser) as open_:
        yield open_


@contextmanager
def watched(browser: Browser) -> Iterator[OpenPage]:
    """Gives a function that opens a file or an address in a window of its own.

    `dark=True` emulates the dark colour scheme, further keywords go to `browser.new_context`
    (`viewport={"width": 400, "height": 800}`). Nothing scrolls smoothly: on a busy machine that would go on while
    a test measures where things are. A message of the console that is a warning or an error, an exception
    of the page, and a request to anything but the page itself, its server, `data:` and `blob:` fail at the end.
    """
    complaints: list[str] = []
    contexts = []

    def open_(address: Path | str, dark: bool = False, **options: object) -> Page:
        url = address.resolve().as_uri() if isinstance(address, Path) else address
        scheme = "dark" if dark else "light"
        context = browser.new_context(color_scheme=scheme, reduced_motion="reduce", **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE * 1000)
        page.on("console", lambda message: message.type in ("warning", "error") and complain(message.text))
        page.on("pageerror", lambda error: complain(f"exception: {error}"))
        context.on("request", lambda request: allowed(request.url, url) or complain(f"asks {request.url}"))
        page.goto(url)
        return page

    def complain(what: str) -> None:
        complaints.append(what)

    yield open_
    for context in contexts:
        context.close()
    assert complaints == []


def allowed(asked: str, page: str) -> bool:
    """Whether a page may ask for an address: itself, `data:`, `blob:`, and on a server all of its own."""
    target, own = urlsplit(asked), urlsplit(page)
    if target.scheme in ("data", "blob"):
        return True
    if own.scheme == "file":
        return asked.partition("#")[0] == page.partition("#")[0]
    return (target.scheme, target.netloc) == (own.scheme, own.netloc)


def wait_until(page: Page, condition: str) -> None:
    """Wait until an expression is true. `page.wait_for_function` evaluates in the page, which its policy forbids."""
    for _ in range(PATIENCE * 20):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"not true after {PATIENCE} seconds: {condition}")


def settle(page: Page) -> None:
    """Let the page do all that follows from a scroll or a new size: it does that in the next few frames."""
    page.evaluate("""async () => {
        for (let i = 0; i < 12; i++) await new Promise((drawn) => { requestAnimationFrame(drawn); });
    }""")
