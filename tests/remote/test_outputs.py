"""Results in stores: written whole or not at all, refused before any work where that shows."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

import pytest

from nearid_cli.errors import InputError, UsageError
from nearid_cli.files import replace_file, replaced_file
from nearid_cli.remote import attempts
from nearid_cli.remote.stores import file_system
from nearid_cli.reports.files import check_outputs, write
from nearid_cli.results.reading import read_score
from tests.remote.s3_server import S3, Reply, Request

BUCKET = "results"
OLD = Path(__file__).parents[1] / "results/old/faithful.json"


@pytest.fixture
def place(s3: S3, monkeypatch: pytest.MonkeyPatch) -> str:
    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(attempts.time, "sleep", lambda seconds: None)
    file_system.cache_clear()
    s3.make(BUCKET)
    return uuid.uuid4().hex


@pytest.mark.parametrize("extension", [".json", ".csv", ".parquet", ".md", ".tex", ".html"])
def test_every_format_is_the_same_in_a_store(s3: S3, place: str, tmp_path: Path, extension: str) -> None:
    result = read_score(OLD)
    # As a Path, which keeps one `/` of two.
    url = Path(f"s3://{BUCKET}/{place}/run{extension}")
    check_outputs([url])
    write(result, url)
    write(result, tmp_path / f"run{extension}")
    assert s3.get(BUCKET, f"{place}/run{extension}") == (tmp_path / f"run{extension}").read_bytes()


def test_what_cannot_be_written_is_refused_before_any_work(s3: S3, place: str) -> None:
    with pytest.raises(
        InputError, match="cannot write 2 outputs: no such bucket: s3://nothing-here"
    ) as caught:
        check_outputs([Path("s3://nothing-here/run.json"), Path(f"s3://{BUCKET}.json")])
    assert caught.value.details == (f"s3://{BUCKET}.json is a bucket; add a name in it",)
    with pytest.raises(UsageError, match=f"s3://{BUCKET}/{place}.json is named twice"):
        check_outputs([Path(f"s3://{BUCKET}/{place}.json")] * 2)
    with pytest.raises(UsageError, match="expected a path, or a URL of s3://"):
        check_outputs([Path("ftp://host/run.json")])
    s3.answer = lambda asked: Reply(403, "InvalidAccessKeyId")
    with pytest.raises(InputError, match="credentials of the environment were refused"):
        check_outputs([Path(f"s3://{BUCKET}/{place}.json")])


def test_who_may_write_and_not_look_writes(s3: S3, place: str) -> None:
    def blind(asked: Request) -> Reply | None:
        return None if asked.method == "PUT" else Reply(403, "AccessDenied")

    s3.answer = blind
    path = Path(f"s3://{BUCKET}/{place}/run.json")
    check_outputs([path])
    replace_file(path, b"{}")
    assert s3.get(BUCKET, f"{place}/run.json") == b"{}"


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        (403, "AccessDenied", "is denied"),
        (404, "NoSuchBucket", "no such bucket"),
        (503, "SlowDown", "too busy"),
    ],
)
def test_what_a_store_refuses_is_one_line_and_leaves_the_old(
    s3: S3, place: str, status: int, code: str, words: str
) -> None:
    path = Path(f"s3://{BUCKET}/{place}/run.json")
    replace_file(path, b"old")
    s3.answer = lambda asked: Reply(status, code)
    with pytest.raises(InputError, match=words) as caught:
        replace_file(path, b"new")
    assert str(caught.value).startswith(f"cannot write s3://{BUCKET}/{place}/run.json: ")
    assert "secret" not in str(caught.value)
    with pytest.raises(InputError, match=words), replaced_file(path) as file:
        file.write(b"newer")
    assert s3.get(BUCKET, f"{place}/run.json") == b"old"
    s3.answer = None
    with pytest.raises(ZeroDivisionError), replaced_file(path) as file:
        file.write(json.dumps(1 / 0).encode())
    assert s3.get(BUCKET, f"{place}/run.json") == b"old"
    with replaced_file(path) as file:
        file.write(b"newer")
    assert s3.get(BUCKET, f"{place}/run.json") == b"newer"
