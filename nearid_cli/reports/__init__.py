"""Results for people and programs: terminal tables, JSON, CSV, Parquet, Markdown, LaTeX, HTML and JUnit XML.

Everything here reads result objects and changes none. What a format needs (rich, pyarrow) is imported when
that format is written, so that JSON costs nothing but itself.
"""

from nearid_cli.reports.document import document
from nearid_cli.reports.files import DEFAULT_THUMBNAILS, check_outputs, write, write_document, write_images
from nearid_cli.reports.formats.data import to_json
from nearid_cli.reports.order import check_sort, sorted_methods, sorted_subjects, worst_images
from nearid_cli.reports.terminal import render

__all__ = [
    "DEFAULT_THUMBNAILS",
    "check_outputs",
    "check_sort",
    "document",
    "render",
    "sorted_methods",
    "sorted_subjects",
    "to_json",
    "worst_images",
    "write",
    "write_document",
    "write_images",
]
