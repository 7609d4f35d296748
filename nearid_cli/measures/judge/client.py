"""A vision-language model behind an OpenAI-compatible endpoint: requests, and again where it is busy.

What an endpoint does not take is found out once a run: JSON by a schema, any JSON, or neither; and which name it has
for the longest answer. The key is in the header of requests and nowhere else: whatever the endpoint says is shown and
kept without it.
"""

from __future__ import annotations

import email.utils
import os
import random
import re
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from nearid_cli import __version__
from nearid_cli.encoders.hub.failures import httpx_module
from nearid_cli.errors import ModelError, UsageError
from nearid_cli.text import did_you_mean, few, printable

KEYS = ("NEARID_JUDGE_KEY", "OPENAI_API_KEY")
"""Environment variables of the key; the first one that is set counts."""

LONGEST_ANSWER = 2048
"""Tokens; a model that repeats itself without end is stopped here."""

_SCHEMA = {
    "type": "object",
    "properties": {"score": {"type": "number"}, "reason": {"type": "string"}},
    "required": ["score", "reason"],
    "additionalProperties": False,
}
_FORMATS: tuple[Mapping[str, Any] | None, ...] = (
    {"type": "json_schema", "json_schema": {"name": "judgement", "strict": True, "schema": _SCHEMA}},
    {"type": "json_object"},
    None,
)
_ABOUT_FORMAT = re.compile(
    r"response_?\s?format|json_schema|json_object|structured|guided|grammar|schema", re.I
)
_ABOUT_LIMIT = re.compile(r"max_completion_tokens", re.I)
_ABOUT_CONTENT = re.compile(
    r"content_?\s?(filter|policy|management)|responsible_?ai|moderation|flagged", re.I
)
_ABOUT_MODEL = re.compile(r"model\b.*(not|unknown|invalid)|(no such|unknown|invalid) model", re.I)
_BUSY = (408, 409, 425, 429)
_LARGEST_REPLY = 10_000_000


@dataclass(frozen=True)
class Retries:
    """How often something is asked again.

    Attributes:
        attempts: at most, the first one counted.
        first: seconds before the second; each further pause is twice as long, less up to a half at random.
        longest: the longest pause, also if the endpoint asks for more: then it is not asked again.
    """

    attempts: int = 7
    first: float = 1.0
    longest: float = 120.0

    def pause(self, attempt: int, asked: float | None) -> float:
        """Seconds after an attempt, counted from 1."""
        own = min(self.first * 2.0 ** (attempt - 1), self.longest) * random.uniform(0.5, 1.0)
        return max(own, asked or 0.0)


@dataclass(frozen=True)
class Reply:
    """What a model answered.

    Attributes:
        text: as it wrote it.
        refused: whether model or endpoint decline to say anything.
        cut: whether it was stopped while it wrote.
        tokens: how many it read and how many it wrote; zeros where the endpoint does not say.
    """

    text: str
    refused: bool = False
    cut: bool = False
    tokens: tuple[int, int] = (0, 0)


class NoReplyError(Exception):
    """No answer came, this time; the message is why, in a few words.

    Args:
        message: why.
        said: what the endpoint says about it.
        after: seconds that the endpoint asks to wait, or None.
    """

    def __init__(self, message: str, said: str = "", after: float | None = None) -> None:
        super().__init__(message)
        self.said = said
        self.after = after


class Endpoint:
    """Asks one model. Several threads may use it at once.

    Args:
        url: its address, as far as and with `/v1`.
        model: what it is called there.
        timeout: seconds that a whole answer may take.
        retries: how often it is asked again.

    Raises:
        UsageError: the address is none, or the key is none.
    """

    def __init__(self, url: str, model: str, timeout: float, retries: Retries) -> None:
        self._url = check_url(url)
        self._model = model
        self._timeout = timeout
        self._retries = retries
        self._key_name, self._key = _key()
        self._format = 0
        self._format_proven = False
        self._limit = "max_tokens"
        self._reached = False
        self._replies = 0
        self._gone = False
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._httpx = httpx_module()
        self._open: Any = None
        _ = self._client

    @property
    def shown(self) -> str:
        """The address for people, without anything that could be a secret."""
        return shown_url(self._url)

    @property
    def sends_key_in_the_open(self) -> bool:
        """Whether a key goes to another machine without encryption."""
        return bool(self._key) and urlsplit(self._url).scheme == "http" and not self._is_here

    @property
    def _is_here(self) -> bool:
        """Whether it is on this machine, where no proxy finds it."""
        host = urlsplit(self._url).hostname or ""
        return host in ("localhost", "::1") or host.startswith("127.")

    @property
    def stopped(self) -> bool:
        """Whether nothing is asked any more."""
        return self._stopped.is_set()

    def stop(self) -> None:
        """Ask nothing again: whoever waits to do so gives up."""
        self._stopped.set()

    def close(self) -> None:
        """Close its connections; the next request opens new ones."""
        with self._lock:
            client, self._open = self._open, None
        if client is not None:
            client.close()

    def ask(self, content: list[dict[str, Any]]) -> Reply:
        """Send one message of the user.

        Args:
            content: its parts, texts and pictures.

        Raises:
            NoReplyError: none came, however often it was asked.
            ModelError: none will ever come: a wrong key, a model that is not there.
        """
        attempt, before = 0, self._replies
        while True:
            if self.stopped:
                raise NoReplyError("the run stopped")
            form, limit = self._format, self._limit
            try:
                status, text, headers = self._post(self._body(content, form, limit))
                reply = self._read(status, text, headers)
            except _RefusedError as refused:
                if not self._yields(refused, form, limit):
                    self.stop()
                    raise self._hopeless(refused) from None
            except NoReplyError as error:
                attempt += 1
                self._wait(attempt, before, error)
            else:
                with self._lock:
                    self._replies += 1
                    self._gone = False
                    self._format_proven |= form == self._format
                return reply

    def hide(self, text: str) -> str:
        """A text without the key."""
        return text.replace(self._key, "***") if self._key else text

    def _clean(self, text: str) -> str:
        """What somebody else says, for a line of ours."""
        words = printable(self.hide(" ".join(text.split())))
        return words if len(words) <= 300 else words[:297] + "..."

    def _body(self, content: list[dict[str, Any]], form: int, limit: str) -> dict[str, Any]:
        body = {
            "model": self._model,
            "messages": [{"role": "user", "content": content}],
            "temperature": 0,
            limit: LONGEST_ANSWER,
        }
        wanted = _FORMATS[form]
        return body if wanted is None else {**body, "response_format": wanted}

    def _post(self, body: Mapping[str, Any]) -> tuple[int, str, Mapping[str, str]]:
        """Status, text and headers of one answer.

        Raises:
            NoReplyError: the connection failed, or it took too long.
        """
        end = time.monotonic() + self._timeout
        httpx = self._httpx
        content = bytearray()
        try:
            with self._client.stream(
                "POST", self._at("/chat/completions"), headers=self._headers(), json=body
            ) as response:
                self._reached = True
                for piece in response.iter_bytes():
                    content += piece
                    if time.monotonic() > end:
                        raise NoReplyError("timed out")
                    if len(content) > _LARGEST_REPLY:
                        raise NoReplyError("an answer without end")
                return response.status_code, content.decode("utf-8", "replace"), response.headers
        except httpx.ConnectError as error:
            reason = _innermost(error)
            if isinstance(reason, ssl.SSLError):
                raise ModelError(
                    f"judge: no secure connection to {self.shown}: {self._clean(str(reason))}"
                ) from None
            raise NoReplyError(self._clean(_words(reason))) from None
        except httpx.ConnectTimeout:
            raise NoReplyError("no connection in time") from None
        except httpx.TimeoutException:
            self._reached = True
            raise NoReplyError("timed out") from None
        except (httpx.HTTPError, OSError) as error:
            self._reached = True
            raise NoReplyError(self._clean(_words(_innermost(error)))) from None

    def _read(self, status: int, text: str, headers: Mapping[str, str]) -> Reply:
        """The reply in an answer.

        Raises:
            NoReplyError: there is none, and the next answer may have one.
            _RefusedError: there is none, and will not be for the same request.
        """
        content = _json(text)
        complaint = content.get("error")
        if status == 200 and complaint:  # some routers say so what went wrong behind them
            code = complaint.get("code") if isinstance(complaint, dict) else None
            status = code if isinstance(code, int) and 400 <= code < 600 else 500
        if status == 200:
            return self._reply(content)
        said = self._clean(_message(content) if content else "" if "<" in text else text)
        if 300 <= status < 400:
            said = shown_url(headers.get("Location", ""))
        exhausted = status == 429 and "insufficient_quota" in text
        if (
            (status in _BUSY or status >= 500)
            and not exhausted
            and not (status >= 500 and _ABOUT_FORMAT.search(said))
        ):
            raise NoReplyError(f"HTTP {status}", said, _asked(headers))
        if content and _ABOUT_CONTENT.search(text) and status in (400, 403, 422):
            return Reply(said, refused=True)
        raise _RefusedError(status, said)

    def _reply(self, content: Mapping[str, Any]) -> Reply:
        try:
            choice = content["choices"][0]
            message = choice["message"]
            text = message.get("content")
        except (KeyError, IndexError, TypeError, AttributeError):
            raise NoReplyError("not an answer of such an endpoint", self._clean(str(content))) from None
        if isinstance(text, list):  # in parts
            text = "".join(str(part.get("text") or "") for part in text if isinstance(part, dict))
        refusal = message.get("refusal")
        finish = choice.get("finish_reason")
        usage = content.get("usage")
        usage = usage if isinstance(usage, dict) else {}
        return Reply(
            str(text or refusal or ""),
            refused=bool(refusal) or finish == "content_filter",
            cut=finish == "length",
            tokens=(_tokens(usage.get("prompt_tokens")), _tokens(usage.get("completion_tokens"))),
        )

    def _yields(self, refused: _RefusedError, form: int, limit: str) -> bool:
        """Ask otherwise from now on, where that may be what the endpoint does not take; False where it is not."""
        with self._lock:
            if _ABOUT_LIMIT.search(refused.said) and limit == "max_tokens":
                self._limit = "max_completion_tokens"
                return True
            if form == len(_FORMATS) - 1:
                return False
            vague = refused.status in (400, 422) and not self._format_proven
            if not (vague or _ABOUT_FORMAT.search(refused.said)):
                return False
            self._format = max(self._format, form + 1)
            return True

    def _wait(self, attempt: int, before: int, error: NoReplyError) -> None:
        """Wait before another attempt.

        Args:
            attempt: how many there were.
            before: how many replies there had been to all requests when the first was made.
            error: what came of the last.

        Raises:
            NoReplyError: there is to be none.
            ModelError: nobody has ever been there.
        """
        if not self._reached and attempt >= min(3, self._retries.attempts):
            self.stop()
            raise ModelError(f"judge: {self.shown} cannot be reached: {error}; is it running?")
        pause = self._retries.pause(attempt, error.after)
        if attempt >= self._retries.attempts or pause > self._retries.longest:
            with self._lock:
                # Whoever has gone is not waited for again and again, pair after pair.
                self._gone = self._replies == before
            raise error
        if self._gone or self._stopped.wait(pause):
            raise error

    def _hopeless(self, refused: _RefusedError) -> ModelError:
        """What the user must do about a request that is refused for good."""
        what = f"{self.shown} answers {refused.status}{f' ({refused.said})' if refused.said else ''}"
        if refused.status in (401, 403):
            key = f"it does not take the key of {self._key_name}" if self._key else f"set {KEYS[0]} to a key"
            return ModelError(f"judge: {what}: {key}")
        if refused.status == 429:
            return ModelError(f"judge: {what}: what was paid for is used up")
        if 300 <= refused.status < 400:
            return ModelError(
                f"judge: {what}: the endpoint is elsewhere; expected its last address in --judge-url"
            )
        if refused.status == 404 or _ABOUT_MODEL.search(refused.said):
            models = self._models()
            if models and self._model not in models:
                hint = did_you_mean(self._model, models)
                hint = hint if hint.startswith("did") else f"it has {few(models, 8)}"
                return ModelError(f"judge: {self.shown} has no model {printable(self._model)}: {hint}")
            if not models and refused.status == 404:
                return ModelError(
                    f"judge: {what}: expected --judge-url as far as /v1, and the model's name there"
                )
        return ModelError(f"judge: {what}")

    def _models(self) -> list[str]:
        """The models that the endpoint says it has; none where it does not say."""
        try:
            response = self._client.get(
                self._at("/models"), headers=self._headers(), timeout=min(self._timeout, 20.0)
            )
            return [printable(self.hide(str(entry["id"]))) for entry in response.json()["data"]]
        except (self._httpx.HTTPError, ValueError, KeyError, TypeError, OSError):
            return []

    @property
    def _client(self) -> Any:
        with self._lock:
            if self._open is None:
                try:
                    self._open = self._httpx.Client(
                        headers={"User-Agent": f"nearid-cli/{__version__}"},
                        timeout=self._httpx.Timeout(self._timeout, connect=min(self._timeout, 20.0)),
                        limits=self._httpx.Limits(max_connections=None),
                        mounts={f"all://{urlsplit(self._url).netloc}": None} if self._is_here else None,
                    )
                except (
                    ImportError,
                    ValueError,
                    OSError,
                ) as error:  # a proxy or certificates of the environment
                    raise ModelError(f"judge: no request to {self.shown} can be made: {error}") from error
            return self._open

    def _at(self, path: str) -> str:
        parts = urlsplit(self._url)
        return urlunsplit(parts._replace(path=parts.path.rstrip("/") + path))

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._key}"} if self._key else {}


class _RefusedError(Exception):
    """A request is refused, and would be again."""

    def __init__(self, status: int, said: str) -> None:
        super().__init__(said)
        self.status = status
        self.said = said


def check_url(url: str) -> str:
    """The address of an endpoint, as far as it can be told by looking at it.

    Raises:
        UsageError: it is none, or has a password in it.
    """
    try:
        parts = urlsplit(url.strip())
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid:
        raise UsageError(
            f"--judge-url: expected an address like http://127.0.0.1:8000/v1, found {shown_url(url)}"
        )
    if "@" in parts.netloc:
        raise UsageError(
            f"--judge-url: expected no name and password in the address; a key goes into {KEYS[0]}"
        )
    if parts.path.rstrip("/").endswith("/chat/completions"):
        parts = parts._replace(path=parts.path.rstrip("/").removesuffix("/chat/completions"))
    return urlunsplit(parts._replace(fragment=""))


def shown_url(url: str) -> str:
    """An address for people: without name, password, query and fragment.

    >>> shown_url("https://me:secret@host:1/v1?token=secret")
    'https://host:1/v1'
    """
    return printable(re.sub(r"//[^/]*@", "//", re.split(r"[?#]", url, maxsplit=1)[0]))


def _key() -> tuple[str, str]:
    """The environment variable that has a key, and the key; empty without.

    Raises:
        UsageError: it has characters that no key has.
    """
    for name in KEYS:
        if key := os.environ.get(name, "").strip():
            if not (key.isascii() and key.isprintable()):
                raise UsageError(f"the key in {name} has characters that cannot be sent; copy it again")
            return name, key
    return KEYS[0], ""


def _json(text: str) -> dict[str, Any]:
    import json

    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _message(content: Mapping[str, Any]) -> str:
    """What an endpoint says is wrong, wherever it says it."""
    error = content.get("error", content)
    if isinstance(error, dict):
        error = error.get("message") or error.get("detail") or ""
    return error if isinstance(error, str) else str(error)


def _tokens(number: Any) -> int:
    return number if isinstance(number, int) and number > 0 else 0


def _asked(headers: Mapping[str, str]) -> float | None:
    """The seconds of `Retry-After`, which may be a date."""
    value = headers.get("Retry-After", "").strip()
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, TypeError):
        return None


def _innermost(error: BaseException) -> BaseException:
    """What lies at the bottom of an exception: the reason, and not what it became on its way."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return error


def _words(error: BaseException) -> str:
    """The reason alone: `Connection refused`, without its number."""
    return (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__
