"""Zip archives by URL: what is fetched of them, and that it is what a zip on a disk would give."""

from __future__ import annotations

import itertools
import pickle
import random
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from nearid_cli import elsewhere
from nearid_cli.errors import InputError
from nearid_cli.mirrors import find, here, partial
from nearid_cli.opening import read_regular
from tests.commandline import Nearid
from tests.remote.s3_server import S3, Reply, Request
from tests.remote.test_inputs import numbers, reads, scored

OTHER = random.Random(1).randbytes(3_000_000)
"""What lies between the folders of an archive and is not asked for."""


@pytest.fixture
def packed(data: Path, s3: S3, tmp_path: Path) -> str:
    """The URL of an archive of both sides, and of more."""
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for side in ("refs", "gens"):
            for file in sorted((data / side).rglob("*.*")):
                archive.write(file, file.relative_to(data))
            archive.writestr(f"other/{side}.bin", OTHER)
    return upload(s3, tmp_path / "all.zip")


def upload(s3: S3, file: Path) -> str:
    bucket = f"z{abs(hash(file)) % 10**12}"
    s3.make(bucket)
    s3.put(bucket, file.name, file.read_bytes())
    s3.requests.clear()
    s3.sent = 0
    return f"s3://{bucket}/{file.name}"


def begin_anew(s3: S3) -> None:
    """As another process, which has opened nothing yet."""
    find._unpacked.clear()
    s3.requests.clear()


def test_what_is_asked_for_is_fetched_and_no_more(nearid: Nearid, data: Path, s3: S3, packed: str) -> None:
    local = scored(nearid, data / "refs", data / "gens", "--no-cache")
    assert numbers(scored(nearid, f"{packed}/refs", f"{packed}/gens")) == numbers(local)
    pictures = sum(file.stat().st_size for file in data.rglob("*.*"))
    assert (
        s3.sent < pictures + 2**18 + 100_000
    )  # the end with the table of contents, and some bytes of `other`
    assert len(reads(s3)) == 3  # that end, references and generations
    begin_anew(s3)
    assert numbers(scored(nearid, f"{packed}/refs", f"{packed}/gens")) == numbers(local)
    assert len(reads(s3)) == 1
    layout = nearid("layout", f"{packed}/refs")
    assert (layout.code, "3 subjects" in layout.out) == (0, True), layout.err
    one = f"{packed}/gens/cat/0.png"
    ended = nearid("pair", one, f"{packed}/refs/cat/0.jpg", "--metric", "hog", "--no-cache")
    assert ended.code == 0, ended.err


def test_a_long_table_of_contents(nearid: Nearid, s3: S3, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "many.zip", "w") as archive:
        archive.writestr("other.bin", OTHER)
        for number in range(3_000):
            archive.writestr(f"{'a long name of a subject' * 2}/{number:06}.png", b"x" * 100)
    url = upload(s3, tmp_path / "many.zip")
    ended = nearid("layout", url)
    assert (ended.code, "3,000" in ended.out) == (0, True), ended.err
    assert len(reads(s3)) == 2
    assert s3.sent < 3_000 * 110 + 2**18


def test_an_archive_that_is_replaced_is_never_mixed(
    nearid: Nearid, s3: S3, packed: str, tmp_path: Path
) -> None:
    """After its table of contents was read; likewise while that is read."""
    bucket, key = packed.removeprefix("s3://").split("/")
    content = (tmp_path / "all.zip").read_bytes()
    for before, said in ((2, ".zip/"), (1, packed)):
        s3.put(bucket, key, content)
        begin_anew(s3)
        times = iter([None])

        def answer(request: Request, before: int = before, times: Iterator[None] = times) -> None:
            if request.reads and len(reads(s3)) >= before:
                for _ in times:  # once
                    s3.put(bucket, key, content[:-1] + b"\1")

        s3.answer = answer
        ended = nearid("score", f"{packed}/refs", f"{packed}/gens", "--metric", "hog", "--no-cache")
        assert (ended.code, said in ended.err, "was replaced" in ended.err) == (2, True, True), ended.err


def test_a_store_that_gives_no_parts(nearid: Nearid, data: Path, s3: S3, packed: str) -> None:
    s3.answer = lambda request: Reply(whole=True)
    local = scored(nearid, data / "refs", data / "gens", "--no-cache")
    assert numbers(scored(nearid, f"{packed}/refs", f"{packed}/gens")) == numbers(local)
    assert len(reads(s3)) == 2


def test_a_store_that_is_busy_and_breaks_off(nearid: Nearid, data: Path, s3: S3, packed: str) -> None:
    asked: dict[str, int] = {}

    def answer(request: Request) -> Reply | None:
        place = request.headers.get("Range", "")
        asked[place] = asked.get(place, 0) + 1
        if not request.reads or asked[place] > 2:
            return None
        return Reply(503, "SlowDown") if asked[place] == 1 else Reply(cut=100)

    s3.answer = answer
    local = scored(nearid, data / "refs", data / "gens", "--no-cache")
    assert numbers(scored(nearid, f"{packed}/refs", f"{packed}/gens")) == numbers(local)
    s3.answer = lambda request: Reply(403, "AccessDenied") if len(reads(s3)) > 1 else None
    begin_anew(s3)
    ended = nearid("score", f"{packed}/refs", f"{packed}/gens", "--metric", "hog", "--no-cache")
    assert (ended.code, ended.err.count("access is denied") > 1) == (2, True), ended.err


def _at(place: int, pattern: str, *values: int) -> Callable[[bytearray, int, int], None]:
    return lambda content, header, line: struct.pack_into(pattern, content, line + place, *values)


def _overlaps(content: bytearray, header: int, line: int) -> None:
    other = content.rindex(b"refs/cat/1.jpg") - 46
    content[line + 42 : line + 46] = content[other + 42 : other + 46]


def _other_header(content: bytearray, header: int, line: int) -> None:
    struct.pack_into("<II", content, header + 18, 5, 5)
    struct.pack_into("<H", content, header + 28, 0xFFFF)


def _other_name(content: bytearray, header: int, line: int) -> None:
    content[header + 30 : header + 34] = b"../x"


def _damaged(content: bytearray, header: int, line: int) -> None:
    content[header + 300] ^= 255


@pytest.mark.parametrize(
    "change",
    [
        _at(8, "<H", 1),  # encrypted
        _at(38, "<I", 0o120777 << 16),  # a link
        _at(24, "<I", 2**30 + 1),  # too large
        _at(24, "<I", 10),  # longer than it says
        _at(20, "<II", 2**31, 2**31 - 1),  # of more bytes than there are
        _at(20, "<I", 2**31),  # likewise, and unpacks to what it says
        _at(10, "<H", 99),  # a method that nobody knows
        _at(42, "<I", 2**31),  # behind the end
        _overlaps,
        _other_header,
        _other_name,
        _damaged,
    ],
)
def test_hostile_zips_are_what_they_are_on_a_disk(
    data: Path, s3: S3, tmp_path: Path, change: Callable[[bytearray, int, int], None]
) -> None:
    """The same content or error of each member, and no more bytes than the archive has."""
    with zipfile.ZipFile(tmp_path / "all.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(data / "refs/cat/0.jpg", "refs/cat/0.jpg")
        archive.writestr("other.bin", OTHER)
        archive.write(data / "refs/cat/1.jpg", "refs/cat/1.jpg")
    content = bytearray((tmp_path / "all.zip").read_bytes())
    name = b"refs/cat/0.jpg"
    change(content, content.index(name) - 30, content.rindex(name) - 46)
    (tmp_path / "all.zip").write_bytes(content)
    url = upload(s3, tmp_path / "all.zip")
    assert contents(url) == contents(str(tmp_path / "all.zip"))
    assert s3.sent <= len(content) + 2**17


def contents(place: str) -> dict[str, bytes | str] | str:
    """What is in the references of an archive, or what is said of them."""
    found: dict[str, bytes | str] = {}
    try:
        folder = here(Path(place, "refs/cat"))
    except InputError as error:
        return "\n".join((error.message, *error.details)).replace(place, "ALL")
    for number in range(2):
        try:
            found[f"{number}"] = read_regular(folder / f"{number}.jpg")
        except OSError as error:
            found[f"{number}"] = error.strerror or ""
    return found


def test_another_process_opens_what_a_picture_is_from_once(
    data: Path, s3: S3, packed: str, tmp_path: Path
) -> None:
    """As on several devices: it has listed and opened nothing, and is given one picture after the other."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from nearid_cli.embedding.cache import digest_bytes
    from nearid_cli.embedding.reading import GivenPicture

    files = sorted((data / "gens" / "cat").iterdir())
    rows = [{"bytes": file.read_bytes(), "path": file.name} for file in files]
    pq.write_table(pa.table({"image": rows}), tmp_path / "rows.parquet")
    places = f"{packed}/gens/cat", f"{tmp_path}/all.zip/gens/cat", upload(s3, tmp_path / "rows.parquet")
    pictures = []
    for place in places:
        for path in sorted(here(Path(place)).rglob("*.png"))[:2]:
            picture = GivenPicture(path, digest_bytes(read_regular(path)))
            pictures.append(pickle.dumps(picture))
            (one,), (other,) = (pickle.loads(pickle.dumps(elsewhere.parcels([path]))) for _ in range(2))
            assert one.file.source is other.file.source
    program = "import pickle; [print(pickle.loads(one).open(None).image.size) for one in pickle.load(open(0, 'rb'))]"
    done = subprocess.run(
        [sys.executable, "-c", program], input=pickle.dumps(pictures), capture_output=True, check=False
    )
    assert done.stdout.decode().split("\n") == ["(120, 100)"] * 6 + [""], done.stderr


def test_every_byte_is_fetched_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is expected and asked for, by sixteen threads."""
    monkeypatch.setattr(partial, "_BLOCK", 1_000)
    monkeypatch.setattr(partial, "_AT_ONCE", 700)
    chance = random.Random(6)
    content = chance.randbytes(20_000)
    for _ in range(20):
        fetched: list[tuple[int, int]] = []

        def fetch(start: int, end: int, fetched: list[tuple[int, int]] = fetched) -> bytes:
            fetched.append((start, end))
            return content[start:end]

        file = partial.Partial(fetch, len(content))
        cuts = sorted(chance.sample(range(20_000), 60))
        spans = list(itertools.pairwise(cuts))
        file.expect(chance.sample(spans, 40))
        asked = chance.choices(spans, k=100)

        def work(span: tuple[int, int], file: partial.Partial = file) -> bool:
            file.have(*span)
            return file._read(*span) == content[slice(*span)]

        with ThreadPoolExecutor(16) as pool:
            assert all(pool.map(work, asked))
        assert max(end - start for start, end in list(fetched)) <= 700
        places = [place for span in list(fetched) for place in range(*span)]
        assert len(places) == len(set(places))
        file.expect(spans)
        assert file.seek(100) == 100
        assert file.read(5_000) == content[100:5_100]
