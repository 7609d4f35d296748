"""The Hub cache on this disk, read and added to as its documentation describes it.

    HF_HUB_CACHE/models--ORG--NAME/refs/REVISION              holds the commit
    HF_HUB_CACHE/models--ORG--NAME/snapshots/COMMIT/FILE      links to ../../blobs/ETAG
    HF_HUB_CACHE/models--ORG--NAME/blobs/ETAG                 a file under the digest that the Hub gives for it
    HF_HUB_CACHE/models--ORG--NAME/blobs/ETAG.*incomplete     a part of one
    HF_HUB_CACHE/.locks/models--ORG--NAME/ETAG.lock           held by whoever is downloading ETAG

Looking into it does without huggingface_hub's own look-up, which takes a quarter of a second to import: most of a warm
run. One file is ours alone: `models--ORG--NAME/.nearid/REVISION` holds the commit that nearid uses for a branch, so
that no other tool, by moving `refs/REVISION`, changes the weights behind a score.
"""

from __future__ import annotations

import hashlib
import os
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from shlex import quote
from types import ModuleType

from nearid_cli.errors import UsageError
from nearid_cli.files import write_whole
from nearid_cli.opening import open_regular, read_regular
from nearid_cli.text import printable

Notify = Callable[[str], None]

PARTIAL = ".nearid.incomplete"
"""How the name of a file ends that nearid has begun and can go on with."""

_REF_BYTES = 1000  # more than a file has that names a commit
_SECONDS = ("HF_HUB_ETAG_TIMEOUT", "HF_HUB_DOWNLOAD_TIMEOUT")


def constants() -> ModuleType:
    """huggingface_hub's settings, as read from the environment.

    Raises:
        UsageError: a setting that makes huggingface_hub fail when it is imported.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of variables that it no longer knows
        try:
            from huggingface_hub import constants as found
        except ValueError as error:
            wrong = next((name for name in _SECONDS if not _is_whole(os.environ.get(name, "0"))), None)
            if wrong is None:
                raise
            value = printable(os.environ[wrong])
            raise UsageError(f'expected a whole number of seconds in {wrong}, found "{value}"') from error
    return found


def is_commit(revision: str) -> bool:
    """Whether a revision is a full commit hash, which always means the same files."""
    return re.fullmatch(r"[0-9a-f]{40}", revision) is not None


def cache_folder() -> Path:
    """Where the Hub cache is (`HF_HUB_CACHE`, `HF_HOME`)."""
    return Path(constants().HF_HUB_CACHE)


def cached_snapshot(repo_id: str, revision: str | None) -> Path | None:
    """The folder of a revision in the local Hub cache, complete or not, or None. Never asks the network."""
    repository = Repository(repo_id)
    commit = repository.commit(revision or constants().DEFAULT_REVISION)
    folder = repository.snapshot(commit) if commit else None
    return folder if folder and folder.is_dir() else None


def commit_of(folder: Path) -> str:
    """The commit of a snapshot, from the path of the snapshot's folder or of a folder in it."""
    for place in (folder, *folder.parents):
        if place.parent.name == "snapshots":
            return place.name
    raise ValueError(f"{folder} is in no snapshot of the Hub cache")


def find_snapshot(
    repo_id: str,
    revision: str | None,
    is_complete: Callable[[Path], bool],
    notify: Notify = lambda line: None,
) -> Path | None:
    """The folder of a revision in the Hub cache that holds all of it, or None. Never asks the network.

    For a branch, that is the commit that nearid used before; else the one that the cache says; else, where that one is
    not complete, the newest complete one that no other branch or tag claims.

    Args:
        repo_id: `organisation/model`.
        revision: branch, tag or commit; None is the main branch.
        is_complete: whether a snapshot's folder has all that is needed.
        notify: called with a line when that is not the commit that one would expect.
    """
    repository = Repository(repo_id)
    revision = revision or constants().DEFAULT_REVISION
    if is_commit(revision):
        folder = repository.snapshot(revision)
        return folder if is_complete(folder) else None
    named, used = repository.commit(revision), repository.used(revision)
    for commit in dict.fromkeys((used, named, *repository.unclaimed(revision))):
        if commit is None or not is_complete(repository.snapshot(commit)):
            continue
        if why := _surprise(revision, commit, named, used):
            target = repo_id if revision == constants().DEFAULT_REVISION else f"{repo_id}@{revision}"
            notify(f"{printable(repo_id)}: {why}. To update: nearid models pull {quote(printable(target))}")
        return repository.snapshot(commit)
    return None


def _surprise(revision: str, commit: str, named: str | None, used: str | None) -> str:
    """Why a commit is used that one would not expect, if it is."""
    branch, using = printable(revision), f"using {commit[:8]}"
    if commit == named:
        if used is None or used == commit:
            return ""
        return f"{branch} was {used[:8]}, which is gone from the Hub cache; {using}"
    if named is None:
        return f"the Hub cache has no {branch}; {using}, the newest that is complete in it"
    if commit == used:
        return f"another tool has moved {branch} to {named[:8]} in the Hub cache; {using}, as before"
    return f"{branch} is {named[:8]} in the Hub cache and not complete; {using}, the newest that is"


def keep_revision(repo_id: str, revision: str | None, commit: str) -> None:
    """Remember which commit of a branch is used, where the cache can be written."""
    revision = revision or constants().DEFAULT_REVISION
    repository = Repository(repo_id)
    if not is_commit(revision) and repository.used(revision) != commit:
        with suppress(OSError):  # a cache of others, which nobody here can move either
            repository.use(revision, commit)


def is_digest(name: str) -> bool:
    """Whether a blob is named by the digest of its content; some mirrors and file systems give other names."""
    return re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", name) is not None


def digest_as_hub(file: Path, name: str) -> str:
    """The digest of a file in hex, of the kind that `name` is: git's blob SHA-1 (40 digits), else SHA-256."""
    is_git = is_digest(name) and len(name) == 40
    digest = hashlib.sha1(usedforsecurity=False) if is_git else hashlib.sha256()
    if is_git:
        digest.update(b"blob %d\0" % file.stat().st_size)
    with open_regular(file) as stream:
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


class Repository:
    """One repository in the Hub cache."""

    def __init__(self, repo_id: str) -> None:
        name = f"models--{repo_id.replace('/', '--')}"
        self.folder = cache_folder() / name
        self._locks = cache_folder() / ".locks" / name

    def snapshot(self, commit: str) -> Path:
        """The folder of a commit, which may not exist."""
        return self.folder / "snapshots" / commit

    def commit(self, revision: str) -> str | None:
        """The commit of a revision, as the cache has it."""
        return revision if is_commit(revision) else _read_commit(self.folder / "refs" / revision)

    def used(self, revision: str) -> str | None:
        """The commit that nearid uses for a branch or tag."""
        return _read_commit(self.folder / ".nearid" / revision)

    def use(self, revision: str, commit: str) -> None:
        """Set the commit that nearid uses for a branch or tag."""
        _write_commit(self.folder / ".nearid" / revision, commit)

    def point(self, revision: str, commit: str) -> None:
        """Say what a branch or tag is, to all tools."""
        if self.commit(revision) != commit:
            _write_commit(self.folder / "refs" / revision, commit)

    def unclaimed(self, revision: str) -> list[str]:
        """Commits with a snapshot that no branch or tag but `revision` names, newest first."""
        refs = self.folder / "refs"
        others = {_read_commit(ref) for ref in refs.rglob("*") if ref != refs / revision and ref.is_file()}
        try:
            found = [entry for entry in os.scandir(self.folder / "snapshots") if is_commit(entry.name)]
            found.sort(key=lambda entry: entry.stat().st_mtime, reverse=True)
        except OSError:
            return []
        return [entry.name for entry in found if entry.name not in others]

    def blob(self, digest: str) -> Path:
        """Where a file lies that has this digest."""
        return self.folder / "blobs" / digest

    def partial(self, digest: str) -> Path:
        """Where a file grows until it is whole."""
        return self.folder / "blobs" / f"{digest}{PARTIAL}"

    def begun(self, digests: Iterable[str | None]) -> int:
        """How many bytes of files that are not whole are here."""
        partials = (self.partial(digest) for digest in digests if digest)
        return sum(path.stat().st_size for path in partials if path.exists())

    def link(self, commit: str, name: str, digest: str) -> None:
        """Make a whole file a file of a snapshot."""
        link = self.snapshot(commit) / name
        link.parent.mkdir(parents=True, exist_ok=True)
        if link.exists():
            return
        link.unlink(missing_ok=True)
        try:
            link.symlink_to(os.path.relpath(self.blob(digest), link.parent))
        except OSError:  # a file system without links: there the file itself lies in the snapshot
            self.blob(digest).replace(link)

    @contextmanager
    def lock(self, digest: str, on_wait: Callable[[], None]) -> Iterator[None]:
        """Keep every other process from downloading the same file; `on_wait` is called when one is at it."""
        from filelock import Timeout
        from huggingface_hub.utils import WeakFileLock  # type: ignore[attr-defined]  # exported lazily

        self._locks.mkdir(parents=True, exist_ok=True)
        path = self._locks / f"{digest}.lock"
        with ExitStack() as stack:
            try:
                stack.enter_context(WeakFileLock(path, timeout=0.2))
            except Timeout:
                on_wait()
                stack.enter_context(WeakFileLock(path))
            yield

    def partials(self) -> dict[Path, tuple[int, int]]:
        """Files that some tool has begun, each with its size and time."""
        found = {}
        for path in self.folder.glob("blobs/*.incomplete"):
            with suppress(OSError):  # gone in the meantime: its download has ended
                state = path.stat()
                found[path] = (state.st_size, state.st_mtime_ns)
        return found

    def clean(self, before: Mapping[Path, tuple[int, int]]) -> None:
        """Remove files that were begun and are nobody's work: as they were `before`, and with no lock held."""
        from filelock import FileLock, Timeout

        for path, state in self.partials().items():
            if before.get(path) != state:
                continue
            lock = self._locks / f"{path.name.partition('.')[0]}.lock"
            with suppress(OSError, Timeout):
                if not lock.exists():
                    path.unlink()
                    continue
                with FileLock(lock, timeout=0, mode=0o664):
                    path.unlink()


def _read_commit(file: Path) -> str | None:
    try:
        commit = read_regular(file, _REF_BYTES).decode("ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None
    return commit if is_commit(commit) else None


def _write_commit(file: Path, commit: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    write_whole(file, commit.encode())


def _is_whole(text: str) -> bool:
    try:
        int(text)
    except ValueError:
        return False
    return True
