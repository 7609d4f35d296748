"""Commands that write: what they are called with, what they leave, and what tells whole from half."""

from __future__ import annotations

import json
import os
import re
import shutil
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from operator import eq
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from nearid_cli.embedding import EMBEDDINGS, FILES
from nearid_cli.embedding.cache import Cache
from nearid_cli.embedding.parts import PartFolder
from nearid_cli.encoders.descriptors import HOG
from tests.faults.conftest import Ran, Runs, fresh
from tests.measures.endpoint import JudgeServer, scores

_LEFT = re.compile(r"\.(checkpoint-\d+-)?[0-9a-f]{32}\.tmp|\.best\.tmp")
_TIMES = re.compile(rb"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:[\d.]+)?([+-]\d\d:\d\d|Z| UTC)?")
_OLD = b"what is to be replaced"
_VARIES = {"created", "time", "timing", "seconds", "resume"}


def content(path: Path) -> Any:
    """What a file or folder holds, but for times and what is left of runs that were killed.

    Raises:
        ValueError, pyarrow.ArrowException: a file is half of what it should be.
    """
    if path.is_dir():
        return {one.name: content(one) for one in path.iterdir() if not _LEFT.fullmatch(one.name)}
    data = path.read_bytes()
    if data == _OLD:
        return data
    if path.suffix == ".parquet":
        return pq.read_table(pa.BufferReader(data)).to_pylist()
    if path.suffix == ".json":
        return _steady(json.loads(data))
    if path.suffix == ".jsonl":
        return [_steady(json.loads(line)) for line in data.splitlines()]
    return _TIMES.sub(b"", data)


def _steady(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _steady(entry) for key, entry in value.items() if key not in _VARIES}
    return [_steady(entry) for entry in value] if isinstance(value, list) else value


def manifests(path: Path) -> Any:
    """The same of manifests, whose paths are absolute where the disk does not say what links are among them."""
    return json.loads(json.dumps(content(path), default=bytes.decode).replace(f"{path.parent}/", "../"))


def answers(path: Path) -> dict[str, Any]:
    """The same of a log that is added to: which whole lines are in it, once each."""
    lines = (
        path.joinpath("log.jsonl").read_bytes().splitlines() if path.joinpath("log.jsonl").exists() else []
    )
    whole = set()
    for line in lines:
        with suppress(ValueError):  # half of one
            whole.add(json.dumps(_steady(json.loads(line))))
    return {"log.jsonl": whole} | {
        one.name: content(one) for one in path.glob("[!.]*") if one.name != "log.jsonl"
    }


def embeddings(path: Path) -> dict[str, dict[bytes, bytes]]:
    """All embeddings of the caches in a folder."""
    found = {}
    for folder in path.iterdir():
        cache = Cache(folder)
        _, damaged, unread = cache.verify()
        if damaged or unread:
            raise ValueError(damaged + unread)
        rows = {
            digest: embedding
            for fingerprint in list(cache.keys())
            for table in cache.parts("embeddings", fingerprint).tables()
            for digest, embedding in zip(
                table.column("digest").to_pylist(), map(str, table.column("embedding")), strict=True
            )
        }
        found[folder.name] = {digest: row.encode() for digest, row in rows.items()}
    return found


@dataclass(frozen=True)
class Job:
    """A command that writes into the folder `out`.

    Attributes:
        arguments: what it is called with.
        before: what is in `out` before, by name: what to copy there.
        once: it does not write over what it made.
        piecemeal: its files come one after the other, each whole.
        grows: what is in `out` by half as long as the command is not done.
        again: words to add when it is called again.
        read: what is in `out`.
        heavy: it takes torch or `datasets`, and a second.
        stopped: codes with which it ends after Ctrl-C and SIGTERM, where these are not 130 and -15.
    """

    arguments: tuple[str, ...]
    before: Mapping[str, str] = field(default_factory=dict)
    once: bool = False
    piecemeal: bool = False
    grows: tuple[str, ...] = ()
    again: tuple[str, ...] = ()
    read: Callable[[Path], Any] = content
    heavy: bool = False
    stopped: tuple[int, ...] = ()


FORMATS = ("json", "csv", "html", "parquet", "md", "tex")
_HOG = ("-m", "hog", "--cache", "cache")
SETS = ("--positives", "positives", "--distractors", "distractors")
_SYNTH = ("--identities", "1", "--size", "32", "--workers", "1")
_TRAIN = (
    *(
        "train",
        *SETS,
        "--validation-rows",
        "validation.json",
        "--backbone",
        "scratch",
        "--from-scratch",
        "--unfreeze",
    ),
    *("--batch-size", "4", "--max-steps", "2", "--save-steps", "1", "--keep", "1", "-o", "out/run"),
)


_URL = "the address of a judge"


def _written(*suffixes: str) -> tuple[str, ...]:
    return tuple(word for suffix in suffixes for word in ("-o", f"out/run.{suffix}"))


JOBS = {
    "score": Job(("score", "refs", "gens", *_HOG, *_written(*FORMATS))),
    "score anew": Job(
        ("score", "refs", "gens", *_HOG, *_written(*FORMATS)), {f"run.{one}": "old" for one in FORMATS}
    ),
    "compare": Job(("compare", "gens", "gens2", "--refs", "refs", *_HOG, *_written(*FORMATS))),
    "embed": Job(("embed", "refs", "gens", *_HOG, "-o", "out/rows.parquet")),
    "layout": Job(("layout", "refs", "gens", "-o", "out/rows.csv", "-o", "out/rows.jsonl"), read=manifests),
    "gate": Job(("gate", "run.json", "--config", "rules.toml", *_written("xml", "json", "md"))),
    "gate init": Job(("gate", "init", "run.json", "-o", "out/rules.toml"), once=True),
    "gate update": Job(
        ("gate", "run.json", "--config", "rules.toml", "--baseline", "out/base.json", "--update-baseline"),
        {"base.json": "rules-baseline.json"},
    ),
    "compact": Job(("cache", "compact", "--cache", "out/cache"), {"cache": "chopped/cache"}, read=embeddings),
    "judge": Job(
        (
            *(
                "score",
                "refs",
                "gens",
                "-m",
                "judge=m",
                "--judge-url",
                _URL,
                "--judge-parallel",
                "1",
                "--no-cache",
            ),
            *("--judge-log", "out/log.jsonl", "-o", "out/run.json"),
        ),
        grows=("log.jsonl",),
        read=answers,
    ),
    "synth": Job(("synth", "out/made", *_SYNTH), once=True, heavy=True),
    "synth dataset": Job(("synth", "out/sets", *_SYNTH, "--as", "dataset"), once=True, heavy=True),
    "bench": Job(("bench", "nearid", *SETS, *_HOG, "-o", "out/bench"), piecemeal=True, heavy=True),
    "export": Job(("export", "checkpoint", "out/release"), once=True, heavy=True),
    "train": Job(_TRAIN, grows=("run",), again=("--resume",), heavy=True, stopped=(0, 130)),
}


def _within(value: Any, expected: Any) -> bool:
    """Whether all files of a folder are as they are to be, and some may not be there."""
    if isinstance(value, dict) and isinstance(expected, dict):
        return all(name in expected and _within(value[name], expected[name]) for name in value)
    return bool(value == expected)


class Workshop:
    """A place where one command is done again and again, and what comes of it when nothing goes wrong."""

    def __init__(self, runs: Runs, place: Path, job: Job) -> None:
        self.runs, self.place, self.job = runs, place, job
        self.out = place / "out"
        self.begin()
        self.before = job.read(self.out)
        ran = self.fail(0, 0)
        assert ran.code == 0, ran.err
        self.expected = job.read(self.out)
        self.calls = range(1, (ran.seen or 0) + 1)

    def begin(self) -> None:
        """`out` as it is before."""
        fresh(self.out)
        for name, source in self.job.before.items():
            path = self.place / source
            (shutil.copytree if path.is_dir() else shutil.copyfile)(path, self.out / name)

    def fail(self, nth: int, error: int, *more: str) -> Ran:
        """Do the job, with the nth system call below `out` failing."""
        return self.runs(self.place, *self.job.arguments, *more, below=str(self.out), nth=nth, error=error)

    def look(self, done: bool) -> None:
        """Whatever is in `out` is whole, and all of it if the job was done."""
        try:
            found = self.job.read(self.out)
        except (ValueError, pa.ArrowException) as error:
            if not self.job.grows:
                raise AssertionError(f"something is there by half: {error}") from error
            return
        for name, value in found.items():
            right = (_within if self.job.piecemeal else eq)(value, self.expected.get(name))
            assert right or (not done and (name in self.job.grows or value == self.before.get(name))), (
                f"{name} is neither as it was nor as it is to be"
            )
        assert not done or found == self.expected, f"not all is there: {sorted(found)}"

    def leftovers(self) -> list[Path]:
        """What was begun, and has no name yet."""
        return [path for path in self.out.rglob("*") if _LEFT.fullmatch(path.name)]

    def again(self) -> None:
        """Do the job where it was stopped, unless it is done and refuses to: all is right then, and nothing is left."""
        if self.job.once and self.job.read(self.out) == self.expected:
            return
        for path in self.leftovers():
            os.utime(path, (1, 1))  # what is younger than a moment may be another's
        ran = self.runs(self.place, *self.job.arguments, *self.job.again)
        assert ran.code == 0, ran.err
        assert self.job.read(self.out) == self.expected, "the second time something else came of it"
        assert self.leftovers() == []


def chopped(cold: Cache, place: Path) -> Path:
    """A cache of so many parts of `hog` and of the memo that a run merges them, which lacks one picture of `hog`."""
    made = Cache(place / "cache")
    made.mark()
    for folder in {path.parent for path in cold.folder.rglob("*.parquet")}:
        inside = folder.relative_to(cold.folder)
        what = inside.parts[0]
        parts = PartFolder(made.storage, inside.as_posix(), made.caution, what)
        for table in PartFolder(cold.storage, inside.as_posix(), cold.caution, what).tables():
            rows = len(table) - (inside.parts[0] == EMBEDDINGS)
            slices = [(0, rows)]
            if folder.name == HOG.fingerprint or inside.parts[0] == FILES:
                slices = [(start, 1) for start in range(rows)] + [(start, 2) for start in range(4)]
            for start, number in slices:
                parts.write(partial(table.slice, start, number))
    return place


class Shop:
    """A place with all that the jobs need, and processes that do them: one without torch, one with.

    Args:
        light: runs of what needs no torch.
        shim: for the others, of system calls that may fail; None for them as they are.
        data: pictures, `refs` and `gens`.
        place: an empty folder.
    """

    def __init__(self, light: Runs, shim: Path | None, data: Path, place: Path) -> None:
        self._light, self._shim, self._place = light, shim, place
        for name, source in (("refs", "refs"), ("gens", "gens"), ("gens2", "gens")):
            shutil.copytree(data / source, place / name)
        (place / "old").write_bytes(_OLD)
        self._heavy: Runs | None = None
        self._judge: JudgeServer | None = None
        for words in (
            ("score", "refs", "gens", *_HOG, "-o", "run.json"),
            ("gate", "init", "run.json", "-o", "rules.toml"),
        ):
            ran = self._light(place, *words)
            assert ran.code == 0, ran.err
        chopped(Cache(place / "cache"), place / "chopped")

    def __call__(self, name: str) -> Workshop:
        """Where a job is done."""
        job = JOBS[name]
        if _URL in job.arguments:
            words = (self.judge if word == _URL else word for word in job.arguments)
            job = replace(job, arguments=tuple(words))
        return Workshop(self.heavy if job.heavy else self._light, self._place, job)

    @property
    def judge(self) -> str:
        """The address of a judge who says the same of all pictures."""
        if self._judge is None:
            self._judge = JudgeServer(lambda asked: scores(5))
            threading.Thread(target=self._judge.serve_forever, args=(0.01,), daemon=True).start()
        return self._judge.url

    @property
    def heavy(self) -> Runs:
        """Runs of what takes torch, with data and models for them."""
        if self._heavy is None:
            from tests.tiny import tiny_nearid
            from tests.training.running import make_data

            make_data(self._place)
            tiny_nearid(self._place / "checkpoint")
            warm = [list(job.arguments) for job in JOBS.values() if job.heavy]
            self._heavy = Runs(self._shim, self._place, warm)
        return self._heavy

    def end(self) -> None:
        """End what was started here."""
        if self._heavy:
            self._heavy.end()
        if self._judge:
            self._judge.shutdown()
            self._judge.server_close()
