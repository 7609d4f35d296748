"""The address of an endpoint and its key: what is valid, and what may be shown."""

from __future__ import annotations

import os
import re
from urllib.parse import urlsplit, urlunsplit

from nearid_cli.errors import UsageError
from nearid_cli.text import printable

KEYS = ("NEARID_JUDGE_KEY", "OPENAI_API_KEY")
"""Environment variables of the key; the first one that is set counts."""


def check_url(url: str) -> str:
    """The address of an endpoint, as far as it can be told by looking at it.

    Raises:
        UsageError: it is none, or has a password in it.
    """
    try:
        parts = urlsplit(url.strip())
        valid = (
            not re.search(r"\s", url.strip())
            and parts.scheme in ("http", "https")
            and bool(parts.hostname)
            and parts.port != 0
        )
    except ValueError:
        valid = False
    if not valid or re.search(r"\s", url.strip()):
        raise UsageError(
            f"--judge-url: expected an address like http://127.0.0.1:8000/v1, found {shown_url(url)}"
        )
    if "@" in parts.netloc:
        raise UsageError(
            f"--judge-url: expected no name and password in the address; a key goes into {KEYS[0]}"
        )
    if parts.path.rstrip("/").endswith("/chat/completions"):
        parts = parts._replace(path=parts.path.rstrip("/").removesuffix("/chat/completions"))
    return urlunsplit(parts._replace(fragment=""))


def shown_url(url: str) -> str:
    """An address for people: without name, password, query and fragment.

    >>> shown_url("https://me:secret@host:1/v1?token=secret")
    'https://host:1/v1'
    """
    return printable(re.sub(r"//[^/]*@", "//", re.split(r"[?#]", url, maxsplit=1)[0]))


def is_here(url: str) -> bool:
    """Whether an address is on this machine, where no proxy finds it.

    >>> is_here("http://127.0.0.1:8000/v1"), is_here("https://judge.example/v1")
    (True, False)
    """
    host = urlsplit(url).hostname or ""
    return host in ("localhost", "::1") or host.startswith("127.")


def find_key() -> tuple[str, str]:
    """The environment variable that has a key, and the key; empty without.

    Raises:
        UsageError: it has characters that no key has.
    """
    for name in KEYS:
        if key := os.environ.get(name, "").strip():
            if not (key.isascii() and key.isprintable()):
                raise UsageError(f"the key in {name} has characters that cannot be sent; copy it again")
            return name, key
    return KEYS[0], ""
