"""Results as JSON, the format that loses nothing. Needs the standard library alone."""

from __future__ import annotations

import json
import re
from typing import Any

from nearid_cli.results import Image, PairResult, ScoreResult

_SURROGATE = re.compile("[\ud800-\udfff]")


def to_json(result: ScoreResult | PairResult) -> str:
    r"""The result as indented JSON that any UTF-8 file holds; keys as in DESIGN section 5.

    A lone surrogate (a byte of a file name that is not UTF-8) becomes backslash text such as `\udcff`.

    Raises:
        ValueError: a number is NaN or infinite. Results hold None instead, so this is a bug.
    """
    return _json(result.to_dict(), indent=2)


def image_lines(images: tuple[Image, ...]) -> str:
    """The generations as JSON lines, each as in `images` of the result."""
    return "".join(_json(vars(image)) + "\n" for image in images)


def _json(value: Any, indent: int | None = None) -> str:
    text = json.dumps(value, allow_nan=False, ensure_ascii=False, indent=indent)
    return _SURROGATE.sub(lambda found: f"\\\\u{ord(found[0]):04x}", text)
