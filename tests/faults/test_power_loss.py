"""Power that goes at any moment: of what was not flushed, any part may be lost, and nothing else.

The system calls of a real run are recorded, and replayed up to each of them on a model of a disk: bytes are safe from
the fsync of their file, names from the fsync of their folder. Of all others any subset reaches the disk.
"""

from __future__ import annotations

import itertools
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from nearid_cli.embedding.cache import Cache
from nearid_cli.encoders.descriptors import HOG

PARTS = 4
DIGESTS = [bytes([index]) * 32 for index in range(PARTS)]
ROWS = np.eye(PARTS, 8, dtype=np.float32)
WORK = """
import os, sys
from pathlib import Path
from nearid_cli.embedding.cache import Cache
from nearid_cli.encoders.descriptors import HOG
from nearid_cli.files import replace_file, whole_folder
from tests.faults.test_power_loss import DIGESTS, PARTS, ROWS
place = Path(sys.argv[1])
def promise(what):
    os.path.exists(place / what)  # seen in the record
cache = Cache(place / "deep/cache")
for index in range(PARTS):
    cache.add(HOG, DIGESTS[index:index + 1], ROWS[index:index + 1])
    promise(f"promise part {index}")
cache.compact(above=1)
promise("promise merged")
replace_file(place / "out.json", b"new" * 1000)
promise("promise replaced")
with whole_folder(place / "export") as aside:
    (aside / "sub").mkdir()
    (aside / "sub/b").write_bytes(b"b" * 1000)
    (aside / "a").write_bytes(b"a" * 1000)
promise("promise exported")
"""
STATES = 48  # of one moment, at most


@dataclass
class Inode:
    """A file or folder: `names` of a folder, bytes of a file as they are and as they are on the disk."""

    names: dict[str, Inode] | None = None
    content: bytes = b""
    safe: bytes = b""


@dataclass
class Disk:
    """A folder's tree as programs see it, its tree on the disk, and the changes of names that are not there yet."""

    root: Inode = field(default_factory=lambda: Inode({}))
    stored: dict[int, dict[str, Inode]] = field(default_factory=dict)
    pending: list[tuple[Inode, str, Inode | None, str]] = field(default_factory=list)

    def find(self, path: str) -> Inode:
        found = self.root
        for name in filter(None, path.split("/")):
            assert found.names is not None
            found = found.names[name]
        return found

    def put(self, path: str, inode: Inode) -> None:
        folder, _, name = path.rpartition("/")
        self._change(self.find(folder), name, inode)

    def _change(self, folder: Inode, name: str, inode: Inode | None, gone: str = "") -> None:
        """Let a name mean something else, and another one, of the same folder, nothing."""
        assert folder.names is not None
        _apply(folder.names, name, inode, gone)
        self.pending.append((folder, name, inode, gone))

    def do(self, kind: str, first: str, second: str, content: bytes) -> None:
        folder, _, name = first.rpartition("/")
        if kind == "mkdir":
            self.put(first, Inode({}))
        elif kind == "create":
            names = self.find(folder).names
            assert names is not None
            if name not in names:
                self.put(first, Inode())
        elif kind == "write":
            self.find(first).content += content
        elif kind == "unlink":
            self._change(self.find(folder), name, None)
        elif kind == "rename":
            assert second.rpartition("/")[0] == folder, "only within a folder"
            self._change(self.find(folder), second.rpartition("/")[2], self.find(first), name)
        elif kind == "fsync":
            inode = self.find(first)
            if inode.names is None:
                inode.safe = inode.content
            else:
                self.stored[id(inode)] = dict(inode.names)
                self.pending = [change for change in self.pending if change[0] is not inode]

    def crashes(self, chance: random.Random) -> Iterator[dict[str, bytes]]:
        """What may be on the disk when the power goes now: the bytes of files by path."""
        torn = [inode for inode in self._files(self.root) if inode.content != inode.safe]
        lost = list(itertools.islice(itertools.product((True, False), repeat=len(self.pending)), 4096))
        for kept in lost if len(lost) <= STATES else chance.sample(lost, STATES):
            names = {key: dict(value) for key, value in self.stored.items()}
            for (folder, name, inode, gone), stays in zip(self.pending, kept, strict=True):
                if stays:
                    _apply(names.setdefault(id(folder), {}), name, inode, gone)
            how = {id(inode): chance.choice(("safe", "half", "zeros", "all")) for inode in torn}
            yield dict(_tree(self.root, names, how, ""))

    def _files(self, inode: Inode) -> Iterator[Inode]:
        if inode.names is None:
            yield inode
        for child in (inode.names or {}).values():
            yield from self._files(child)


def _apply(names: dict[str, Inode], name: str, inode: Inode | None, gone: str) -> None:
    if gone:
        names.pop(gone, None)
    if inode is None:
        names.pop(name, None)
    else:
        names[name] = inode


def _tree(
    inode: Inode, names: dict[int, dict[str, Inode]], how: dict[int, str], path: str
) -> Iterator[tuple[str, bytes]]:
    if inode.names is not None:
        for name, child in names.get(id(inode), {}).items():
            yield from _tree(child, names, how, f"{path}/{name}")
        return
    content = {
        "safe": inode.safe,
        "half": inode.content[: len(inode.content) // 2],
        "zeros": bytes(len(inode.content)),
    }.get(how.get(id(inode), "all"), inode.content)
    yield path, content


def records(log: bytes, place: str) -> Iterator[tuple[str, str, str, bytes]]:
    at = 0
    while at < len(log):
        end = log.index(b"\0", at)
        kind, length, first, second = log[at:end].decode().split("\t")
        at = end + 1 + int(length)
        yield kind, first.removeprefix(place), second.removeprefix(place), log[end + 1 : at]


def test_power_that_goes_at_any_moment(shim: Path, tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()
    (place / "out.json").write_bytes(b"old")
    armed = {"SHIM_BELOW": str(place), "SHIM_NTH": "0", "SHIM_ERRNO": "0", "SHIM_LOG": str(tmp_path / "log")}
    done = subprocess.run(
        [sys.executable, "-c", WORK, place],
        env=os.environ | armed | {"LD_PRELOAD": str(shim)},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    disk = Disk()
    disk.put("out.json", Inode(None, b"old", b"old"))
    disk.do("fsync", "", "", b"")
    chance = random.Random(15)
    promised: set[str] = set()
    seen: set[int] = set()
    moments = 0
    for kind, first, second, content in records((tmp_path / "log").read_bytes(), str(place)):
        if kind == "stat" and not first.startswith("/promise "):
            continue
        if kind == "stat":
            promised.add(first.removeprefix("/promise "))
        else:
            disk.do(kind, first, second, content)
        moments += 1
        for files in disk.crashes(chance):
            state = hash((frozenset(files.items()), frozenset(promised)))
            if state not in seen:
                seen.add(state)
                check(tmp_path / f"crash {len(seen)}", files, promised)
    assert promised == {*(f"part {index}" for index in range(PARTS)), "merged", "replaced", "exported"}
    assert moments > 40
    assert len(seen) > 100


def check(place: Path, files: dict[str, bytes], promised: set[str]) -> None:
    """What is on the disk is whole, and holds what was promised."""
    for path, content in files.items():
        (place / path[1:]).parent.mkdir(parents=True, exist_ok=True)
        (place / path[1:]).write_bytes(content)
    cache = Cache(place / "deep/cache")
    _, damaged, unread = cache.verify()
    assert (damaged, unread) == ([], []), sorted(files)
    rows = cache.load(HOG, DIGESTS)
    for index, digest in enumerate(DIGESTS):
        assert digest in rows or f"part {index}" not in promised, (index, sorted(files))
        assert digest not in rows or (rows[digest] == ROWS[index]).all()
    assert files["/out.json"] == b"new" * 1000 or (
        files["/out.json"] == b"old" and "replaced" not in promised
    )
    exported = {path: content for path, content in files.items() if path.startswith("/export/")}
    whole = {"/export/a": b"a" * 1000, "/export/sub/b": b"b" * 1000}
    assert exported == whole or (exported == {} and "exported" not in promised), sorted(files)
