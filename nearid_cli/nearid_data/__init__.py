"""The NearID data sets: views of identities, and their distractors, row by row."""

from nearid_cli.nearid_data.identities import Identities, IdentityRow
from nearid_cli.nearid_data.mtg import PartEdits
from nearid_cli.nearid_data.pictures import BadRowError, PictureColumns
from nearid_cli.nearid_data.rows import RowsGiven, choose_rows, column_rule, read_rows, rows_name
from nearid_cli.nearid_data.sources import open_source

__all__ = [
    "BadRowError",
    "Identities",
    "IdentityRow",
    "PartEdits",
    "PictureColumns",
    "RowsGiven",
    "choose_rows",
    "column_rule",
    "open_source",
    "read_rows",
    "rows_name",
]
