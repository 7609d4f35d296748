"""Archives, WebDataset shards and data sets of Hugging Face in the place of folders: the same numbers as from disk."""

from __future__ import annotations

import io
import json
import struct
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.commandline import Nearid
from tests.remote.s3_server import S3
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


def test_splits_are_asked_for(nearid: Nearid, data: Path) -> None:
    for split in ("train", "test"):
        written(data, "refs", Path(f"r/data/{split}-00000-of-00001.parquet"))
    ended = nearid("layout", "r")
    assert (ended.code, "several splits, test, train: give the files of one, such as" in ended.err) == (
        2,
        True,
    )
