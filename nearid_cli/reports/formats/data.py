"""Formats for programs: JSON and JSON lines, CSV and Parquet."""

from __future__ import annotations

import functools
import io
import math
import re
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from nearid_cli.reports.formats.base import FileFormat
from nearid_cli.text import printable, storable

if TYPE_CHECKING:
    from json import JSONEncoder

    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    from nearid_cli.reports.blocks import Document
    from nearid_cli.reports.table import Table
    from nearid_cli.results.base import Plain
    from nearid_cli.results.images import ImageColumns

# What begins a formula: at the start of a cell, and after a semicolon, where a spreadsheet may be set to part cells;
# the wide forms count where East Asian text is written.
_FORMULA = re.compile(r"^(?=[=+\-@\t\r＝＋－＠])|(?<=;)(?=[=+\-@＝＋－＠])")


class Json(FileFormat):
    """The whole result, which loses nothing."""

    extension = ".json"
    holds = ("score", "compare", "gate", "benchmark")
    place = 1

    def render(self, document: Document) -> str:
        """One object."""
        return f"{to_json(document.result)}\n"


class JsonLines(FileFormat):
    """A line a generation, as in `images` of the JSON."""

    extension = ".jsonl"
    holds = ("images",)
    place = 4

    def render(self, document: Document) -> str:
        """One object a line, the method first where there is one."""
        from nearid_cli.results.base import plain

        return "".join(
            f"{_json(({} if method is None else {'method': method}) | plain(image))}\n"
            for method, run in document.result.runs.items()
            for image in run.images
        )


class Csv(FileFormat):
    """The document's table."""

    extension = ".csv"
    holds = ("score", "compare", "gate", "images", "groups", "benchmark")
    place = 2

    def render(self, document: Document) -> str:
        """A header line, and one a row."""
        return to_csv(document.table)


class Parquet(FileFormat):
    """The same with types, and with what made the numbers: key `nearid` of the metadata."""

    extension = ".parquet"
    holds = ("score", "compare", "gate", "images", "groups", "benchmark")
    place = 3

    def render(self, document: Document) -> bytes:
        """One row group."""
        import json

        facts = document.facts()
        return to_parquet(document.table, {"nearid": json.dumps(facts, allow_nan=False)} if facts else {})


def to_json(result: Plain) -> str:
    r"""The result as JSON that any UTF-8 file holds; keys as in docs/reference/numbers.md.

    One line a member, and one an item of a list: as readable as fully indented JSON, and several
    times faster, because Python indents in Python.

    Characters that would move a terminal's cursor or turn its text round, or be a command to CI, are written as
    `\uXXXX`, which is the same to a JSON reader. A byte of a file name that is not UTF-8 becomes
    backslash text such as `\xff`.

    Raises:
        ValueError: a number is NaN or infinite. Results hold None instead, so this is a bug.
    """
    from nearid_cli.results.compare import CompareResult
    from nearid_cli.results.score import ScoreResult

    columns: list[ImageColumns | None] = []
    if isinstance(result, ScoreResult | CompareResult):
        columns = [run.images.columns for run in result.runs.values()]
        result = result.with_runs(lambda run: run.without_images() if run.images.columns else run)
    members = result.to_dict()
    made: dict[str, str] = {}
    if isinstance(result, CompareResult):
        made["methods"] = _by_line(map(_method, members["methods"], columns))
    elif columns and columns[0] and columns[0].path:
        made["images"] = _by_line(_image_lines(columns[0]))
    texts = {key: made[key] if key in made else _item_by_line(value) for key, value in members.items()}
    return "{\n" + ",\n".join(f"  {_json(key)}: {text}" for key, text in texts.items()) + "\n}"


def _method(method: Mapping[str, Any], columns: ImageColumns | None) -> str:
    """A method of a comparison, whose generations are in columns; None where they are rows, and in it already."""
    if columns is None:
        return _json(method)
    result = {key: _json(value) for key, value in method["result"].items()}
    result["images"] = f"[{', '.join(_image_lines(columns))}]"
    members = {key: _object(result) if key == "result" else _json(value) for key, value in method.items()}
    return _object(members)


def _object(members: Mapping[str, str]) -> str:
    return f"{{{', '.join(f'{_json(key)}: {text}' for key, text in members.items())}}}"


def _item_by_line(value: Any) -> str:
    return _by_line(map(_json, value)) if isinstance(value, list) and value else _json(value)


def _by_line(items: Iterable[str]) -> str:
    return "[\n" + ",\n".join(f"    {item}" for item in items) + "\n  ]"


def _image_lines(columns: ImageColumns) -> Iterator[str]:
    """What `_json` makes of the row of each generation, without the row, and with names written once for all.

    Raises:
        ValueError: a score is infinite.
    """
    from json.encoder import encode_basestring as quoted

    from nearid_cli.results.base import plain

    subjects = {subject: quoted(subject) for subject in set(columns.subject)}
    copied = {place: quoted(one) for place, one in columns.others.get("copy_of", {}).items()}
    others = [(_json(name), own) for name, own in columns.others.items() if name != "copy_of" and own]
    texts = [_number_texts(f"{_json(metric)}: ", own) for metric, own in columns.scores.items()]
    rows = zip(columns.path, columns.subject, zip(*texts, strict=True), strict=True)
    for place, (path, subject, scores) in enumerate(rows):
        further = "".join(f", {name}: {_json(plain(own[place]))}" for name, own in others if place in own)
        yield _safe(
            f'{{"path": {quoted(path)}, "subject": {subjects[subject]}, "copy_of": {copied.get(place, "null")}, '
            f'"scores": {{{", ".join(scores)}}}{further}}}'
        )


def _number_texts(name: str, numbers: npt.NDArray[np.float64]) -> list[str]:
    """A member for each number, as Python's encoder writes it; NaN as null."""
    found = numbers.tolist()
    if any(map(math.isinf, found)):
        raise ValueError(f"{name}an infinite score")
    return [f"{name}null" if math.isnan(number) else f"{name}{number!r}" for number in found]


def _json(value: Any) -> str:
    return _safe(_encoder().encode(value))


def _safe(text: str) -> str:
    """JSON with its odd characters escaped."""
    # A log of CI would take a name that holds this for a command; see `text.printable`.
    text = text.replace("##", r"#\u0023")
    return text if text.isprintable() else "".join(c if c.isprintable() else _escaped(c) for c in text)


@functools.cache
def _encoder() -> JSONEncoder:
    """One for all: `json.dumps` makes one a call."""
    import json

    return json.JSONEncoder(allow_nan=False, ensure_ascii=False)


def _escaped(character: str) -> str:
    import json

    return json.dumps(storable(character))[1:-1]


def to_csv(table: Table) -> str:
    r"""A table as CSV with a header line: UTF-8, comma, `\n`, numbers in full precision, None as nothing.

    Text is for eyes here: control characters become backslash escapes, and what a spreadsheet would run as a
    formula gets a leading apostrophe. JSON and Parquet hold names as they are.
    """
    import csv

    names, _, columns = zip(*table.stored(), strict=True)
    lines: list[str] = []
    writer = csv.writer(SimpleNamespace(write=lines.append))  # ends lines with CR LF, so it quotes both
    writer.writerow([_defused(name) for name in names])
    writer.writerows(zip(*([_defused(cell) for cell in cells] for cells in columns), strict=True))
    return "".join(line.removesuffix("\r\n") + "\n" for line in lines)


def to_parquet(table: Table, metadata: dict[str, str]) -> bytes:
    """A table as a Parquet file: texts, truth values, int64 and float64, all of them nullable.

    Args:
        table: the columns.
        metadata: key-value pairs for the file's schema.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    names, kinds, columns = zip(*table.stored(), strict=True)
    made = pa.Table.from_arrays(
        [_arrow(kind, cells) for kind, cells in zip(kinds, columns, strict=True)],
        names=list(map(storable, names)),
    )
    buffer = io.BytesIO()
    pq.write_table(made.replace_schema_metadata(metadata), buffer)
    return buffer.getvalue()


def _arrow(kind: type, cells: Sequence[Any]) -> pa.Array:
    """A column, nullable. Of buffers, because `pa.array` imports pandas, which takes a third of a second and 40 MiB."""
    import numpy as np
    import pyarrow as pa

    def bits(flags: Iterable[bool]) -> bytes:
        return np.packbits(np.fromiter(flags, bool, len(cells)), bitorder="little").tobytes()

    buffers: list[Any]
    if kind is str:
        texts = [storable(cell).encode() if cell is not None else b"" for cell in cells]
        ends = np.cumsum([0, *map(len, texts)], dtype=np.int64)
        if ends[-1] > np.iinfo(np.int32).max:
            return pa.array([None if cell is None else storable(cell) for cell in cells], pa.string())
        arrow, buffers = pa.string(), [ends.astype(np.int32), b"".join(texts)]
    elif kind is bool:
        arrow, buffers = pa.bool_(), [bits(map(bool, cells))]
    else:
        arrow, code = (pa.int64(), "q") if kind is int else (pa.float64(), "d")
        buffers = [array(code, [0 if cell is None else cell for cell in cells])]
    known = bits(cell is not None for cell in cells)
    return pa.Array.from_buffers(arrow, len(cells), list(map(pa.py_buffer, [known, *buffers])))


def _defused(cell: Any) -> Any:
    """A cell that a spreadsheet shows instead of running it. Numbers, negative ones too, are no formulas."""
    if not isinstance(cell, str):
        return cell
    return _FORMULA.sub("'", printable(cell))
