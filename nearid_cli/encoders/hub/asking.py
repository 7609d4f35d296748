"""Requests to the Hub: with a token or without, again where it is busy, and what a repository holds."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from nearid_cli import __version__
from nearid_cli.encoders.hub import failures
from nearid_cli.encoders.hub.cache import Notify, constants
from nearid_cli.encoders.hub.failures import HubError, TransientError
from nearid_cli.text import printable


@dataclass(frozen=True)
class RemoteFile:
    """A file of a repository.

    Attributes:
        size: bytes, or None where the Hub (a mirror) does not say.
        digest: SHA-256 of a large file, git's blob SHA-1 of another, in hex; None where the Hub does not say.
    """

    size: int | None
    digest: str | None


@dataclass(frozen=True)
class Listing:
    """What a revision of a repository holds.

    Attributes:
        repo_id: its present name, which may be another than the one asked for.
        commit: the revision's commit.
        files: by their paths in the repository.
    """

    repo_id: str
    commit: str
    files: dict[str, RemoteFile]


class Patience:
    """Waits between attempts, each twice as long as the last, until too long nothing came."""

    def __init__(self) -> None:
        self._limit = 3.0 * constants().HF_HUB_ETAG_TIMEOUT
        self._reached = -1
        self.reach(0)

    def reach(self, position: int) -> None:
        """So many bytes are here. Where that is more than ever before, the next failure is the first."""
        if position > self._reached:
            self._reached = position
            self._pause = 0.5
            self._end = time.monotonic() + self._limit

    def wait(self, asked: float | None) -> bool:
        """Wait before another attempt, as long as the Hub asked; or say at once that there is to be none."""
        pause = max(self._pause, asked or 0.0)
        if time.monotonic() + pause > self._end:
            return False
        time.sleep(pause)
        self._pause *= 2
        return True


class Asking:
    """Asks the Hub about one repository.

    Args:
        repo_id: `organisation/model`.
        revision: branch, tag or commit; None is the main branch.
        notify: called with a line when something is not as one would expect.
    """

    def __init__(self, repo_id: str, revision: str | None, notify: Notify) -> None:
        self.repo_id = repo_id
        self.revision = revision
        self._notify = notify
        self._token = _token()
        if self._token and not self._token.isascii():
            self._drop_token()

    @property
    def shown(self) -> str:
        """The repository and its revision, for people."""
        return printable(f"{self.repo_id}@{self.revision}" if self.revision else self.repo_id)

    def listing(self) -> Listing:
        """The commit of the revision and its files.

        Raises:
            HubError: there is none, or no answer.
        """
        url = f"{constants().ENDPOINT}/api/models/{self.repo_id}"
        if self.revision:
            url += f"/revision/{quote(self.revision, safe='')}"
        response = self._ask("GET", f"{url}?blobs=true")
        return _listing(response, self.repo_id)

    def digest(self, listing: Listing, name: str) -> str:
        """The name under which the Hub cache keeps a file, asked for where the listing has none.

        Raises:
            HubError: the Hub does not say.
        """
        if digest := listing.files[name].digest:
            return digest
        response = self._ask("HEAD", self.file_url(listing, name))
        for answer in (*response.history, response):
            tag = answer.headers.get("X-Linked-ETag") or answer.headers.get("ETag") or ""
            tag = tag.removeprefix("W/").strip('"')
            if tag and all(character.isalnum() or character in "-_." for character in tag):
                return str(tag)
        raise HubError(
            f"{printable(constants().ENDPOINT)} gives no ETag for {printable(name)}: it is not a Hub"
        )

    def file_url(self, listing: Listing, name: str) -> str:
        """Where a file is to be had: the Hub sends on to wherever it keeps it, with a fresh link each time."""
        return f"{constants().ENDPOINT}/{listing.repo_id}/resolve/{listing.commit}/{quote(name)}"

    @contextmanager
    def stream(self, url: str, start: int) -> Iterator[Any]:
        """A file's bytes from `start` on: status 206, or 200 from a server that only gives the whole.

        Raises:
            TransientError: the connection broke, stalled, or its link ran out.
            HubError: it is refused, or its host cannot be reached.
        """
        hub = constants()
        httpx = failures.httpx_module()
        # A compressed answer could not be gone on with.
        headers = self._headers() | {"Accept-Encoding": "identity"}
        if start:
            headers["Range"] = f"bytes={start}-"
        timeout = httpx.Timeout(hub.HF_HUB_DOWNLOAD_TIMEOUT, connect=hub.HF_HUB_ETAG_TIMEOUT)
        try:
            with _client().stream(
                "GET", url, headers=headers, timeout=timeout, follow_redirects=True
            ) as response:
                self._check_file(response)
                yield response
        except httpx.HTTPError as error:
            request = getattr(error, "_request", None)  # the property raises where there is none
            raise failures.no_answer(error, str(request.url) if request else url, is_file=True) from error

    def _check_file(self, response: Any) -> None:
        """Refuse whatever is not the file."""
        if page := failures.page(response):
            raise page
        if response.status_code in (200, 206, 416):
            return
        if response.status_code in (401, 403, 410) and failures.is_elsewhere(str(response.url)):
            # A link that ran out while it was used, or a clock that is wrong; another attempt asks for a fresh one.
            host = printable(urlsplit(str(response.url)).netloc)
            raise TransientError(
                f"{host} (the Hub's large files) refuses fresh links too ({response.status_code})"
            )
        raise failures.no(response, self.repo_id, self.revision)

    def _ask(self, method: str, url: str) -> Any:
        """One request for metadata; without the token where the Hub does not take it."""
        try:
            return self._patiently(method, url)
        except _RefusedTokenError as refused:
            token, self._token = self._token, None
            try:
                response = self._patiently(method, url)
            except HubError as error:
                self._token = token
                if refused.response.status_code == 401 and "X-Error-Code" not in refused.response.headers:
                    raise HubError(
                        f"the Hub does not take the token of {_token_source()} (expired?), and shows no such "
                        "model without: check the spelling, or `hf auth login` if it is private or gated"
                    ) from error
                raise failures.no(refused.response, self.repo_id, self.revision) from error
            self._drop_token()
            return response

    def _patiently(self, method: str, url: str) -> Any:
        patience = Patience()
        while True:
            try:
                return self._once(method, url)
            except TransientError as error:
                self._notify(f"{error}; asking again")
                if not patience.wait(error.after):
                    raise HubError(f"{error}; try again later") from error

    def _once(self, method: str, url: str) -> Any:
        hub = constants()
        httpx = failures.httpx_module()
        try:
            response = _client().request(
                method, url, headers=self._headers(), timeout=hub.HF_HUB_ETAG_TIMEOUT, follow_redirects=True
            )
        except httpx.HTTPError as error:
            raise failures.no_answer(error, url) from error
        has_code = "X-Error-Code" in response.headers
        if self._token and (response.status_code == 401 or (response.status_code == 403 and not has_code)):
            raise _RefusedTokenError(response)
        if not response.is_success:
            raise failures.no(response, self.repo_id, self.revision)
        if page := failures.page(response):
            raise page
        return response

    def _headers(self) -> dict[str, str]:
        headers = {"User-Agent": f"nearid-cli/{__version__}"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        return headers

    def _drop_token(self) -> None:
        self._token = None
        self._notify(
            f"the Hub does not take the token of {_token_source()} (expired?): going on without it; "
            "`hf auth login` makes a new one"
        )


class _RefusedTokenError(Exception):
    """The Hub refuses, perhaps only because of the token."""

    def __init__(self, response: Any) -> None:
        super().__init__()
        self.response = response


def _token() -> str | None:
    """The token that requests carry, or None."""
    from huggingface_hub import get_token

    return None if constants().HF_HUB_DISABLE_IMPLICIT_TOKEN else get_token()


def _token_source() -> str:
    """Where the token comes from, for people."""
    names = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")
    return next((name for name in names if os.environ.get(name)), "`hf auth login`")


def _client() -> Any:
    """huggingface_hub's HTTP client, as the program that we are part of has set it up."""
    from huggingface_hub import get_session

    try:
        return get_session()
    except (ImportError, ValueError, OSError) as error:
        raise failures.no_client(error) from error


def _listing(response: Any, repo_id: str) -> Listing:
    """The answer about a repository, read."""
    try:
        content = response.json()
        files = {
            str(file["rfilename"]): RemoteFile(
                file.get("size"), (file.get("lfs") or {}).get("sha256") or file.get("blobId")
            )
            for file in content["siblings"]
        }
        return Listing(str(content.get("id") or repo_id), str(content["sha"]), files)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise HubError(
            f"{printable(constants().ENDPOINT)} does not answer as a Hub does: check HF_ENDPOINT and the proxy"
        ) from error
