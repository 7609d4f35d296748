"""Asking a store: what URLs are, again where it is busy, and one line where it refuses."""

from __future__ import annotations

import pytest

from nearid_cli.errors import UsageError
from nearid_cli.remote import attempts, objects
from nearid_cli.remote.attempts import AbsentError, RemoteError, TruncatedError, patiently
from nearid_cli.remote.stores import Location, file_system, locate
from tests.commandline import Nearid
from tests.remote.s3_server import S3, Reply

CODES = [
    ("NoSuchBucket", 404, "no such bucket: s3://pictures (at {endpoint})"),
    ("NoSuchKey", 404, "nothing there: s3://pictures/a.png (at {endpoint})"),
    ("AccessDenied", 403, "access to s3://pictures/a.png is denied"),
    ("InvalidAccessKeyId", 403, "the credentials of the environment were refused"),
    ("SignatureDoesNotMatch", 403, "the credentials of the environment were refused"),
    ("ExpiredToken", 400, "the credentials of the environment were refused"),
    ("PermanentRedirect", 301, "s3://pictures is in another region"),
    ("AuthorizationHeaderMalformed", 400, "s3://pictures is in another region"),
    ("PreconditionFailed", 412, "s3://pictures/a.png was replaced while it was read"),
    ("SlowDown", 503, "too busy or breaks off: SlowDown (tried 8 times"),
    ("InternalError", 500, "too busy or breaks off: InternalError (tried 8 times"),
    ("MethodNotAllowed", 405, "refuses: MethodNotAllowed"),
    ("QuotaExceeded", 403, "access to s3://pictures/a.png is denied (QuotaExceeded)"),
    ("InvalidObjectState", 403, "s3://pictures/a.png is archived: have its store restore it first"),
    ("KMS.DisabledException", 400, "refuses: KMS.DisabledException"),
]


@pytest.fixture
def asked(s3: S3, monkeypatch: pytest.MonkeyPatch) -> S3:
    """The server, as this process finds it, with waits between attempts of no length."""
    monkeypatch.setattr(attempts.time, "sleep", lambda seconds: None)
    s3.make("pictures")
    s3.put("pictures", "a.png", b"content")
    return s3


def read() -> bytes:
    place = locate("s3://pictures/a.png")
    return patiently(
        place.url, lambda: place.files.call_s3("get_object", Bucket="pictures", Key="a.png")["ETag"]
    )


@pytest.mark.parametrize(("code", "status", "message"), CODES)
def test_a_refusal_is_one_line_without_what_the_store_wrote(
    asked: S3, code: str, status: int, message: str
) -> None:
    asked.answer = lambda request: Reply(status, code)
    with pytest.raises(RemoteError) as raised:
        read()
    said = str(raised.value)
    assert message.format(endpoint=asked.endpoint) in said
    assert "\n" not in said
    assert "secret" not in said.replace("AWS_SECRET_ACCESS_KEY", "")
    assert isinstance(raised.value, AbsentError) == (status == 404)


@pytest.mark.parametrize(("code", "status"), [("SlowDown", 503), ("InternalError", 500), ("", 429)])
def test_a_busy_store_is_asked_again(asked: S3, code: str, status: int) -> None:
    left = iter([Reply(status, code)] * 5)
    asked.answer = lambda request: next(left, None)
    assert read()
    assert len(asked.requests) == 6


def test_what_is_no_matter_of_the_store_goes_on_as_it_is() -> None:
    def wrong() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        patiently("s3://b", wrong)


def test_a_connection_that_breaks_off_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts.time, "sleep", lambda seconds: None)
    left = iter([TruncatedError(), ConnectionResetError(), TimeoutError()])

    def work() -> str:
        for error in left:
            raise error
        return "done"

    assert patiently("s3://b", work) == "done"


def test_nobody_answers(asked: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    file_system.cache_clear()
    with pytest.raises(
        RemoteError, match=r"cannot reach the store of s3://pictures/a.png at http://127.0.0.1:9 \(tried 3"
    ):
        read()


def test_no_credentials(asked: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    file_system.cache_clear()
    with pytest.raises(RemoteError, match=r"no credentials for s3://pictures/a\.png: set AWS_ACCESS_KEY_ID"):
        read()
    assert not asked.requests


@pytest.mark.parametrize(
    "settings",
    [
        {"AWS_ENDPOINT_URL": "127.0.0.1:9000"},
        {"AWS_DEFAULT_REGION": "us east 1!"},
        {"AWS_CA_BUNDLE": "/nowhere/ca.pem"},
        {"AWS_ACCESS_KEY_ID": "key\nof-tests"},
        {"AWS_RETRY_MODE": "often"},
        {"http_proxy": "::::", "no_proxy": ""},
    ],
)
def test_settings_that_cannot_be_used_are_said_at_once(
    asked: S3, monkeypatch: pytest.MonkeyPatch, settings: dict[str, str]
) -> None:
    """Nobody was asked, so nobody is too busy, and nothing is not there."""
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    file_system.cache_clear()
    with pytest.raises(RemoteError) as raised:
        read()
    assert "check the settings of the environment (AWS_ENDPOINT_URL, " in str(raised.value)
    assert "tried" not in str(raised.value)
    assert not asked.requests


PAGE = "<ListBucketResult><IsTruncated>true</IsTruncated>{}</ListBucketResult>"
CONTENTS = "<Contents><Key>refs/a.png</Key><ETag>e</ETag>{}</Contents>"


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (CONTENTS.format("<Size>1</Size>"), "that there is more, and not where it goes on"),
        ("<NextMarker>refs/a.png</NextMarker>", "that there is more, and not where it goes on"),
        ("<NextContinuationToken>t</NextContinuationToken>", "that there is more, and not where it goes on"),
        (CONTENTS.format(""), "objects without a name or a size"),
    ],
)
def test_a_listing_that_is_none_ends(nearid: Nearid, asked: S3, said: str, why: str) -> None:
    """That of a store that knows an older protocol only would be the first page, or go on for ever."""
    page = PAGE.format(said)
    asked.answer = lambda request: Reply(
        content=(page if len(asked.requests) < 9 else page.replace("true", "false")).encode()
    )
    ended = nearid("layout", "s3://pictures/refs")
    assert ended.code == 2
    assert f"error: cannot list s3://pictures/refs: its store says {why}" in ended.err
    assert len(asked.requests) <= 2


@pytest.mark.parametrize(
    "url",
    [
        "s3://key:hunter2@bucket/x",
        "s3://hunter2@bucket",
        "s3://b/x?X-Amz-Signature=hunter2",
        "az://c/x?sv=1&sig=hunter2",
    ],
)
def test_a_secret_in_a_url_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(UsageError, match="in the environment") as raised:
        locate(url)
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize(("scheme", "package"), [("gs", "gcsfs"), ("az", "adlfs")])
def test_a_package_that_is_lacking_is_named(scheme: str, package: str) -> None:
    with pytest.raises(UsageError, match=f"{scheme}:// needs a package.*: pip install {package}"):
        locate(f"{scheme}://bucket/refs")


def test_a_location() -> None:
    place = locate("memory://bucket/refs/")
    assert (place.url, place.path) == ("memory://bucket/refs", "/bucket/refs")
    assert isinstance(place.below("a"), Location)
    assert place.below("a").url == "memory://bucket/refs/a"


def test_a_proxy_that_is_not_there(asked: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("http_proxy", "http://me:hunter2@127.0.0.1:9")
    file_system.cache_clear()
    with pytest.raises(RemoteError, match="check the network, the proxy and AWS_ENDPOINT_URL") as raised:
        read()
    assert "hunter2" not in str(raised.value)
    assert not asked.requests


@pytest.mark.parametrize(
    "arguments",
    [
        "train --positives URL --distractors d --backbone b -o o",
        "train --positives p --distractors URL --backbone b -o o",
        "train --positives p --distractors d --backbone b -o o --rows URL",
        "bench nearid --positives p --distractors URL",
        "bench mtg --data URL",
        "bench dreambench --ratings r --scores name=URL",
        "bench table1 --samples URL --ratings r",
        "bench tables URL",
    ],
)
def test_benchmarks_and_training_read_no_urls(nearid: Nearid, arguments: str) -> None:
    for url in ("s3://bucket/data", "hf://datasets/owner/name"):
        ended = nearid(*arguments.replace("URL", url).split())
        assert (ended.code, len(ended.err.splitlines())) == (2, 1), ended.err
        assert f"{url}: expected a path on this machine or a Hub id" in ended.err
        assert "download it (hf download, aws s3 sync), and give the folder" in ended.err


def test_more_objects_than_are_listed(nearid: Nearid, s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "MOST", 20)
    s3.make("many-objects")
    s3.fill("many-objects", "gens/cat/", 21)
    ended = nearid("layout", "s3://many-objects/gens")
    assert (ended.code, ended.err) == (
        2,
        "error: more than 20 objects below s3://many-objects/gens: give a narrower prefix, or a manifest that names "
        "those that count\n",
    )
