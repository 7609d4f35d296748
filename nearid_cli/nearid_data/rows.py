"""Splits: files that list which rows of a data set to take."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from nearid_cli.errors import InputError
from nearid_cli.text import count, first_few, printable


def read_rows(path: Path, length: int) -> list[int]:
    """Read a JSON list of row positions, or an object that holds one under `indices`.

    Args:
        path: the file, in UTF-8.
        length: how many rows the data set has.

    Returns:
        Unique positions, 0 to `length` - 1, in the order of the file.

    Raises:
        InputError: the file cannot be read, is no such JSON, lists nothing, or lists what is no integer, is
            out of range or comes twice.
    """
    listed = _listed(path)
    if not listed:
        raise InputError(f"{printable(path)} lists no rows")
    # True and False are integers to Python, and 3.0 equals 3; neither is a row position.
    odd = [
        f"entry {place + 1}: {_shown(entry)}" for place, entry in enumerate(listed) if type(entry) is not int
    ]
    if odd:
        found = count(len(odd), "entry that is none", "entries that are none")
        raise InputError(f"{printable(path)}: expected integers, found {found}", first_few(odd))
    beyond = [f"row {_shown(row)}" for row in listed if not 0 <= row < length]
    if beyond:
        raise InputError(
            f"{printable(path)} lists {count(len(beyond), 'row')} that the data set does not have: "
            f"it has {count(length, 'row')}, and the first is 0",
            first_few(beyond),
        )
    repeated = [f"row {row}: {times} times" for row, times in Counter(listed).items() if times > 1]
    if repeated:
        raise InputError(
            f"{printable(path)} lists {count(len(repeated), 'row')} more than once; each may come once",
            first_few(repeated),
        )
    return listed


def _listed(path: Path) -> list[Any]:
    """The list that the file holds, whatever its entries are."""
    expected = 'expected a JSON list of row positions, or {"indices": [...]}'
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise InputError(f"{printable(path)} cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"{printable(path)}: {expected}, found no JSON ({' '.join(str(error).split())})"
        ) from error
    if isinstance(content, dict):
        if "indices" not in content:
            raise InputError(f'{printable(path)}: {expected}, found an object without "indices"')
        content = content["indices"]
    if not isinstance(content, list):
        raise InputError(f"{printable(path)}: {expected}, found {_shown(content)}")
    return content


def _shown(value: object) -> str:
    """A JSON value, cut short."""
    text = json.dumps(value) if not isinstance(value, int) or abs(value) < 10**30 else "a very large integer"
    return text if len(text) <= 40 else f"{text[:37]}..."
