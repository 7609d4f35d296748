"""The HTML report, one page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nearid_cli.reports.formats.base import FileFormat

if TYPE_CHECKING:
    from nearid_cli.reports.blocks import Document


class Html(FileFormat):
    """The document with plots and pictures where it has some."""

    extension = ".html"
    holds = ("score", "compare", "gate", "benchmark")
    place = 7

    def render(self, document: Document) -> str:
        """The page with as many pictures as the document asks for."""
        from nearid_cli.reports.html import (
            embed,
            page_files,
            page_masks,
            plain_html,
            room_for_pictures,
            to_html,
        )

        if document.tell is None:
            return plain_html(document)
        files, masks = page_files(document.result), page_masks(document.result)
        room = room_for_pictures(document.story.result)
        return to_html(document, embed(files, document.thumbnails, document.progress, masks, room))
