"""Files that changed behind the memo's back: whatever was done to them, the next run knows them by their bytes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from blake3 import blake3
from PIL import Image

from nearid_cli.embedding.memo import FileMemo
from nearid_cli.embedding.reading import identify
from nearid_cli.embedding.settings import Settings

WRITTEN = 1_700_000_000  # an even second, which a ZIP can say, too


def bitmap(path: Path, level: int) -> Path:
    """A BMP: all of one size have as many bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8), (level, 0, 0)).save(path)
    os.utime(path, (WRITTEN, WRITTEN))
    return path


def digests(memo: Path, *paths: Path) -> list[bytes | None]:
    """What a run takes the files for."""
    opened = FileMemo(memo)
    found = identify(paths, opened, Settings(), {})
    opened.flush()
    return found


def truth(path: Path) -> bytes:
    return blake3(path.read_bytes()).digest()


def rewritten_in_place(picture: Path, other: Path) -> None:
    with picture.open("r+b") as file:  # as `rsync --inplace -t` does it
        file.write(other.read_bytes())
    os.utime(picture, (WRITTEN, WRITTEN))


def copied_over(picture: Path, other: Path) -> None:
    subprocess.run(["cp", "-p", other, picture], check=True)


def unpacked_after_removal(picture: Path, other: Path) -> None:
    archive = picture.parent.with_suffix(".tar")
    with tarfile.open(archive, "w") as packed:
        packed.add(other, picture.name)
    inode = picture.stat().st_ino
    for _ in range(50):  # until the inode is reused, which ext4 does at once
        shutil.rmtree(picture.parent)
        picture.parent.mkdir()
        subprocess.run(["tar", "-x", "-f", archive, "-C", picture.parent], check=True)
        if picture.stat().st_ino == inode:
            break


def unzipped_over(picture: Path, other: Path) -> None:
    archive = picture.parent.with_suffix(".zip")
    with zipfile.ZipFile(archive, "w") as packed:
        packed.write(other, picture.name)
    subprocess.run([sys.executable, "-m", "zipfile", "-e", archive, picture.parent], check=True)
    os.utime(picture, (WRITTEN, WRITTEN))


def written_through_a_hard_link(picture: Path, other: Path) -> None:
    second = picture.with_name("second.bmp")
    second.hardlink_to(picture)
    rewritten_in_place(second, other)


def swapped(picture: Path, other: Path) -> None:
    aside = picture.with_name("aside.bmp")
    picture.rename(aside)
    other.rename(picture)
    aside.rename(other)


def link_turned(picture: Path, other: Path) -> None:
    picture.unlink()
    picture.symlink_to(other)


def written_while_the_clock_of_the_file_is_in_the_future(picture: Path, other: Path) -> None:
    rewritten_in_place(picture, other)


ATTACKS: list[Callable[[Path, Path], None]] = [
    rewritten_in_place,
    copied_over,
    unpacked_after_removal,
    unzipped_over,
    written_through_a_hard_link,
    swapped,
    link_turned,
]


@pytest.fixture(scope="module")
def remembered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A picture for each attack, one of the same size and time to take its place, and the memo, which knows them."""
    root = tmp_path_factory.mktemp("stale")
    for attack in ATTACKS:
        for name, level in (("picture/picture.bmp", 1), ("other.bmp", 2)):
            bitmap(root / attack.__name__ / name, level)
    time.sleep(2.1)
    pictures = sorted(root.rglob("*.bmp"))
    digests(root / "memo", *pictures)
    return root


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_file_that_changed_is_known_by_what_it_holds_now(
    remembered: Path, attack: Callable[[Path, Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = remembered / attack.__name__ / "picture" / "picture.bmp"
    other = remembered / attack.__name__ / "other.bmp"
    before = truth(picture)
    with monkeypatch.context() as patch:  # the memo did know it
        patch.setattr("nearid_cli.embedding.reading.read_steadily", None)
        assert digests(remembered / "memo", picture) == [before]
    attack(picture, other)
    assert truth(picture) != before
    assert digests(remembered / "memo", picture, other) == [truth(picture), truth(other)]
