"""Names that break programs: they work, and are escaped in every output."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

import nearid_cli
from nearid_cli.text import printable, storable
from tests.commandline import Finished, Nearid

from .conftest import COMMAND

NAMES = (
    "with space",
    "new\nline\r",
    "q'u\"ote",
    "[red]x[_red]",
    "<script>alert(1)<",
    "=1+1",
    "@SUM(A1)",
    "-rf",
    os.fsdecode(b"caf\xe9"),  # Latin-1: not UTF-8
    "x" * 200,
    "\N{CAT}\N{ZERO WIDTH JOINER}\N{BLACK LARGE SQUARE}",
    "قطة",
    "right\N{RIGHT-TO-LEFT OVERRIDE}left",
    "\x1b[31mred\x1b]0;title\x07",
    "a|b`c*_d_",
    r"\x1b",  # looks like one of our escapes
    "%s {} $HOME ~",
)
SHOWN = [printable(name) for name in NAMES]  # where people read them
STORED = [storable(name) for name in NAMES]  # where programs do
BAD = os.fsdecode(b"\x1b[2J[bold]\n\xff.png")
SCORE = ("score", "refs", "gens", "-m", "hog", "--skip-bad")


@pytest.fixture
def named(data: Path) -> Path:
    """A subject for each name, with a reference and a generation of that name, and one bad picture."""
    for index, name in enumerate(NAMES):
        for source in (data / f"refs/cat/{index % 2}.jpg", data / f"gens/cup/{index % 3}.png"):
            folder = source.parents[1] / name
            folder.mkdir()
            shutil.copy2(source, folder / f"{name}{source.suffix}")
    for side in ("refs", "gens"):
        for subject in ("cat", "cup", "ship"):
            shutil.rmtree(data / side / subject)
    (data / "gens" / NAMES[0] / BAD).write_bytes(b"\x1b[31mjunk\xff")
    return data


def assert_plain(text: str) -> None:
    """Nothing in the text moves a cursor, colours, reorders or fakes a line."""
    assert all(character.isprintable() or character == "\n" for character in text)


def test_json(nearid: Nearid, named: Path) -> None:
    finished = nearid(*SCORE, "--format", "json")
    assert finished.code == 0, finished.err
    assert_plain(finished.out + finished.err)
    found = json.loads(finished.out)
    assert sorted(subject["subject"] for subject in found["subjects"]) == sorted(STORED)
    assert {image["path"] for image in found["images"]} == {f"{name}/{name}.png" for name in STORED}
    assert found["inputs"]["skipped"] == [
        {
            "path": "gens/with space/\x1b[2J[bold]\n\\xff.png",
            "reason": "not an image: no format that is known",
        }
    ]


def test_labels(nearid: Nearid, named: Path) -> None:
    patterns = ("--refs-pattern", "{subject}/*", "--pattern", "{subject}/{note}.png")
    finished = nearid(*SCORE, *patterns, "-o", "run.json", "--images", "images.parquet")
    assert finished.code == 0, finished.err
    assert_plain(finished.out + finished.err)
    images = json.loads((named / "run.json").read_bytes())["images"]
    assert {image["labels"]["note"] for image in images} == set(STORED)
    assert set(pd.read_parquet(named / "images.parquet")["note"]) == set(STORED)
    result = nearid_cli.score(
        "refs", "gens", "hog", skip_bad=True, refs_pattern=patterns[1], pattern=patterns[3]
    )
    assert {image.labels["note"] for image in result.images} == set(STORED)


def test_terminal(nearid: Nearid, named: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "320")
    finished = nearid(*SCORE, "--worst", "99")
    assert finished.code == 0, finished.err
    assert_plain(finished.out + finished.err)
    for name in SHOWN:
        assert f"\n{name} " in finished.out
        assert finished.out.count(name) >= 2
    monkeypatch.setenv("COLUMNS", "60")
    finished = nearid(*SCORE)
    assert_plain(finished.out)
    assert max(map(len, finished.out.split("\n\n")[0].splitlines())) <= 60
    assert "x" * 14 in finished.out


def test_files(nearid: Nearid, named: Path) -> None:
    outputs = ("-o", "run.json", "-o", "run.csv", "-o", "run.md", "-o", "run.parquet")
    finished = nearid(*SCORE, *outputs, "--images", "images.csv")
    assert finished.code == 0, finished.err
    subjects = [subject["subject"] for subject in json.loads((named / "run.json").read_bytes())["subjects"]]
    assert sorted(subjects) == sorted(STORED)
    assert pd.read_parquet(named / "run.parquet")["subject"].tolist() == subjects

    rows = list(csv.DictReader(io.StringIO((named / "run.csv").read_bytes().decode(), newline="")))
    assert [row["subject"].removeprefix("'") for row in rows] == [*map(printable, subjects)]
    assert {row["subject"] for row in rows if row["subject"].startswith("'")} == {
        "'=1+1",
        "'@SUM(A1)",
        "'-rf",
    }
    images = (named / "images.csv").read_bytes().decode()
    assert not any(
        cell.startswith(tuple("=+-@\t\r")) for row in csv.reader(io.StringIO(images)) for cell in row[:3]
    )

    markdown = (named / "run.md").read_bytes().decode()
    assert_plain(markdown)
    by_subject = markdown[markdown.index("<details>") :]
    table = [line for line in by_subject.splitlines() if line.startswith("| ")]
    assert len(table) == len(NAMES) + 2  # header, rule
    assert len({line.count("|") for line in table}) == 1
    assert "<script>" not in markdown.replace(r"\<script", "")
    for suffix in ("csv", "md", "json"):
        assert "\x1b" not in (named / f"run.{suffix}").read_text("utf-8")


def test_errors(nearid: Nearid, named: Path) -> None:
    finished = nearid(*SCORE[:-1])
    assert finished.details == [
        r"gens/with space/\x1b[2J[bold]\n\xff.png: not an image: no format that is known"
    ]
    assert_plain(finished.err)
    for name in NAMES:
        shutil.rmtree(named / "refs" / name)
    shutil.copytree(named / "gens/with space", named / "refs/with space")
    finished = nearid(*SCORE)
    assert sorted(finished.details) == sorted(f"{name}: 1 generation, no references" for name in SHOWN[1:])
    assert_plain(finished.err)


@pytest.mark.parametrize("index", range(len(NAMES)), ids=[f"{index}" for index in range(len(NAMES))])
def test_as_arguments(nearid: Nearid, named: Path, index: int) -> None:
    name, shown = NAMES[index], SHOWN[index]
    finished = nearid(
        "score",
        "-m",
        "hog",
        "--format",
        "json",
        "--",
        f"./refs/{name}",
        f"./gens/{name}",
    )
    if index == 0:
        assert finished.code == 2  # its bad picture
    else:
        assert finished.code == 0, finished.err
        inputs = json.loads(finished.out)["inputs"]
        assert inputs["references"] == f"refs/{storable(name)}"
    missing = nearid("score", "-m", "hog", "--", f"nope{name}", f"gens/{name}")
    assert missing.error == f"no such folder: nope{shown} (looked for references)"
    assert_plain(missing.err)
    cache = nearid("cache", "info", "--cache", f"./{name}")
    assert cache.code == 0
    assert_plain(cache.out)
    metric = nearid("score", "refs", "gens", "-m", f"./{name}".replace(",", ""))
    assert_plain(metric.err)
    assert metric.code == 2
    option = nearid("score", "refs", "gens", "--layout", f" {name}")
    assert_plain(option.err)
    assert option.error


def test_outputs_may_be_named_like_that_too(nearid: Nearid, named: Path) -> None:
    for name in NAMES:
        assert nearid(*SCORE, "-o", f"./{name}.json").code == 0
        assert (named / f"{name}.json").exists()


def test_a_damaged_cache_of_such_a_name(nearid: Nearid, data: Path) -> None:
    folder = data / "\x1b[31mred\n[bold]"
    arguments = (*SCORE, "--cache", folder)
    assert nearid(*arguments).code == 0
    for part in folder.rglob("*.parquet"):
        part.write_bytes(b"")
    assert_plain(nearid("cache", "verify", "--cache", folder).err)
    finished = nearid(*arguments)
    assert (finished.code, finished.err.count("warning: a damaged part")) == (0, 3)
    assert_plain(finished.err)


def test_pair_and_embed(nearid: Nearid, named: Path) -> None:
    paths = [f"refs/{name}/{name}.jpg" for name in NAMES]
    for index, path in enumerate(paths):
        source = named / f"refs/{NAMES[index]}"
        (found,) = source.iterdir()
        found.rename(named / path)
    finished = nearid("pair", paths[1], paths[3], "-m", "hog")
    assert finished.code == 0, finished.err
    assert_plain(finished.out)
    assert f"refs/{SHOWN[3]}/{SHOWN[3]}.jpg" in finished.out
    finished = nearid("embed", "-m", "hog", "-o", "e.parquet", *paths)
    assert finished.code == 0, finished.err
    assert pd.read_parquet(named / "e.parquet")["path"].tolist() == [
        f"refs/{name}/{name}.jpg" for name in STORED
    ]


@pytest.mark.parametrize(
    "environment",
    [
        {"LC_ALL": "C"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "latin-1:strict"},
    ],
    ids=["C", "C without UTF-8", "ascii", "latin-1"],
)
def test_poor_locales(
    nearid: Nearid, named: Path, run: Callable[..., Finished], environment: dict[str, str]
) -> None:
    utf8 = nearid(*SCORE, "--format", "json")
    finished = run([*COMMAND, *SCORE, "--format", "json", "-o", "run.csv"], **environment)
    assert finished.code == 0, finished.err
    assert_plain(finished.out + finished.err)
    if environment.get("PYTHONUTF8") != "0":  # then Python reads names as ASCII, and ours show every byte
        assert json.loads(finished.out)["subjects"] == json.loads(utf8.out)["subjects"]
    assert json.loads(finished.out)["aggregate"] == json.loads(utf8.out)["aggregate"]
    (named / "run.csv").read_bytes().decode("utf-8")
    finished = run([*COMMAND, *SCORE, "--worst", "20"], **environment)
    assert finished.code == 0, finished.err
    assert_plain(finished.out)
    if environment != {"LC_ALL": "C"}:
        assert (finished.out + finished.err).isascii()
