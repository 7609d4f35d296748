"""Hub repositories: the snapshot in the local Hub cache, and fetching one.

    cache.py       the Hub cache on this disk: which snapshot of a revision is used, and adding one to it
    settings.py    what the environment says to every Hub tool: endpoint, token, proxy, time limits
    asking.py      requests to the Hub: tokens, busy servers, what a repository holds
    fetching.py    a repository's wanted files into the cache: going on where a connection broke, checking
    failures.py    what went wrong, as a reason and a remedy
    errors.py      the exceptions

A run with everything in the cache imports the first two.

Files come over plain HTTPS, never through Xet: what one connection has brought stays and the next one goes on from
there, proxies and certificates are those of every other request, and Ctrl-C stops at once.
"""

from pathlib import Path

from nearid_cli.encoders.hub.cache import (
    cache_folder,
    cached_snapshot,
    commit_of,
    digest_as_hub,
    find_snapshot,
    is_commit,
    is_digest,
    keep_revision,
)
from nearid_cli.encoders.hub.errors import HubError, OfflineError
from nearid_cli.encoders.hub.settings import Notify

__all__ = [
    "HubError",
    "Notify",
    "OfflineError",
    "cache_folder",
    "cached_snapshot",
    "commit_of",
    "describe_answer",
    "digest_as_hub",
    "download",
    "find_snapshot",
    "is_commit",
    "is_digest",
    "keep_revision",
]


def download(
    repo_id: str, revision: str | None, notify: Notify, subfolder: str = "", safetensors_only: bool = False
) -> Path:
    """Fetch the wanted files of a repository into the Hub cache; files that are there are not fetched again.

    Settings come first: weights are fetched only when these are of a model that can be used.

    Args:
        repo_id: `organisation/model`.
        revision: branch, tag or commit; None is the main branch.
        notify: called with one line before something is downloaded, and whenever something is not as one would expect.
        subfolder: the folder of the repository whose files are fetched; `""` for the repository's own.
        safetensors_only: never fetch weights in torch's pickle format.

    Returns:
        The snapshot's folder. The revision means this snapshot from now on, for nearid and for other tools; until it is
        complete, it means what it did before.

    Raises:
        HubError: with the reason and a remedy.
        ModelError: the repository holds no checkpoint that is read; none of its weights were fetched.
        KeyboardInterrupt: at once; its message says what is kept.
    """
    from nearid_cli.encoders.hub.fetching import fetch

    return fetch(repo_id, revision, notify, subfolder, safetensors_only)


def describe_answer(repo_id: str) -> str:
    """Ask the Hub for a repository, and for nothing of it, and say what came of it.

    Raises:
        HubError: there is no answer as a Hub gives it, with the reason and a remedy.
    """
    from nearid_cli.encoders.hub.fetching import ask

    return ask(repo_id)
