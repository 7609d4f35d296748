"""Reading the score that a model wrote: as JSON if it kept to that, else wherever exactly one score is stated.

A number is taken only if nothing else can be meant by it. Two different scores, a number that may have been cut short
(`{"score": 1` of a 10) and a decimal comma are not read at all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

_THOUGHT = re.compile(r".*</think>", re.DOTALL | re.IGNORECASE)
"""Up to the last end: where a chat template begins the thought, the answer has its end alone."""
_TRAILING_COMMA = re.compile(r",(\s*[}\]])")
_NUMBER = r"(-?\d+(?:\.\d+)?)"
_LONGEST = 20_000
"""Characters; more than any model writes that was asked for one sentence."""


class UnreadableAnswerError(Exception):
    """An answer from which no score can be had; the message is why, in a few words."""


def read_score(text: str, low: float, high: float, cut: bool = False) -> float:
    r"""The score in an answer.

    Args:
        text: the whole answer.
        low: the lowest score of the scale.
        high: the highest.
        cut: whether the model was stopped while it wrote.

    Raises:
        UnreadableAnswerError: there is none, or none that is certain.

    >>> read_score('```json\n{"score": 7, "reason": "alike",}\n```', 0, 10)
    7.0
    >>> read_score("Score: 8/10. The handle differs.", 0, 10)
    8.0
    """
    thought = _THOUGHT.match(text)  # once: a search would begin anew at each character
    text = text[thought.end() if thought else 0 :].strip()
    if not text:
        raise UnreadableAnswerError("truncated" if cut else "empty")
    if "<think>" in text.lower():
        raise UnreadableAnswerError("truncated")
    if len(text) > _LONGEST:
        raise UnreadableAnswerError("far too long")
    found = _found(text, high, cut)
    if not found:
        raise UnreadableAnswerError("truncated" if cut or _breaks_off(text) else "no score in it")
    if len(found) > 1:
        raise UnreadableAnswerError("several scores")
    (score,) = found
    if score is None:
        raise UnreadableAnswerError("a score that is no number")
    if not low <= score <= high:
        raise UnreadableAnswerError(f"score outside {low:g} to {high:g}")
    return float(score)


def _found(text: str, high: float, cut: bool) -> set[float | None]:
    """The different scores, None for one that is no number: of the strictest reading that finds any."""
    text = _unquoted(text)
    for candidate in (text, _TRAILING_COMMA.sub(r"\1", text)):
        if stated := {_number(value, high) for value in _in_objects(candidate)}:
            return stated
    ends = not cut and "{" not in text
    if written := {float(number) for number in _written(high, ends).findall(text)}:
        return set(written)
    alone = None if cut else _alone(text.strip("`*\"' \n"), high)
    return set() if alone is None else {alone}


def _unquoted(text: str) -> str:
    """What a text says that is one string of JSON, and any other as it is."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return value if isinstance(value, str) else text


def _in_objects(text: str) -> Iterator[Any]:
    """The value of every `score` of the JSON objects in a text, however deep."""
    stated: list[Any] = []

    def gather(pairs: list[tuple[str, Any]]) -> None:
        stated.extend(value for key, value in pairs if key.strip().lower() == "score")

    decoder = json.JSONDecoder(object_pairs_hook=gather, parse_constant=lambda name: None)
    start = text.find("{")
    while start >= 0:
        del stated[:]
        try:
            _, end = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):  # not JSON from here on, or nested without end
            end = start + 1
        else:
            yield from stated
        start = text.find("{", end)


def _number(value: Any, high: float) -> float | None:
    """A score as JSON has it: a number, or a text that is nothing else; None for anything else."""
    if isinstance(value, str):
        return _alone(value.strip(), high)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value


def _alone(text: str, high: float) -> float | None:
    """A text that is a number and nothing else, `7` or `7/10`."""
    match = re.fullmatch(rf"{_NUMBER}{_of(high)}\.?", text)
    return float(match[1]) if match else None


def _written(high: float, ends: bool) -> re.Pattern[str]:
    """What a score looks like in prose, and in JSON that is broken elsewhere.

    Args:
        high: the highest score, which may stand behind it: 7/10.
        ends: whether the end of the text may be the end of the number.
    """
    end = r"|\.?$" if ends else ""
    return re.compile(
        rf"\bscore[\"'*]*\s*[:=][\"'*\s]*{_NUMBER}{_of(high)}[\"'*]*\s*(?=,(?!\s*\d)|[}}\]);\n]|\.\s{end})",
        re.IGNORECASE,
    )


def _of(high: float) -> str:
    return rf"(?:\s*(?:/|out of)\s*{re.escape(f'{high:g}')}(?![\d.]*\d))?"


def _breaks_off(text: str) -> bool:
    """Whether JSON was begun and not ended."""
    return text.count("{") > text.count("}")
