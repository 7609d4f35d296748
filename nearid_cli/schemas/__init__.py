"""The JSON Schema of every JSON document that nearid writes (draft 2020-12), as files: docs/reference/json.md.

They are made from the result classes by `python scripts/json_schemas.py`; a test keeps them up to date.
"""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

from nearid_cli.errors import UsageError
from nearid_cli.text import unknown

_SUFFIX = ".schema.json"


def names() -> list[str]:
    """What there is a schema of, such as `nearid.score/2`: what documents have under their key `schema`."""
    files = (file.name for file in resources.files(__name__).iterdir())
    return sorted(name.removesuffix(_SUFFIX).replace("-", "/") for name in files if name.endswith(_SUFFIX))


def schema(name: str) -> dict[str, Any]:
    """The JSON Schema of a document.

    Args:
        name: what the document has under its key `schema`, such as `nearid.score/2`.

    Raises:
        UsageError: there is no such schema.

    >>> schema("nearid.pair/1")["title"]
    'nearid.pair/1'
    """
    if name not in names():
        raise UsageError(unknown("schema", name, names()))
    file = resources.files(__name__) / f"{name.replace('/', '-')}{_SUFFIX}"
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found
