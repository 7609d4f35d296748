"""The trees that docs/reference/layouts.md promises to read right, planted as they stand there, by `nearid layout`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from nearid_cli.layouts.dataset import Dataset
from nearid_cli.layouts.find import find
from nearid_cli.layouts.methods import find_methods

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "layouts.md"
FILES = re.compile(r"`([^`]+)`")
COUNTS = re.compile(r"([^,]+?) ([0-9]+)\+([0-9]+)")


def rows(header: str) -> list[list[str]]:
    """The cells of the table whose header begins so."""
    lines = iter(PAGE.read_text(encoding="utf-8").splitlines())
    for line in lines:
        if line.startswith(header):
            break
    next(lines)
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in _until_empty(lines)]


def _until_empty(lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        if not line:
            return
        yield line


ONE = rows("| tree | references | generations |")
WHOLE = rows("| tree | given | pictures |")


def expected(cell: str) -> tuple[dict[str, tuple[int, int]], set[str]]:
    """Subjects with their numbers of references and generations, and the labels that generations have."""
    subjects, _, labels = cell.partition("·")
    found = {name.strip(): (int(a), int(b)) for name, a, b in COUNTS.findall(subjects)}
    return found, set(labels.split())


def subjects(dataset: Dataset) -> dict[str, tuple[int, int]]:
    return {one.name: (len(one.references), len(one.generations)) for one in dataset.subjects}


def labels(dataset: Dataset) -> set[str]:
    found = set()
    for subject in dataset.subjects:
        for one in subject.generations:
            said = {"prompt": one.prompt, "seed": one.seed, "method": one.method, **one.labels}
            found |= {name for name, value in said.items() if value is not None}
    return found


def test_there_are_tables() -> None:
    assert len(ONE) >= 30
    assert len(WHOLE) >= 5


@pytest.mark.parametrize(("tree", "references", "generations", "read_as"), ONE, ids=[row[0] for row in ONE])
def test_a_tree_is_read_as_the_page_says(plant, nearid, tree, references, generations, read_as) -> None:
    refs, gens = plant("refs", FILES.findall(references)), plant("gens", FILES.findall(generations))
    dataset = find(refs, gens)
    assert (subjects(dataset), labels(dataset)) == expected(read_as)
    assert dataset.unmatched == ()
    finished = nearid("layout", "refs", "gens", "-o", "m.csv")
    assert finished.code == 0, finished.err
    for name, (number, generated) in subjects(dataset).items():
        assert re.search(rf"^{re.escape(name)} +{number} +{generated}\b", finished.out, re.MULTILINE)
    # The manifest says the same.
    again = find(refs.parent / "m.csv", None)
    assert subjects(again) == subjects(dataset)
    assert [
        [(g.path.resolve(), g.prompt, g.seed, dict(g.labels)) for g in s.generations] for s in again.subjects
    ] == [
        [(g.path.resolve(), g.prompt, g.seed, dict(g.labels)) for g in s.generations]
        for s in dataset.subjects
    ]


@pytest.mark.parametrize(("tree", "given", "files", "read_as"), WHOLE, ids=[row[0] for row in WHOLE])
def test_a_whole_tree_is_read_as_the_page_says(plant, nearid, tree, given, files, read_as) -> None:
    root = plant("all", FILES.findall(files))
    if given == "`score`":
        found = {"": find(root, None)}
        assert subjects(find(root, root)) == subjects(found[""])
        arguments = ["layout", "all"]
    else:
        plant("refs", "cat/0.jpg")
        found = find_methods([root], root.parent / "refs", {})
        arguments = ["layout", "refs", "all"]
    texts = read_as.split(";")
    named = [text.partition(":")[::2] if given == "`compare`" else ("", text) for text in texts]
    assert {name: subjects(one) for name, one in found.items()} == {
        name.strip(): expected(text)[0] for name, text in named
    }
    finished = nearid(*arguments, "-o", "m.csv")
    assert finished.code == 0, finished.err
    for name, _ in named:
        assert not name or f"method {name.strip()}\n" in finished.out or "if they are methods" in finished.err
    assert (root.parent / "m.csv").exists()
