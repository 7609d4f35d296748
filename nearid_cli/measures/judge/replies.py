"""What an endpoint's answer comes to: a reply of the model, none this time, or none ever."""

from __future__ import annotations

import email.utils
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nearid_cli.measures.judge.address import shown_url

ABOUT_FORMAT = re.compile(
    r"response_?\s?format|json_schema|json_object|structured|guided|grammar|schema", re.I
)
"""What an endpoint says that does not take the form of answer that it was asked for."""

_ABOUT_CONTENT = re.compile(
    r"content_?\s?(filter|policy|management)|responsible_?ai|moderation|flagged", re.I
)
_BUSY = (408, 409, 425, 429)


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


class RefusedError(Exception):
    """A request is refused, and would be again.

    Args:
        status: of HTTP.
        said: what the endpoint says about it.
    """

    def __init__(self, status: int, said: str) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status
        self.said = said


def read_reply(status: int, text: str, headers: Mapping[str, str]) -> Reply:
    """The reply in an answer of the endpoint.

    Args:
        status: of HTTP.
        text: its body.
        headers: its headers, whatever their case.

    Raises:
        NoReplyError: there is none, and the next answer may have one.
        RefusedError: there is none, and will not be for the same request.
    """
    content = _json(text)
    complaint = content.get("error")
    if status == 200 and complaint:  # some routers say so what went wrong behind them
        code = complaint.get("code") if isinstance(complaint, dict) else None
        status = code if isinstance(code, int) and 400 <= code < 600 else 500
    if status == 200:
        return _reply(content)
    said = _message(content) if content else "" if "<" in text else text
    if 300 <= status < 400:
        said = shown_url(headers.get("Location", ""))
    exhausted = status == 429 and "insufficient_quota" in text
    if (
        (status in _BUSY or status >= 500)
        and not exhausted
        and not (status >= 500 and ABOUT_FORMAT.search(said))
    ):
        raise NoReplyError(f"HTTP {status}", said, _asked(headers))
    if content and _ABOUT_CONTENT.search(text) and status in (400, 403, 422):
        return Reply(said, refused=True)
    raise RefusedError(status, said)


def _reply(content: Mapping[str, Any]) -> Reply:
    try:
        choice = content["choices"][0]
        message = choice["message"]
        text = message.get("content")
    except (KeyError, IndexError, TypeError, AttributeError):
        raise NoReplyError("not an answer of such an endpoint", str(content)) from None
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


def _json(text: str) -> dict[str, Any]:
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
    except (ValueError, TypeError, OverflowError):  # the last for years beyond all calendars
        return None
