"""What the environment says to every Hub tool, read by huggingface_hub and checked here."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Callable
from types import ModuleType
from urllib.parse import urlsplit

from nearid_cli.encoders.hub.errors import OfflineError
from nearid_cli.errors import UsageError
from nearid_cli.text import printable

Notify = Callable[[str], None]

_SECONDS = ("HF_HUB_ETAG_TIMEOUT", "HF_HUB_DOWNLOAD_TIMEOUT")
_OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")


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


def token() -> str | None:
    """The token that requests carry, or None."""
    from huggingface_hub import get_token

    return None if constants().HF_HUB_DISABLE_IMPLICIT_TOKEN else get_token()


def token_source() -> str:
    """Where the token comes from, for people."""
    names = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")
    return next((name for name in names if os.environ.get(name)), "`hf auth login`")


def proxy_for(url: str) -> tuple[str, str] | None:
    """The environment variable that sends requests for an address through a proxy, and the proxy without its password.

    >>> from unittest.mock import patch
    >>> variables = {"HTTPS_PROXY": "http://me:secret@proxy.corp:3128", "NO_PROXY": "b.org"}
    >>> with patch.dict(os.environ, variables, clear=True):
    ...     proxy_for("https://a.org/x"), proxy_for("https://b.org/x")
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


def _is_whole(text: str) -> bool:
    try:
        int(text)
    except ValueError:
        return False
    return True
