"""What a tracker is, and the list of all that there are.

Help names the trackers, so these modules import the packages of the trackers when they use them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar

from nearid_cli.errors import NearIDError, TrackingError
from nearid_cli.text import printable, said

if TYPE_CHECKING:
    from nearid_cli.trackers.record import LoggedResult

TRACKERS: dict[str, type[Tracker]] = {}
"""By name. A tracker comes in by being defined in a module of `kinds/`."""

_SECRET = re.compile(r"KEY|TOKEN|PASSWORD|SECRET|CREDENTIAL", re.IGNORECASE)
_SHORTEST = 6  # of a value of such a variable, to be one that nothing else would hold by chance


class Tracker:
    """A program that keeps the results of experiments.

    Attributes:
        name: as in `--log`; also that of its package and of our extra.
        place: what may stand behind `NAME=`, for help and messages.
        project: where results go if neither the user nor the environment says.
    """

    name: ClassVar[str]
    place: ClassVar[str]
    project: ClassVar[str] = "nearid"

    def __init_subclass__(cls) -> None:
        TRACKERS[cls.name] = cls

    def __init__(self, where: str | None = None) -> None:
        self.where = where

    def check(self) -> None:
        """Find out whether it can be logged to, before any work is done.

        Raises:
            TrackingError: its package is missing or broken, or its server or folder cannot be used.
        """
        with self.spoken():
            self.reach(self.package())

    def log(self, record: LoggedResult) -> str:
        """Log a result.

        Returns:
            Where it is now, for people.

        Raises:
            TrackingError: it could not be logged, or not all of it.
        """
        with self.spoken():
            return self.keep(self.package(), record)

    def reach(self, package: Any) -> None:
        """Raise any exception where the package cannot keep results."""
        raise NotImplementedError

    def keep(self, package: Any, record: LoggedResult) -> str:
        """Give all of a record to the package."""
        raise NotImplementedError

    def package(self) -> Any:
        """The tracker's own package, imported."""
        try:
            return import_module(self.name)
        except ModuleNotFoundError as error:
            if error.name != self.name:
                raise
            raise TrackingError(
                f"logging to {self.name} needs its package: pip install 'nearid-cli[{self.name}]'"
            ) from error

    @contextmanager
    def spoken(self) -> Iterator[None]:
        """What goes wrong inside is said in one line, and without what is secret."""
        try:
            yield
        except TrackingError:
            raise
        except NearIDError as error:
            raise TrackingError(f"cannot log to {self.name}: {error.message}", error.details) from error
        except Exception as error:
            raise TrackingError(f"cannot log to {self.name}: {discreet(said(error))}") from error


def discreet(text: str) -> str:
    """A message without passwords in addresses, and without the value of any variable that is called like a secret.

    >>> discreet("no answer from https://me:pw@host/api")
    'no answer from https://***@host/api'
    """
    text = re.sub(r"//[^/\s@]+@", "//***@", text)
    secrets = (
        value for name, value in os.environ.items() if _SECRET.search(name) and len(value) >= _SHORTEST
    )
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "***")
    return printable(text)
