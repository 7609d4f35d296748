"""The text of a table file, whichever Unicode encoding its program wrote."""

from __future__ import annotations

import codecs
import re

# UTF-32 first: its little-endian mark begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (codecs.BOM_UTF8, "utf-8-sig"),
)
# Where the zero bytes of two ASCII characters lie. A table begins with such: the name of a column, or a brace.
_ZEROS = (
    ((1, 2, 3), 4, "utf-32-le"),
    ((0, 1, 2), 4, "utf-32-be"),
    ((1,), 2, "utf-16-le"),
    ((0,), 2, "utf-16-be"),
)


HALF_CHARACTER = re.compile("[\ud800-\udc7f\udd00-\udfff]")
"""A lone surrogate that is no byte of a file's name; JSON may hold one as an escape."""


def decode(data: bytes) -> str:
    r"""UTF-8, UTF-16 and UTF-32 as text, with a byte order mark or without.

    Bytes that are not UTF-8 become lone surrogates: file names are bytes, and a table may hold them as they are.

    Raises:
        ValueError: UTF-16 or UTF-32 that is broken, or zero bytes; the message says which, and where.

    >>> decode("path".encode("utf-16")), decode("path".encode("utf-32-be")), decode(b"caf\xe9")
    ('path', 'path', 'caf\udce9')
    """
    encoding = _encoding(data)
    try:
        text = data.decode(encoding, "surrogateescape" if encoding.startswith("utf-8") else "strict")
    except UnicodeDecodeError as error:
        name = encoding.upper().removesuffix("-LE").removesuffix("-BE")
        raise ValueError(
            f"broken {name}: {error.reason} at byte {error.start:,}; save it as UTF-8"
        ) from error
    if (place := text.find("\0")) >= 0:
        line = text.count("\n", 0, place) + 1
        raise ValueError(f"no text file: line {line:,} holds a zero byte; save it as UTF-8 text")
    return text


def western(text: str) -> str:
    r"""Bytes that are not UTF-8, as what they most often are: Windows-1252, that is Latin-1 and some.

    >>> western("caf\udce9")
    'café'
    """
    return HALF_CHARACTER.sub("?", text).encode("utf-8", "surrogateescape").decode("cp1252", "replace")


def _encoding(data: bytes) -> str:
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return encoding
    for zeros, size, encoding in _ZEROS:
        start = data[: 2 * size]
        if len(start) == 2 * size and all((byte == 0) == (i % size in zeros) for i, byte in enumerate(start)):
            return encoding
    return "utf-8"
