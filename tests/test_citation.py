"""CITATION.cff: in the form of the Citation File Format 1.2.0, and the same paper as everywhere else."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

import nearid_cli

ROOT = Path(nearid_cli.__file__).parents[1]
# The keys of the format, https://citation-file-format.github.io, that are used.
OF_FILE = {
    *(
        "cff-version",
        "message",
        "title",
        "type",
        "abstract",
        "license",
        "keywords",
        "authors",
        "preferred-citation",
    ),
}
OF_REFERENCE = {"type", "title", "year", "collection-title", "conference", "authors", "identifiers", "url"}


def cited() -> dict[str, Any]:
    content = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert isinstance(content, dict)
    return content


def bibtex() -> dict[str, str]:
    """The entry in the README by its fields, without the braces that hold capitals."""
    (entry,) = re.findall(
        r"^```bibtex\n(.*?)^```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL | re.MULTILINE
    )
    fields = re.findall(r"^ *(\w+) *= \{(.*)\},?$", entry, re.MULTILINE)
    return {name: value.replace("{", "").replace("}", "") for name, value in fields}


def test_it_is_in_the_form_of_the_format() -> None:
    content = cited()
    assert content.keys() == OF_FILE
    assert (content["cff-version"], content["type"], content["license"]) == (
        "1.2.0",
        "software",
        "Apache-2.0",
    )
    assert content["authors"]
    assert all(author.keys() <= {"name", "website"} and author["name"] for author in content["authors"])
    paper = content["preferred-citation"]
    assert paper.keys() == OF_REFERENCE
    assert paper["type"] == "conference-paper"
    assert isinstance(paper["year"], int)
    assert paper["conference"].keys() == {"name"}
    assert all(author.keys() == {"family-names", "given-names"} for author in paper["authors"])
    assert all(
        one.keys() == {"type", "value", "description"} and one["type"] == "other"
        for one in paper["identifiers"]
    )


def test_the_paper_is_that_of_the_readme() -> None:
    paper, entry = cited()["preferred-citation"], bibtex()
    assert paper["title"] == entry["title"]
    assert str(paper["year"]) == entry["year"]
    names = [f"{author['family-names']}, {author['given-names']}" for author in paper["authors"]]
    assert " and ".join(names) == entry["author"]
    assert paper["collection-title"] == entry["booktitle"]
    (preprint,) = paper["identifiers"]
    assert preprint["value"] == f"{entry['archiveprefix']}:{entry['eprint']}"
    assert paper["url"] == f"https://arxiv.org/abs/{entry['eprint']}"


def test_wherever_the_authors_are_cited_the_conference_is() -> None:
    """By the file's text in one line, because a citation may break anywhere."""
    files = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "nearid_cli").rglob("*")]
    found = {}
    for file in files:
        if file.suffix in (".md", ".py", ".json"):
            text = " ".join(file.read_text("utf-8").split())
            found[file] = [text[match.start() :][:160] for match in re.finditer(r"Cvejic et al\.,", text)]
    assert sum(map(len, found.values())) > 6
    assert {
        name: lines for name, lines in found.items() if not all("ECCV 2026" in line for line in lines)
    } == {}
