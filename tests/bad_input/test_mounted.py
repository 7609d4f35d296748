"""File systems that come and go under a path, and such whose time stamps are not trusted."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from blake3 import blake3
from PIL import Image

from tests.commandline import Finished

# The memo trusts files at once, as in `tests.conftest.isolated`.
TRUSTING = (
    "from nearid_cli.embedding import stamps; stamps.SETTLED = 0; from nearid_cli.cli.app import main; main()"
)
EMBED = f"{shlex.join([sys.executable, '-c', TRUSTING])} embed disk/picture.bmp -m hog --cache cache -o"


@pytest.fixture
def bitmaps(tmp_path: Path) -> list[Path]:
    """Two pictures of the same size and time."""
    paths = [tmp_path / "first.bmp", tmp_path / "second.bmp"]
    for level, path in enumerate(paths):
        Image.new("RGB", (64, 64), (90 * level, 0, 0)).save(path)
    return paths


def put(name: str, kind: str) -> str:
    """A new disk with a picture on it."""
    picture = "disk/picture.bmp"
    return f"mount -t {kind} {kind} disk; cp {name}.bmp {picture}; touch -d @1700000000 {picture}; sleep 0.1"


def test_another_disk_of_the_same_number(
    bitmaps: list[Path], tmp_path: Path, mounting: list[str], run: Callable[..., Finished]
) -> None:
    stat = "stat -c '%d %i %s %Y' disk/picture.bmp"
    finished = run(
        [
            *mounting,
            f"mkdir disk; {put('first', 'tmpfs')}; {stat} >state; {EMBED} first.parquet; umount disk; "
            f"{put('second', 'tmpfs')}; {stat} | diff - state; {EMBED} second.parquet",
        ]
    )
    assert finished.code == 0, finished.err
    for path in bitmaps:
        assert pd.read_parquet(path.with_suffix(".parquet"))["digest"].tolist() == [
            blake3(path.read_bytes()).hexdigest()
        ]


@pytest.mark.parametrize(("kind", "remembered"), [("tmpfs", 1), ("ramfs", 0)])
def test_a_file_system_that_is_not_known(
    bitmaps: list[Path],
    tmp_path: Path,
    mounting: list[str],
    run: Callable[..., Finished],
    kind: str,
    remembered: int,
) -> None:
    finished = run([*mounting, f"mkdir disk; {put('first', kind)}; {EMBED} first.parquet"])
    assert finished.code == 0, finished.err
    assert len(list((tmp_path / "cache" / "files").rglob("*.parquet"))) == remembered
