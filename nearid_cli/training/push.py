"""Putting a release on the Hub."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nearid_cli.encoders.libraries import quiet_hub
from nearid_cli.encoders.registry import HUB_ID
from nearid_cli.errors import InputError, UsageError
from nearid_cli.text import printable


def check_push(repo_id: str) -> None:
    """Refuse what cannot succeed before the work of an export is done.

    Raises:
        UsageError: not a Hub id, or nobody is logged in.
        InputError: the Hub must not be asked.
    """
    from huggingface_hub import constants, get_token

    if not HUB_ID.fullmatch(repo_id):
        raise UsageError(f'--push-to-hub takes a Hub id (organisation/model), found "{printable(repo_id)}"')
    if constants.HF_HUB_OFFLINE:
        raise InputError(f"cannot push to {repo_id}: HF_HUB_OFFLINE is set")
    if get_token() is None:
        raise UsageError(f"cannot push to {repo_id}: nobody is logged in; `hf auth login`, or set HF_TOKEN")


def push(folder: Path, repo_id: str) -> str:
    """Upload a release. A repository that is not there is made, private; one that is there stays as it is.

    Returns:
        Where it is.

    Raises:
        InputError: the Hub did not take it, and why. The folder stays.
    """
    from huggingface_hub import HfApi, constants, errors, utils

    httpx: Any = utils.httpx  # type: ignore[attr-defined]  # of the generation that it runs on
    kept = f"{printable(folder)} is written: try again with `hf upload {repo_id} {printable(folder)}`"
    with quiet_hub():
        try:
            api = HfApi()
            address = api.create_repo(repo_id, private=True, exist_ok=True)
            api.upload_folder(
                repo_id=repo_id, folder_path=folder, commit_message="NearID model, by nearid export"
            )
        except errors.HFValidationError as error:
            raise InputError(f"cannot push to {repo_id}: it is not a valid Hub id; {kept}") from error
        except errors.HfHubHTTPError as error:
            status = error.response.status_code
            reason = (
                f"the Hub refused access ({status}): log in with an account that may write there, `hf auth login`"
                if status in (401, 403)
                else f"the Hub answered with an error ({status})"
            )
            raise InputError(f"cannot push to {repo_id}: {reason}; {kept}") from error
        except (httpx.HTTPError, errors.OfflineModeIsEnabled, OSError) as error:
            raise InputError(
                f"cannot push to {repo_id}: the Hub cannot be reached at {constants.ENDPOINT}; {kept}"
            ) from error
    return str(address)
