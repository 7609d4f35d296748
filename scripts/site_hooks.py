"""What mkdocs.yml needs besides settings: files beside docs/ as parts of the site, and links that also work on GitHub.

The README is the site's first page. In the repository all links lead from file to file; here each is led to where the
file stands in the site.
"""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
# Pages and files of the repository that are none of docs/, and their names in the site.
OUTSIDE = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "SECURITY.md": "security.md",
    "LICENSE": "LICENSE",
    "CITATION.cff": "CITATION.cff",
    "nearid_cli/measures/judge/rubric.txt": "guides/judge-rubric.txt",
    **{
        name: name
        for path in (ROOT / "examples").rglob("*.*")
        for name in [path.relative_to(ROOT).as_posix()]
    },
}
SOURCES = {inside: outside for outside, inside in OUTSIDE.items()}
_LINK = re.compile(r"\]\((?!\w+:|#)([^)\s#]+)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what stands beside docs/."""
    for outside, inside in OUTSIDE.items():
        files.append(File.generated(config, inside, abs_src_path=str(ROOT / outside)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Lead links from the place of the page in the repository to places in the site."""
    inside = page.file.src_uri
    return relinked(markdown, SOURCES.get(inside, f"docs/{inside}"), inside)


def relinked(markdown: str, outside: str, inside: str) -> str:
    """Markdown of a file `outside` in the repository as that of the page `inside` of the site."""

    def link(found: re.Match[str]) -> str:
        target = os.path.normpath(PurePosixPath(outside).parent / found[1])
        place = OUTSIDE.get(target, target.removeprefix("docs/"))
        return f"]({os.path.relpath(place, PurePosixPath(inside).parent)}"

    return _LINK.sub(link, markdown)
