"""What is wrong with a picture, for people."""

from __future__ import annotations


class UnreadableImage(Exception):  # noqa: N818 - a finding about a file, which the pipeline collects
    """A picture that cannot be used.

    Attributes:
        reason: why, in one short line for people, without the file's name.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
