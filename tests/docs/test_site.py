"""The site is built without a warning, its links lead somewhere, and it shows what GitHub shows of the same files."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

import lxml.html
import pytest
from markdown_it import MarkdownIt

import nearid_cli
from scripts.site_hooks import SOURCES

from .conftest import ROOT

LOADS = "//img/@src | //script/@src | //iframe/@src | //source/@src | //link[not(@rel='canonical')]/@href"
API = "reference/api.html"


@dataclass(frozen=True)
class Site:
    """A built site, its pages by their path in it."""

    folder: Path
    pages: dict[str, lxml.html.HtmlElement]

    def has(self, place: str, anchor: str) -> bool:
        if not (self.folder / place).is_file():
            return False
        return not anchor or bool(self.pages[place].xpath("//*[@id=$id]", id=anchor))

    def links(self) -> Iterator[tuple[str, str, str]]:
        """Page, place that it links to, and anchor there, of all links within the site."""
        for name, page in self.pages.items():
            for link in page.xpath("//a/@href | //img/@src"):
                if not urlsplit(link).scheme:
                    place, _, anchor = unquote(link).partition("#")
                    yield name, os.path.normpath(Path(name).parent / place) if place else name, anchor


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    offline = os.environ | {"NO_MKDOCS_2_WARNING": "1", "HTTPS_PROXY": "http://127.0.0.1:9"}
    built = subprocess.run(command, cwd=ROOT, env=offline, capture_output=True, text=True, check=False)
    assert (built.returncode, built.stderr) == (0, ""), built.stdout
    found = sorted(set(folder.rglob("*.html")) - {folder / "404.html"})
    return Site(
        folder, {path.relative_to(folder).as_posix(): lxml.html.parse(str(path)).getroot() for path in found}
    )


def test_every_link_and_anchor_of_the_site_leads_somewhere(site: Site) -> None:
    links = list(site.links())
    assert len(links) > 1000
    assert [link for link in links if not site.has(*link[1:])] == []


def test_no_page_loads_anything_from_another_host(site: Site) -> None:
    for name, page in site.pages.items():
        assert [link for link in page.xpath(LOADS) if urlsplit(link).netloc] == [], name
        assert page.xpath("//pre[contains(@class, 'mermaid')]") == [], name  # drawn by a program of unpkg.com
    sheets = [path.read_text(encoding="utf-8") for path in site.folder.rglob("*.css")]
    assert sheets
    assert [
        found for sheet in sheets for found in re.findall(r"(?:url\(|@import)\W*(?:https?:)?//", sheet)
    ] == []


def test_the_site_shows_what_github_shows(site: Site) -> None:
    """The two read Markdown differently: what begins a list or a table for the one may be plain text to the other."""
    for name in site.pages.keys() - {API}:
        source = name.removesuffix("html") + "md"
        text = (ROOT / SOURCES.get(source, f"docs/{source}")).read_text(encoding="utf-8")
        github = lxml.html.fromstring(MarkdownIt("commonmark").enable("table").render(text))
        (article,) = site.pages[name].xpath("//article")
        for kind in ("h1", "h2", "h3", "li", "table", "pre"):
            assert len(article.xpath(f".//{kind}")) == len(github.xpath(f".//{kind}")), (name, kind)


def test_the_api_page_shows_every_public_name(site: Site) -> None:
    described = set(site.pages[API].xpath("//h3/@id"))
    assert {f"nearid_cli.{name}" for name in nearid_cli.__all__ if name != "__version__"} <= described
