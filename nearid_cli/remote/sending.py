"""Writing objects: whole or not at all, in the place of older ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from nearid_cli.errors import InputError
from nearid_cli.remote.attempts import AbsentError, DeniedError, NoBucketError, RemoteError, patiently
from nearid_cli.remote.stores import Location, locate_to_write
from nearid_cli.text import printable

_PIECE = 2**30
"""Bytes. Up to here s3fs sends one piece: of several, a process that is killed leaves some, which nobody sees and who
owns the bucket pays for."""


def send(url: str, content: bytes) -> None:
    """Write an object.

    Raises:
        InputError: the store does not take it, and has what it had.
        UsageError: it is no URL that can be used.
    """
    place = locate_to_write(url)
    _patiently(place, lambda: put(place, content))


def send_file(url: str, file: Path) -> None:
    """The same of a file's content, of any size."""
    place = locate_to_write(url)
    _patiently(place, lambda: place.files.put_file(str(file), place.path, **_how(place)))


def put(place: Location, content: bytes) -> None:
    """The same once, with whatever its library raises."""
    place.files.pipe_file(place.path, content, **_how(place))


def _patiently(place: Location, work: Callable[[], object]) -> None:
    try:
        patiently(place.url, work)
    except RemoteError as error:
        raise InputError(f"cannot write {printable(place.url)}: {error.message}") from error


def obstacle(url: str) -> str | None:
    """Why an object cannot be written, or None, as far as that shows before it is.

    Who may write need not be allowed to look, so that a store which does not say what is there is no obstacle.

    Raises:
        UsageError: it is no URL that can be used.
    """
    place = locate_to_write(url)
    if "/" not in place.path.strip("/"):
        return f"{printable(place.url)} is a bucket; add a name in it"
    try:
        patiently(place.url, lambda: _look(place))
    except NoBucketError as error:
        return error.message
    except (AbsentError, DeniedError):
        return None
    except RemoteError as error:
        return error.message
    return None


def _look(place: Location) -> None:
    if not place.url.startswith("s3:"):
        place.files.info(place.path)
        return
    # Not `info`, which asks by HEAD: what is refused then has no body to say why.
    bucket, _, key = place.path.partition("/")
    place.files.call_s3("list_objects_v2", Bucket=bucket, Prefix=key, MaxKeys=1)


def _how(place: Location) -> dict[str, Any]:
    return {"chunksize": _PIECE} if place.url.startswith("s3:") else {}
