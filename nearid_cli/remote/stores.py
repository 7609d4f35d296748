"""URLs, and the file systems behind them.

Nothing here is imported where nobody gives a URL; fsspec and the package of a store are imported when the first one is.
Who may read and write is told by the environment alone, as each store's own tools have it. A URL is written into
results and logs, and so it is refused where it holds a secret.
"""

from __future__ import annotations

import os
import re
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from nearid_cli.errors import UsageError
from nearid_cli.text import printable

EXTRA = "remote"
_INSTALL = f"pip install 'nearid-cli[{EXTRA}]'"

STORES = {
    "s3": _INSTALL,
    "gs": "pip install gcsfs",
    "az": "pip install adlfs",
    "hf": _INSTALL,
    "memory": _INSTALL,
}
"""The schemes that are read, and but for `hf` written; and what makes them so where that is lacking."""

_URL = re.compile(r"[a-z][a-z0-9+.-]*://")
_LIKE_URL = re.compile(r"([a-z][a-z0-9+.-]+):/+")
_SECRET_IN_QUERY = re.compile(
    r"[?&](x-amz-|x-goog-|sig=|signature=|awsaccesskeyid=|token=|access_token=)", re.I
)


class Location(NamedTuple):
    """A place in a store.

    Attributes:
        url: how people write it, without `/` at its end.
        files: fsspec's file system.
        path: the place in it, as `files` has paths: `bucket/key` for `s3://bucket/key`.
    """

    url: str
    files: Any
    path: str

    @property
    def bucket(self) -> str:
        """What holds it: the first part of its path."""
        return self.path.partition("/")[0]

    def below(self, name: str) -> Location:
        """What is called `name`, with `/`, below it."""
        return Location(f"{self.url}/{name}", self.files, f"{self.path}/{name}")


def is_url(text: str | os.PathLike[str]) -> bool:
    """Whether somebody means a URL rather than a path.

    >>> is_url("s3://bucket/refs"), is_url("refs"), is_url("C:/refs")
    (True, False, False)
    """
    return _URL.match(os.fspath(text)) is not None


def url_of(path: str | os.PathLike[str]) -> str | None:
    """The URL that is meant by a text, or by a Path, which keeps one `/` of two; None for a path.

    >>> from pathlib import Path
    >>> url_of(Path("s3://bucket/run.json")), url_of("s3://bucket"), url_of("refs"), url_of("C:/refs")
    ('s3://bucket/run.json', 's3://bucket', None, None)
    """
    text = os.fspath(path)
    found = _LIKE_URL.match(text)
    return f"{found[1]}://{text[found.end() :]}" if found and not os.path.lexists(text) else None


def in_a_store(url: str) -> bool:
    """Whether a URL is of a store, with both of its `/`.

    >>> in_a_store("s3://bucket/a.png"), in_a_store("https://host/a.png"), in_a_store("cat:/a.png")
    (True, False, False)
    """
    scheme, separator, _ = url.partition("://")
    return bool(separator) and scheme in STORES


def refuse_empty_parts(argument: str) -> None:
    """Raise UsageError for a URL of a store that would be another one as a Path, which has no empty parts.

    >>> refuse_empty_parts("--judge-url=http://host//v1")  # no store's, and no Path is made of it
    >>> refuse_empty_parts("--method=a=s3://bucket//x")
    Traceback (most recent call last):
    nearid_cli.errors.UsageError: s3://bucket//x: no part of a URL may be empty
    """
    found = re.search(r"(?:^|=)([a-z][a-z0-9+.-]+://.*)", argument)
    if found and in_a_store(found[1]) and "//" in found[1].partition("://")[2] and "@" not in found[1]:
        raise UsageError(f"{printable(found[1])}: no part of a URL may be empty")


def as_path(given: str | os.PathLike[str]) -> Path:
    """A Path of what a program gives, which may be a URL.

    Raises:
        UsageError: it would be another URL as a Path.
    """
    refuse_empty_parts(os.fspath(given))
    return Path(given)


def named(path: str | os.PathLike[str]) -> str:
    """A path or a URL as messages show it."""
    return printable(url_of(path) or path)


def check_on_disk(path: str | os.PathLike[str]) -> None:
    """Raise UsageError where a URL is given for what can only lie on a disk."""
    if url := url_of(path):
        raise UsageError(
            f"{printable(url)}: expected a path on this machine; write there, and copy what came of it"
        )


def locate(url: str) -> Location:
    """The place that a URL names. Asks nobody: whether there is such a place shows when it is used.

    Raises:
        UsageError: it is no such URL, holds a secret, or a package that is needed is not installed.

    >>> locate("ftp://x/y")
    Traceback (most recent call last):
    nearid_cli.errors.UsageError: ftp://x/y: expected a path, or a URL of s3://, gs://, az://, hf:// or memory://
    """
    scheme, _, rest = url.partition("://")
    if "@" in rest.partition("/")[0] or _SECRET_IN_QUERY.search(rest):
        # Not quoted: what stands there may be a key.
        raise UsageError(
            f"a URL of {printable(scheme)}:// holds a key or a password, and would be written into results and logs: "
            "give the URL without it, and the credentials in the environment"
        )
    if scheme not in STORES:
        known = ", ".join(f"{one}://" for one in list(STORES)[:-1]) + f" or {list(STORES)[-1]}://"
        raise UsageError(f"{printable(url)}: expected a path, or a URL of {known}")
    rest = rest.rstrip("/")
    if not rest.strip("/"):
        raise UsageError(f"{printable(url)}: expected the name of a bucket behind {scheme}://")
    refuse_empty_parts(f"{scheme}://{rest}")
    return Location(f"{scheme}://{rest}", file_system(scheme), _as_path(scheme, rest))


def locate_to_write(url: str) -> Location:
    """The same for a place that is to be written.

    Raises:
        UsageError: as `locate`; or what lies there is only read.
    """
    place = locate(url)
    if place.url.startswith("hf://"):  # where every file would be a commit, and hundreds an hour are too many
        raise UsageError(
            f"{printable(place.url)}: hf:// is only read; write to a path on this machine, and send that with hf "
            "upload, or to a store of another kind"
        )
    return place


def _as_path(scheme: str, rest: str) -> str:
    return f"/{rest.lstrip('/')}" if scheme == "memory" else rest


@cache
def file_system(scheme: str) -> Any:
    """Fsspec's file system of a scheme, one for the process, with listings as they are now.

    Raises:
        UsageError: a package that is needed is not installed.
    """
    options: dict[str, Any] = {"use_listings_cache": False, "skip_instance_cache": True}
    if scheme == "s3":
        # Whoever asks tries again (`attempts.py`); on top of that, five tries of s3fs and five of botocore are minutes.
        options["config_kwargs"] = {"retries": {"total_max_attempts": 1}, "max_pool_connections": 32}
    try:
        import fsspec

        files = fsspec.filesystem(scheme, **options)
    except ImportError as error:
        lacking = f" ({error.name} is not installed)" if error.name else ""
        raise UsageError(
            f"{scheme}:// needs a package that is not installed{lacking}: {STORES[scheme]}"
        ) from error
    if scheme == "s3":
        files.retries = 1
    return files
