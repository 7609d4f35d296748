"""Results as JSON, the format that loses nothing. Needs the standard library alone."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from nearid_cli.results import Image
from nearid_cli.results.base import Plain, plain
from nearid_cli.text import storable


def to_json(result: Plain) -> str:
    r"""The result as JSON that any UTF-8 file holds; keys as in docs/reference/numbers.md.

    One line a member, and one an item of a list: as readable as fully indented JSON, and several
    times faster, because Python indents in Python.

    Characters that would move a terminal's cursor or turn its text round are written as `\uXXXX`, which is
    the same to a JSON reader. A byte of a file name that is not UTF-8 becomes backslash text such as `\xff`.

    Raises:
        ValueError: a number is NaN or infinite. Results hold None instead, so this is a bug.
    """
    members = [f"  {_json(key)}: {_item_by_line(value)}" for key, value in result.to_dict().items()]
    return "{\n" + ",\n".join(members) + "\n}"


def image_lines(images: Iterable[tuple[str | None, Image]]) -> str:
    """The generations as JSON lines, each as in `images` of the result, the method first where there is one."""
    return "".join(
        _json(plain(image) if method is None else {"method": method, **plain(image)}) + "\n"
        for method, image in images
    )


def _item_by_line(value: Any) -> str:
    if not isinstance(value, list) or not value:
        return _json(value)
    return "[\n" + ",\n".join(f"    {_json(item)}" for item in value) + "\n  ]"


def _json(value: Any) -> str:
    text = json.dumps(value, allow_nan=False, ensure_ascii=False)
    return text if text.isprintable() else "".join(c if c.isprintable() else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    return json.dumps(storable(character))[1:-1]
