"""Inputs made of others: by their bytes, and by what their grammar says they are."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

ODD_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2, 0.5, -0.0, 1e-320, 1e308, -1e308, 2**31, 2**53 + 1, 10**30, 10**400, float("nan"),
    float("inf"), float("-inf"), "", " ", "a", "0", "nan", "a\nb", "a\0b", "\ud800", "\udcff", "../../x", "~nobody/x",
    "/proc/self/environ", "\u202eabc", "\x1b[31m", "=1+1", "::stop::", "x" * 300, "\u200b", "é", "<b>", "{method}",
    [], [None], [[]], {}, {"": None}, {"a": 1}, ["a", 1],
)  # fmt: skip
ODD_CELLS = (
    "", " ", "-", "nan", "NaN", "inf", "-inf", "1e999", "1,5", "1,234", "0.5", "7", "-1", "9" * 400, "9" * 5000, "1_0",
    "٣", "\ufeff", "\x00", "\ud800", '"', '""', "'", ";", "\t", "../x", "/etc/passwd", "~nobody/x", "cat", "cat/0.png",
    "x" * 200_000, "[0,0,1,1]", "reference", "True", "null", "=1",
)  # fmt: skip
ODD_TEXT = (
    "1e999", "nan", "inf", "-inf", "9" * 400, "0x" + "f" * 6000, "9" * 5000, '"' + "x" * 400 + '"', '"~nobody/x"',
    '"\\u0000"', "true", "[]", "{}", "[[[]]]", "[" * 3000, "{a=" * 2000, "''", '"\u202e"', "1979-05-27", "0.5",
)  # fmt: skip
ODD_BYTES = (
    b"", b"\0", b"\xff", b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b"[" * 2000, b"{", b"}", b'"', b"\\", b"\n", b"\r",
    b"\r\n", b",", b"\x1b[2J", b"\xed\xa0\x80", b"1e999", b"-", b"9" * 5000, b"<think>", b"</think>", b"score",
)  # fmt: skip


def mutated(random: Random, seeds: Sequence[bytes], grammar: str) -> bytes:
    """One input: a seed after a few changes, most of which keep its grammar."""
    data = random.choice(seeds)
    change = _BY_GRAMMAR.get(grammar)
    if change is not None and random.random() < 0.7:
        for _ in range(random.choice((1, 1, 1, 2, 4))):
            data = change(random, data)
    if change is None or random.random() < 0.4:
        for _ in range(random.choice((1, 1, 2, 8))):
            data = _bytes(random, data, seeds)
    return data


def _bytes(random: Random, data: bytes, seeds: Sequence[bytes]) -> bytes:
    start, end = sorted(random.randrange(len(data) + 1) for _ in range(2))
    if random.random() < 0.7:
        end = min(end, start + 8)
    piece = random.choice(
        (
            random.choice(ODD_BYTES),
            random.randbytes(random.randrange(5)),
            data[start:end] * random.choice((2, 2, 30)),
            random.choice(seeds)[start:end],
        )
    )
    return data[:start] + piece + data[end:]


def _json(random: Random, data: bytes) -> bytes:
    """Change a value somewhere in a document, or in one of its lines."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return _json_line(random, data)
    holder: dict[str, Any] = {"": document}
    places = _places(holder)
    parent, key = random.choice(places)
    action = random.randrange(8)
    if action < 4:
        parent[key] = copy.deepcopy(random.choice(ODD_VALUES))
    elif action == 4 and parent is not holder:
        del parent[key]
    elif action == 5:
        other, place = random.choice(places)
        if place in other if isinstance(other, dict) else place < len(other):
            parent[key] = copy.deepcopy(other[place])
    elif action == 6 and isinstance(parent, list):
        parent.extend(copy.deepcopy(parent[:20]))
    elif isinstance(parent, dict) and parent is not holder:
        name = random.choice([one for one in ODD_VALUES if isinstance(one, str)])
        parent[name] = parent.pop(key)
    return json.dumps(holder[""], ensure_ascii=random.random() < 0.8).encode("utf-8", "surrogatepass")


def _json_line(random: Random, data: bytes) -> bytes:
    lines = data.splitlines()
    places = [place for place, line in enumerate(lines) if line[:1] in (b"{", b"[")]
    if not places:
        return data
    place = random.choice(places)
    try:
        json.loads(lines[place])
    except (ValueError, RecursionError):
        return data
    lines[place] = _json(random, lines[place])
    return b"\n".join(lines)


def _places(holder: dict[str, Any]) -> list[tuple[Any, Any]]:
    """Every value with what holds it."""
    found: list[tuple[Any, Any]] = []
    waiting: list[Any] = [holder]
    while waiting:
        one = waiting.pop()
        for key, value in one.items() if isinstance(one, dict) else enumerate(one):
            found.append((one, key))
            if isinstance(value, (dict, list)):
                waiting.append(value)
    return found


def _csv(random: Random, data: bytes) -> bytes:
    """Change a cell, a row or a column of a table."""
    if data[:1] in (b"{", b"["):
        return _json(random, data)
    rows = [line.split(b",") for line in data.split(b"\n")]
    row = random.choice(rows)
    action = random.randrange(6)
    if action < 3:
        row[random.randrange(len(row))] = random.choice(ODD_CELLS).encode("utf-8", "surrogatepass")
    elif action == 3:
        rows.insert(random.randrange(len(rows) + 1), list(row))
    elif action == 4:
        rows.remove(row)
    else:
        place = random.randrange(len(rows[0]))
        for one in rows:
            del one[place : place + 1]
    return b"\n".join(b",".join(one) for one in rows)


def _toml(random: Random, data: bytes) -> bytes:
    """Change what stands behind the sign of a line, or the lines themselves."""
    lines = data.split(b"\n")
    place = random.randrange(len(lines))
    action = random.randrange(6)
    key, sign, _ = lines[place].partition(b"=")
    if action < 3 and sign:
        lines[place] = key + b"= " + random.choice(ODD_TEXT).encode("utf-8", "surrogatepass")
    elif action == 3:
        del lines[place]
    elif action == 4:
        lines.insert(random.randrange(len(lines) + 1), lines[place])
    else:
        other = random.choice(lines)
        lines[place] = other.partition(b"=")[0] + sign + lines[place].partition(b"=")[2]
    return b"\n".join(lines)


_BY_GRAMMAR: dict[str, Callable[[Random, bytes], bytes]] = {"json": _json, "csv": _csv, "toml": _toml}
