"""Results for people and programs: terminal tables, JSON, CSV, Parquet, Markdown, LaTeX, HTML and JUnit XML.

Everything here reads result objects and changes none. What a format needs (rich, pyarrow) is imported when
that format is written, so that JSON costs nothing but itself.
"""

from nearid_cli.reports.files import (
    COMPARE_EXTENSIONS,
    DEFAULT_THUMBNAILS,
    GATE_EXTENSIONS,
    SCORE_EXTENSIONS,
    check_outputs,
    write,
    write_images,
)
from nearid_cli.reports.json_text import to_json
from nearid_cli.reports.order import check_sort, default_sort, sorted_methods, sorted_subjects, worst_images
from nearid_cli.reports.terminal import findings, render_pair, render_score, score_tables, worst_tables

__all__ = [
    "COMPARE_EXTENSIONS",
    "DEFAULT_THUMBNAILS",
    "GATE_EXTENSIONS",
    "SCORE_EXTENSIONS",
    "check_outputs",
    "check_sort",
    "default_sort",
    "findings",
    "render_pair",
    "render_score",
    "score_tables",
    "sorted_methods",
    "sorted_subjects",
    "to_json",
    "worst_images",
    "worst_tables",
    "write",
    "write_images",
]
