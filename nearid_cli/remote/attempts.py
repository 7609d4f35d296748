"""Asking a store: again where it is busy, and in one line for people where it refuses.

Every library of every store has exceptions of its own, and fsspec turns some of them into others. What they have in
common is a status of HTTP, most often a code of the store's, and somewhere the error that began it. No text of theirs
is shown: it may hold a signature, or half a key.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from nearid_cli.errors import NearIDError
from nearid_cli.opening import is_transient
from nearid_cli.text import printable

T = TypeVar("T")

ATTEMPTS = 8
"""As often a busy store is asked, where AWS_MAX_ATTEMPTS does not say. The waits between come to half a minute."""

_DIALS = 3  # of a host that does not answer: more often its name is wrong
_FIRST_WAIT, _LONGEST_WAIT = 0.2, 20.0  # seconds

_BUSY = frozenset({
    "SlowDown", "Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequestsException",
    "RequestTimeout", "ServiceUnavailable", "InternalError", "OperationAborted", "IncompleteBody",
})  # fmt: skip
_BUSY_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})
_KEYS = frozenset({
    "InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "ExpiredToken", "TokenRefreshRequired",
    "AuthFailure", "UnrecognizedClientException", "RequestTimeTooSkewed", "RequestExpired", "InvalidSecurity",
})  # fmt: skip
_ELSEWHERE = frozenset({
    "PermanentRedirect", "301", "307", "TemporaryRedirect", "Redirect", "AuthorizationHeaderMalformed",
    "IllegalLocationConstraintException", "InvalidLocationConstraint",
    "RecursionError",  # botocore follows a redirect that says no region without end
})  # fmt: skip
_CHANGED = frozenset({"PreconditionFailed", "412"})
# By names, so that no library is imported to ask whether it raised something.
_NO_CREDENTIALS = frozenset({
    "NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError", "ProfileNotFound",
    "TokenRetrievalError", "UnauthorizedSSOTokenError", "SSOTokenLoadError", "DefaultCredentialsError",
    "LocalTokenNotFoundError",
})  # fmt: skip
_NO_ANSWER = frozenset({
    "EndpointConnectionError", "ConnectTimeoutError", "ProxyConnectionError", "SSLError", "ClientConnectorError",
    "ClientProxyConnectionError", "ClientConnectorDNSError", "ConnectError", "ConnectionError", "ServiceRequestError",
    "ConnectTimeout", "ProxyError",
})  # fmt: skip
_BROKEN_OFF = frozenset({
    "ConnectionClosedError", "ReadTimeoutError", "ResponseStreamingError", "IncompleteReadError", "HTTPClientError",
    "ClientPayloadError", "ServerDisconnectedError", "ClientOSError", "ServerTimeoutError", "FSTimeoutError",
    "ResponseParserError", "RemoteProtocolError", "ReadTimeout", "ReadError", "IncompleteRead", "ServiceResponseError",
    "TruncatedError",
})  # fmt: skip
_OF_THE_MACHINE = frozenset({"ValueError", "FileNotFoundError", "PermissionError", "IsADirectoryError"})
"""What a library of HTTP raises of keys, proxies and certificates that it cannot use, before it asks anybody."""
_BAD_NAME = frozenset(
    {
        "ParamValidationError",
        "InvalidBucketName",
        "InvalidURI",
        "KeyTooLongError",
        "UnknownRegionError",
        "HfUriError",
    }
)


class RemoteError(NearIDError):
    """A store refuses, cannot be reached, or was busy for longer than is waited for."""


class AbsentError(RemoteError):
    """There is no such bucket, object or repository."""


class DeniedError(RemoteError):
    """The credentials are known and may not do this."""


class ChangedError(RemoteError):
    """An object is not the one that was meant: it was replaced since."""


class ArchivedError(RemoteError):
    """An object is kept where it cannot be read from until somebody has it brought back."""


class NoRangesError(RemoteError):
    """A store gives an object whole or not at all."""


class NoBucketError(AbsentError):
    """There is no such bucket, and so nothing can be put into it either."""


class TruncatedError(Exception):
    """Fewer bytes came than were announced. Tried again as what broke off."""


@dataclass(frozen=True)
class _Answer:
    """What an exception says, whoever raised it."""

    names: tuple[str, ...]  # of the classes of the exception and of its causes
    code: str
    status: int | None
    endpoint: str
    transient: bool

    def is_(self, words: frozenset[str]) -> bool:
        return self.code in words or not words.isdisjoint(self.names)

    @property
    def of_settings(self) -> bool:
        """Whether nobody was asked, because what the environment says cannot be used."""
        return (
            self.status is None
            and "HTTPClientError" in self.names
            and not _OF_THE_MACHINE.isdisjoint(self.names)
        )


def patiently(url: str, work: Callable[[], T]) -> T:
    """Ask a store, again with longer and longer waits while it is busy or the connection breaks off.

    Args:
        url: what is asked for, for messages.
        work: asks. Done from the start each time, so it must not matter that it was begun before.

    Returns:
        What `work` gave.

    Raises:
        AbsentError, ChangedError, RemoteError: in one line, without anything that the store wrote.
    """
    most = _attempts()
    began = time.monotonic()
    for attempt in range(1, most + 1):
        try:
            return work()
        except NearIDError:
            raise
        except (
            Exception
        ) as error:  # whatever a library has; what is no matter of the store's goes on as it is
            answer = _answer(error)
            if not _concerns(error, answer):
                raise
            if not _may_pass(answer) or attempt >= (
                most if not answer.is_(_NO_ANSWER) else min(most, _DIALS)
            ):
                raise refusal(error, url, attempt, time.monotonic() - began) from error
            time.sleep(min(_FIRST_WAIT * 2 ** (attempt - 1), _LONGEST_WAIT) * random.uniform(0.5, 1.0))
    raise AssertionError("unreachable")


def refusal(error: Exception, url: str, attempts: int = 1, seconds: float = 0) -> RemoteError:
    """What an exception of a store's library comes to, in one line for people."""
    answer = _answer(error)
    place, scheme = printable(url), url.partition("://")[0]
    bucket = "/".join(url.split("/")[:3])
    if answer.of_settings:
        return _cannot_ask(answer, place, scheme)
    if answer.is_(_NO_CREDENTIALS):
        return RemoteError(f"no credentials for {place}: {_how_to_sign(scheme)}")
    if answer.is_(_CHANGED) or answer.status == 412:
        return ChangedError(f"{place} was replaced while it was read; run again")
    if answer.code == "NoSuchBucket":
        return NoBucketError(f"no such bucket: {printable(bucket)}{_at(answer)}")
    if answer.is_(_KEYS) or answer.status == 401:
        code = f" ({answer.code})" if answer.code else ""
        return RemoteError(
            f"the credentials of the environment were refused for {place}{code}: {_how_to_sign(scheme)}"
        )
    if answer.is_(_ELSEWHERE) or answer.status in (301, 307):
        return RemoteError(
            f"{printable(bucket)} is in another region than was asked: set AWS_DEFAULT_REGION, or AWS_ENDPOINT_URL, to "
            "its own"
        )
    if answer.is_(_BAD_NAME):
        return RemoteError(f"{place}: no bucket or object can have this name")
    if answer.code in ("NoSuchKey", "404") or answer.status == 404 or "FileNotFoundError" in answer.names:
        return AbsentError(f"nothing there: {place}{_at(answer)}")
    if answer.code == "InvalidObjectState":
        return ArchivedError(f"{place} is archived: have its store restore it first")
    if answer.status == 403 or (answer.status is None and "PermissionError" in answer.names):
        code = f" ({answer.code})" if answer.code not in ("", "AccessDenied", "Forbidden", "403") else ""
        return DeniedError(
            f"access to {place} is denied{code}: the credentials of the environment may not do this ({_needed(scheme)})"
        )
    tried = f" (tried {attempts} times in {seconds:.0f} s)" if attempts > 1 else ""
    if answer.is_(_NO_ANSWER):
        where = f" at {printable(answer.endpoint)}" if answer.endpoint else ""
        return RemoteError(
            f"cannot reach the store of {place}{where}{tried}: check the network, the proxy and "
            f"{'AWS_ENDPOINT_URL' if scheme == 's3' else 'the endpoint'}"
        )
    if _may_pass(answer):
        what = answer.code or (f"HTTP {answer.status}" if answer.status else answer.names[0])
        return RemoteError(
            f"the store of {place} is too busy or breaks off: {what}{tried}; run again, what was done is kept"
        )
    if not answer.code and not answer.status:
        return _cannot_ask(answer, place, scheme)
    return RemoteError(f"the store of {place} refuses: {answer.code or f'HTTP {answer.status}'}")


def _cannot_ask(answer: _Answer, place: str, scheme: str) -> RemoteError:
    settings = (
        "AWS_ENDPOINT_URL, AWS_DEFAULT_REGION, AWS_PROFILE, AWS_CA_BUNDLE, keys, " if scheme == "s3" else ""
    )
    return RemoteError(
        f"the store of {place} cannot be asked, or its answer not be read ({answer.names[0]}): check the settings "
        f"of the environment ({settings}proxies) and the files that they name"
    )


def _attempts() -> int:
    said = os.environ.get("AWS_MAX_ATTEMPTS", "")
    return max(1, int(said)) if said.isdecimal() and len(said) < 4 else ATTEMPTS


def _concerns(error: Exception, answer: _Answer) -> bool:
    """Whether an exception says something of a store, rather than that our own code is wrong."""
    ours = isinstance(
        error, TypeError | AttributeError | NameError | AssertionError | LookupError | MemoryError
    )
    return not ours or answer.status is not None


def _may_pass(answer: _Answer) -> bool:
    if answer.of_settings:
        return False
    if answer.status is not None and answer.code not in _BUSY and answer.status not in _BUSY_STATUS:
        return False
    return (
        answer.transient
        or answer.status in _BUSY_STATUS
        or any(map(answer.is_, (_BUSY, _BROKEN_OFF, _NO_ANSWER)))
    )


def _answer(error: BaseException) -> _Answer:
    names: list[str] = []
    code, status, endpoint, transient = "", None, "", False
    for one in _chain(error):
        names += [kind.__name__ for kind in type(one).__mro__ if kind.__name__ not in _TOO_WIDE]
        transient = transient or is_transient(one) or isinstance(one, TimeoutError | ConnectionError)
        response = getattr(one, "response", None)
        if isinstance(response, dict):  # botocore
            code = code or str(response.get("Error", {}).get("Code", ""))
            found = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        else:
            found = next(
                (
                    value
                    for value in (
                        getattr(response, "status_code", None), getattr(one, "status_code", None),
                        getattr(one, "status", None), getattr(one, "code", None),
                    )
                    if isinstance(value, int) and 100 <= value < 600
                ),
                None,
            )  # fmt: skip
        status = status if status is not None else found
        endpoint = endpoint or _endpoint_of(one)
    if not _BROKEN_OFF.isdisjoint(names):
        status = None  # aiohttp gives one to what it could not read
    # A code goes into messages: what a server can put there is a word.
    word = code if code.replace(".", "").isalnum() and code.isascii() and len(code) < 64 else ""
    return _Answer(tuple(names) or (type(error).__name__,), word, status, endpoint, transient)


_TOO_WIDE = frozenset({"Exception", "BaseException", "object", "OSError", "ClientError", "BotoCoreError"})


def _endpoint_of(error: BaseException) -> str:
    said = getattr(error, "kwargs", None)
    found = said.get("endpoint_url") if isinstance(said, dict) else None
    # Scheme and host alone.
    return "/".join(found.split("/")[:3]) if isinstance(found, str) and "@" not in found else ""


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        yield one
        one = one.__cause__ or one.__context__


def _at(answer: _Answer) -> str:
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or ""
    return f" (at {printable(endpoint)})" if endpoint and "@" not in endpoint and answer.code else ""


def _how_to_sign(scheme: str) -> str:
    return {
        "s3": "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE; public buckets: FSSPEC_S3_ANON=true",
        "gs": "set GOOGLE_APPLICATION_CREDENTIALS, or run gcloud auth application-default login",
        "az": "set AZURE_STORAGE_CONNECTION_STRING, or AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
        "hf": "set HF_TOKEN, or run hf auth login",
    }.get(scheme, "see the documentation of the store")


def _needed(scheme: str) -> str:
    return (
        "s3:ListBucket and s3:GetObject to read, s3:PutObject to write"
        if scheme == "s3"
        else "list, read, write"
    )
