"""What may go wrong between here and a checkpoint on the Hub.

HubError            this repository cannot be had
├── OfflineError    the Hub cannot be asked at all, for this or any other repository
└── TransientError  asking again may help; it is raised for good when it has not
"""

from __future__ import annotations


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
