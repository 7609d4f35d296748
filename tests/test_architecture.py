"""Who may know whom (docs/explanation/architecture.md), and what may be imported when."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import nearid_cli

ROOT = Path(nearid_cli.__file__).parent
FLOORS = {
    "errors": -2,
    "elsewhere": -3,
    "text": -2,
    "opening": -1.5,
    "files": -1,
    "owners": -1.5,
    "remote": -1.2,
    "activity": -1,
    "flags": -1,
    "interrupts": -1,
    "workers": -0.5,
    "results": 0,
    "options": 0,
    "plugins": 0,
    "schemas": 0,
    "configuration": 1,
    "metrics": 0,
    "breakdown": 1,
    "images": 1,
    "mirrors": 1.5,
    "layouts": 2,
    "encoders": 2,
    "measures": 2.5,
    "nearid_data": 2,
    "embedding": 3,
    "reports": 4,
    "trackers": 4.5,
    "evaluate": 5,
    "training": 5,
    "synth": 5,
    "gate": 5,
    "view": 5,
    "benchmarks": 6,
    "demo": 6,
    "api": 6,
    "scorer": 6.5,
    "integrations": 7,
    "cli": 7,
    "__main__": 8,
}
HEAVY = {
    "torch",
    "transformers",
    "pandas",
    "scipy",
    "skimage",
    "matplotlib",
    "huggingface_hub.hf_api",
    "openvino",
    "ray",
}
HEAVY |= {"fsspec", "s3fs", "botocore", "aiohttp"}
HEAVY |= {"wandb", "tensorboard", "mlflow", "trackio", "yaml"}


def modules() -> list[Path]:
    return sorted(ROOT.rglob("*.py"))


def part(path: Path) -> str:
    return path.relative_to(ROOT).with_suffix("").parts[0]


def name(path: Path) -> str:
    pieces = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(pieces[:-1] if pieces[-1] == "__init__" else pieces)


def imports(tree: ast.AST) -> Iterator[str]:
    """What is imported, in functions too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def is_type_checking(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_part_imports_only_parts_below_it(path: Path) -> None:
    if path == ROOT / "__init__.py":
        return
    own = part(path)
    assert own in FLOORS, f"give {own} a floor"
    for name in imports(ast.parse(path.read_text())):
        pieces = name.split(".")
        if pieces[0] == "nearid_cli" and len(pieces) > 1 and pieces[1] in FLOORS and pieces[1] != own:
            assert FLOORS[pieces[1]] < FLOORS[own], f"{own} imports {name}"


def test_no_module_imports_itself_in_a_circle() -> None:
    paths = {name(path): path for path in modules()}
    needs = {}
    for own, path in paths.items():
        tree = ast.parse(path.read_text())
        tree.body = [node for node in tree.body if not is_type_checking(node)]  # never run
        needs[own] = {found if found in paths else found.rpartition(".")[0] for found in imports(tree)}
    # transformers asks a configuration for its model: the two register themselves together, whichever comes first.
    needs["nearid_cli.encoders.nearid_config"].remove("nearid_cli.encoders.nearid_model")
    # It gives its version to all, and imports what it shows only when that is used.
    del needs["nearid_cli"]
    TopologicalSorter(needs).prepare()


READ_OTHERWISE = {
    "embedding/cluster/introducing.py": "files of this package, to compare them",
    "embedding/devices.py": "a file of torch's, and what the kernel says of the processor",
    "files.py": "folders and files that are ours, to flush and lock them",
    "images/free.py": "what the kernel says of memory",
    "measures/judge/rubric.py": "a file of this package",
    "mirrors/mirror.py": "what it has fetched itself",
    "remote/objects.py": "objects of stores, by fsspec",
    "reports/html/page.py": "files of this package",
    "schemas/__init__.py": "files of this package",
    "benchmarks/dreambench/published.py": "a file of this package",
    "benchmarks/table1/result.py": "a file of this package",
}
"""Modules that open files for reading by other means than `opening.py`, and which files these are."""


def opens_to_read(tree: ast.AST) -> Iterator[int]:
    """The lines that open a file and do not say that they write it."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        owner = node.func.value if isinstance(node.func, ast.Attribute) else None
        words = [one.value for one in ast.walk(node) if isinstance(one, ast.Constant)]
        if called in ("read_bytes", "read_text"):
            yield node.lineno
        elif called == "open" and isinstance(owner, ast.Name) and owner.id == "os":
            yield from [node.lineno] if "O_WRONLY" not in ast.unparse(node) else []
        # Classes and pictures have an `open` of their own, which takes no mode.
        elif called == "open" and (owner is None or any(word in MODES for word in words)):
            yield from [node.lineno] if not any(word in MODES - {"r", "rb"} for word in words) else []
        elif (
            called == "open"
            and not node.args
            and isinstance(owner, ast.Name)
            and owner.id in ("path", "file")
        ):
            yield node.lineno


MODES = {"r", "rb", "w", "wb", "x", "xb", "a", "ab"}


def test_files_of_the_outside_world_are_opened_in_one_place() -> None:
    found = {
        path.relative_to(ROOT).as_posix()
        for path in modules()
        if path.name != "opening.py" and list(opens_to_read(ast.parse(path.read_text())))
    }
    assert found == set(READ_OTHERWISE)


def test_one_class_has_a_name() -> None:
    places = defaultdict(list)
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert {name: where for name, where in places.items() if len(where) > 1} == {}


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        str(path)
        for path in modules()
        if path.read_text().strip() and not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert silent == []


def test_public_names() -> None:
    assert nearid_cli.__all__ == [
        "CompareResult",
        "ImageEncoder",
        "NearIDError",
        "Options",
        "PairResult",
        "ScoreResult",
        "Scorer",
        "__version__",
        "compare",
        "load_encoder",
        "pair",
        "score",
    ]
    for name in nearid_cli.__all__:
        assert getattr(nearid_cli, name) is not None
    assert set(nearid_cli.__all__) <= set(dir(nearid_cli))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = nearid_cli.nothing


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["--version"],
        ["score", "--help"],
        ["score"],
        ["score", "a", "b", "--metric", "naerid"],
        ["compare", "--help"],
        ["compare"],
        ["gate", "--help"],
        ["gate", "run.json"],
        ["view", "--help"],
        ["bench", "nearid", "--help"],
        ["models", "list"],
        ["cache", "info"],
    ],
    ids=" ".join,
)
def test_light_commands_import_nothing_heavy(arguments: list[str]) -> None:
    program = (
        "import sys; from nearid_cli.cli.app import main; main(sys.argv[1:]);"
        f"print('heavy:', sorted({HEAVY!r} & set(sys.modules)), file=sys.stderr)"
    )
    finished = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True)
    assert finished.stderr.splitlines()[-1] == "heavy: []", finished.stderr


KINDS = {"embedding", "pairwise", "text", "given"}
BASES = {"EmbeddingMetric", "PairwiseMetric", "TextMetric", "GivenMetric"}
SEAM = (
    "plugins.py",
    "measures/",
    "evaluate/kinds/",
    "embedding/features.py",
    "embedding/pairs.py",
    "encoders/plugged.py",
    "encoders/spec.py",
)


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_nothing_outside_the_seam_asks_of_which_kind_a_metric_is(path: Path) -> None:
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare | ast.Match):
            ends = [node.left, *node.comparators] if isinstance(node, ast.Compare) else [node.subject]
            asks = any(isinstance(one, ast.Attribute) and one.attr == "kind" for one in ends)
            words = {one.value for one in ast.walk(node) if isinstance(one, ast.Constant)}
            assert not (asks and words & KINDS), f"line {node.lineno}"
    if not path.relative_to(ROOT).as_posix().startswith(SEAM):
        names = {
            alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names
        }
        assert not names & BASES
