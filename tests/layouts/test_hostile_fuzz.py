"""Tables, markers and trees of any content: what comes is a data set, or an error of one line, and no file is lost."""

from __future__ import annotations

import io
import json
import os
import shutil
from pathlib import Path
from random import Random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nearid_cli.errors import InputError, NearIDError
from nearid_cli.layouts.find import find
from nearid_cli.layouts.reach import Reach
from nearid_cli.layouts.walk import scan
from nearid_cli.options import LayoutOptions

PATHS = [
    "0.png", "1.png", "./0.png", "sub/2.png", "sub/../1.png", "link.png", "out.png", "pipe.png", "none.png", "sub",
    "", " 0.png ", "..", "../..", "/etc/shadow", "/proc/self/environ", "/dev/zero", "~nobody/x", "~", "~/x.png",
    "C:\\x.png", "file:///etc/passwd", "http://x/0.png", "a\0b", "\ud800.png", "\udcff.png", "x" * 5000,
    "sub/" * 1500 + "0.png", "caf\u00e9.png", "cafe\u0301.png", "0.png/1",
]  # fmt: skip
CELLS = [
    *PATHS, "cat", "CAT", "dog", "reference", "generation", "distractor", "=1+1", "\u202ecat", "1,2,3,4", "9" * 5000,
    "nan", '"', "a\nb",
]  # fmt: skip
COLUMNS = [
    "path",
    "subject",
    "role",
    "method",
    "prompt",
    "seed",
    "mask",
    "box",
    "file_name",
    "x",
    "",
    "Path",
    " role ",
    "\ud800",
    "y\0",
]
NAMES = (
    "m.csv", "m.jsonl", "m.parquet", "dataset.json", "metadata.csv", "metadata.jsonl", "metadata.parquet",
)  # fmt: skip
SECRET = "root:$6$salt"


def lay(root: Path) -> None:
    for name in ("data/0.png", "data/1.png", "data/sub/2.png", "here/x.png"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    (root / "secret").write_text(SECRET)
    (root / "data/link.png").symlink_to("1.png")
    (root / "data/out.png").symlink_to("../secret")
    os.mkfifo(root / "data/pipe.png")


def value(random: Random) -> object:
    kind = random.randrange(12)
    if kind < 8:
        return random.choice(CELLS)
    return random.choice(
        [
            None,
            7,
            7.5,
            float("nan"),
            float("inf"),
            10**400,
            True,
            [],
            {},
            ["a", [1]],
            {"a": {"b": 1}},
            [1, 2, 3, 4],
        ]
    )


def content(random: Random, extension: str) -> bytes:
    """A table that may be read, more or less."""
    columns = ["path", "subject", "role"] if random.random() < 0.8 else []
    columns += random.sample(COLUMNS, random.randrange(4))
    rows = [{name: value(random) for name in columns} for _ in range(random.randrange(6))]
    for row in rows:
        if random.random() < 0.8:
            sound = {
                "path": random.choice(PATHS),
                "subject": "cat",
                "role": random.choice(["reference", "generation"]),
            }
            row.update({name: one for name, one in sound.items() if name in row})
    if extension == "parquet":
        try:
            table = pa.table({name: [str(row[name]) for row in rows] for name in dict.fromkeys(columns)})
        except (pa.ArrowException, ValueError):
            table = pa.table({"path": ["0.png"], "subject": ["cat"], "role": ["reference"]})
        written = io.BytesIO()
        pq.write_table(table, written)
        made = written.getvalue()
    elif extension == "csv":
        between = random.choice(",;\t")
        quote = random.choice(["", '"'])
        lines = [columns, *([str(row.get(name, "")) for name in columns] for row in rows)]
        made = (
            random.choice(["\n", "\r\n", "\r"])
            .join(between.join(quote + cell + quote for cell in line) for line in lines)
            .encode(random.choice(["utf-8", "utf-16", "utf-32"]), "surrogatepass")
        )
    else:
        made = "\n".join(json.dumps(row) for row in rows).encode()
        if extension == "json":
            made = json.dumps([{"instance_data_dir": random.choice(PATHS)} for _ in rows]).encode()
    return damaged(random, made) if random.random() < 0.5 else made


def damaged(random: Random, made: bytes) -> bytes:
    data = bytearray(made)
    for _ in range(random.randrange(1, 8)):
        place = random.randrange(len(data) + 1)
        what = random.randrange(4)
        if what == 0 and data:
            data[place % len(data)] = random.randrange(256)
        elif what == 1:
            data[place:place] = random.choice(
                [b"\0", b'"', b"[" * 3000, b"\xff", b"\xed\xa0\x80", b"\r", b"{", b"9" * 5000, b"\\ud800"]
            )
        elif what == 2:
            del data[place : place + random.randrange(1, 40)]
        else:
            data[place:place] = data[: random.randrange(60)]
    return bytes(data)


def attack(seed: int, root: Path) -> str:
    """What came of one table or marker: `read`, or `stopped`."""
    random = Random(seed)
    name = random.choice(NAMES)
    extension = name.rpartition(".")[2]
    file = root / "data" / name
    file.write_bytes(content(random, extension))
    options = LayoutOptions(follow_symlinks=random.random() < 0.3)
    try:
        if name.startswith("m."):
            find(file, None, options)
        else:
            find(root / "data", root / "here", options)
    except NearIDError as error:
        stopped = error
    else:
        return "read"
    finally:
        file.unlink()
    assert len(stopped.message.splitlines()) == 1, f"seed {seed}"
    assert len(stopped.message) < 5000, f"seed {seed}"
    assert SECRET not in str(stopped), f"seed {seed}"
    return "stopped"


def tree(seed: int, root: Path) -> bool:
    """Make a tree of files and links of all kinds, and walk it; whether it could be walked.

    Every file that it holds must be taken, left out, or lie below what is left out.
    """
    random = Random(seed)
    folders = [root]
    files: list[Path] = []
    for number in range(random.randrange(1, 25)):
        parent = random.choice(folders)
        kind = random.randrange(7)
        if kind < 2:
            folder = parent / random.choice(["cat", "dog", ".git", "masks", "@eaDir", "a", "b"])
            if not os.path.lexists(folder):
                folder.mkdir()
                folders.append(folder)
            continue
        file = parent / f"{number}{random.choice(['.png', '.jpg', '.txt', '', '.csv'])}"
        if kind < 4:
            file.touch()
        elif kind == 4:
            os.mkfifo(file)
        else:
            target = random.choice(
                [
                    *folders,
                    *files,
                    root.parent,
                    Path("/etc/hostname"),
                    Path("/proc/self"),
                    file,
                    root / "none",
                ]
            )
            file.symlink_to(target if random.random() < 0.5 else os.path.relpath(target, parent))
        files.append(file)
    try:
        found = scan(root, reach=Reach(follow_symlinks=False))
    except InputError as error:
        if "out of" in error.message:
            return False
        raise
    left_out = [name for names in found.left_out.by_reason.values() for name in names]
    known = {*found.names, *left_out}
    assert len(found.names) == len({*found.names})
    for file in files:
        name = file.relative_to(root).as_posix()
        above = {f"{one.as_posix()}/" for one in Path(name).parents}
        linked = file.is_symlink() and file.is_dir()
        nothing = linked and not any(names for _, _, names in os.walk(file))
        taken_below = nothing or any(one.startswith(f"{name}/") for one in known)
        assert name in known or f"{name}/" in known or above & known or taken_below, f"seed {seed}: {name}"
    return True


def run(seeds: range, root: Path) -> tuple[int, int, int]:
    lay(root)
    read = sum(attack(seed, root) == "read" for seed in seeds)
    walked = 0
    for seed in seeds:
        (root / "tree").mkdir()
        walked += tree(seed, root / "tree")
        shutil.rmtree(root / "tree")
    return len(seeds), read, walked


def test_tables_and_trees_of_any_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")
    tried, read, walked = run(range(400), tmp_path)
    assert read > tried / 20  # a fuzz in which everything stops would find nothing
    assert walked > tried / 5


@pytest.mark.torture
def test_and_many_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")
    run(range(1_000, 5_000), tmp_path)
