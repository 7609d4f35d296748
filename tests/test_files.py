"""What a killed process leaves is swept by the next one, and what a living one writes is not."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from nearid_cli.errors import InputError
from nearid_cli.files import (
    files_below,
    in_use,
    name_aside,
    replace_file,
    sweep_leftovers,
    whole_folder,
    write_whole,
)

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there nothing is swept")

WRITING = """
import sys, time
from pathlib import Path
from nearid_cli.files import files_below, in_use, name_aside, whole_folder
with whole_folder(Path(sys.argv[1])) as aside:
    (aside / "half").write_text("half")
    print("writing", flush=True)
    time.sleep(600)
"""


def left(folder: Path, directory: bool = False) -> Path:
    path = name_aside(folder / "x")
    path.mkdir() if directory else path.write_bytes(b"half")
    os.utime(path, (1, 1))
    return path


def test_what_was_left_is_swept_by_the_next_output(tmp_path: Path) -> None:
    paths = [left(tmp_path), left(tmp_path, directory=True)]
    replace_file(tmp_path / "result.json", b"{}")
    assert not any(path.exists() for path in paths)
    paths = [left(tmp_path), left(tmp_path, directory=True)]
    with whole_folder(tmp_path / "out") as aside:
        (aside / "a").touch()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "result.json"]
    assert not any(path.exists() for path in paths)


def test_files_of_other_names_links_and_young_ones_stay(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.mkdir()
    link = name_aside(tmp_path / "x")
    link.symlink_to(target)
    os.utime(link, (1, 1), follow_symlinks=False)
    young = name_aside(tmp_path / "x")
    young.touch()
    other = tmp_path / ".notes.tmp"
    other.touch()
    os.utime(other, (1, 1))
    sweep_leftovers(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"target", link.name, young.name, ".notes.tmp"}


def test_what_another_process_writes_stays_until_it_is_killed(tmp_path: Path) -> None:
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITING, str(tmp_path / "out")], stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    with writer:
        try:
            assert writer.stdout.readline() == "writing\n"
            (aside,) = tmp_path.iterdir()
            os.utime(aside, (1, 1))
            sweep_leftovers(tmp_path)
            assert (aside / "half").exists()
        finally:
            writer.send_signal(signal.SIGKILL)
    assert aside.exists()
    sweep_leftovers(tmp_path)
    assert not aside.exists()


def test_a_file_that_is_written_is_in_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flush = os.fsync

    def swept(handle: int) -> None:
        for path in tmp_path.iterdir():
            os.utime(path, (1, 1))
        sweep_leftovers(tmp_path)
        flush(handle)

    monkeypatch.setattr(os, "fsync", swept)
    write_whole(tmp_path / "a", b"whole")
    assert (tmp_path / "a").read_bytes() == b"whole"


def test_a_lock_ends_with_its_block(tmp_path: Path) -> None:
    path = left(tmp_path)
    with in_use(path):
        sweep_leftovers(tmp_path)
        assert path.exists()
    sweep_leftovers(tmp_path)
    assert not path.exists()


def test_sweeping_a_folder_that_is_not_there_is_nothing(tmp_path: Path) -> None:
    sweep_leftovers(tmp_path / "none")


@pytest.mark.parametrize("through", ["a link", "its name"])
def test_nothing_but_a_regular_file_is_replaced(tmp_path: Path, through: str) -> None:
    """By root it could be: a result took the place of /dev/zero."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    with pytest.raises(InputError, match="it is not a regular file"):
        replace_file(tmp_path / ("link" if through == "a link" else "pipe"), b"{}")
    assert (tmp_path / "pipe").is_fifo()


FORKED = """
import multiprocessing, sys
from pathlib import Path
from nearid_cli.files import digest_file
file = Path(sys.argv[1])
first = digest_file(file)
with multiprocessing.get_context("fork").Pool(1) as pool:
    assert pool.apply(digest_file, (file,)) == first
"""


def test_a_forked_process_reads_digests_too(tmp_path: Path) -> None:
    """As a host's program makes them, whose parent has hashed a checkpoint."""
    (tmp_path / "weights").write_bytes(bytes(2**20))
    subprocess.run([sys.executable, "-c", FORKED, str(tmp_path / "weights")], check=True, timeout=120)


def test_a_folder_that_cannot_be_read_is_not_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "inner/b", "inner/deep/c"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "link").symlink_to("a")
    (tmp_path / "round").symlink_to(".")
    assert [str(path.relative_to(tmp_path)) for path in files_below(tmp_path)] == [
        "a", "inner/b", "inner/deep/c", "link",
    ]  # fmt: skip
    stock = os.scandir

    def refuse(path: Any = ".") -> Any:
        if str(path).endswith("deep"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return stock(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 3  # why not that
    with pytest.raises(PermissionError):
        files_below(tmp_path)
    with pytest.raises(PermissionError), whole_folder(tmp_path / "new") as folder:
        (folder / "deep").mkdir()
    assert not (tmp_path / "new").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="/proc takes no folder, and says that there is none")
def test_a_folder_that_takes_none_is_no_reason_to_try_for_ever(tmp_path):
    code = "import pathlib, sys, nearid_cli.files as files; files.make_folder(pathlib.Path(sys.argv[1]))"

    def made(folder: Path) -> str:
        run = [sys.executable, "-c", code, str(folder)]
        return subprocess.run(run, capture_output=True, text=True, timeout=60).stderr

    assert "FileNotFoundError" in made(Path("/proc/cache/nearid"))
    assert made(tmp_path / "a/b/c") == ""
    assert (tmp_path / "a/b/c").is_dir()
