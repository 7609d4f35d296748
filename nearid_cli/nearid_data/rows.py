"""Splits: which rows of a data set to take, as a file lists them or as one of its columns says."""

from __future__ import annotations

import json
import logging
import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nearid_cli.errors import InputError
from nearid_cli.opening import MalformedError, read_json
from nearid_cli.text import count, first_few, printable

if TYPE_CHECKING:
    from datasets import Dataset

logger = logging.getLogger(__name__)

_NAME = 40  # characters of a value in the name of a file, which has other parts, and 255 bytes

RowsGiven = str | os.PathLike[str]
"""A file that lists rows, or `COLUMN=VALUE`; a file that exists wins."""


def column_rule(rows: RowsGiven) -> tuple[str, str] | None:
    """The column and the value of `COLUMN=VALUE`; None for a file.

    >>> column_rule("split=test"), column_rule("splits/test.json")
    (('split', 'test'), None)
    """
    column, equals, value = os.fspath(rows).partition("=")
    named = os.path.exists(rows)  # noqa: PTH110 - Path.exists raises where a value is too long for a name
    return (column, value) if equals and column and not named else None


def rows_name(rows: RowsGiven) -> str:
    """What rows are called in names of files: by the value of the column, cut short, or by the file that lists them.

    >>> rows_name("split=test"), rows_name("splits/test.json")
    ('test', 'test')
    """
    rule = column_rule(rows)
    return Path(rows).stem if rule is None else rule[1].replace("/", "~")[:_NAME]


def choose_rows(rows: RowsGiven, source: str, dataset: Dataset) -> list[int]:
    """Positions of the rows that are asked for, from 0.

    Args:
        rows: a file for `read_rows`, or `COLUMN=VALUE`: the rows with this value in this column of words, whole numbers
            or truth values, in their order. A row without a value is not taken, and a warning counts such.
        source: what the data set is called in messages.
        dataset: from `open_source`.

    Raises:
        InputError: as `read_rows`; or there is no such column, it holds something else, or no row has the value.
    """
    rule = column_rule(rows)
    if rule is None:
        return read_rows(Path(rows), len(dataset))
    column, value = rule
    found = column_values(column, source, dataset)
    chosen = [row for row, own in enumerate(found) if own == value]
    times = Counter(found)
    nothing = times.pop(None, 0)
    if not chosen:
        lines = [f"{printable(str(own))}: {count(number, 'row')}" for own, number in times.most_common()]
        raise InputError(
            f"no row of {printable(source)} has {printable(column)}={printable(value)}; the column holds",
            [*first_few(lines), *([f"nothing: {count(nothing, 'row')}"] if nothing else [])],
        )
    if nothing:
        logger.warning(
            "%s of %s with nothing in the column %s left out",
            count(nothing, "row"),
            printable(source),
            printable(column),
        )
    return chosen


def label_columns(dataset: Dataset) -> list[str]:
    """The columns that `column_values` reads: of words, whole numbers or truth values."""
    return [name for name in dataset.column_names if _tells(dataset, name)]


def column_values(column: str, source: str, dataset: Dataset) -> list[str | None]:
    """What a column says of each row, as text.

    Raises:
        InputError: there is no such column, or it holds something else than words, whole numbers or truth values.
    """
    if column not in dataset.column_names:
        raise InputError(
            f"{printable(source)} has no column {printable(column)}; it has "
            f"{', '.join(map(printable, dataset.column_names))}"
        )
    values = dataset.data.column(column)
    if not _tells(dataset, column):
        raise InputError(
            f"{printable(source)}: rows go by a column of words, whole numbers or truth values, and "
            f"{printable(column)} holds {printable(str(_stored(values.type))):.80}"
        )
    names = getattr(dataset.features[column], "names", None)  # of a ClassLabel, whose numbers stand for words

    def spelled(value: Any) -> str | None:
        if value is None or (names is not None and value < 0):  # -1 is a label that is not known
            return None
        if names is not None:
            return str(names[value])
        return json.dumps(value) if isinstance(value, bool) else str(value)

    return [spelled(value) for value in values.to_pylist()]


def _tells(dataset: Dataset, column: str) -> bool:
    import pyarrow as pa

    kind = _stored(dataset.data.column(column).type)
    words = (pa.types.is_string, pa.types.is_large_string, pa.types.is_integer, pa.types.is_boolean)
    return pa.types.is_null(kind) or any(is_one(kind) for is_one in words)


def _stored(kind: Any) -> Any:
    """What a column holds; of a dictionary, what is in it."""
    import pyarrow as pa

    return kind.value_type if pa.types.is_dictionary(kind) else kind


def read_rows(path: Path, length: int) -> list[int]:
    """Read a JSON list of row positions, or an object that holds one under `indices`.

    Args:
        path: the file, in UTF-8.
        length: how many rows the data set has.

    Returns:
        Unique positions, 0 to `length` - 1, in the order of the file.

    Raises:
        InputError: the file cannot be read, is no such JSON, lists nothing, or lists what is no integer, is
            out of range or comes twice.
    """
    listed = _listed(path)
    if not listed:
        raise InputError(f"{printable(path)} lists no rows")
    # True and False are integers to Python, and 3.0 equals 3; neither is a row position.
    odd = [
        f"entry {place + 1}: {_shown(entry)}" for place, entry in enumerate(listed) if type(entry) is not int
    ]
    if odd:
        found = count(len(odd), "entry that is none", "entries that are none")
        raise InputError(f"{printable(path)}: expected integers, found {found}", first_few(odd))
    beyond = [f"row {_shown(row)}" for row in listed if not 0 <= row < length]
    if beyond:
        raise InputError(
            f"{printable(path)} lists {count(len(beyond), 'row')} that the data set does not have: "
            f"it has {count(length, 'row')}, and the first is 0",
            first_few(beyond),
        )
    repeated = [f"row {row}: {times} times" for row, times in Counter(listed).items() if times > 1]
    if repeated:
        raise InputError(
            f"{printable(path)} lists {count(len(repeated), 'row')} more than once; each may come once",
            first_few(repeated),
        )
    return listed


def _listed(path: Path) -> list[Any]:
    """The list that the file holds, whatever its entries are."""
    expected = 'expected a JSON list of row positions, or {"indices": [...]}'
    try:
        content = read_json(path)
    except OSError as error:
        raise InputError(f"{printable(path)} cannot be read: {error.strerror or error}") from error
    except MalformedError as error:
        raise InputError(f"{printable(path)}: {expected}, found no JSON ({error})") from error
    if isinstance(content, dict):
        if "indices" not in content:
            raise InputError(f'{printable(path)}: {expected}, found an object without "indices"')
        content = content["indices"]
    if not isinstance(content, list):
        raise InputError(f"{printable(path)}: {expected}, found {_shown(content)}")
    return content


def _shown(value: object) -> str:
    """A JSON value, cut short."""
    text = json.dumps(value) if not isinstance(value, int) or abs(value) < 10**30 else "a very large integer"
    return text if len(text) <= 40 else f"{text[:37]}..."
