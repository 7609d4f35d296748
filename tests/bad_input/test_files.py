"""Every kind of odd file in every place of a command that takes one: its own line, and never `unexpected`."""

from __future__ import annotations

import os
import re
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import chdir
from pathlib import Path
from typing import Any

import pytest
import typer
from PIL import Image

from nearid_cli.cli.app import app, main
from tests.benchmarks import nearid_sets, part_edits
from tests.commandline import Finished, Nearid
from tests.nearid_data.making import saved, table
from tests.rating import write_ratings
from tests.training.running import make_data

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
TRAIN = (
    *("train", "--positives", "positives", "--distractors", "distractors", "--backbone", "scratch"),
    *("--batch-size", "4", "--from-scratch", "--unfreeze", "--max-steps", "1", "-o", "trained"),
)
NEARID = ("bench", "nearid", "--positives", "NearID", "--distractors", "NearID-Qwen", "-m", "hog")
MTG = ("bench", "mtg", "--data", "mtg", "-m", "hog")
RATED = ("bench", "dreambench", "--ratings", "rated", "--scores", "x=rated/data_good_rating")
TABLE1 = (
    *(
        "bench",
        "table1",
        "-m",
        "hog",
        "--positives",
        "NearID",
        "--distractors",
        "NearID-Qwen",
        "--mtg",
        "mtg",
    ),
    *("--ratings", "rated", "--samples", "nowhere"),
)
TINY = ("--identities", "1", "--views", "1", "--size", "16", "--workers", "1")
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
    "score --cache, format": (*SCORE, "--cache", "kept"),
    "score --cache, embeddings": (*SCORE, "--cache", "kept"),
    "score --cache, files": (*SCORE, "--cache", "kept"),
    "score -o": (*SCORE, "-o", "{}.json"),
    "score --images": (*SCORE, "--images", "{}.csv"),
    "score --groups": (*SCORE, "--by", "prompt", "--groups", "{}.csv"),
    "score --maps": (*SCORE, "--maps", "{}"),
    "score --log tensorboard": (*SCORE, "--log", "tensorboard={}"),
    "score --log mlflow": (*SCORE, "--log", "mlflow={}"),
    "score a picture": (*SCORE, "--skip-bad"),
    "score a reference": SCORE,
    "score a picture of a manifest": ("score", "pictures.csv", "-m", "hog"),
    "score a mask of a manifest": ("score", "pictures.csv", "-m", "hog", "--masks", "manifest"),
    "score a mask beside": (*SCORE, "--masks", "sidecar"),
    "score a mask in a folder": (*SCORE, "--masks", "masks"),
    "score a caption": SCORE,
    "score metadata.jsonl": SCORE,
    "score metadata.csv": SCORE,
    "score metadata.parquet": SCORE,
    "score dataset.json": SCORE,
    "score prompts.json": SCORE,
    "score made-by.json": (*SCORE, "--distractors", "gens"),
    "score --metric": ("score", "refs", "gens", "-m", "x=./{}"),
    "score --metric of faces": ("score", "refs", "gens", "-m", "face=./{}"),
    "score --metric of text": ("score", "refs", "gens", "-m", "clip-t=./{}"),
    "score --metric of a VAE": ("score", "refs", "gens", "-m", "vsm=./{}"),
    "score --judge-template": (*JUDGE, "--judge-template", "{}"),
    "score --judge-log": (*JUDGE, "--judge-log", "{}"),
    "compare -o": ("compare", "run.json", "gens", "--refs", "refs", "-o", "{}.html"),
    "compare a picture of a result": ("compare", "run.json", "run.json", "-o", "out.html"),
    "compare": ("compare", "{}", "{}"),
    "compare --method": (*COMPARED, "--method", "b={}", "-m", "hog"),
    "compare --refs": ("compare", "--refs", "{}", "--method", "a=gens", "--method", "b=gens"),
    "gate": ("gate", "{}", "--config", "rules.toml"),
    "gate --baseline": (*GATE, "--baseline", "{}"),
    "gate --config": ("gate", "run.json", "--config", "{}.toml"),
    "gate --update-baseline": (*GATE, "--update-baseline", "--baseline", "{}.json"),
    "gate -o": (*GATE, "-o", "{}.md"),
    "gate a baseline of the rules": ("gate", "run.json", "--config", "based.toml"),
    "gate the summary of a step": GATE,
    "gate init": ("gate", "init", "{}"),
    "gate init -o": ("gate", "init", "run.json", "-o", "{}.toml"),
    "view": ("view", "{}"),
    "layout GENS": ("layout", "refs", "{}"),
    "layout --distractors": ("layout", "refs", "gens", "--distractors", "{}"),
    "layout --masks": ("layout", "refs", "gens", "--masks", "{}"),
    "layout -o": ("layout", "refs", "gens", "-o", "{}.csv"),
    "layout": ("layout", "{}"),
    "pair": ("pair", "{}", "gens/cat/0.png", "-m", "hog"),
    "pair B": ("pair", "gens/cat/0.png", "{}", "-m", "hog"),
    "embed -o": ("embed", "gens", "-o", "{}.parquet", "-m", "hog"),
    "embed": ("embed", "{}", "-o", "out.parquet", "-m", "hog"),
    "bench tables": ("bench", "tables", "{}"),
    "bench tables of a file": ("bench", "tables", "sims_image_testall_fullneg_{}.csv"),
    "bench dreambench --ratings": ("bench", "dreambench", "--ratings", "{}", "--scores", "x={}"),
    "bench dreambench a file": RATED,
    "bench dreambench --samples": (
        "bench",
        "dreambench",
        "--ratings",
        "rated",
        "--samples",
        "{}",
        "-m",
        "hog",
    ),
    "bench dreambench -o": (*RATED, "-o", "{}"),
    "bench table1 --positives": (*TABLE1, "--positives", "{}"),
    "bench table1 --distractors": (*TABLE1, "--distractors", "{}"),
    "bench table1 --rows": (*TABLE1, "--rows", "{}"),
    "bench table1 --mtg": (*TABLE1, "--mtg", "{}"),
    "bench table1 --samples": (*TABLE1, "--samples", "{}"),
    "bench table1 --ratings": (*TABLE1, "--ratings", "{}"),
    "bench table1 -o": (*TABLE1, "-o", "{}"),
    "bench tables -o": ("bench", "tables", "benched", "-o", "{}.csv"),
    "bench nearid": ("bench", "nearid", "--positives", "{}", "--distractors", "{}", "-m", "hog", "-o", "out"),
    "bench nearid --rows": (*NEARID, "--rows", "{}", "-o", "out"),
    "bench nearid a data set": (*NEARID, "-o", "out"),
    "bench nearid -o": (*NEARID, "-o", "{}"),
    "bench nearid similarities kept": (*NEARID, "-o", "benched"),
    "bench nearid their record": (*NEARID, "-o", "benched"),
    "bench mtg --rows": (*MTG, "--rows", "{}"),
    "bench mtg -o": (*MTG, "-o", "{}"),
    "bench mtg": ("bench", "mtg", "--data", "{}", "-m", "hog", "-o", "out"),
    "train --positives": (*TRAIN, "--positives", "{}"),
    "train --distractors": (*TRAIN, "--distractors", "{}"),
    "train --backbone": (*TRAIN, "--backbone", "{}"),
    "train a backbone's config.json": TRAIN,
    "train --rows": (*TRAIN, "--rows", "{}"),
    "train --validation-rows": (*TRAIN, "--validation-rows", "{}"),
    "train --validation-positives": (*TRAIN, "--validation-positives", "{}"),
    "train --validation-distractors": (*TRAIN, "--validation-distractors", "{}"),
    "train --mtg": (*TRAIN, "--mtg", "{}"),
    "train --init-from": (*TRAIN, "--init-from", "{}"),
    "train --features": (*TRAIN, "--features", "{}"),
    "train -o": (*TRAIN, "-o", "{}"),
    "train --resume state.json": (*TRAIN, "--resume", "--max-steps", "2"),
    "train --resume state.pt": (*TRAIN, "--resume", "--max-steps", "2"),
    "train --resume metrics.json": (*TRAIN, "--resume", "--max-steps", "2"),
    "train --resume metrics.jsonl": (*TRAIN, "--resume", "--max-steps", "2"),
    "train --resume training.json": (*TRAIN, "--resume", "--max-steps", "2"),
    "train --resume weights": (*TRAIN, "--resume", "--max-steps", "2"),
    "train --resume config.json": (*TRAIN, "--resume", "--max-steps", "2"),
    "export weights": ("export", "trained", "out"),
    "export config.json": ("export", "trained", "out"),
    "export metrics.json": ("export", "trained", "out"),
    "export training.json": ("export", "trained", "out"),
    "export OUT": ("export", "trained", "{}"),
    "export": ("export", "{}", "out"),
    "score a configuration that is named": SCORE,
    "score nearid.toml": SCORE,
    "score a cache of nearid.toml": ("score", "refs", "gens"),
    "score a metric of nearid.toml": ("score", "refs", "gens"),
    "score a rubric of nearid.toml": ("score", "refs", "gens"),
    "score pyproject.toml": SCORE,
    "cache info": ("cache", "info", "--cache", "{}"),
    "cache verify": ("cache", "verify", "--cache", "{}"),
    "cache clear": ("cache", "clear", "--cache", "{}"),
    "cache compact": ("cache", "compact", "--cache", "{}"),
    "doctor": ("doctor", "--cache", "{}"),
    "models info": ("models", "info", "x=./{}"),
    "models verify": ("models", "verify", "x=./{}"),
    "models info config.json": ("models", "info", "x=./scratch"),
    "models pull": ("models", "pull", "x=./{}"),
    "demo": ("demo", "{}"),
    "synth --backgrounds": ("synth", "out", *TINY, "--backgrounds", "{}"),
    "synth --sheet": ("synth", "out", *TINY, "--sheet", "{}.png"),
    "synth": ("synth", "{}", *TINY),
}

FILES = {
    "bench dreambench a file": "rated/data_human_rating/merged_data/group1/emu2-cp.json",
    "bench nearid a data set": "NearID/state.json",
    "bench nearid similarities kept": "benched/NearID-Qwen/sims_image_trainall_full_hog.csv",
    "bench nearid their record": "benched/NearID-Qwen/sims_image_trainall_full_hog.csv.made.json",
    "compare a picture of a result": "gens/cat/0.png",
    "export config.json": "trained/checkpoint-1/model/config.json",
    "export metrics.json": "trained/checkpoint-1/metrics.json",
    "export training.json": "trained/training.json",
    "export weights": "trained/checkpoint-1/model/model.safetensors",
    "gate a baseline of the rules": "odd",
    "gate the summary of a step": "odd",
    "models info config.json": "scratch/config.json",
    "score --cache, embeddings": "kept/embeddings",
    "score --cache, files": "kept/files",
    "score --cache, format": "kept/format",
    "score a cache of nearid.toml": "odd",
    "score a caption": "gens/cat/0.txt",
    "score a mask beside": "gens/cat/0_mask.png",
    "score a mask in a folder": "masks/gens/cat/0.png",
    "score a mask of a manifest": "listed_mask.png",
    "score a metric of nearid.toml": "odd",
    "score a picture of a manifest": "listed.png",
    "score a picture": "gens/cat/0.png",
    "score a reference": "refs/cat/0.jpg",
    "score a rubric of nearid.toml": "odd",
    "score a configuration that is named": "odd",
    "score dataset.json": "refs/dataset.json",
    "score made-by.json": "made-by.json",
    "score metadata.csv": "gens/metadata.csv",
    "score metadata.jsonl": "gens/metadata.jsonl",
    "score metadata.parquet": "gens/metadata.parquet",
    "score nearid.toml": "nearid.toml",
    "score prompts.json": "gens/prompts.json",
    "score pyproject.toml": "pyproject.toml",
    "train --resume config.json": "trained/checkpoint-1/model/config.json",
    "train --resume metrics.json": "trained/checkpoint-1/metrics.json",
    "train --resume metrics.jsonl": "trained/metrics.jsonl",
    "train --resume state.json": "trained/checkpoint-1/state.json",
    "train --resume state.pt": "trained/checkpoint-1/state.pt",
    "train --resume training.json": "trained/training.json",
    "train --resume weights": "trained/checkpoint-1/model/model.safetensors",
    "train a backbone's config.json": "scratch/config.json",
}
"""Where the odd file is, where the arguments do not name it."""

NAMED = {
    "score a configuration that is named": "NEARID_CONFIG",
    "gate the summary of a step": "GITHUB_STEP_SUMMARY",
}
"""The variables that name an odd file."""

CONFIGURED = {
    "score a cache of nearid.toml": 'metric = "hog"\ncache = "odd"\n',
    "score a metric of nearid.toml": 'metric = "mine"\n[metrics.mine]\ncheckpoint = "./odd"\n',
    "score a rubric of nearid.toml": (
        'metric = "judge=x"\njudge_url = "http://localhost:1/v1"\njudge_template = "odd"\n'
    ),
}
"""The nearid.toml of a place."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, _data: Path) -> Path:
    """A folder with pictures, a result, its cache, rules, and ratings."""
    root = tmp_path_factory.mktemp("made")
    for side in ("refs", "gens"):
        shutil.copytree(_data / side, root / side)
        shutil.copytree(_data / side, root / "masks" / side)
    write_ratings(root / "rated", ("emu2",))
    rules = '[[gate.rules]]\nmetric = "hog"\nmin = 0.1\nmax_drop = 0.1\n'
    (root / "rules.toml").write_text(rules)
    (root / "based.toml").write_text(f'[gate]\nbaseline = "odd"\n{rules}')
    (root / "pictures.csv").write_text(
        "path,subject,role,mask\nrefs/cat/0.jpg,cat,reference,\ngens/cat/0.png,cat,generation,listed_mask.png\n"
        "listed.png,cat,generation,\n"
    )
    for name in ("listed.png", "listed_mask.png"):
        shutil.copy(root / "gens/cat/1.png", root / name)
    _run(root, "score", "refs", "gens", "-m", "hog", "-o", "run.json", "--cache", "kept")
    return root


@pytest.fixture(scope="module")
def sets(made: Path, photographs: dict[str, Image.Image], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data sets to train on and to measure with, and similarities of theirs."""
    root = tmp_path_factory.mktemp("sets")
    make_data(root)
    nearid_sets.made(photographs).save(root)
    saved(table(part_edits.part_edits()), root / "mtg")
    _run(root, *NEARID, "-o", "benched", "--skip-bad")
    return root


@pytest.fixture(scope="module")
def trained(sets: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output of a training run."""
    root = tmp_path_factory.mktemp("trained")
    shutil.copytree(sets, root, dirs_exist_ok=True)
    _run(root, *TRAIN)
    return root / "trained"


def _run(folder: Path, *arguments: str) -> None:
    with chdir(folder):
        assert main(list(arguments)) == 0


@pytest.fixture
def world(
    place: str, made: Path, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """What a place needs, in the current folder."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    words = " ".join(PLACES[place])
    if place not in READERS and any(word in words for word in ("NearID", "mtg", "scratch", "benched")):
        shutil.copytree(request.getfixturevalue("sets"), tmp_path, dirs_exist_ok=True)
    if FILES.get(place, "").startswith("trained") or place == "export OUT":
        shutil.copytree(request.getfixturevalue("trained"), tmp_path / "trained")
    if place in CONFIGURED:
        (tmp_path / "nearid.toml").write_text(CONFIGURED[place])
    if place in NAMED:
        monkeypatch.setenv(NAMED[place], "odd")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _check(finished: Finished, where: str) -> None:
    assert "unexpected" not in finished.err.replace("unexpected extra argument", ""), (where, finished.err)
    assert "Traceback" not in finished.err, (where, finished.err)
    if finished.code not in (0, 1):  # verdicts may have been printed before a file that cannot be written
        errors = [line for line in finished.err.splitlines() if line.startswith("error: ")]
        assert (finished.code, len(errors)) == (2, 1), (where, finished.err)


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
    if place in FILES:
        path = world / FILES[place]
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    else:
        named = [one for one in arguments if "{}" in one]
        path = world / named[-1].rpartition("=")[2].removeprefix("./").format("odd")
    KINDS[kind](path)
    _check(nearid(*(one.format("odd") for one in arguments)), f"{place}, {kind}")


def _parameters(command: Any, name: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """All arguments and options of all commands."""
    for child in command.list_commands(None) if hasattr(command, "list_commands") else ():
        yield from _parameters(command.get_command(None, child), (*name, child))
    yield from ((name, parameter) for parameter in command.params)


def _takes_a_path(parameter: Any) -> bool:
    """By its type, or by what its help calls its value."""
    return "Path" in str(parameter.type_descriptor.annotation) or bool(
        re.search(r"\b(FILE|DIR|PATH|PLACE|SOURCE|MODEL)\b", parameter.metavar or "")
    )


def _given(root: Any, arguments: tuple[str, ...]) -> set[tuple[tuple[str, ...], str]]:
    """The command of a place, and its parameters that name the odd file."""
    command = root
    words, name = [one.format("odd") for one in arguments], ()
    while hasattr(command, "list_commands"):
        child = words.pop(0) if words[0] in command.list_commands(None) else command.fallback
        command, name = command.get_command(None, child), (*name, child)
    values = command.make_context("nearid", words, resilient_parsing=True).params
    return {(name, parameter) for parameter, value in values.items() if "odd" in str(value)}


def test_no_option_that_takes_a_path_is_missing() -> None:
    """An option that several commands declare alike counts as one."""
    root = typer.main.get_command(app)
    tried = set().union(*(_given(root, arguments) for arguments in PLACES.values()))
    every = list(_parameters(root))
    alike = {
        (*parameter.opts, parameter.help)
        for command, parameter in every
        if (command, parameter.name) in tried
    }
    missing = [
        f"{' '.join(command)} {parameter.opts[0]} {parameter.metavar}"
        for command, parameter in every
        if _takes_a_path(parameter) and (*parameter.opts, parameter.help) not in alike
    ]
    assert missing == []
