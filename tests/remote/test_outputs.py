"""Results in stores: written whole or not at all, refused before any work where that shows."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

import pytest

from nearid_cli.cli.app import main
from nearid_cli.errors import InputError, UsageError
from nearid_cli.files import replace_file, replaced_file
from nearid_cli.remote import attempts
from nearid_cli.reports.files import check_outputs, write
from nearid_cli.results.reading import read_score
from tests.remote.s3_server import S3, Reply, Request

BUCKET = "results"
OLD = Path(__file__).parents[1] / "results/old/faithful.json"


@pytest.fixture
def place(s3: S3, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(attempts.time, "sleep", lambda seconds: None)
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


RULES = """[gate]
baseline = "{baseline}"
[[gate.rules]]
metric = "{metric}"
statistic = "score"
max_drop = 0.1
"""


def test_gate_reads_and_writes_results_by_url(
    s3: S3, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    url = f"s3://{BUCKET}/{place}"
    s3.put(BUCKET, f"{place}/run.json", OLD.read_bytes())
    metric = read_score(OLD).metrics[0].name
    Path("nearid.toml").write_text(RULES.format(baseline=f"{url}/accepted.json", metric=metric))
    assert main(["gate", f"{url}/run.json"]) == 1  # there is no baseline yet, so no drop can be judged
    assert main(["gate", f"{url}/run.json", "--update-baseline"]) == 0
    assert f"{url}/run.json is now the baseline {url}/accepted.json" in capsys.readouterr().err
    assert s3.get(BUCKET, f"{place}/accepted.json") == OLD.read_bytes()
    assert main(["gate", f"{url}/run.json", "-o", f"{url}/verdicts.json"]) == 0
    verdicts = json.loads(s3.get(BUCKET, f"{place}/verdicts.json"))
    assert (verdicts["run"], verdicts["baseline"]) == (f"{url}/run.json", f"{url}/accepted.json")
    assert "its own baseline" not in capsys.readouterr().err
    assert main(["gate", f"{url}/run.json", "--baseline", f"{url}/run.json"]) == 0
    assert f"{url}/run.json is its own baseline" in capsys.readouterr().err
    assert main(["gate", f"{url}/run.json", "-o", f"{url}/run.json"]) == 2
    assert "is an input, too" in capsys.readouterr().err
    assert main(["gate", f"{url}/run.json", "--baseline", "s3://nothing-here/a.json"]) == 2
    assert "no such bucket: s3://nothing-here" in capsys.readouterr().err
    assert main(["gate", f"{url}/none.json"]) == 2
    assert f"nothing there: {url}/none.json" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["demo"],
        ["synth"],
        ["bench", "mtg", "--data", "nothing", "-o"],
        ["layout", "refs", "gens", "-o"],
        ["gate", "init", str(OLD), "-o"],
    ],
    ids=" ".join,
)
def test_what_can_only_lie_on_a_disk_is_no_url(
    place: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    name = {"layout": "rows.csv", "gate": "rules.toml"}.get(arguments[0], "folder")
    assert main([*arguments, f"s3://{BUCKET}/{place}/{name}"]) == 2
    assert f"s3://{BUCKET}/{place}/{name}" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
