"""Very many pictures: the memory of whole processes, as the kernel tells it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from nearid_cli.embedding.cache import digest_bytes
from nearid_cli.encoders.checkpoints import resolve
from nearid_cli.encoders.registry import parse_metrics
from nearid_cli.reports.formats.data import to_json
from perf.filled import SIX, write_checkpoints
from perf.growth import run, score_command, write_world
from perf.loglog import Panel, drawn
from tests.comparing import scored

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows tells no peak of a child")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """12,200 pictures, whose embeddings by hog and hashes are 160 MiB."""
    return write_world(tmp_path_factory.mktemp("world") / "world", 50, 12_000)


def test_a_score_does_not_hold_all_embeddings(world: Path) -> None:
    _, peak = run(score_command(world, ["r.json"]))
    assert peak < 400  # 457 with all of them in memory


def test_embeddings_are_written_block_by_block(world: Path) -> None:
    command = [sys.executable, "-m", "nearid_cli", "embed", world / "gens", "--metric", "hog"]
    _, peak = run([*command, "--cache", world / "cache", "-o", world / "e.parquet"])
    assert peak < 520  # 574 with all of them in memory


def test_checkpoints_without_weights_do_for_measuring(tmp_path: Path) -> None:
    folders = write_checkpoints(tmp_path)
    chosen = parse_metrics([f"{name}={folder}" for name, folder in folders.items()], {})
    specs = resolve(chosen, "float32", lambda path: digest_bytes(path.read_bytes()).hex())
    assert [spec.name for spec in specs] == list(folders)


def test_no_two_checkpoints_are_one_encoder(tmp_path: Path) -> None:
    write_checkpoints(tmp_path, SIX)
    commits = {one.read_text() for one in tmp_path.rglob("refs/main")}
    assert len(commits) == len(SIX) == 6


def test_names_of_lines_that_end_together_stand_apart() -> None:
    lines = {
        name: [(1_000, 3.0), (10_000, level)] for name, level in (("a", 1.0), ("b & c", 1.01), ("d", 30.0))
    }
    root = ElementTree.fromstring(
        drawn([Panel("s", lines)], dict.fromkeys(lines, "#888"), "title", "description")
    )
    texts = {one.text: float(one.get("y", 0)) for one in root.iter("{http://www.w3.org/2000/svg}text")}
    assert texts["d"] < texts["b & c"] < texts["a"]
    assert texts["a"] - texts["b & c"] >= 16.9
    assert {"1,000", "10,000"} <= texts.keys()


@pytest.mark.torture
@pytest.mark.parametrize(
    ("subjects", "generations", "references", "most"),
    [
        (1_000, 100_000, 4, 1_024),
        (1, 50_000, 2_000, 2_048),
        (10_000, 100_000, 4, 2_048),
        (1_000, 200_000, 4, 2_048),
    ],
)
def test_very_many_pictures_have_their_bound(
    subjects: int, generations: int, references: int, most: int, tmp_path: Path
) -> None:
    world = write_world(tmp_path / "world", subjects, generations, references)
    _, peak = run(score_command(world), limit=2 * 2**30)
    assert peak <= most
    assert (world / "r.html").stat().st_size < 20_000_000


@pytest.mark.torture
@pytest.mark.parametrize(("subjects", "generations"), [(1_000, 100), (10_000, 10)])
def test_a_comparison_of_100_000_generations_has_its_bound(
    subjects: int, generations: int, tmp_path: Path
) -> None:
    random = np.random.default_rng(0)
    names = [f"subject {number:05}" for number in range(subjects)]
    for method in "ab":
        result = scored({name: 0.5 + 0.1 * random.random((generations, 1)) for name in names}, ["hog"])
        (tmp_path / f"{method}.json").write_text(to_json(result))
    command = [sys.executable, "-m", "nearid_cli", "compare", tmp_path / "a.json", tmp_path / "b.json"]
    _, peak = run([*command, "-o", tmp_path / "r.json", "-o", tmp_path / "r.html"], limit=2 * 2**30)
    assert peak <= 1_024
    assert (tmp_path / "r.html").stat().st_size < 20_000_000


@pytest.mark.torture
def test_embeddings_of_200_000_pictures_have_their_bound(tmp_path: Path) -> None:
    world = write_world(tmp_path / "world", 1_000, 200_000)
    command = [sys.executable, "-m", "nearid_cli", "embed", world / "gens", "--metric", "hog"]
    _, peak = run([*command, "--cache", world / "cache", "-o", tmp_path / "e.parquet"])
    assert peak <= 2_048


_READ = """
import sys
from pathlib import Path
from nearid_cli.layouts.tables.manifest import read_manifest
roles = read_manifest(Path(sys.argv[1])).roles
assert sum(len(own) for subjects in roles.values() for own in subjects.values()) == int(sys.argv[2])
"""


@pytest.mark.torture
@pytest.mark.parametrize("extension", [".csv", ".jsonl"])
def test_a_manifest_of_a_million_rows_has_its_bound(tmp_path: Path, extension: str) -> None:
    """Each row is a picture of its own: ten subjects, each in its box, in 102,000 files."""
    files, boxes = 102_000, 10
    manifest = tmp_path / f"m{extension}"
    (tmp_path / "p").mkdir()
    with manifest.open("w") as file:
        file.write("path,subject,role,prompt,seed,box\n" if extension == ".csv" else "")
        for number in range(files):
            name = f"p/{number:06}.png"
            (tmp_path / name).touch()
            for box in range(boxes):
                row = {
                    "path": name,
                    "subject": f"subject {(number + box) % 1000:04}",
                    "role": "generation" if number % 50 else "reference",
                    "prompt": f"a photo of a thing {number % 37} somewhere",
                    "seed": str(number % 200),
                    "box": f"{box} 0 10 10",
                }
                file.write((",".join(row.values()) if extension == ".csv" else json.dumps(row)) + "\n")
    _, peak = run([sys.executable, "-c", _READ, manifest, str(files * boxes)])
    assert peak <= 800  # 1,110 with all rows in memory
