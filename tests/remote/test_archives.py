"""Archives, WebDataset shards and data sets of Hugging Face in the place of folders: the same numbers as from disk."""

from __future__ import annotations

import errno
import io
import json
import os
import resource
import struct
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from nearid_cli.embedding import patience
from tests.commandline import Nearid
from tests.remote.s3_server import S3, Reply
from tests.remote.test_inputs import numbers, reads, scored

Pack = Callable[[Path, Path], None]


def zipped(folder: Path, target: Path) -> None:
    with zipfile.ZipFile(target, "w") as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, file.relative_to(folder))


def tarred(folder: Path, target: Path) -> None:
    with tarfile.open(target, "w") as archive:
        archive.add(folder, ".")


def tarred_with_its_name(folder: Path, target: Path) -> None:
    with tarfile.open(target, "w") as archive:
        archive.add(folder, target.stem)


@pytest.fixture(params=[zipped, tarred, tarred_with_its_name])
def packed(request: pytest.FixtureRequest, data: Path, tmp_path: Path) -> tuple[str, str]:
    """References and generations, each an archive."""
    end = "zip" if request.param is zipped else "tar"
    for side in ("refs", "gens"):
        request.param(data / side, tmp_path / f"{side}.{end}")
    return f"refs.{end}", f"gens.{end}"


def test_archives_on_disk(nearid: Nearid, data: Path, packed: tuple[str, str]) -> None:
    local = scored(nearid, data / "refs", data / "gens", "--no-cache")
    for _ in range(2):
        found = scored(nearid, *packed)
        assert numbers(found) == numbers(local)
        assert (found["inputs"]["references"], found["inputs"]["generations"]) == packed
    assert nearid("score", *packed, "--metric", "hog", "-o", "r.html").code == 0
    assert Path("r.html").read_text().count("data:image/webp") == 15


def test_an_archive_is_closed_at_the_end(packed: tuple[str, str], tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from nearid_cli.mirrors import here; here(Path(sys.argv[1]))"
    )
    run = [sys.executable, "-X", "dev", "-W", "always::ResourceWarning", "-c", program, tmp_path / packed[0]]
    ran = subprocess.run(run, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")


def test_archives_by_url(nearid: Nearid, data: Path, packed: tuple[str, str], s3: S3) -> None:
    local = scored(nearid, data / "refs", data / "gens", "--no-cache")
    bucket = f"archives-{packed[0].replace('.', '-')}"
    s3.make(bucket)
    for name in packed:
        s3.put(bucket, name, Path(name).read_bytes())
    urls = [f"s3://{bucket}/{name}" for name in packed]
    found = scored(nearid, *urls)
    assert numbers(found) == numbers(local)
    assert [found["inputs"][side] for side in ("references", "generations")] == urls
    assert len(reads(s3)) == 2


def test_folders_in_one_archive(nearid: Nearid, data: Path, tmp_path: Path) -> None:
    zipped(data, tmp_path / "all.zip")
    local = scored(nearid, data / "refs", data / "gens", "--no-cache")
    assert numbers(scored(nearid, "all.zip/refs", "all.zip/gens")) == numbers(local)
    assert scored(nearid, "all.zip")["aggregate"] == local["aggregate"]


def add(archive: tarfile.TarFile, name: str, content: bytes = b"x", **attributes: Any) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    for attribute, value in attributes.items():
        setattr(member, attribute, value)
    archive.addfile(member, io.BytesIO(content))


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ([("../a.png", {})], "a part of it is . or .."),
        ([("/etc/a.png", {})], "a part of it is empty"),
        (
            [("a.png", {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd", "size": 0})],
            "a link to /etc/passwd",
        ),
        ([("a.png", {"type": tarfile.LNKTYPE, "linkname": "b.png", "size": 0})], "a link to b.png"),
        ([("a.png", {"type": tarfile.CHRTYPE, "size": 0})], "a device or pipe"),
        ([("a.png", {"type": tarfile.FIFOTYPE, "size": 0})], "a device or pipe"),
        ([("a.png", {}), ("a.png", {})], "1 name twice"),
        ([("a", {}), ("a/b.png", {})], "other names go on below it"),
        ([("n" * 300 + ".png", {})], "a part of it has more than 255 bytes"),
    ],
)
def test_members_that_no_folder_has(
    nearid: Nearid, members: list[tuple[str, dict[str, Any]]], said: str
) -> None:
    with tarfile.open("refs.tar", "w") as archive:
        for name, attributes in members:
            add(archive, name, b"" if attributes.get("size") == 0 else b"x", **attributes)
    ended = nearid("layout", "refs.tar")
    assert ended.code == 2
    assert said in ended.err


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


@pytest.mark.parametrize("name", ["refs.zip", "refs.tar"])
@pytest.mark.parametrize("harm", [cut, lambda content: b"", lambda content: b"no archive" * 1000])
def test_what_is_no_whole_archive(
    nearid: Nearid, data: Path, name: str, harm: Callable[[bytes], bytes]
) -> None:
    (zipped if name.endswith("zip") else tarred)(data / "refs", Path(name))
    Path(name).write_bytes(harm(Path(name).read_bytes()))
    ended = nearid("layout", name)
    assert ended.code == 2
    assert len(ended.err.splitlines()) == 1
    assert name in ended.err


def joined(*parts: bytes) -> bytes:
    return b"".join(parts)


def hollow(first: bytes, second: bytes) -> bytes:
    """A block that a disk lost, of which zeros are left, where a member begins."""
    return (
        first.rstrip(b"\0").ljust(-len(first.rstrip(b"\0")) % 512 + len(first.rstrip(b"\0")), b"\0")
        + bytes(512)
        + second
    )


@pytest.mark.parametrize(
    ("name", "join", "said"),
    [
        ("refs.tar", joined, "it goes on behind its end"),
        ("refs.tar", hollow, "it goes on behind its end"),
        ("refs.tar", lambda first, second: first + bytes(2**24), "it goes on behind its end"),
        ("refs.zip", joined, "several zip files were joined"),
    ],
)
def test_what_lies_behind_an_end_is_not_passed_over(
    nearid: Nearid, data: Path, name: str, join: Callable[[bytes, bytes], bytes], said: str
) -> None:
    contents = []
    for side in ("refs", "gens"):
        (zipped if name.endswith("zip") else tarred)(data / side, Path(name))
        contents.append(Path(name).read_bytes())
    Path(name).write_bytes(join(*contents))
    ended = nearid("layout", name)
    assert (ended.code, f"{name} cannot be read: {said}" in ended.err) == (2, True), ended.err


def test_a_program_that_unpacks_itself_is_a_zip(nearid: Nearid, data: Path) -> None:
    zipped(data / "refs", Path("refs.zip"))
    Path("refs.zip").write_bytes(b"#!/bin/sh\nexit\n" + Path("refs.zip").read_bytes())
    local = scored(nearid, data / "refs", data / "gens", "--no-cache")
    assert numbers(scored(nearid, "refs.zip", data / "gens")) == numbers(local)


def test_a_header_that_asks_for_all_memory(nearid: Nearid, data: Path) -> None:
    """A pax header of gigabytes, in a file that has them (as a hole)."""
    member = tarfile.TarInfo("pax")
    member.type, member.size = tarfile.XHDTYPE, 3 * 2**30
    with Path("refs.tar").open("wb") as file:
        file.write(member.tobuf())
        file.truncate(4 * 2**30)
    ended = nearid("layout", "refs.tar")
    assert (ended.code, "refs.tar cannot be read" in ended.err) == (2, True)


def test_a_zip_that_announces_millions(nearid: Nearid) -> None:
    Path("refs.zip").write_bytes(
        struct.pack("<IQHHIIQQQQ", 0x06064B50, 44, 45, 45, 0, 0, 10**7, 10**7, 10**9, 0)
        + struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    )
    ended = nearid("layout", "refs.zip")
    assert (ended.code, "has more than 250,000 members" in ended.err) == (2, True)


def test_a_member_that_unpacks_to_gigabytes(nearid: Nearid, data: Path) -> None:
    """Refused by its size before anything of it is unpacked; the others are read."""
    zipped(data / "refs", Path("refs.zip"))
    with zipfile.ZipFile("refs.zip", "a") as archive:
        archive.writestr("cat/9.png", b"small")
        archive.getinfo("cat/9.png").file_size = 2**30 + 1  # as the table of contents will say
    ended = nearid("score", "refs.zip", data / "gens", "--metric", "hog")
    assert ended.code == 2
    assert "refs.zip/cat/9.png: has 1.1 GB, and no more than 1.1 GB are read" in ended.err


def test_a_zip_with_a_damaged_member(nearid: Nearid, data: Path) -> None:
    zipped(data / "refs", Path("refs.zip"))
    with zipfile.ZipFile("refs.zip") as archive:
        at = archive.getinfo("cat/0.jpg").header_offset + 200
    content = bytearray(Path("refs.zip").read_bytes())
    content[at] ^= 255
    Path("refs.zip").write_bytes(content)
    ended = nearid("score", "refs.zip", data / "gens", "--metric", "hog")
    assert (ended.code, "refs.zip/cat/0.jpg: is damaged in its archive" in ended.err) == (2, True)


def test_a_disk_that_fails_is_no_damage_of_an_archive(
    nearid: Nearid, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    zipped(data / "refs", Path("refs.zip"))

    def fail(*_: object) -> bytes:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(zipfile.ZipExtFile, "read", fail)
    monkeypatch.setattr(patience, "_WAITS", (0,))
    ended = nearid("score", "refs.zip", data / "gens", "--metric", "hog", "--skip-bad")
    assert (ended.code, "Input/output error (EIO) in each of 2 tries" in ended.err) == (2, True), ended.err


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_a_disk_that_takes_no_more_is_said_and_skips_nothing(
    nearid: Nearid, data: Path, pack: Pack, mounting: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files that may not be that large, while a picture is unpacked; and no room for the names."""
    archive = Path("refs").with_suffix(".zip" if pack is zipped else ".tar")
    pack(data / "refs", archive)
    monkeypatch.setattr(patience, "_WAITS", (0,))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, hard))
    try:
        ended = nearid("score", archive, data / "gens", "--metric", "hog", "--skip-bad", "--no-cache")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert ended.code == 2, ended.out
    assert (
        f"File too large in TMPDIR ({tempfile.gettempdir()}) (EFBIG) in each of 2 tries at {archive}/"
        in ended.err
    )
    assert "allow larger files (ulimit -f)" in ended.err

    program = f"{sys.executable} -m nearid_cli layout {archive} {data / 'gens'}"
    script = f"mkdir full; mount -t tmpfs -o nr_inodes=6 tmpfs full; TMPDIR=$PWD/full {program}"
    refused = subprocess.run([*mounting, script], capture_output=True, text=True, check=False)
    assert (refused.returncode, refused.stderr) == (
        2, f"error: no space left on device in TMPDIR ({Path.cwd()}/full)\n"
    )  # fmt: skip


def test_compressed_archives_are_not_read(nearid: Nearid, data: Path) -> None:
    with tarfile.open("refs.tar.gz", "w:gz") as archive:
        archive.add(data / "refs", ".")
    ended = nearid("layout", "refs.tar.gz")
    assert (ended.code, "unpack it, or make a .tar or .zip of it" in ended.err) == (2, True)


def shards(
    data: Path, folder: Path, side: str, said: Callable[[str, int], Iterable[tuple[str, bytes]]]
) -> None:
    """Two shards of a side, whose samples have numbers and say something."""
    folder.mkdir()
    for start in (0, 1):
        with tarfile.open(folder / f"{start:05}.tar", "w") as archive:
            for number, file in enumerate(sorted((data / side).glob("*/*"))):
                if number % 2 == start:
                    add(archive, f"{number:06}{file.suffix}", file.read_bytes())
                    for end, content in said(file.parent.name, number):
                        add(archive, f"{number:06}.{end}", content)


def in_short(result: dict[str, Any]) -> list[float]:
    """What does not depend on which generations have a prompt in common."""
    found = result["aggregate"]["hog"]
    return [found[name] for name in ("score", "ceiling", "floor", "pair_mean", "identification")]


def test_shards_whose_samples_say_their_subject(nearid: Nearid, data: Path) -> None:
    shards(data, Path("r"), "refs", lambda subject, number: [("cls", subject.encode())])
    shards(
        data,
        Path("g"),
        "gens",
        lambda subject, number: [
            ("json", json.dumps({"subject": subject, "seed": number, "sizes": [1, 2]}).encode()),
            ("txt", f"a photo of a {subject} in the snow".encode()),
        ],
    )
    local = scored(nearid, data / "refs", data / "gens", "--no-cache")
    found = scored(nearid, "r", "g", "--by", "prompt")
    assert in_short(found) == in_short(local)
    assert {(one["seed"], one["prompt"]) for one in found["images"] if one["subject"] == "cat"} == {
        (str(number), "a photo of a cat in the snow") for number in range(3)
    }
    one = nearid("layout", "r/00000.tar")
    assert (one.code, "3 subjects" in one.out) == (0, True), one.err


def test_samples_of_several_pictures_are_named(nearid: Nearid, data: Path) -> None:
    """Which of them is meant nobody can tell; and no row of a table that nobody wrote is asked for."""
    edited = (data / "gens" / "cup" / "0.png").read_bytes()
    said = [("edited.png", edited), ("json", b'{"subject": "cat"}')]
    shards(data, Path("r"), "refs", lambda subject, number: said)
    ended = nearid("layout", "r")
    assert ended.code == 2
    assert "6 samples in r with several pictures" in ended.err
    assert "000001.jpg and 000001.edited.png" in ended.err


def test_what_lies_beside_shards_and_data_sets_is_said(nearid: Nearid, data: Path) -> None:
    shards(data, Path("r"), "refs", lambda subject, number: [("cls", subject.encode())])
    Path("r/00002.tar.gz").write_bytes(b"")
    written(data, "refs", Path("s/a.parquet"), label=lambda file: file.parent.name)
    written(data, "refs", Path("s/data/b.parquet"), label=lambda file: file.parent.name)
    for name in ("preview/cat.png", ".git/cat.png", "README.md"):
        Path("s", name).parent.mkdir(exist_ok=True)
        Path("s", name).write_bytes(b"")
    for folder, said in (
        ("r", "1 file that may hold pictures, too: 00002.tar.gz"),
        ("s", "data/b.parquet, preview/cat.png"),
    ):
        ended = nearid("layout", folder)
        assert (ended.code, said in ended.err) == (0, True), ended.err


def test_where_pictures_may_be_is_said(nearid: Nearid, data: Path) -> None:
    """Archives and data sets that lie in folders of what was given, as configurations of a data set do."""
    shards(data, Path("r"), "refs", lambda subject, number: [("cls", subject.encode())])
    for name in ("s/train/00000.tar", "s/README.md"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path("r/00000.tar").rename(name) if name.endswith("tar") else Path(name).touch()
    for command in ("layout", "embed"):
        ended = nearid(command, "s", *(("-o", "e.parquet") if command == "embed" else ()))
        assert ended.code == 2
        assert "train/00000.tar may hold some: give it or its folder" in ended.err


def test_a_sample_whose_json_is_none(nearid: Nearid, data: Path) -> None:
    shards(data, Path("r"), "refs", lambda subject, number: [("json", b"{" if number == 3 else b"{}")])
    ended = nearid("layout", "r")
    assert (ended.code, "000003.json: it is not JSON" in ended.err) == (2, True)


def written(data: Path, side: str, target: Path, **columns: Callable[[Path], Any]) -> None:
    """A data set as `datasets` writes it, with a row a picture."""
    import datasets

    files = sorted((data / side).glob("*/*"))
    rows = {"image": [{"bytes": file.read_bytes(), "path": file.name} for file in files]}
    rows |= {name: [value(file) for file in files] for name, value in columns.items()}
    features = datasets.Features(
        {"image": datasets.Image(), **{name: datasets.Value("string") for name in columns}}
    )
    if "label" in columns:
        features["label"] = datasets.ClassLabel(names=sorted({file.parent.name for file in files}))
    target.parent.mkdir(parents=True, exist_ok=True)
    datasets.Dataset.from_dict(rows, features=features).to_parquet(target, batch_size=2)


def test_data_sets(nearid: Nearid, data: Path, s3: S3) -> None:
    subject = {"label": lambda file: file.parent.name}
    written(data, "refs", Path("r/data/train-00000-of-00001.parquet"), **subject)
    written(
        data,
        "gens",
        Path("g/data/train-00000-of-00001.parquet"),
        **subject,
        prompt=lambda file: f"a photo of {file.parent.name}",
    )
    local = scored(nearid, data / "refs", data / "gens", "--no-cache")
    found = scored(nearid, "r", "g")
    assert in_short(found) == in_short(local)
    assert found["images"][0]["prompt"] == "a photo of cat"
    assert found["inputs"]["references"] == "r"
    files = "r/data/train-*.parquet", "g/data/train-00000-of-00001.parquet"
    assert in_short(scored(nearid, *files)) == in_short(local)
    s3.make("data-sets")
    for side in ("r", "g"):
        s3.put_folder("data-sets", side, Path(side))
    for _ in range(2):
        assert in_short(scored(nearid, "s3://data-sets/r", "s3://data-sets/g")) == in_short(local)
    report = nearid("score", "r", "g", "--metric", "hog", "-o", "r.html")
    assert report.code == 0, report.err
    assert Path("r.html").read_text().count("data:image/webp") == 15


def test_a_data_set_that_a_store_does_not_give(nearid: Nearid, data: Path, s3: S3) -> None:
    written(data, "refs", Path("r/a.parquet"), label=lambda file: file.parent.name)
    s3.make("denied-sets")
    s3.put_folder("denied-sets", "r", Path("r"))
    s3.answer = lambda request: Reply(403, "AccessDenied") if request.reads else None
    ended = nearid("layout", "s3://denied-sets/r")
    assert (ended.code, ended.err) == (
        2,
        "error: cannot read s3://denied-sets/r/a.parquet: access is denied\n",
    )


def test_a_data_set_of_both_sides(nearid: Nearid, data: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    files = [(side, file) for side in ("refs", "gens") for file in sorted((data / side).glob("*/*"))]
    Path("both").mkdir()
    pq.write_table(
        pa.table(
            {
                "image": [{"bytes": file.read_bytes(), "path": None} for _, file in files],
                "subject": [file.parent.name for _, file in files],
                "role": ["reference" if side == "refs" else "generation" for side, _ in files],
            }
        ),
        "both/all.parquet",
    )
    local = scored(nearid, data / "refs", data / "gens", "--no-cache")
    assert scored(nearid, "both")["aggregate"] == local["aggregate"]
    report = nearid("score", "both", "--metric", "hog", "-o", "r.html", "-o", "r.json")
    assert report.code == 0, report.err
    assert Path("r.html").read_text().count("data:image/webp") == 15


@pytest.mark.parametrize(
    "paths",
    [
        ["000001.png", "000001.png", "000001.png"],  # as row 1 is called where its own name is taken
        ["x.png", "x.png", "000001.png"],
        [".a.png", "cat/b.txt", "c.json"],
        ["metadata.jsonl", "https://host/d.png?size=large", "Thumbs.db"],
        ["n" * 300 + ".png", "half \udc80.png", "../../etc/e.png"],
    ],
)
def test_each_row_is_a_picture_whatever_it_is_called(nearid: Nearid, data: Path, paths: list[str]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    files = sorted((data / "gens").glob("*/*"))
    names = [*paths, *[None] * 6]
    cells = [
        {"bytes": file.read_bytes(), "path": name and name.encode("utf-8", "replace").decode()}
        for file, name in zip(files, names, strict=True)
    ]
    pq.write_table(pa.table({"image": cells, "subject": [file.parent.name for file in files]}), "g.parquet")
    local = scored(nearid, data / "refs", data / "gens", "--no-cache")
    assert in_short(scored(nearid, data / "refs", "g.parquet")) == pytest.approx(in_short(local), abs=1e-12)
    cells[4]["bytes"] = b"no picture"
    pq.write_table(pa.table({"image": cells, "subject": [file.parent.name for file in files]}), "g.parquet")
    ended = nearid("score", data / "refs", "g.parquet", "--metric", "hog")
    assert (ended.code, "g.parquet/000004.png: not an image" in ended.err) == (2, True), ended.err


def cut_file(file: Path) -> None:
    file.write_bytes(cut(file.read_bytes()))


def damaged_column(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[4:40] = b"\xff" * 36
    file.write_bytes(content)


def other_columns(file: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"x": [1]}), file)


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (
            cut_file,
            "1 file of 2 cannot be read, or has no pictures in a column image as a.parquet has (b.parquet)",
        ),
        (other_columns, "1 file of 2 cannot be read, or has no pictures in a column image"),
        (damaged_column, "data set r cannot be read: a file of it is damaged"),
    ],
)
def test_a_file_of_a_data_set_that_is_none(
    nearid: Nearid, data: Path, harm: Callable[[Path], None], said: str
) -> None:
    for name in ("a", "b"):
        written(data, "refs", Path(f"r/{name}.parquet"), label=lambda file: file.parent.name)
    harm(Path("r/b.parquet"))
    ended = nearid("layout", "r")
    assert (ended.code, said in ended.err) == (2, True), ended.err


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"image": [{"bytes": None, "path": "a.png"}]}, "1 row without a picture (row 0)"),
        (
            {"a": [{"bytes": b"x", "path": ""}], "b": [{"bytes": b"x", "path": ""}]},
            "several columns of pictures, a, b",
        ),
    ],
)
def test_data_sets_that_are_not_read(nearid: Nearid, table: dict[str, Any], said: str) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    kind = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    Path("refs").mkdir()
    pq.write_table(pa.table({name: pa.array(cells, kind) for name, cells in table.items()}), "refs/a.parquet")
    ended = nearid("layout", "refs")
    assert (ended.code, said in ended.err) == (2, True), ended.err


def test_pages_with_checksums_are_verified(nearid: Nearid, data: Path) -> None:
    """A pixel that became another one, which no decoder of such a picture can see."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    from PIL import Image

    rows = []
    for file in sorted((data / "refs").glob("*/*")):
        content = io.BytesIO()
        Image.open(file).save(content, "BMP")
        rows.append({"bytes": content.getvalue(), "path": f"{file.parent.name}/{file.stem}.bmp"})
    kind = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    table = pa.table({"image": pa.array(rows, kind)})
    pq.write_table(table, "refs.parquet", compression="none", write_page_checksum=True)
    assert nearid("score", "refs.parquet", data / "gens", "--metric", "hog").code == 0
    content = Path("refs.parquet").read_bytes()
    place = content.index(rows[0]["bytes"]) + len(rows[0]["bytes"]) // 2
    Path("refs.parquet").write_bytes(content[:place] + bytes([content[place] ^ 64]) + content[place + 1 :])
    ended = nearid("score", "refs.parquet", data / "gens", "--metric", "hog", "--skip-bad")
    said = "error: data set refs.parquet cannot be read: a file of it is damaged\n"
    assert (ended.code, ended.err) == (2, said)


def test_columns_of_odd_names(nearid: Nearid, data: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    files = sorted((data / "refs").glob("*/*"))
    cells = pa.array([{"bytes": file.read_bytes(), "path": None} for file in files])
    subjects = pa.array([file.parent.name for file in files])
    pq.write_table(pa.table([subjects, cells, subjects], ["image.bytes", "image", "subject"]), "r.parquet")
    local = scored(nearid, data / "refs", data / "gens", "--no-cache")
    assert in_short(scored(nearid, "r.parquet", data / "gens")) == in_short(local)
    pq.write_table(pa.table([cells, subjects, subjects[::-1]], ["image", "subject", "subject"]), "r.parquet")
    ended = nearid("layout", "r.parquet")
    assert (ended.code, "several columns of one name, subject: nobody says" in ended.err) == (2, True), (
        ended.err
    )


@pytest.mark.parametrize("end", ["-00000-of-00001", "", "-0", "_cats"])
def test_splits_are_asked_for(nearid: Nearid, data: Path, end: str) -> None:
    for split in ("train", "test"):
        written(data, "refs", Path(f"r/data/{split}{end}.parquet"))
    ended = nearid("layout", "r")
    assert (ended.code, "several splits, test, train: give the files of one, such as" in ended.err) == (
        2,
        True,
    )
