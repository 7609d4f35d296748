"""What is large: fifty thousand objects, archives of a million members, and 5,000 pictures cold and warm."""

from __future__ import annotations

import io
import resource
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.commandline import Nearid
from tests.remote.s3_server import S3
from tests.remote.test_inputs import numbers, reads, scored

pytestmark = pytest.mark.torture


def test_fifty_thousand_objects_are_listed(nearid: Nearid, s3: S3) -> None:
    s3.make("fifty")
    s3.fill("fifty", "many/cat/", 50_000)
    s3.requests.clear()
    ended = nearid("layout", "s3://fifty/many")
    assert "50,000" in ended.out
    assert sum(one.lists for one in s3.requests) == 50
    assert not reads(s3)


def test_five_thousand_pictures_are_read_once(nearid: Nearid, data: Path, s3: S3, tmp_path: Path) -> None:
    """A warm run asks for nothing but the listings."""
    s3.make("five")
    small = {
        f"gens/{file.parent.name}/{number}.png": file.read_bytes() + bytes([number % 256, number // 256])
        for file in sorted((data / "gens").glob("*/0.png"))
        for number in range(1667)
    }
    s3.put_all("five", small)
    s3.put_folder("five", "refs", data / "refs")
    for name, content in small.items():
        (tmp_path / "local" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "local" / name).write_bytes(content)
    local = scored(nearid, data / "refs", tmp_path / "local" / "gens")
    s3.requests.clear()
    cold = scored(nearid, "s3://five/refs", "s3://five/gens")
    assert numbers(cold) == numbers(local)
    assert len(reads(s3)) == len(set(reads(s3))) == 5007
    s3.requests.clear()
    warm = scored(nearid, "s3://five/refs", "s3://five/gens")
    assert numbers(warm) == numbers(local)
    assert len(s3.requests) == sum(one.lists for one in s3.requests) == 7


@pytest.mark.parametrize("end", ["tar", "zip"])
def test_a_million_members(nearid: Nearid, tmp_path: Path, end: str) -> None:
    """Refused in bounded memory, and named."""
    path = tmp_path / f"refs.{end}"
    if end == "tar":
        header = tarfile.TarInfo("x")
        with path.open("wb") as file:
            for number in range(1_000_000):
                header.name = f"{number}.png"
                file.write(header.tobuf(tarfile.USTAR_FORMAT))
            file.write(bytes(1024))
    else:
        with zipfile.ZipFile(path, "w") as archive:
            for number in range(1_000_000):
                archive.writestr(f"{number}.png", b"")

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_DATA, (2**30, 2**30))

    done = subprocess.run(
        [sys.executable, "-m", "nearid_cli", "layout", str(path)],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=limit,
    )
    assert done.returncode == 2
    assert "has more than 250,000 members" in done.stderr


def test_a_chain_of_long_names(nearid: Nearid, tmp_path: Path) -> None:
    """Headers that say the name of headers that say the name..."""
    with (tmp_path / "refs.tar").open("wb") as file:
        for _ in range(100_000):
            one = tarfile.TarInfo("././@LongLink")
            one.type, one.size = tarfile.GNUTYPE_LONGNAME, 2
            file.write(one.tobuf(tarfile.GNU_FORMAT) + io.BytesIO(b"a\0").read().ljust(512, b"\0"))
        file.write(bytes(1024))
    ended = nearid("layout", tmp_path / "refs.tar")
    assert (ended.code, "cannot be read" in ended.err) == (2, True), ended.err
