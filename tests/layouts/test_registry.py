"""The layouts by name: a module in `kinds/` is all that one needs, and the page lists what there is."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from nearid_cli.errors import UsageError
from nearid_cli.layouts.registry import LAYOUTS, NAMES, layout_named

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "layouts.md"
PRETEND = """
from nearid_cli.layouts.layout import Layout


class _Pretend(Layout):
    name = "pretend"
    place = 75
    references_are = "pictures beside a pretend.txt"
    expected = "a pretend.txt in it"
    must = ("references",)

    def find_references(self, look):
        return look.tree.by_folder(self) if (look.root / "pretend.txt").is_file() else None


LAYOUT = _Pretend()
"""
BESIDE = """
from nearid_cli.layouts.dataset import Picture
from nearid_cli.layouts.layout import Layout
from nearid_cli.layouts.sides import Assigned


class _Beside(Layout):
    name = "beside"
    place = 1

    def find_references(self, look):
        return self._found(look, "real")

    def find_generations(self, look):
        return self._found(look, "made")

    def find_methods(self, look):
        return self._found(look, "made")

    def holds_both(self, root):
        return any(root.glob("*/made"))

    def _found(self, look, side):
        root = look.root
        found = Assigned(root, self)
        for subject, _, *method, name in (one.split("/") for one in look.tree.names if f"/{side}/" in one):
            one = Picture.at(root, "/".join((subject, side, *method, name)), *method)
            found.subjects.setdefault(subject, []).append(one)
        return found if found.subjects else None


LAYOUT = _Beside()
"""
# As if the module lay in kinds/.
PROGRAM = """
import sys
from nearid_cli.layouts import kinds
kinds.__path__.append(sys.argv[1])
from nearid_cli.cli.app import main
main(sys.argv[2:])
"""


def test_the_page_lists_all_layouts_in_their_order() -> None:
    (table,) = (
        block
        for block in PAGE.read_text(encoding="utf-8").split("\n\n")
        if block.startswith("| `--layout` |")
    )
    rows = [f"| `{one.name}` | {one.references_are} | {one.generations_are} |" for one in LAYOUTS]
    assert table.splitlines()[2:] == rows


def test_each_is_found_by_its_name() -> None:
    assert NAMES[0] == "auto"
    assert [layout_named(name) for name in NAMES] == list(LAYOUTS)
    assert len({one.place for one in LAYOUTS}) == len(LAYOUTS)
    with pytest.raises(UsageError, match='unknown layout "flatt": did you mean flat'):
        layout_named("flatt")


Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", PROGRAM, "more", *arguments], capture_output=True, text=True, cwd=tmp_path
        )

    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "pretend.py").write_text(PRETEND)
    return run


def test_a_module_is_all_that_a_layout_needs(plant, run: Run) -> None:
    plant("refs", "cat/0.jpg dog/0.jpg pretend.txt")
    plant("gens", "cat/0.png dog/0.png")
    assert "customconcept101, pretend, imagefolder or manifest" in " ".join(
        run("layout", "--help").stdout.split()
    )
    assert run("layout", "refs", "gens").stdout.startswith("layout pretend + folders: 2 subjects\n")
    assert run("layout", "gens", "refs", "--layout", "pretend").stderr.startswith(
        "error: references folder gens is not laid out as pretend: expected a pretend.txt in it;"
    )
    assert (
        'unknown layout "pretnd": did you mean pretend?' in run("layout", "refs", "--layout", "pretnd").stderr
    )


def test_a_layout_may_hold_several_methods_with_their_references(plant, tmp_path: Path, run: Run) -> None:
    (tmp_path / "more" / "beside.py").write_text(BESIDE)
    plant("tree", "cat/real/0.jpg cat/made/lora/0.png cat/made/ip/0.png dog/real/0.jpg dog/made/lora/0.png")
    found = run("layout", "tree")
    heads = [line for line in found.stdout.splitlines() if line.startswith(("method ", "layout "))]
    assert heads == ["method ip", "layout beside: 1 subject", "method lora", "layout beside: 2 subjects"]
    assert "unmatched: dog: 1 reference, no generations" in found.stdout
