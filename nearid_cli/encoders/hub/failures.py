"""What may go wrong between here and a checkpoint on the Hub, as one line with the reason and what to do about it.

HubError            this repository cannot be had
├── OfflineError    the Hub cannot be asked at all, for this or any other repository
└── TransientError  asking again may help; it is raised for good when it has not

Before anything is asked, settings may rule it out; then there is no answer (an exception of httpx), or the answer is
no (a response).
"""

from __future__ import annotations

import os
import re
import socket
import ssl
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from nearid_cli.encoders.hub.cache import constants
from nearid_cli.text import printable

_OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")

BUSY = (408, 429, 500, 502, 503, 504)
"""Answers that may be others a moment later."""


class HubError(Exception):
    """A repository cannot be had from the Hub. The message is the reason and what to do, for people."""


class OfflineError(HubError):
    """The Hub cannot be asked at all, for this or any other repository."""


class TransientError(HubError):
    """The Hub or the connection failed in a way that may pass.

    Args:
        message: see `HubError`.
        after: seconds that the Hub asks to wait, or None.
    """

    def __init__(self, message: str, after: float | None = None) -> None:
        super().__init__(message)
        self.after = after


def check_reachable() -> None:
    """Refuse what no request can be made with.

    Raises:
        OfflineError: the Hub is not to be asked, or its address is none.
    """
    hub = constants()
    if hub.HF_HUB_OFFLINE:
        name = next((name for name in _OFFLINE if os.environ.get(name)), _OFFLINE[0])
        raise OfflineError(f"{name} is set")
    endpoint = printable(hub.ENDPOINT)
    if not endpoint:
        raise OfflineError("HF_ENDPOINT is set to nothing: `unset HF_ENDPOINT`")
    if urlsplit(hub.ENDPOINT).scheme not in ("http", "https") or not urlsplit(hub.ENDPOINT).netloc:
        hint = "" if "://" in endpoint else f": `export HF_ENDPOINT=https://{endpoint}`"
        raise OfflineError(f"HF_ENDPOINT is {endpoint}, and an address begins with https://{hint}")


def no_client(error: Exception) -> OfflineError:
    """Why no request can be made at all: a setting that is wrong or needs a package that is not here."""
    if isinstance(error, OSError):
        file = printable(os.environ.get("SSL_CERT_FILE") or os.environ.get("SSL_CERT_DIR") or "the system's")
        return OfflineError(f"SSL_CERT_FILE: the certificates in {file} cannot be read: {_words(error)}")
    proxy = _proxy_words(_proxy_for(constants().ENDPOINT))
    if isinstance(error, ImportError):
        return OfflineError(f"{proxy} is a SOCKS proxy, which needs a package: pip install socksio")
    return OfflineError(f"{proxy} cannot be used: {_words(error)}")


def no_answer(error: Exception, url: str, is_file: bool = False) -> HubError:
    """Why a server did not answer, or broke off.

    Args:
        error: what httpx raised.
        url: what was asked for, or what a redirect of the Hub led to.
        is_file: whether a file was asked for. The Hub has answered before, so that most failures may pass.
    """
    httpx = httpx_module()
    elsewhere = is_file and is_elsewhere(url)
    who = f"{_host(url)} (the Hub's large files)" if elsewhere else "the Hub"
    if isinstance(error, httpx.RemoteProtocolError | httpx.ReadError | httpx.WriteError):
        return TransientError(f"the connection to {who} broke")
    if isinstance(error, httpx.ReadTimeout) and is_file:
        return TransientError(f"{who} stopped sending")
    proxy = _proxy_for(url)
    reason, may_pass = _reason(error, url)
    at = "" if elsewhere else f" at {printable(constants().ENDPOINT)}"
    message = f"{who} cannot be reached{at}{' through ' + _proxy_words(proxy) if proxy else ''}: {reason}"
    if not is_file:
        return OfflineError(message)
    return TransientError(message) if may_pass else HubError(message)


def _reason(error: Exception, url: str) -> tuple[str, bool]:
    """What stands between here and a server, with what to do, and whether it may pass by itself."""
    httpx = httpx_module()
    chain = list(_chain(error))
    if isinstance(error, httpx.ProxyError):
        status = re.search(r"\b[45]\d\d\b", str(error))
        if status is None:
            return f"the proxy fails ({_words(error)})", True
        if status[0] == "407":
            return "it asks for a name and password (407), written http://NAME:PASSWORD@HOST:PORT", False
        return f"it refuses ({status[0]}): ask for {_host(url)} to be allowed, or {_MIRROR}", False
    if isinstance(error, httpx.TimeoutException):
        return "no answer in time (HF_HUB_ETAG_TIMEOUT sets the seconds)", True
    if any("CERTIFICATE_VERIFY_FAILED" in str(cause) for cause in chain):
        why = next(
            (cause.verify_message for cause in chain if isinstance(cause, ssl.SSLCertVerificationError)), ""
        )
        return (
            f"its certificate is not trusted{f' ({why})' if why else ''}; where a company's proxy signs connections: "
            f"`export SSL_CERT_FILE={_certificates()}`"
        ), False
    if any(isinstance(cause, ssl.SSLError) for cause in chain):
        return f"no secure connection ({_words(error)}): is it http:// in place of https:// there?", False
    if any(isinstance(cause, socket.gaierror) for cause in chain):
        return "the name of the machine is not known here (DNS): no network, or a typing error", True
    if any(isinstance(cause, ConnectionRefusedError) for cause in chain):
        return "the connection was refused", True
    return _words(error), True


def no(response: Any, repo_id: str, revision: str | None) -> HubError:
    """Why the Hub answered with anything but what it was asked for.

    Args:
        response: the last one of the redirects, with a status that is no success.
        repo_id: what was asked for.
        revision: branch, tag or commit, or None.
    """
    status = response.status_code
    code = response.headers.get("X-Error-Code", "")
    said = response.headers.get("X-Error-Message", "")
    url = str(response.url)
    if status == 407:
        return HubError(
            f"{_proxy_words(_proxy_for(url))} asks for a name and password (407), written http://NAME:PASSWORD@HOST:PORT"
        )
    if code == "GatedRepo":
        return HubError(
            f"it is gated: accept its terms on https://huggingface.co/{repo_id}, then `hf auth login`"
        )
    if "disabled" in said:
        return HubError(f"the Hub has disabled it: its page says why, https://huggingface.co/{repo_id}")
    if code == "RevisionNotFound":
        return HubError(f"the Hub has the model, and no revision {revision} of it")
    if code == "EntryNotFound":
        return HubError(
            f"the Hub lists {printable(urlsplit(url).path.rpartition('/')[2])} and does not have it"
        )
    if status in BUSY:
        return TransientError(
            f"the Hub answered with an error ({status}{_BUSY_WORDS.get(status, '')})",
            _seconds_to_wait(response),
        )
    if found := page(response):
        return found
    if code == "RepoNotFound" or status in (401, 404):
        return HubError("the Hub has no such model: check the spelling, or `hf auth login` if it is private")
    if status == 403:
        return HubError("the Hub refused access (403): `hf auth login` with an account that may read it")
    return HubError(f"the Hub answered with an error ({status}); try again later")


def page(response: Any) -> HubError | None:
    """What a web page where the Hub's answer should be says; None for an answer that is none."""
    if not str(response.headers.get("Content-Type", "")).lower().startswith("text/html"):
        return None
    host = _host(str(response.url))
    status = "" if response.status_code == 200 else f" ({response.status_code})"
    if response.status_code in (403, 451):
        remedy = f"a proxy or firewall refuses it; ask for {host} to be allowed, or {_MIRROR}"
    elif response.status_code == 404:
        remedy = "HF_ENDPOINT is not the address of a Hub"
    else:
        remedy = (
            "log in to the network with a browser (hotel, guest network), or check HF_ENDPOINT and the proxy"
        )
    return HubError(f"a web page of {host}{status} came in place of the Hub's answer: {remedy}")


def is_elsewhere(url: str) -> bool:
    """Whether an address is not the Hub's own, but that of the host that keeps its large files."""
    return urlsplit(url).netloc != urlsplit(str(constants().ENDPOINT)).netloc


_MIRROR = "set HF_ENDPOINT to a mirror"
_BUSY_WORDS = {429: ", too many requests from here", 503: ", it is busy"}


def _seconds_to_wait(response: Any) -> float | None:
    """What `Retry-After` or the Hub's `RateLimit` header says, in seconds."""
    after = response.headers.get("Retry-After", "").strip()
    limit = re.search(r"\bt=(\d+)", response.headers.get("RateLimit", ""))
    if after.isdigit():
        return float(after)
    return float(limit[1]) if limit and response.status_code == 429 else None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An exception and what it came of."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _host(url: str) -> str:
    parts = urlsplit(url)
    return printable(parts.netloc.rpartition("@")[2])


def _certificates() -> str:
    """The file of a company's certificates: the one that other tools were told of, which nothing here reads."""
    names = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")
    return next((f"${name}" for name in names if os.environ.get(name)), "COMPANY_CERTIFICATES.pem")


def _proxy_for(url: str) -> tuple[str, str] | None:
    """The environment variable that sends requests for an address through a proxy, and the proxy without its password.

    >>> from unittest.mock import patch
    >>> variables = {"HTTPS_PROXY": "http://me:secret@proxy.corp:3128", "NO_PROXY": "b.org"}
    >>> with patch.dict(os.environ, variables, clear=True):
    ...     _proxy_for("https://a.org/x"), _proxy_for("https://b.org/x")
    (('HTTPS_PROXY', 'http://proxy.corp:3128'), None)
    """
    # Takes as long to import as a warm run looks for its checkpoints.
    from urllib.request import getproxies, proxy_bypass

    parts = urlsplit(url)
    if parts.hostname and proxy_bypass(parts.hostname):
        return None
    proxies = getproxies()
    for scheme in (parts.scheme, "all"):
        if proxies.get(scheme):
            names = (f"{scheme}_proxy", f"{scheme}_proxy".upper())
            name = next((name for name in names if os.environ.get(name)), "the system's settings")
            return name, printable(re.sub(r"//[^/@]*@", "//", proxies[scheme]))
    return None


def _proxy_words(proxy: tuple[str, str] | None) -> str:
    return f"the proxy {proxy[1]} ({proxy[0]})" if proxy else "the proxy of the environment"


def _words(error: Exception) -> str:
    return printable(" ".join(str(error).split()) or type(error).__name__)


def httpx_module() -> Any:
    """The generation of httpx that huggingface_hub runs on."""
    from huggingface_hub import utils

    return utils.httpx  # type: ignore[attr-defined]
