"""Hub repositories: the snapshot in the local Hub cache, and fetching one.

Looking into the cache reads the cache's documented layout directly, because importing
huggingface_hub's own look-up costs a quarter of a second, which is most of a warm run:

    HF_HUB_CACHE/models--ORG--NAME/refs/REVISION              holds the commit
    HF_HUB_CACHE/models--ORG--NAME/snapshots/COMMIT/FILE      links to ../../blobs/ETAG
"""

from __future__ import annotations

import errno
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nearid_cli.encoders.files import CONFIG, no_checkpoint, select
from nearid_cli.encoders.kinds import check_config
from nearid_cli.encoders.quiet import quiet_hub
from nearid_cli.errors import ModelError
from nearid_cli.text import file_size, printable

Notify = Callable[[str], None]


class HubError(Exception):
    """A repository cannot be had from the Hub. The message is the reason, for people."""


class OfflineError(HubError):
    """The Hub cannot be asked at all, for this or any other repository."""


def cached_snapshot(repo_id: str, revision: str | None) -> Path | None:
    """The folder of a revision in the local Hub cache, or None. Never asks the network."""
    from huggingface_hub import constants

    repository = Path(constants.HF_HUB_CACHE) / f"models--{repo_id.replace('/', '--')}"
    revision = revision or constants.DEFAULT_REVISION
    commit = revision
    if not is_commit(revision):
        try:
            commit = (repository / "refs" / revision).read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError):
            return None
    folder = repository / "snapshots" / commit
    return folder if is_commit(commit) and folder.is_dir() else None


def is_commit(revision: str) -> bool:
    """Whether a revision is a full commit hash, which always means the same files."""
    return re.fullmatch(r"[0-9a-f]{40}", revision) is not None


def cache_folder() -> Path:
    """Where the Hub cache is (`HF_HUB_CACHE`, `HF_HOME`)."""
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)


def commit_of(folder: Path) -> str:
    """The commit of a snapshot, from the path of the snapshot's folder or of a folder in it."""
    for place in (folder, *folder.parents):
        if place.parent.name == "snapshots":
            return place.name
    raise ValueError(f"{folder} is in no snapshot of the Hub cache")


def download(
    repo_id: str,
    revision: str | None,
    notify: Notify,
    subfolder: str = "",
    safetensors_only: bool = False,
) -> Path:
    """Fetch the wanted files of a repository into the Hub cache; files that are there are not fetched again.

    Args:
        repo_id: `organisation/model`.
        revision: branch, tag or commit; None is the main branch.
        notify: called with one line before something is downloaded.
        subfolder: the folder of the repository whose files are fetched; `""` for the repository's own.
        safetensors_only: never fetch weights in torch's pickle format.

    Returns:
        The snapshot's folder.

    Raises:
        HubError: with the reason.
        ModelError: the repository holds no checkpoint that is read; none of its weights were fetched.
    """
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        raise OfflineError("HF_HUB_OFFLINE is set")
    with quiet_hub():
        return _download(repo_id, revision, notify, subfolder, safetensors_only)


def _download(
    repo_id: str, revision: str | None, notify: Notify, subfolder: str, safetensors_only: bool
) -> Path:
    from huggingface_hub import HfApi, constants, errors, hf_hub_download, snapshot_download, utils

    httpx: Any = utils.httpx  # type: ignore[attr-defined]  # of the generation that it runs on

    where = f"{repo_id}@{revision}" if revision else repo_id
    try:
        # Asked first and once: a Hub that cannot be reached is known after one time-out, without retries.
        info = HfApi().model_info(
            repo_id, revision=revision, timeout=constants.HF_HUB_ETAG_TIMEOUT, files_metadata=True
        )
        sizes = {file.rfilename: file.size or 0 for file in info.siblings or ()}
        prefix = f"{subfolder}/" if subfolder else ""
        names = [name.removeprefix(prefix) for name in sizes if name.startswith(prefix)]
        if reason := no_checkpoint(names, printable(prefix + where), safetensors_only):
            raise ModelError(reason)
        wanted = [prefix + name for name in select(names, safetensors_only)]
        config = Path(hf_hub_download(repo_id, prefix + CONFIG, revision=info.sha, tqdm_class=_no_bar()))
        check_config(json.loads(config.read_bytes()), f"{CONFIG} of {printable(where)}")
        size = file_size(sum(sizes[name] for name in wanted))
        notify(f"downloading {printable(where)} ({size}) into {printable(constants.HF_HUB_CACHE)}")
        folder = snapshot_download(
            repo_id,
            revision=revision,
            allow_patterns=wanted,
            tqdm_class=_no_bar(),
        )
    except errors.GatedRepoError as error:
        raise HubError(
            f"it is gated: accept its terms on https://huggingface.co/{repo_id}, then `hf auth login`"
        ) from error
    except errors.RevisionNotFoundError as error:
        raise HubError(f"the Hub has the model, and no revision {revision} of it") from error
    except errors.RepositoryNotFoundError as error:
        raise HubError(
            "the Hub has no such model: check the spelling, or `hf auth login` if it is private"
        ) from error
    except errors.HFValidationError as error:
        raise HubError("it is not a valid Hub id (organisation/model)") from error
    except (httpx.ConnectError, httpx.TimeoutException, errors.OfflineModeIsEnabled) as error:
        raise OfflineError(f"the Hub cannot be reached at {constants.ENDPOINT}") from error
    except errors.HfHubHTTPError as error:
        status = error.response.status_code
        if status in (401, 403):
            raise HubError(
                f"the Hub refused access ({status}): `hf auth login` with an account that may read it"
            ) from error
        raise HubError(f"the Hub answered with an error ({status}); try again later") from error
    except (httpx.HTTPError, errors.LocalEntryNotFoundError) as error:
        raise HubError("the connection to the Hub broke; run the same command again to go on") from error
    except OSError as error:
        reason = "no space is left" if error.errno == errno.ENOSPC else str(error)
        raise HubError(f"it cannot be written to {printable(constants.HF_HUB_CACHE)}: {reason}") from error
    return Path(folder)


def _no_bar() -> Any:
    """A tqdm class that shows nothing."""
    from tqdm.auto import tqdm

    class NoBar(tqdm):  # type: ignore[misc]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **(kwargs | {"disable": True}))

    return NoBar
