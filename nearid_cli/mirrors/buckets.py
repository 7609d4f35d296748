"""Objects of stores as files of mirrors: `s3://bucket/refs` is a folder, or one file, named by one listing."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path
from typing import IO

from nearid_cli.activity import doing
from nearid_cli.elsewhere import Between
from nearid_cli.mirrors.mirror import Mirror, MirroredFile, Source
from nearid_cli.remote import objects
from nearid_cli.remote.attempts import AbsentError
from nearid_cli.remote.objects import Object
from nearid_cli.remote.stores import Location, locate
from nearid_cli.text import printable


class _Store(Source):
    """The objects of one scheme's store; see `mirror.Source`. Keys are objects."""

    def __init__(self, place: Location) -> None:
        self._place = place
        self._scheme = place.url.partition("://")[0]
        self._endpoint = objects.endpoint_of(self._scheme)

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return _store_at, (self._place.url,)

    def identity(self, key: object) -> tuple[bytes, bool]:
        assert isinstance(key, Object)
        # A zero byte is in no path of a disk.
        parts = f"{self._scheme}://{key.path.lstrip('/')}", self._endpoint, key.tag
        return "\0".join(parts).encode("utf-8", "surrogateescape"), bool(key.tag)

    def read(self, key: object, target: IO[bytes]) -> None:
        assert isinstance(key, Object)
        objects.read(self._place, key, target)

    def start(self, key: object, most: int) -> bytes:
        assert isinstance(key, Object)
        return objects.start(self._place, key, most)

    def ranges(self, key: object) -> Between | None:
        assert isinstance(key, Object)
        return partial(objects.between, self._place, key) if objects.has_parts(self._place, key) else None


def _store_at(url: str) -> _Store:
    """A store as another process has it."""
    return _Store(locate(url))


@cache
def _store(scheme: str, endpoint: str) -> tuple[Mirror, dict[str, _Store]]:
    """The mirror of a scheme, in which every bucket is a folder: places in one bucket know of each other."""

    def look(below: str) -> Iterator[tuple[str, MirroredFile]]:
        place = locate(f"{scheme}://{below}")
        source = sources.setdefault("", _Store(place))
        try:
            return _items(source, objects.listed(place, deep=False))
        except AbsentError:
            return iter(())

    sources: dict[str, _Store] = {}
    return Mirror(f"{scheme}:/", look=look), sources


def mirrored(url: str) -> Path:
    """The folder or file that stands in for what lies at a URL, as it is now.

    Raises:
        UsageError: it is no URL of a store.
        AbsentError: nothing is there.
        InputError: objects have names that no file has.
        RemoteError: the store refuses.
    """
    place = locate(url)
    scheme = url.partition("://")[0]
    mirror, sources = _store(scheme, objects.endpoint_of(scheme))
    source = sources.setdefault("", _Store(place))
    with doing(f"listing {printable(place.url)}"):
        found = objects.listed(place)
    if not found:
        raise AbsentError(f"nothing there: {printable(place.url)} (looked for objects below it, and for one)")
    below = place.path.strip("/")
    mirror.replace(below, _items(source, found), place.url)
    return Path(mirror.folder, below)


def stand_in_of(url: str) -> Path:
    """The path that stands in for a URL. Nothing need be there yet: see `elsewhere.look_into`.

    Raises:
        UsageError: it is no URL of a store.
    """
    scheme = url.partition("://")[0]
    place = locate(url)
    return Path(_store(scheme, objects.endpoint_of(scheme))[0].folder, place.path.strip("/"))


def _items(source: _Store, found: list[Object]) -> Iterator[tuple[str, MirroredFile]]:
    names = {one.path.lstrip("/") for one in found}
    folders = {name.rpartition("/")[0] for name in names}
    for one in found:
        name = one.path.lstrip("/")
        # Consoles and tools keep folders by empty objects, called like them.
        if name.endswith("/") or (not one.size and name in folders):
            continue
        yield name, MirroredFile(source, one, one.size)
