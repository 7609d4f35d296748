"""A vision-language model behind an OpenAI-compatible endpoint: requests, and again where it is busy.

What an endpoint does not take is found out once a run: JSON by a schema, any JSON, or neither; and which name it has
for the longest answer. The key is in the header of requests and nowhere else: whatever the endpoint says is shown and
kept without it.
"""

from __future__ import annotations

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
from nearid_cli.errors import ModelError
from nearid_cli.measures.judge.address import KEYS, check_url, find_key, is_here, shown_url
from nearid_cli.measures.judge.replies import ABOUT_FORMAT, NoReplyError, RefusedError, Reply, read_reply
from nearid_cli.measures.judge.workers import Workers
from nearid_cli.text import did_you_mean, few, printable

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
_ABOUT_LIMIT = re.compile(r"max_completion_tokens", re.I)
_ABOUT_MODEL = re.compile(r"model\b.*(not|unknown|invalid)|(no such|unknown|invalid) model", re.I)
_LARGEST_REPLY = 10_000_000
_GRACE = 1.0
"""Seconds; until then a connection can tell better why it timed out."""


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
        self._key_name, self._key = find_key()
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
        return bool(self._key) and urlsplit(self._url).scheme == "http" and not is_here(self._url)

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
                reply = read_reply(status, text, headers)
            except RefusedError as refused:
                refused.said = self._clean(refused.said)
                if not self._yields(refused, form, limit):
                    self.stop()
                    raise self._hopeless(refused) from None
            except NoReplyError as error:
                error.said = self._clean(error.said)
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

        To a connection, an endpoint whose headers come byte by byte is never late, so a thread waits for them that can
        be left behind.

        Raises:
            NoReplyError: the connection failed, or it took too long.
        """
        apart = Workers(1, self._exchange)
        answer = apart.begin(body)
        apart.end()
        try:
            return answer.result(self._timeout + _GRACE)
        except TimeoutError:
            self._reached = True
            raise NoReplyError("timed out") from None

    def _exchange(self, body: Mapping[str, Any]) -> tuple[int, str, Mapping[str, str]]:
        """The same, however long the headers take."""
        if self.stopped:  # a connection that is opened now, nobody closes
            raise NoReplyError("the run stopped")
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

    def _yields(self, refused: RefusedError, form: int, limit: str) -> bool:
        """Ask otherwise from now on, where that may be what the endpoint does not take; False where it is not."""
        with self._lock:
            if _ABOUT_LIMIT.search(refused.said) and limit == "max_tokens":
                self._limit = "max_completion_tokens"
                return True
            if form == len(_FORMATS) - 1:
                return False
            vague = refused.status in (400, 422) and not self._format_proven
            if not (vague or ABOUT_FORMAT.search(refused.said)):
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
        if self.stopped:  # whoever stopped it says why; what failed since may only follow from that
            raise error
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

    def _hopeless(self, refused: RefusedError) -> ModelError:
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
                        mounts={f"all://{urlsplit(self._url).netloc}": None} if is_here(self._url) else None,
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


def _innermost(error: BaseException) -> BaseException:
    """What lies at the bottom of an exception: the reason, and not what it became on its way."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return error


def _words(error: BaseException) -> str:
    """The reason alone: `Connection refused`, without its number."""
    return (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__
