"""What a format is, and the list of all that there are.

Help names the formats, so these modules import what they render with when they render.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from nearid_cli.reports.blocks import Document

FORMATS: dict[str, FileFormat] = {}
"""By extension. A format comes in by being defined in a module of this folder."""


class FileFormat:
    """A way to write a document into a file.

    Attributes:
        extension: of the file, with its dot.
        holds: the kinds of documents that it can hold.
        place: in lists of formats, lowest first.
        elsewhere: what to tell who asks for it where it does not fit.
    """

    extension: ClassVar[str]
    holds: ClassVar[tuple[str, ...]]
    place: ClassVar[int]
    elsewhere: ClassVar[str] = ""

    def __init_subclass__(cls) -> None:
        FORMATS[cls.extension] = cls()

    def render(self, document: Document) -> str | bytes:
        """The content of the file."""
        raise NotImplementedError
