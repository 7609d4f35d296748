"""One file's bytes: from the Hub into the cache, going on where a connection broke, and checked when they are whole."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path
from typing import Any, BinaryIO

from nearid_cli.encoders.hub.asking import Asking, Listing, Patience
from nearid_cli.encoders.hub.cache import Repository, digest_as_hub, is_digest
from nearid_cli.encoders.hub.errors import HubError, TransientError
from nearid_cli.encoders.hub.settings import Notify
from nearid_cli.text import file_size, printable

_FULL = (errno.ENOSPC, errno.EDQUOT)


def receive(
    asking: Asking, listing: Listing, name: str, repository: Repository, bar: Any, notify: Notify
) -> None:
    """Make a file of a repository a file of the snapshot, from the cache or from the Hub.

    Args:
        asking: how to reach the Hub.
        listing: what the Hub has.
        name: the file.
        repository: where it goes.
        bar: a progress bar that counts bytes.
        notify: called with a line when another process has to be waited for.

    Raises:
        HubError: it cannot be had. What has arrived by then stays for the next attempt where the message says so.
    """
    file = listing.files[name]
    digest = asking.digest(listing, name)
    blob, partial = repository.blob(digest), repository.partial(digest)
    blob.parent.mkdir(parents=True, exist_ok=True)

    def tell() -> None:
        notify(
            f"another process is fetching {printable(name)} of {printable(listing.repo_id)}: waiting for it"
        )

    with repository.lock(digest, tell):
        if not blob.exists():
            _check_space(file.size, partial)
            url = asking.file_url(listing, name)
            for attempt in ("first", "last"):
                _download(asking, url, partial, file.size, bar, notify)
                if not is_digest(digest) or digest_as_hub(partial, digest) == digest:
                    break
                # Nothing of it can be trusted, and neither can what would be added to it.
                bar.update(-partial.stat().st_size)
                partial.unlink()
                if attempt == "last":
                    raise HubError(
                        f"{printable(name)} arrived twice as something else than the Hub announces "
                        "(digests differ): a proxy, a mirror or the disk changes it"
                    )
            partial.replace(blob)
        repository.link(listing.commit, name, digest)


def _download(asking: Asking, url: str, partial: Path, size: int | None, bar: Any, notify: Notify) -> None:
    """Append to a partial file until it is whole."""
    patience = Patience()
    try:
        with partial.open("ab") as stream:
            bar.update(stream.tell())
            if size is not None and stream.tell() > size:
                _start_over(stream, bar)
            while size is None or stream.tell() != size:
                try:
                    _append(asking, url, stream, bar, patience)
                    if size is None:
                        return
                    if stream.tell() < size:
                        raise TransientError("the connection to the Hub broke")
                    if stream.tell() > size:
                        _start_over(stream, bar)
                        raise TransientError(f"more than the {size:,} bytes arrived that the Hub announces")
                except TransientError as error:
                    notify(f"{error}; asking again")
                    if not patience.wait(error.after):
                        raise HubError(_broken(error, stream)) from error
    except OSError as error:
        if error.errno in _FULL:  # a quota may be full of nothing but this
            partial.unlink(missing_ok=True)
        raise


def _append(asking: Asking, url: str, stream: BinaryIO, bar: Any, patience: Patience) -> None:
    """What one connection brings."""
    start = stream.tell()
    with asking.stream(url, start) as response:
        if start and not _goes_on(response, start):
            _start_over(stream, bar)
            if response.status_code == 416:
                raise TransientError("the Hub has less of the file than is here")
        for chunk in response.iter_bytes():
            stream.write(chunk)
            bar.update(len(chunk))
            patience.reach(stream.tell())


def _goes_on(response: Any, start: int) -> bool:
    """Whether an answer begins where the file here ends; some servers always give the whole."""
    begins = str(response.headers.get("Content-Range", ""))
    return bool(response.status_code == 206) and begins.startswith(f"bytes {start}-")


def _start_over(stream: BinaryIO, bar: Any) -> None:
    bar.update(-stream.tell())
    stream.truncate(0)
    stream.seek(0)


def _broken(error: TransientError, stream: BinaryIO) -> str:
    """What is said when waiting did not help."""
    if not stream.tell():
        return f"{error}; try again later"
    return f"{error}; {file_size(stream.tell())} of it are here: the same command goes on from there"


def _check_space(size: int | None, partial: Path) -> None:
    """Refuse to begin what the disk cannot hold."""
    if size is None:
        return
    missing = size - (partial.stat().st_size if partial.exists() else 0)
    free = shutil.disk_usage(partial.parent).free
    if missing > free:
        raise OSError(errno.ENOSPC, f"{file_size(missing)} to come, {file_size(free)} free")
