"""Every kind of odd file in every place of a command that takes one: its own line, and never `unexpected`."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable
from contextlib import chdir
from pathlib import Path

import pytest

from nearid_cli.cli.app import main
from tests.commandline import Finished, Nearid

Make = Callable[[Path], object]


def _written(content: bytes) -> Make:
    return lambda path: path.write_bytes(content)


def _sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(2**31)


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path.name)  # of a name in this folder: a whole path may be too long for a socket


def _piped(path: Path) -> None:
    os.mkfifo(path.with_name("pipe"))
    path.symlink_to("pipe")


DIGITS = "9" * 10_000
KINDS: dict[str, Make] = {
    "nothing there": lambda path: None,
    "empty": _written(b""),
    "deep JSON": _written(b"[" * 100_000),
    "deep objects": _written(b'{"a":' * 100_000),
    "deep TOML": _written(b"a = " + b"[" * 100_000),
    "deep TOML keys": _written(b"a" + b".a" * 100_000 + b" = 1"),
    "a number of 10,000 digits": _written(DIGITS.encode()),
    "numbers beyond all floats": _written(b'{"a": 1e999, "b": -1e999, "c": NaN, "d": Infinity}'),
    "TOML of odd numbers": _written(
        f"a = 0x{'f' * 10_000}\nworkers = nan\n[metrics.x]\nscores = inf\n".encode()
    ),
    "half characters": _written(b'{"schema": "\\ud800", "\\udfff": "\\ud800"}'),
    "zeros in text": _written(b'path,subject,role,score\na\0b,c\0,reference,1\n{"a": "\\u0000"}'),
    "UTF-16": _written('{"schema": "nearid.score/2"}'.encode("utf-16")),
    "a byte order mark": _written(b"\xef\xbb\xbf{}"),
    "bytes": _written(bytes(range(256)) * 20),
    "a list": _written(b"[]"),
    "a list of lists": _written(b"[[[]], null, 1]"),
    "a text": _written(b'"text"'),
    "null": _written(b"null"),
    "a number": _written(b"0"),
    "an object": _written(b"{}"),
    "a result of nothing": _written(b'{"schema": "nearid.score/2"}'),
    "a result of the future": _written(b'{"schema": "nearid.score/99", "metrics": []}'),
    "a result of lists": _written(b'{"schema": ["nearid.score/2"], "metrics": {}}'),
    "a table without rows": _written(b"path,subject,role\n"),
    "a column twice": _written(b"path,path,score\na,b,1\n"),
    "a cell of 1 MB": _written(b"path,subject,role,score\n" + b"x" * 2**20 + b",cat,reference,1\n"),
    "no Parquet": _written(b"PAR1" + b"\0" * 100 + b"PAR1"),
    "2 GB of zeros": _sparse,
    "a folder": lambda path: path.mkdir(),
    "a pipe": lambda path: os.mkfifo(path),
    "a socket": _socket,
    "a link to a pipe": _piped,
    "a link into the kernel": lambda path: path.symlink_to("/proc/self/environ"),
    "a link to itself": lambda path: path.symlink_to(path.name),
    "a link to nothing": lambda path: path.symlink_to("nothing"),
}

SCORE = ("score", "refs", "gens", "-m", "hog")
COMPARED = ("compare", "--refs", "refs", "--method", "a=gens")
GATE = ("gate", "run.json", "--config", "rules.toml")
JUDGE = ("score", "refs", "gens", "-m", "judge=x", "--judge-url", "http://localhost:1/v1")
PLACES: dict[str, tuple[str, ...]] = {
    "score REFS": ("score", "{}", "gens", "-m", "hog"),
    "score GENS": ("score", "refs", "{}", "-m", "hog"),
    "score a manifest": ("score", "{}", "-m", "hog"),
    "score --scores .csv": (*SCORE, "--scores", "x={}.csv"),
    "score --scores .json": (*SCORE, "--scores", "x={}.json"),
    "score --scores .jsonl": (*SCORE, "--scores", "x={}.jsonl"),
    "score --scores .parquet": (*SCORE, "--scores", "x={}.parquet"),
    "score --distractors": (*SCORE, "--distractors", "{}"),
    "score --masks": (*SCORE, "--masks", "{}"),
    "score --gate": (*SCORE, "--gate", "{}"),
    "score --baseline": (*SCORE, "--baseline", "{}"),
    "score --cache": (*SCORE, "--cache", "{}"),
    "score --metric": ("score", "refs", "gens", "-m", "x=./{}"),
    "score --judge-template": (*JUDGE, "--judge-template", "{}"),
    "score --judge-log": (*JUDGE, "--judge-log", "{}"),
    "compare": ("compare", "{}", "{}"),
    "compare --method": (*COMPARED, "--method", "b={}", "-m", "hog"),
    "compare --refs": ("compare", "--refs", "{}", "--method", "a=gens", "--method", "b=gens"),
    "gate": ("gate", "{}", "--config", "rules.toml"),
    "gate --baseline": (*GATE, "--baseline", "{}"),
    "gate --config": ("gate", "run.json", "--config", "{}.toml"),
    "gate --update-baseline": (*GATE, "--update-baseline", "--baseline", "{}.json"),
    "gate init": ("gate", "init", "{}"),
    "gate init -o": ("gate", "init", "run.json", "-o", "{}.toml"),
    "view": ("view", "{}"),
    "layout": ("layout", "{}"),
    "pair": ("pair", "{}", "gens/cat/0.png", "-m", "hog"),
    "embed": ("embed", "{}", "-o", "out.parquet", "-m", "hog"),
    "bench tables": ("bench", "tables", "{}"),
    "bench tables of a file": ("bench", "tables", "sims_image_testall_fullneg_{}.csv"),
    "bench dreambench --ratings": ("bench", "dreambench", "--ratings", "{}", "--scores", "x={}"),
    "bench dreambench a file": ("bench", "dreambench", "--ratings", "rated", "--scores", "x=rated/group1"),
    "bench nearid": ("bench", "nearid", "--positives", "{}", "--distractors", "{}", "-m", "hog", "-o", "out"),
    "bench nearid --rows": (
        "bench",
        "nearid",
        "--positives",
        "kept",
        "--rows",
        "{}",
        "-m",
        "hog",
        "-o",
        "out",
    ),
    "bench mtg": ("bench", "mtg", "--data", "{}", "-m", "hog", "-o", "out"),
    "train": ("train", "--positives", "{}", "--distractors", "{}", "--backbone", "x", "-o", "out"),
    "export": ("export", "{}", "out"),
    "score nearid.toml": SCORE,
    "score pyproject.toml": SCORE,
    "cache info": ("cache", "info", "--cache", "{}"),
    "cache verify": ("cache", "verify", "--cache", "{}"),
    "models info": ("models", "info", "x=./{}"),
    "models verify": ("models", "verify", "x=./{}"),
    "synth": ("synth", "{}", "--identities", "1"),
}

FILES = {
    "bench dreambench a file": "rated/group1/emu2-cp.json",
    "score nearid.toml": "nearid.toml",
    "score pyproject.toml": "pyproject.toml",
}
"""Where the odd file is, where the arguments do not name it."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, _data: Path) -> Path:
    """A folder with pictures, a result, rules, and folders for what lies in one."""
    root = tmp_path_factory.mktemp("made")
    for side in ("refs", "gens"):
        shutil.copytree(_data / side, root / side)
    (root / "rated/group1").mkdir(parents=True)
    (root / "rules.toml").write_text('[[gate.rules]]\nmetric = "hog"\nmin = 0.1\nmax_drop = 0.1\n')
    with chdir(root):
        assert (
            main(["score", "refs", "gens", "-m", "hog", "-o", "run.json", "--cache", str(root / "kept")]) == 0
        )
    return root


@pytest.fixture
def world(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _check(finished: Finished, where: str) -> None:
    assert "unexpected" not in finished.err.replace("unexpected extra argument", ""), (where, finished.err)
    assert "Traceback" not in finished.err, (where, finished.err)
    if finished.code not in (0, 1):
        assert finished.error, where


@pytest.mark.torture
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("place", PLACES)
def test_each_has_a_line_of_its_own(nearid: Nearid, world: Path, place: str, kind: str) -> None:
    _try(nearid, world, place, kind)


READERS = (
    "export",
    "gate",
    "gate --config",
    "gate --baseline",
    "view",
    "bench dreambench a file",
    "score nearid.toml",
)
"""Places that are read before anything else is done, and at once."""


@pytest.mark.parametrize("place", READERS)
def test_what_is_read_first_has_a_line_of_its_own_whatever_it_is(
    nearid: Nearid, world: Path, place: str
) -> None:
    for kind in KINDS:
        _try(nearid, world, place, kind)
        for path in (world / FILES.get(place, "odd"), world / "odd.toml", world / "pipe"):
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)


def _try(nearid: Nearid, world: Path, place: str, kind: str) -> None:
    arguments = PLACES[place]
    named = [one for one in arguments if "{}" in one]
    name = FILES[place] if place in FILES else named[-1].rpartition("=")[2].removeprefix("./").format("odd")
    KINDS[kind](world / name)
    _check(nearid(*(one.format("odd") for one in arguments)), f"{place}, {kind}")
