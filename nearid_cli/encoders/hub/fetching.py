"""Fetching a repository's wanted files into the Hub cache, each going on where a connection broke."""

from __future__ import annotations

import errno
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from nearid_cli.activity import doing
from nearid_cli.encoders.files import read_files
from nearid_cli.encoders.hub.asking import Asking, Listing, Patience
from nearid_cli.encoders.hub.cache import (
    Notify,
    Repository,
    cache_folder,
    constants,
    digest_as_hub,
    is_commit,
    is_digest,
)
from nearid_cli.encoders.hub.failures import HubError, TransientError, check_reachable
from nearid_cli.encoders.layout import no_checkpoint, select
from nearid_cli.encoders.libraries import quiet_hub
from nearid_cli.errors import ModelError
from nearid_cli.text import few, file_size, printable

_FULL = (errno.ENOSPC, errno.EDQUOT)

Choose = Callable[[Listing, str], list[str]]
"""Of what a repository has, and its name for people: the files that are wanted."""


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


def download(
    repo_id: str,
    revision: str | None,
    notify: Notify,
    subfolder: str = "",
    safetensors_only: bool = False,
    text: bool = False,
) -> Path:
    """Fetch the wanted files of a repository into the Hub cache; files that are there are not fetched again.

    Settings come first: weights are fetched only when these are of a model that can be used.

    Args:
        repo_id: `organisation/model`.
        revision: branch, tag or commit; None is the main branch.
        notify: called with one line before something is downloaded, and whenever something is not as one would expect.
        subfolder: the folder of the repository whose files are fetched; `""` for the repository's own.
        safetensors_only: never fetch weights in torch's pickle format.
        text: whether the tokenizer is wanted, too.

    Returns:
        The snapshot's folder. The revision means this snapshot from now on, for nearid and for other tools; until it is
        complete, it means what it did before.

    Raises:
        HubError: with the reason and a remedy.
        ModelError: the repository holds no checkpoint that is read; none of its weights were fetched.
        KeyboardInterrupt: at once; its message says what is kept.
    """

    def choose(listing: Listing, where: str) -> list[str]:
        return _choose(listing, subfolder, safetensors_only, text, where)

    def check(folder: Path) -> object:
        return read_files(folder, weights=False, text=text)

    return _fetch_safely(repo_id, revision, notify, choose, check)


def download_files(repo_id: str, revision: str | None, names: Sequence[str], notify: Notify) -> Path:
    """Fetch files of a repository by their names into the Hub cache, as `download` does.

    Args:
        repo_id: `organisation/model`.
        revision: branch, tag or commit; None is the main branch.
        names: paths in the repository.
        notify: see `download`.

    Returns:
        The snapshot's folder, as of `download`.

    Raises:
        HubError: with the reason and a remedy; the repository lacks files, all of which are named.
        KeyboardInterrupt: at once; its message says what is kept.
    """

    def choose(listing: Listing, where: str) -> list[str]:
        if absent := [name for name in names if name not in listing.files]:
            raise HubError(f"{where} has no {few(absent, 5)}")
        return list(names)

    return _fetch_safely(repo_id, revision, notify, choose, lambda folder: None)


def _fetch_safely(
    repo_id: str, revision: str | None, notify: Notify, choose: Choose, check: Callable[[Path], object]
) -> Path:
    """Fetch what is chosen; whatever goes wrong is told as `download` says."""
    check_reachable()
    with quiet_hub():
        try:
            return _fetch(repo_id, revision, notify, choose, check)
        except KeyboardInterrupt as interrupt:
            raise KeyboardInterrupt("the same command goes on where the download stopped") from interrupt
        except OSError as error:
            raise _cannot_write(error) from error


def describe_answer(repo_id: str) -> str:
    """Ask the Hub for a repository, and for nothing of it, and say what came of it.

    Raises:
        HubError: there is no answer as a Hub gives it, with the reason and a remedy.
    """
    check_reachable()
    said: list[str] = []
    with quiet_hub():
        listing = Asking(repo_id, None, said.append).listing()
    return "; ".join((f"{printable(constants().ENDPOINT)} answers: {repo_id} is {listing.commit[:8]}", *said))


def _fetch(
    repo_id: str, revision: str | None, notify: Notify, choose: Choose, check: Callable[[Path], object]
) -> Path:
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]  # exported lazily

    try:
        validate_repo_id(repo_id)
    except HFValidationError as error:
        raise HubError("it is not a valid Hub id (organisation/model)") from error
    asking = Asking(repo_id, revision, notify)
    with doing(f"asking the Hub for {asking.shown}"):
        listing = asking.listing()
    if listing.repo_id.lower() != repo_id.lower():
        notify(f"{printable(repo_id)} is called {printable(listing.repo_id)} on the Hub now")
    names = choose(listing, asking.shown)

    repository = Repository(repo_id)
    branch = revision or constants().DEFAULT_REVISION
    _say_what_changes(f"{printable(repo_id)}@{printable(branch)}", repository, branch, listing.commit, notify)
    begun = repository.partials()
    _fetch_files(asking, listing, names, repository, notify, check)
    if not is_commit(branch):
        repository.point(branch, listing.commit)
        repository.use(branch, listing.commit)
    repository.clean(begun)
    return repository.snapshot(listing.commit)


def _choose(listing: Listing, subfolder: str, safetensors_only: bool, text: bool, where: str) -> list[str]:
    """The files of a repository that are read."""
    prefix = f"{subfolder}/" if subfolder else ""
    names = [name.removeprefix(prefix) for name in listing.files if name.startswith(prefix)]
    if reason := no_checkpoint(names, prefix + where, safetensors_only, text):
        raise ModelError(reason)
    chosen = [prefix + name for name in select(names, safetensors_only, text)]
    if unsafe := next((name for name in chosen if ".." in name.split("/")), None):
        raise HubError(f"it has a file that would lie outside of its folder: {printable(unsafe)}")
    return chosen


def _say_what_changes(where: str, repository: Repository, branch: str, commit: str, notify: Notify) -> None:
    """One line when a branch is no longer what it was when it was used last."""
    if is_commit(branch):
        return
    old, named = repository.used(branch), repository.commit(branch)
    if old is None and named and repository.snapshot(named).is_dir():
        old = named
    if old and old != commit:
        notify(
            f"{where}: {old[:8]} -> {commit[:8]}; scores may change. To stay: {where.partition('@')[0]}@{old}"
        )


def _fetch_files(
    asking: Asking,
    listing: Listing,
    names: Sequence[str],
    repository: Repository,
    notify: Notify,
    check: Callable[[Path], object],
) -> None:
    """Bring the snapshot's missing files: settings first, and weights if their folder passes `check` then."""
    from tqdm import tqdm

    snapshot = repository.snapshot(listing.commit)
    missing = [name for name in names if not (snapshot / name).exists()]
    settings = [name for name in missing if name.endswith((".json", ".txt"))]
    weights = [name for name in missing if name not in settings]
    size = sum(listing.files[name].size or 0 for name in missing)
    if missing:
        begun = repository.begun(listing.files[name].digest for name in missing)
        amount = f"{file_size(size)}, {file_size(begun)} of it already here" if begun else file_size(size)
        notify(f"downloading {asking.shown} ({amount}) into {printable(cache_folder())}")
    with tqdm(
        total=size,
        desc=printable(asking.repo_id),
        unit="B",
        unit_scale=True,
        leave=False,
        disable=not sys.stderr.isatty(),
    ) as bar:
        for name in settings:
            receive(asking, listing, name, repository, bar, notify)
        if weights:
            check((snapshot / weights[0]).parent)
        for name in weights:
            receive(asking, listing, name, repository, bar, notify)


def _cannot_write(error: OSError) -> HubError:
    """The disk does not take what the Hub gives."""
    reason = printable(error.strerror or str(error))
    if error.errno in _FULL:
        reason = f"no space is left ({reason}); free some, or set HF_HUB_CACHE to a folder on a larger disk"
    else:
        reason = f"{reason}; set HF_HUB_CACHE to a folder that is yours"
    return HubError(f"it cannot be written to {printable(cache_folder())}: {reason}")
