"""Fetching a repository's wanted files into the Hub cache."""

from __future__ import annotations

import errno
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nearid_cli.activity import doing
from nearid_cli.encoders.files import no_checkpoint, read_files, select
from nearid_cli.encoders.hub.asking import Asking, Listing
from nearid_cli.encoders.hub.cache import Repository, cache_folder, is_commit
from nearid_cli.encoders.hub.errors import HubError
from nearid_cli.encoders.hub.receiving import receive
from nearid_cli.encoders.hub.settings import Notify, check_reachable, constants
from nearid_cli.encoders.quiet import quiet_hub
from nearid_cli.errors import ModelError
from nearid_cli.text import file_size, printable


def fetch(repo_id: str, revision: str | None, notify: Notify, subfolder: str, safetensors_only: bool) -> Path:
    """See `hub.download`."""
    check_reachable()
    with quiet_hub():
        try:
            return _fetch(repo_id, revision, notify, subfolder, safetensors_only)
        except KeyboardInterrupt as interrupt:
            raise KeyboardInterrupt("the same command goes on where the download stopped") from interrupt
        except OSError as error:
            raise _cannot_write(error) from error


def ask(repo_id: str) -> str:
    """See `hub.describe_answer`."""
    check_reachable()
    said: list[str] = []
    with quiet_hub():
        listing = Asking(repo_id, None, said.append).listing()
    return "; ".join((f"{printable(constants().ENDPOINT)} answers: {repo_id} is {listing.commit[:8]}", *said))


def _fetch(
    repo_id: str, revision: str | None, notify: Notify, subfolder: str, safetensors_only: bool
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
    names = _choose(listing, subfolder, safetensors_only, asking.shown)

    repository = Repository(repo_id)
    branch = revision or constants().DEFAULT_REVISION
    _say_what_changes(f"{printable(repo_id)}@{printable(branch)}", repository, branch, listing.commit, notify)
    begun = repository.partials()
    _fetch_files(asking, listing, names, repository, notify)
    if not is_commit(branch):
        repository.point(branch, listing.commit)
        repository.use(branch, listing.commit)
    repository.clean(begun)
    return repository.snapshot(listing.commit)


def _choose(listing: Listing, subfolder: str, safetensors_only: bool, where: str) -> list[str]:
    """The files of a repository that are read."""
    prefix = f"{subfolder}/" if subfolder else ""
    names = [name.removeprefix(prefix) for name in listing.files if name.startswith(prefix)]
    if reason := no_checkpoint(names, prefix + where, safetensors_only):
        raise ModelError(reason)
    chosen = [prefix + name for name in select(names, safetensors_only)]
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
    asking: Asking, listing: Listing, names: Sequence[str], repository: Repository, notify: Notify
) -> None:
    """Bring the snapshot's missing files: settings first, and weights if these are of a model that is known."""
    from tqdm import tqdm

    snapshot = repository.snapshot(listing.commit)
    missing = [name for name in names if not (snapshot / name).exists()]
    settings = [name for name in missing if name.endswith(".json")]
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
        _receive_all(asking, listing, settings, repository, bar, notify)
        if weights:
            read_files((snapshot / weights[0]).parent, weights=False)
            _receive_all(asking, listing, weights, repository, bar, notify)


def _receive_all(
    asking: Asking, listing: Listing, names: Sequence[str], repository: Repository, bar: Any, notify: Notify
) -> None:
    for name in names:
        receive(asking, listing, name, repository, bar, notify)


def _cannot_write(error: OSError) -> HubError:
    """The disk does not take what the Hub gives."""
    reason = printable(error.strerror or str(error))
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        reason = f"no space is left ({reason}); free some, or set HF_HUB_CACHE to a folder on a larger disk"
    else:
        reason = f"{reason}; set HF_HUB_CACHE to a folder that is yours"
    return HubError(f"it cannot be written to {printable(cache_folder())}: {reason}")
