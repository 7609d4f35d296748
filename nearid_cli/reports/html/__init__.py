"""The HTML report: one page that needs no network, and the pictures that it shows."""

from nearid_cli.reports.html.chosen import room_for_pictures
from nearid_cli.reports.html.data import page_files, page_masks
from nearid_cli.reports.html.page import plain_html, to_html
from nearid_cli.reports.html.pictures import Gallery, PagePicture, embed, served

__all__ = [
    "Gallery",
    "PagePicture",
    "embed",
    "page_files",
    "page_masks",
    "plain_html",
    "room_for_pictures",
    "served",
    "to_html",
]
