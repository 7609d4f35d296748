"""The objects below a place in a store: listed with sizes and tags, and read as the version that was listed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Any

from nearid_cli.errors import InputError, NearIDError
from nearid_cli.remote.attempts import ChangedError, NoRangesError, RemoteError, TruncatedError, patiently
from nearid_cli.remote.stores import Location
from nearid_cli.text import printable

MOST = 1_000_000
"""More objects are not listed: somebody gave the wrong prefix."""

_ENDPOINTS = {
    "s3": ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"),
    "hf": ("HF_ENDPOINT",),
    "gs": ("STORAGE_EMULATOR_HOST",),
    "az": ("AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_CONNECTION_STRING"),
}
_AT_ONCE = 2**20  # bytes


class _OurDiskError(NearIDError):
    """Our disk does not take what comes, which is no matter of the store's: it is not asked again."""

    def __init__(self, error: OSError) -> None:
        super().__init__(str(error))
        self.error = error


@dataclass(frozen=True, slots=True)
class Object:
    """An object as it was listed.

    Attributes:
        path: as the store's file system has it, with the bucket.
        size: in bytes.
        tag: changes with every version; empty where the store says nothing of the kind.
        etag: by which S3 gives this version or none; empty elsewhere.
        checksum: of its content, `sha256:` or `git:` and hex; empty where it is not known.
    """

    path: str
    size: int
    tag: str
    etag: str = ""
    checksum: str = ""


def listed(place: Location, *, deep: bool = True) -> list[Object]:
    """All objects below a place; the object itself where it is one; none where nothing is there.

    Args:
        place: itself.
        deep: at any depth, or only right in it.

    Raises:
        InputError: there are more than `MOST`.
        RemoteError: the store refuses.
    """
    objects: list[Object] = []
    for one in _s3(place, deep) if place.url.startswith("s3://") else _any(place, deep):
        objects.append(one)
        if len(objects) > MOST:
            raise InputError(
                f"more than {MOST:,} objects below {printable(place.url)}: give a narrower prefix, or a manifest that "
                "names those that count"
            )
    return objects


def _s3(place: Location, deep: bool) -> Iterator[Object]:
    """By the pages of one listing, each asked for again by itself where the store is busy."""
    bucket, _, key = place.path.partition("/")
    asked: dict[str, Any] = {"Bucket": bucket, "Prefix": f"{key}/" if key else ""}
    if not deep:
        asked["Delimiter"] = "/"
    found = False
    while True:
        page = patiently(place.url, lambda: place.files.call_s3("list_objects_v2", **asked))
        for one in page.get("Contents", ()):
            found = True
            if "Key" not in one or "Size" not in one:
                raise _no_listing(place, "objects without a name or a size")
            yield _of_s3(bucket, one["Key"], one["Size"], one)
        if not page.get("IsTruncated"):
            break
        following = page.get("NextContinuationToken")
        if following in (None, asked.get("ContinuationToken")):
            raise _no_listing(place, "that there is more, and not where it goes on")
        asked["ContinuationToken"] = following
    if key and deep and not found:
        # By its listing rather than a HEAD, whose refusals have no reasons.
        page = patiently(
            place.url, lambda: place.files.call_s3("list_objects_v2", Bucket=bucket, Prefix=key, MaxKeys=1)
        )
        yield from (
            _of_s3(bucket, key, one["Size"], one) for one in page.get("Contents", ()) if one["Key"] == key
        )


def _no_listing(place: Location, what: str) -> RemoteError:
    return RemoteError(
        f"cannot list {printable(place.url)}: its store says {what}, so it is none that has ListObjectsV2; copy the "
        "objects to this machine, and give the folder"
    )


def _of_s3(bucket: str, key: str, size: int, said: Mapping[str, Any]) -> Object:
    etag = str(said.get("ETag") or "")
    # The time, too: a version of several parts has a tag of their tags, and is written at another second.
    tag = f"{etag} {said.get('LastModified')}" if _strong(etag) else ""
    return Object(f"{bucket}/{key}", size, tag, etag)


def _any(place: Location, deep: bool) -> Iterator[Object]:
    if deep:
        found = patiently(place.url, lambda: place.files.find(place.path, detail=True))
    else:
        found = {
            one["name"]: one for one in patiently(place.url, lambda: place.files.ls(place.path, detail=True))
        }
    for path, said in found.items():
        if said.get("type") != "directory":
            yield _of_any(path, said)


def _of_any(path: str, said: Mapping[str, Any]) -> Object:
    large = said.get("lfs")
    sha = (large.get("sha256") or "") if isinstance(large, Mapping) else getattr(large, "sha256", "") or ""
    blob = str(said.get("blob_id") or "")
    checksum = f"sha256:{sha}" if sha else f"git:{blob}" if blob else ""
    tag = next((str(said[name]) for name in ("etag", "ETag", "generation", "md5Hash") if said.get(name)), "")
    return Object(path, int(said.get("size") or 0), checksum or (tag if _strong(tag) else ""), "", checksum)


def _strong(etag: str) -> bool:
    """Whether equal tags mean equal bytes."""
    return bool(etag) and not etag.startswith("W/")


def read(place: Location, one: Object, target: IO[bytes]) -> None:
    """Write the whole of an object into an empty file.

    Args:
        place: any in the same store.
        one: as it was listed.
        target: the file, at its start.

    Raises:
        AbsentError, ChangedError, RemoteError: it is gone, another one now, or refused.
        OSError: the disk does not take it.
    """
    url = _url(place, one)

    def write(content: bytes) -> None:
        try:
            target.write(content)
        except OSError as error:
            raise _OurDiskError(error) from error

    def work() -> None:
        target.seek(0)
        target.truncate()
        if place.url.startswith("s3://"):
            _read_s3(place, one, write, url)
        else:
            _read_any(place, one, write, url)

    try:
        patiently(url, work)
    except _OurDiskError as error:
        raise error.error from None


def start(place: Location, one: Object, most: int) -> bytes:
    """The first bytes of an object.

    Raises:
        AbsentError, ChangedError, RemoteError: as for `read`.
    """
    if not one.size:
        return b""
    end = min(most, one.size)
    if not place.url.startswith("s3://"):
        return bytes(patiently(_url(place, one), lambda: place.files.cat_file(one.path, start=0, end=end)))
    return patiently(_url(place, one), lambda: _part_s3(place, one, 0, end))


def has_parts(place: Location, one: Object) -> bool:
    """Whether `between` reads an object: where the store gives the version that was listed, or none."""
    return place.url.startswith("s3://") and bool(one.tag) and one.size > 0


def between(place: Location, one: Object, start: int, end: int) -> bytes:
    """The bytes of an object from a place to another, where it `has_parts`.

    Raises:
        NoRangesError: the store gives it whole or not at all.
        AbsentError, ChangedError, RemoteError: as for `read`.
    """
    return patiently(_url(place, one), lambda: _part_s3(place, one, start, end)) if end > start else b""


def _part_s3(place: Location, one: Object, start: int, end: int) -> bytes:
    parts: list[bytes] = []
    missing = end - start

    def take(content: bytes) -> bool:
        nonlocal missing
        parts.append(content[:missing])
        missing -= len(parts[-1])
        return missing > 0

    def begins(answer: Mapping[str, Any]) -> None:
        said = answer.get("ContentRange")
        if not said and start:  # all of it comes
            raise NoRangesError(f"the store of {printable(_url(place, one))} gives no parts of objects")
        if said and said != f"bytes {start}-{end - 1}/{one.size}":
            raise _changed(_url(place, one))

    _get_s3(place, one, take, begins, Range=f"bytes={start}-{end - 1}")
    if missing:
        raise TruncatedError
    return b"".join(parts)


def _read_s3(place: Location, one: Object, write: Any, url: str) -> None:
    received = 0

    def take(content: bytes) -> bool:
        nonlocal received
        received += len(content)
        write(content)
        return True

    def begins(answer: Mapping[str, Any]) -> None:
        if answer.get("ContentLength") not in (None, one.size):
            raise _changed(url)

    _get_s3(place, one, take, begins)
    if received != one.size:
        raise TruncatedError


def _get_s3(
    place: Location,
    one: Object,
    take: Callable[[bytes], bool],
    begins: Callable[[Mapping[str, Any]], None],
    **asked: str,
) -> None:
    """Ask for the version of an object that was listed.

    Args:
        place: any in the same store.
        one: as it was listed.
        take: is given what comes, and says whether more is wanted.
        begins: is given what the answer says of itself, before.
        asked: what else is asked.
    """
    from fsspec.asyn import sync

    bucket, _, key = one.path.partition("/")
    if one.etag:
        asked["IfMatch"] = one.etag

    async def get() -> None:
        answer = await place.files._call_s3("get_object", Bucket=bucket, Key=key, **asked)
        body = answer["Body"]
        try:
            begins(answer)
            while (content := await body.read(_AT_ONCE)) and take(content):
                pass
        finally:
            body.close()

    sync(place.files.loop, get)


def _read_any(place: Location, one: Object, write: Any, url: str) -> None:
    digest = _digest(one)
    received = 0
    with place.files.open(one.path, "rb") as stream:
        while content := stream.read(_AT_ONCE):
            received += len(content)
            write(content)
            if digest is not None:
                digest.update(content)
    if digest is not None and digest.hexdigest() == one.checksum.partition(":")[2]:
        return
    # Nothing pins a version here, so what was read is held to what the store says of it afterwards.
    now = _of_any(one.path, place.files.info(one.path))
    if now != one:
        raise _changed(url)
    if received != one.size or digest is not None:
        raise TruncatedError


def _digest(one: Object) -> Any:
    kind, _, _ = one.checksum.partition(":")
    if kind == "sha256":
        return hashlib.sha256()
    return hashlib.sha1(b"blob %d\0" % one.size) if kind == "git" else None


def _changed(url: str) -> ChangedError:
    return ChangedError(f"{printable(url)} was replaced while it was read; run again")


def _url(place: Location, one: Object) -> str:
    return f"{place.url.partition('://')[0]}://{one.path.lstrip('/')}"


def endpoint_of(scheme: str) -> str:
    """What tells stores of a scheme apart that the environment may name: objects of two may have one address."""
    said = [value for name in _ENDPOINTS.get(scheme, ()) if (value := os.environ.get(name))]
    # It may hold a password, and becomes a part of what the cache remembers.
    return hashlib.sha256("\n".join(said).encode("utf-8", "surrogateescape")).hexdigest()[:16] if said else ""
