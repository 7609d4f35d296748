"""WebDataset shards: samples in tar archives, whose parts have one name and several extensions.

`000017.jpg` and `000017.json` are a picture and what is said of it. That becomes a table beside the pictures, as
imagefolders have it, so that columns mean what they mean there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nearid_cli.errors import InputError
from nearid_cli.images.formats import EXTENSIONS
from nearid_cli.opening import MalformedError, parse_json, read_regular
from nearid_cli.text import count, first_few, printable

_SAYS = (".json", ".cls")
_LARGEST = 2**20  # bytes of what is said of one picture
TABLE = "metadata.jsonl"


def described(folder: Path, names: Mapping[str, Any]) -> bytes | None:
    """The table of what samples say of their pictures; None where they say nothing, or have a table themselves.

    Args:
        folder: where the parts of the samples lie.
        names: their names, with `/`.

    Raises:
        InputError: a part of a sample cannot be read, or samples have several pictures; all are listed.
    """
    if any(name.rpartition("/")[2].startswith("metadata.") for name in names):
        return None
    pictures: dict[str, str] = {}
    several = []
    for name in names:
        if name.rpartition(".")[2].lower() in EXTENSIONS and pictures.setdefault(_key(name), name) != name:
            several.append(f"{printable(pictures[_key(name)])} and {printable(name)}")
    said = [name for name in names if name.lower().endswith(_SAYS) and _key(name) in pictures]
    if not pictures or len({_key(name) for name in said}) * 2 < len(pictures):
        return None
    if several:
        raise InputError(
            f"{count(len(several), 'sample')} in {printable(folder)} with several pictures: what is called the same up "
            "to the first dot is one sample; write one picture to each",
            first_few(several, 20),
        )
    rows: dict[str, dict[str, Any]] = {key: {"file_name": name} for key, name in pictures.items()}
    wrong = []
    for name in said:
        try:
            content = read_regular(folder / name, _LARGEST)
            rows[_key(name)] |= _class(content) if name.lower().endswith(".cls") else _fields(content)
        except (OSError, MalformedError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else str(error)
            wrong.append(f"{printable(name)}: {why}")
    if wrong:
        raise InputError(
            f"{count(len(wrong), 'part')} of samples in {printable(folder)} cannot be read", wrong[:20]
        )
    return "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows.values()).encode(
        "utf-8", "surrogateescape"
    )


def _key(name: str) -> str:
    """What the parts of a sample have in common: all before the first dot of the file's name."""
    folder, slash, file = name.rpartition("/")
    return folder + slash + file.partition(".")[0]


def _class(content: bytes) -> dict[str, str]:
    text = content.decode().strip()
    return {"class": text} if text else {}


def _fields(content: bytes) -> dict[str, Any]:
    """What JSON says in plain words and numbers; of lists and objects, which no column holds, nothing."""
    found = parse_json(content)
    if not isinstance(found, dict):
        raise ValueError("it is no object of JSON")
    return {
        name: value
        for name, value in found.items()
        if isinstance(value, str | int | float)
        and not isinstance(value, bool)
        and name.lower() != "file_name"
    }
