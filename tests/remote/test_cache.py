"""The cache under a URL: the same numbers, nothing fetched twice, and no fault of the store ends a run."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from queue import Queue

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from nearid_cli.embedding import objects
from nearid_cli.embedding.cache import Cache, open_cache
from nearid_cli.embedding.parts import COMPACT_ABOVE
from nearid_cli.errors import UsageError
from nearid_cli.remote import attempts
from tests.commandline import Nearid
from tests.embedding.conftest import make_spec
from tests.remote.s3_server import S3, Reply, Request

SPEC = make_spec()
FOLDER = f"embeddings/{SPEC.fingerprint}"
BUCKET = "caches"


def digests(start: int, number: int) -> list[bytes]:
    return [index.to_bytes(32, "big") for index in range(start, start + number)]


def unit_rows(number: int, seed: int = 0, dimension: int = 8) -> np.ndarray:
    rows = np.random.default_rng(seed).standard_normal((number, dimension)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture
def url(s3: S3, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """Where a cache may be, of a machine whose own folder is `tmp_path/here`."""
    monkeypatch.setenv("NEARID_CACHE", str(tmp_path / "here"))
    monkeypatch.setattr(attempts.time, "sleep", lambda seconds: None)
    s3.make(BUCKET)
    s3.requests.clear()
    return f"s3://{BUCKET}/{uuid.uuid4().hex}"


def fetched(s3: S3) -> list[Request]:
    """The parts that were asked for since the last time."""
    found = [one for one in s3.requests if one.reads and one.path.endswith(".parquet")]
    s3.requests.clear()
    return found


def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, url: str) -> Cache:
    """The same cache on another machine."""
    monkeypatch.setenv("NEARID_CACHE", str(tmp_path / f"elsewhere-{uuid.uuid4().hex}"))
    return Cache(url)


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    found = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    caplog.clear()
    return found


def keys(s3: S3, url: str) -> list[str]:
    root = url.removeprefix(f"s3://{BUCKET}/")
    return [key.removeprefix(f"{root}/") for key in s3.keys(BUCKET, root)]


def test_rows_come_back_to_the_last_bit_and_are_fetched_once(
    s3: S3, url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    rows = unit_rows(6)
    cache = Cache(url)
    cache.add(SPEC, digests(0, 3), rows[:3])
    cache.add(SPEC, digests(3, 3), rows[3:])
    assert sorted(key.rpartition("/")[0] for key in keys(s3, url)) == ["", "", FOLDER, FOLDER]
    there = elsewhere(monkeypatch, tmp_path, url)
    for parts_fetched in (2, 0, 0):
        found = there.load(SPEC, digests(0, 7))
        np.testing.assert_array_equal(np.stack([found[one] for one in digests(0, 6)]), rows)
        assert len(fetched(s3)) == parts_fetched
    monkeypatch.setenv("NEARID_CACHE", str(tmp_path / "here"))
    assert len(Cache(url).load(SPEC, digests(0, 6))) == 6
    assert fetched(s3) == []  # what was written here is here


def test_a_folder_that_is_copied_up_is_the_same_cache_and_the_other_way_round(
    s3: S3, url: str, tmp_path: Path
) -> None:
    local = Cache(tmp_path / "folder")
    local.add(SPEC, digests(0, 3), unit_rows(3))
    local.add_absent(SPEC, digests(9, 1))
    s3.put_folder(BUCKET, url.removeprefix(f"s3://{BUCKET}/"), local.folder)
    remote = Cache(url)
    assert {key: row.tobytes() for key, row in remote.load(SPEC, digests(0, 9)).items()} == {
        key: row.tobytes() for key, row in local.load(SPEC, digests(0, 9)).items()
    }
    assert remote.absent(SPEC, digests(0, 10)) == set(digests(9, 1))
    assert [row.numbers for row in remote.info()] == [3]
    remote.add(SPEC, digests(3, 3), unit_rows(3, seed=1))
    for key in keys(s3, url):
        down = tmp_path / "down" / key
        down.parent.mkdir(parents=True, exist_ok=True)
        down.write_bytes(s3.get(BUCKET, f"{url.removeprefix(f's3://{BUCKET}/')}/{key}"))
    assert len(Cache(tmp_path / "down").load(SPEC, digests(0, 6))) == 6
    assert Cache(tmp_path / "down").verify() == (3, [], [])


def test_verify_says_where_parts_are(s3: S3, url: str, tmp_path: Path, nearid: Nearid) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "one.png")
    nearid("embed", tmp_path / "one.png", "--metric", "hog", "--cache", url, "-o", tmp_path / "one.parquet")
    empty = f"{url}/other"
    assert nearid("cache", "verify", "--cache", empty).out.strip() == (
        f"{empty} and the memo of this machine's files in {tmp_path / 'here'}: "
        "1 part of embeddings and of the file memo, all sound"
    )


def test_of_a_large_part_that_holds_nothing_wanted_the_keys_alone_are_fetched(
    s3: S3, url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    cache = Cache(url)
    for start in (0, 1000):
        cache.add(SPEC, digests(start, 1000), unit_rows(1000, start, 512))
    there = elsewhere(monkeypatch, tmp_path, url)
    found = there.load(SPEC, digests(1, 1))
    np.testing.assert_array_equal(found[digests(1, 1)[0]], unit_rows(1000, 0, 512)[1])
    (size,) = {part.size for part in there.listing("embeddings")}
    ranges = [one.headers["Range"].removeprefix("bytes=").split("-") for one in fetched(s3)]
    lengths = [int(end) - int(start) + 1 for start, end in ranges]
    assert lengths.count(size) == 1
    assert sum(lengths) < 1.3 * size
    assert len(list((there.folder / "copies").iterdir())) == 1


def test_a_damaged_copy_is_fetched_again_and_a_damaged_object_set_aside(
    s3: S3, url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cache = Cache(url)
    cache.add(SPEC, digests(0, 3), unit_rows(3))
    cache.add(SPEC, digests(3, 3), unit_rows(3, seed=1))
    for copy in (cache.folder / "copies").iterdir():
        copy.write_bytes(copy.read_bytes()[:-5])
    assert len(cache.load(SPEC, digests(0, 6))) == 6
    assert len(fetched(s3)) == 2
    first = min(key for key in keys(s3, url) if key.startswith(FOLDER))
    key = f"{url.removeprefix(f's3://{BUCKET}/')}/{first}"
    content = s3.get(BUCKET, key)
    s3.put(BUCKET, key, content[:-5])
    damage = f"{url}/{first}: the content does not match the checksum in its name"
    assert cache.verify().damaged == [damage]  # though a copy is sound
    there = elsewhere(monkeypatch, tmp_path, url)
    assert there.verify().damaged == [damage]
    assert len(there.load(SPEC, digests(0, 6))) == 3
    (line,) = said(caplog)
    assert line.startswith("a damaged part of the cache is set aside")
    assert f"{first}.damaged" in keys(s3, url)
    assert first not in keys(s3, url)
    assert there.verify() == (1, [], [])
    # Who has it sound writes it again, over a damaged one as well.
    s3.put(BUCKET, key, content[:-5])
    rows = pq.read_table(tmp_path / "here/copies" / first.rpartition("/")[2])
    there.parts("embeddings", SPEC.fingerprint).write(lambda: rows)
    assert s3.get(BUCKET, key) == content
    assert len(elsewhere(monkeypatch, tmp_path, url).load(SPEC, digests(0, 6))) == 6


def test_an_empty_object_is_damaged_like_any_other(
    s3: S3, url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cache = Cache(url)
    cache.add(SPEC, digests(0, 3), unit_rows(3))
    (part,) = (key for key in keys(s3, url) if key.startswith(FOLDER) and key.endswith(".parquet"))
    s3.put(BUCKET, f"{url.removeprefix(f's3://{BUCKET}/')}/{part}", b"")
    there = elsewhere(monkeypatch, tmp_path, url)
    assert len(there.verify().damaged) == 1
    assert there.load(SPEC, digests(0, 3)) == {}
    (line,) = said(caplog)
    assert line.startswith("a damaged part of the cache is set aside")
    assert part not in keys(s3, url)


def test_bytes_that_are_lost_on_the_way_are_no_damage(
    s3: S3, url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    Cache(url).add(SPEC, digests(0, 3), unit_rows(3))
    cut = iter([9, 0, 0, 0, 0, 0])
    s3.answer = lambda asked: Reply(cut=next(cut)) if asked.path.endswith(".parquet") else None
    assert len(elsewhere(monkeypatch, tmp_path, url).load(SPEC, digests(0, 3))) == 3
    assert said(caplog) == []
    assert len([key for key in keys(s3, url) if key.startswith(FOLDER)]) == 1


def test_what_else_lies_under_the_url_is_left_alone(
    s3: S3, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    cache = Cache(url)
    cache.add(SPEC, digests(0, 3), unit_rows(3))
    root = url.removeprefix(f"s3://{BUCKET}/")
    others = [
        f"{FOLDER}/results.parquet",
        f"{FOLDER}/readme.txt",
        f"{FOLDER}/deep/x.parquet",
        "embeddings/a.parquet",
    ]
    for key in (*others, "unrelated/data.parquet"):
        s3.put(BUCKET, f"{root}/{key}", b"not ours")
    assert len(cache.load(SPEC, digests(0, 3))) == 3
    assert cache.verify() == (1, [], [])
    assert [row.parts for row in cache.info()] == [1]
    cache.compact(above=1)
    (part,) = cache.listing("embeddings")
    assert {one.path for one in fetched(s3)} == {f"/{BUCKET}/{root}/{part.key}"}
    assert set(others) < set(keys(s3, url))
    assert said(caplog) == []
    s3.put(BUCKET, f"{root}/{part.key}.damaged", b"a damaged one")
    cache.clear()
    assert set(keys(s3, url)) == {"CACHEDIR.TAG", "format", "unrelated/data.parquet", *others}


def test_many_parts_are_merged_beside_a_reader(
    s3: S3, url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    number = COMPACT_ABOVE + 4
    rows = unit_rows(number)
    cache = Cache(url)
    for index in range(number):
        cache.add(SPEC, digests(index, 1), rows[index : index + 1])
    there = elsewhere(monkeypatch, tmp_path, url)
    monkeypatch.setattr(objects.Objects, "at_once", 1)
    reading = there.parts("embeddings", SPEC.fingerprint).tables()
    seen = next(reading).column("digest").to_pylist()
    cache.compact()
    for table in reading:
        seen += table.column("digest").to_pylist()
    assert set(seen) == set(digests(0, number))
    assert len([key for key in keys(s3, url) if key.startswith(FOLDER)]) == 1
    found = elsewhere(monkeypatch, tmp_path, url).load(SPEC, digests(0, number))
    np.testing.assert_array_equal(np.stack([found[one] for one in digests(0, number)]), rows)


def _denied(asked: Request) -> Reply | None:
    return Reply(403, "AccessDenied") if asked.method in ("PUT", "DELETE", "POST") else None


def _nothing(asked: Request) -> Reply | None:
    return Reply(403, "AccessDenied")


@pytest.mark.parametrize("refuse", [_denied, _nothing, lambda asked: Reply(503, "SlowDown")])
def test_what_a_store_refuses_ends_no_run_and_is_said_once(
    s3: S3,
    url: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    refuse: Callable[[Request], Reply | None],
) -> None:
    Cache(url).add(SPEC, digests(0, 3), unit_rows(3))
    there = elsewhere(monkeypatch, tmp_path, url)
    s3.answer = refuse
    read = there.load(SPEC, digests(0, 3))
    for start in (3, 4, 5):
        there.add(SPEC, digests(start, 1), unit_rows(1))
    there.tidy()
    (line,) = said(caplog)
    assert line.startswith(f"the cache {url} cannot be {'written' if refuse is _denied else 'read'} (")
    assert "secret" not in line
    assert len(read) == (3 if refuse is _denied else 0)
    if refuse is not _denied:
        assert open_cache(url) is None
        assert said(caplog)[0].endswith("this run goes on without it")
    s3.answer = None
    assert len([key for key in keys(s3, url) if key.startswith(FOLDER)]) == 1


def test_a_busy_store_is_asked_again(
    s3: S3, url: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked = Counter[str]()

    def twice(request: Request) -> Reply | None:
        asked[repr((request.method, request.path, request.query))] += 1
        return (
            Reply(503, "SlowDown") if asked[repr((request.method, request.path, request.query))] < 3 else None
        )

    s3.answer = twice
    Cache(url).add(SPEC, digests(0, 3), unit_rows(3))
    assert len(elsewhere(monkeypatch, tmp_path, url).load(SPEC, digests(0, 3))) == 3
    assert said(caplog) == []


def test_a_bucket_that_is_not_there(s3: S3, url: str, caplog: pytest.LogCaptureFixture) -> None:
    assert open_cache("s3://no-such-bucket-of-ours/cache") is None
    (line,) = said(caplog)
    assert "no such bucket: s3://no-such-bucket-of-ours" in line
    assert line.endswith("this run goes on without it")
    with pytest.raises(UsageError, match="expected the name of a bucket"):
        Cache("s3://")


def test_a_store_of_another_kind_is_no_different(url: str, caplog: pytest.LogCaptureFixture) -> None:
    cache = Cache(f"memory://{BUCKET}/{uuid.uuid4().hex}")
    for index in range(COMPACT_ABOVE + 1):
        cache.add(SPEC, digests(index, 1), unit_rows(1, index))
    cache.tidy()
    (row,) = cache.info()
    assert (row.parts, row.numbers) == (1, COMPACT_ABOVE + 1)
    assert abs(row.written - time.time()) < 3600
    assert cache.verify() == (1, [], [])
    assert len(cache.load(SPEC, digests(0, 99))) == COMPACT_ABOVE + 1
    assert cache.clear() > 0
    assert cache.info() == []
    assert said(caplog) == []


def test_copies_take_bounded_room(s3: S3, url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(objects, "COPIES_BYTES", 20_000)
    monkeypatch.setattr(objects, "_TRIM_BYTES", 1)
    cache = Cache(url)
    for start in range(0, 1000, 100):
        cache.add(SPEC, digests(start, 100), unit_rows(100, start))
    assert sum(file.stat().st_size for file in (cache.folder / "copies").iterdir()) <= 20_000
    assert len(cache.load(SPEC, digests(0, 1000))) == 1000


def test_clear_forgets_one_metric_or_all(s3: S3, url: str, tmp_path: Path) -> None:
    cache = Cache(url)
    other = make_spec("other", "e" * 64)
    cache.add(SPEC, digests(0, 3), unit_rows(3))
    cache.add(other, digests(0, 3), unit_rows(3))
    cache.add_absent(other, digests(5, 1))
    assert cache.clear(metric="other", older_than=3600) == 0
    assert cache.clear(metric="other") > 0
    assert [row.metric for row in cache.info()] == [SPEC.name]
    assert cache.clear() > 0
    assert cache.info() == []
    assert list((cache.folder / "copies").iterdir()) == []


def test_clear_takes_no_name_for_a_pattern(s3: S3, url: str, tmp_path: Path) -> None:
    """Parts of one content have one name in all caches: another one's would go with them, or nothing at all."""
    names = ["runs-*", "runs-1", "runs-[1]"]
    key = f"files/2/{'a' * 64}.parquet"
    for name in names:
        s3.put(BUCKET, f"{url.removeprefix(f's3://{BUCKET}/')}/{name}/{key}", b"content")
    assert keys(s3, url) == [f"{name}/{key}" for name in names]
    for name in ("runs-[1]", "runs-*"):
        assert objects.Objects(f"{url}/{name}", tmp_path).clear("files") == (7, [])
    assert keys(s3, url) == [f"runs-1/{key}"]


def score(s3: S3, place: Path, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "nearid_cli", "score", "--metric", "hog", *arguments],
        cwd=place,
        env={**os.environ, **s3.environment, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def pictures(place: Path, number: int) -> None:
    from PIL import Image

    for index in range(number):
        for side in ("refs", "gens"):
            file = place / side / f"s{index % 2}" / f"{index}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            noise = np.random.default_rng([index, side == "refs"]).integers(0, 255, (40, 40, 3), np.uint8)
            Image.fromarray(noise).save(file)


def test_score_with_everything_under_urls(s3: S3, url: str, tmp_path: Path) -> None:
    pictures(tmp_path, 4)
    s3.put_folder(BUCKET, url.removeprefix(f"s3://{BUCKET}/"), tmp_path)
    asked = (f"{url}/refs", f"{url}/gens", "--cache", f"{url}/cache", "-o")
    here = {"NEARID_CACHE": str(tmp_path / "here")}

    begun: Queue[subprocess.Popen[str]] = Queue()

    def kill(request: Request) -> Reply | None:
        if request.method == "PUT" and request.path.endswith(".parquet"):
            begun.get().kill()
        return None

    s3.answer = kill
    killed = score(s3, tmp_path, *asked, f"{url}/killed.json", **here)
    begun.put(killed)
    killed.communicate(timeout=300)
    assert killed.returncode == -signal.SIGKILL
    s3.answer = None
    cold = score(s3, tmp_path, *asked, f"{url}/cold.json", **here)
    said_cold = cold.communicate(timeout=300)
    assert cold.returncode == 0, said_cold
    s3.requests.clear()
    # Another machine, where the environment names the cache, and nothing is kept.
    elsewhere = {"NEARID_CACHE": f"{url}/cache", "XDG_CACHE_HOME": str(tmp_path / "xdg")}
    warm = score(s3, tmp_path, *asked[:2], "-o", f"{url}/warm.json", **elsewhere)
    said_warm = warm.communicate(timeout=300)
    assert warm.returncode == 0, said_warm
    assert said_warm[0] == said_cold[0]
    assert [one.path.rpartition("/")[2] for one in s3.requests if one.method == "PUT"] == ["warm.json"]
    assert (tmp_path / "xdg/nearid/copies").is_dir()
    local = score(s3, tmp_path, "refs", "gens", "--no-cache", "-o", "local.json", **here)
    local.communicate(timeout=300)
    assert local.returncode == 0
    root = url.removeprefix(f"s3://{BUCKET}/")
    results = [json.loads(s3.get(BUCKET, f"{root}/{name}.json")) for name in ("cold", "warm")]
    results.append(json.loads((tmp_path / "local.json").read_text()))
    assert [one["aggregate"] for one in results] == [results[0]["aggregate"]] * 3
    assert "killed.json" not in keys(s3, url)


WRITER = """
import os
import sys
import numpy as np
from nearid_cli.embedding import parts
from nearid_cli.embedding.cache import Cache
from tests.remote.test_cache import SPEC, digests, unit_rows
print(os.getpid(), flush=True)
sys.stdin.readline()
cache = Cache(sys.argv[1])
first, number = int(sys.argv[2]), int(sys.argv[3])
for index in range(first, first + number):
    cache.add(SPEC, digests(index, 2), unit_rows(1000)[index : index + 2])
    cache.compact(above=3)
"""


def writer(s3: S3, url: str, place: Path, first: int, number: int) -> subprocess.Popen[str]:
    """A process that adds so many parts and merges them; it waits for a line before it begins."""
    started = subprocess.Popen(
        [sys.executable, "-c", WRITER, url, str(first), str(number)],
        env={**os.environ, **s3.environment, "NEARID_CACHE": str(place)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert started.stdout is not None
    started.stdout.readline()
    return started


def finished(started: subprocess.Popen[str]) -> int:
    _, said = started.communicate("\n", timeout=900)
    assert "Traceback" not in said, said
    return started.returncode


def check_all(found: Cache, first: int, number: int) -> None:
    """Rows are there, and are those that were computed."""
    asked = digests(first, number)
    there = found.load(SPEC, asked)
    assert len(there) == number
    np.testing.assert_array_equal(
        np.stack([there[one] for one in asked]), unit_rows(1000)[first : first + number]
    )
    assert (found.verify().damaged, found.verify().unread) == ([], [])


@pytest.mark.parametrize(
    ("at", "arrives"),
    [
        pytest.param(at, arrives, marks=() if (at, arrives) == (7, True) else pytest.mark.torture)
        for at in range(1, 13)
        for arrives in (True, False)
    ],
)
def test_killed_at_any_change_of_the_store(
    s3: S3, url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, at: int, arrives: bool
) -> None:
    process = writer(s3, url, tmp_path / "killed", 0, 5)
    changes = 0

    def kill(asked: Request) -> Reply | None:
        nonlocal changes
        if asked.method not in ("PUT", "DELETE"):
            return None
        changes += 1
        if changes < at:
            return None
        process.kill()
        return None if arrives and changes == at else Reply(503, "SlowDown")

    s3.answer = kill
    assert finished(process) == -signal.SIGKILL
    s3.answer = None
    there = elsewhere(monkeypatch, tmp_path, url)
    assert there.verify().damaged == []
    kept = there.load(SPEC, digests(0, 6))
    if kept:
        check_all(there, 0, len(kept))  # as they were added, none is missing between
    assert finished(writer(s3, url, tmp_path / "killed", 0, 5)) == 0
    check_all(elsewhere(monkeypatch, tmp_path, url), 0, 6)


@pytest.mark.torture
def test_eight_processes_add_and_merge_at_once(
    s3: S3, url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    processes = [writer(s3, url, tmp_path / f"machine-{index % 3}", 8 * index, 8) for index in range(8)]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    assert [finished(process) for process in processes] == [0] * 8
    check_all(elsewhere(monkeypatch, tmp_path, url), 0, 65)
    check_all(Cache(url), 0, 65)
